/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The part of a provider that is the same for all. A line says nothing before devmgr's limit, and
 * the limit is taken once: devmgr sends it before the driver at the other end exists.
 * One thread, no locks. Tests: tests/host/drivers/jh7110.
 */
#include <sk/provider.h>

#include <stdio.h>
#include <stdlib.h>

#include <sk/print.h>
#include <skerry/status.h>

static const struct sk_platform_right *find_right(const struct sk_platform_limit *limit,
                                                  uint32_t kind, uint32_t id)
{
    for (uint32_t i = 0; i < limit->count; i++) {
        if (limit->rights[i].kind == kind && limit->rights[i].id == id) {
            return &limit->rights[i];
        }
    }
    return NULL;
}

/* Of a line whose limit is not to be had: nobody can set another. */
static struct sk_platform_limit nothing_allowed;

/* The parents are set at once, before the device's driver does anything. */
static void take_limit(const struct sk_provider_ops *ops, void *context, struct sk_client *client,
                       const struct sk_platform_limit *limit)
{
    if (client->data != NULL) {
        return;
    }
    struct sk_platform_limit *own = limit->count <= SK_PLATFORM_RIGHTS_MAX ? malloc(sizeof *own)
                                                                           : NULL;
    if (own == NULL) {
        client->data = &nothing_allowed;
        return;
    }
    *own = *limit;
    client->data = own;
    for (uint32_t i = 0; i < own->count; i++) {
        const struct sk_platform_right *right = &own->rights[i];
        if (right->kind != SK_PLATFORM_PARENT) {
            continue;
        }
        status_t status = ops->clock_set_parent == NULL
                              ? SK_NOT_SUPPORTED
                              : ops->clock_set_parent(context, right->id, right->a);
        if (status != SK_OK) {
            printf("clock %u cannot come from clock %u: %s\n", right->id, right->a,
                   sk_status_words(status));
        }
    }
}

static status_t serve_clock(const struct sk_provider_ops *ops, void *context,
                            const struct sk_platform_request *request, uint64_t *value)
{
    switch (request->operation) {
    case SK_PLATFORM_CLOCK_ENABLE:
        return ops->clock_enable == NULL ? SK_NOT_SUPPORTED
                                         : ops->clock_enable(context, request->id);
    case SK_PLATFORM_CLOCK_RATE:
        return ops->clock_rate == NULL ? SK_NOT_SUPPORTED
                                       : ops->clock_rate(context, request->id, value);
    default:
        *value = request->value;
        return ops->clock_set_rate == NULL ? SK_NOT_SUPPORTED
                                           : ops->clock_set_rate(context, request->id, value);
    }
}

static status_t serve_field(const struct sk_provider_ops *ops, void *context,
                            const struct sk_platform_right *field, uint64_t value)
{
    if (ops->field_write == NULL || field->b == 0 || field->b > 32 || field->a > 32 - field->b) {
        return SK_NOT_SUPPORTED;
    }
    if (value >> field->b != 0) {
        return SK_OUT_OF_RANGE;
    }
    return ops->field_write(context, field->id, field->a, field->b, (uint32_t)value);
}

static status_t serve(const struct sk_provider_ops *ops, void *context,
                      const struct sk_platform_limit *limit,
                      const struct sk_platform_request *request, uint64_t *value)
{
    static const uint32_t kinds[] = {
        [SK_PLATFORM_CLOCK_ENABLE] = SK_PLATFORM_CLOCK,
        [SK_PLATFORM_CLOCK_RATE] = SK_PLATFORM_CLOCK,
        [SK_PLATFORM_CLOCK_SET_RATE] = SK_PLATFORM_CLOCK,
        [SK_PLATFORM_RESET] = SK_PLATFORM_RESET_LINE,
        [SK_PLATFORM_FIELD_WRITE] = SK_PLATFORM_FIELD,
    };
    if (request->operation == 0 || request->operation >= sizeof kinds / sizeof kinds[0]) {
        return SK_INVALID_ARGS;
    }
    uint32_t kind = kinds[request->operation];
    const struct sk_platform_right *right = limit == NULL ? NULL
                                                          : find_right(limit, kind, request->id);
    if (right == NULL) {
        return SK_NOT_ALLOWED;
    }
    if (kind == SK_PLATFORM_CLOCK) {
        return serve_clock(ops, context, request, value);
    }
    if (kind == SK_PLATFORM_FIELD) {
        return serve_field(ops, context, right, request->value);
    }
    return ops->reset == NULL ? SK_NOT_SUPPORTED
                              : ops->reset(context, request->id, request->value != 0);
}

status_t sk_provider_message(const struct sk_provider_ops *ops, void *context,
                             struct sk_client *client, struct sk_in *in, struct sk_reply *reply)
{
    if (!in->is_call) {
        const struct sk_platform_limit *limit = sk_request(in, struct sk_platform_limit);
        if (limit != NULL && limit->operation == SK_PLATFORM_LIMIT) {
            take_limit(ops, context, client, limit);
        }
        return SK_PENDING; /* nothing has been answered */
    }
    const struct sk_platform_request *request = sk_request(in, struct sk_platform_request);
    if (request == NULL) {
        return SK_INVALID_ARGS;
    }
    uint64_t value = 0;
    status_t status = serve(ops, context, client->data, request, &value);
    if (status == SK_OK) {
        sk_reply_struct(reply, struct sk_platform_reply)->value = value;
    }
    return status;
}

void sk_provider_disconnect(struct sk_client *client)
{
    if (client->data != &nothing_allowed) {
        free(client->data);
    }
    client->data = NULL;
}
