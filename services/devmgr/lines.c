/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines between drivers: a device that needs clocks, resets or fields of others gets a channel to the
 * driver of each such provider, limited to what the device's node names (<sk/protocol/platform.h>).
 * devmgr holds the other end of each provider's control channel, so that nobody else connects; the limit
 * is the first message on a line and is sent before the driver has its end. A line made while the
 * provider is down waits in its control channel. One thread, no locks. Tests:
 * tests/host/drivers/jh7110, tests/qemu/lines.
 */
#include <stdio.h>
#include <string.h>

#include <sk/ipc.h>
#include <sk/print.h>
#include <sk/protocol/init.h>
#include <sk/service.h>

#include "devmgr.h"

static struct found *all;
static const uint32_t *all_count;

void lines_init(struct found *found, const uint32_t *count)
{
    all = found;
    all_count = count;
}

status_t lines_open_provider(struct found *provider)
{
    return sk_channel_create(sk_self_job, &provider->control, &provider->lines);
}

static struct found *find_provider(int node)
{
    for (uint32_t i = 0; i < *all_count; i++) {
        if (all[i].driver->provider && all[i].device.node == node) {
            return &all[i];
        }
    }
    return NULL;
}

/* The provider's server acknowledges connections, as it does to init; nobody here counts them. */
static void drop_acknowledgements(handle_t lines)
{
    struct sk_init_accepted accepted;
    struct sk_in in = sk_in_bytes(&accepted, sizeof accepted);
    while (sk_channel_receive(lines, &in, SK_DEADLINE_POLL) == SK_OK) {
    }
}

/* Sends the far end of a line to the provider. It moves on success only. */
static status_t introduce(struct found *provider, const struct found *device, handle_t far)
{
    struct sk_init_new_client message = {
        .operation = SK_INIT_NEW_CLIENT,
        .sequence = ++provider->line_count,
        .client_id = 1 + (uint64_t)(device - all), /* there is no process yet */
    };
    _Static_assert(MATCH_NAME_MAX <= SK_INIT_NAME_MAX, "a driver's name fits");
    memcpy(message.client_name, device->driver->name, MATCH_NAME_MAX);
    struct sk_out out = {
        .bytes = &message, .length = sizeof message, .handles = &far, .handle_count = 1};
    drop_acknowledgements(provider->lines);
    return sk_channel_send(provider->lines, &out);
}

/* A line to `provider` with the rights among `supplies` that are its; *near is the driver's end. */
static status_t make_line(struct found *provider, const struct found *device,
                          const struct device_supply *supplies, uint32_t count, handle_t *near)
{
    struct sk_platform_limit limit = {.operation = SK_PLATFORM_LIMIT};
    handle_t far;
    for (uint32_t i = 0; i < count; i++) {
        bool is_right = supplies[i].right.kind != SK_PLATFORM_FIXED;
        if (is_right && supplies[i].provider == provider->device.node) {
            limit.rights[limit.count++] = supplies[i].right;
        }
    }
    status_t status = sk_channel_create(device->job, near, &far);
    if (status != SK_OK) {
        return status;
    }
    struct sk_out out = sk_out_bytes(&limit, sizeof limit);
    status = sk_channel_send(*near, &out);
    if (status == SK_OK) {
        status = introduce(provider, device, far);
    }
    if (status != SK_OK) {
        sk_handle_close(far);
        sk_handle_close(*near);
    }
    return status;
}

struct lines {
    struct found *providers[LINES_MAX];
    uint32_t count;
};

/* The number of the line to the provider, made if need be. */
static status_t line_to(struct lines *lines, struct found *provider, const struct found *device,
                        const struct device_supply *supplies, uint32_t count, struct grant *grant,
                        uint32_t *number)
{
    static const char *const names[LINES_MAX] = {"line0", "line1", "line2", "line3"};
    for (*number = 0; *number < lines->count; (*number)++) {
        if (lines->providers[*number] == provider) {
            return SK_OK;
        }
    }
    if (lines->count == LINES_MAX) {
        return SK_TOO_BIG;
    }
    handle_t near;
    status_t status = make_line(provider, device, supplies, count, &near);
    if (status == SK_OK) {
        grant_handle(grant, names[lines->count], near);
        lines->providers[lines->count++] = provider;
    }
    return status;
}

static const char *kind_word(uint32_t kind)
{
    switch (kind) {
    case SK_PLATFORM_RESET_LINE:
        return "reset";
    case SK_PLATFORM_FIELD:
        return "field";
    default:
        return "clock";
    }
}

status_t lines_grant(struct grant *grant, const struct found *device, const void *tree)
{
    struct device_supply supplies[MATCH_SUPPLIES_MAX];
    uint32_t count = device_supplies(tree, &device->device, device->driver, supplies);
    struct lines lines = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        const struct device_supply *supply = &supplies[i];
        char text[ARGUMENT_BYTES];
        uint32_t number;
        if (supply->right.kind == SK_PLATFORM_FIXED) {
            snprintf(text, sizeof text, "clock:%.31s=fixed,%lu", supply->name,
                     (unsigned long)supply->right.id);
            grant_argument(grant, text);
            continue;
        }
        struct found *provider = find_provider(supply->provider);
        if (provider == NULL) {
            continue; /* nobody's: the driver knows what it can do without */
        }
        status_t status = line_to(&lines, provider, device, supplies, count, grant, &number);
        if (status != SK_OK) {
            return status;
        }
        if (supply->right.kind != SK_PLATFORM_PARENT) {
            snprintf(text, sizeof text, "%s:%.31s=%lu,%lu", kind_word(supply->right.kind),
                     supply->name, (unsigned long)number, (unsigned long)supply->right.id);
            grant_argument(grant, text);
        }
    }
    return SK_OK;
}
