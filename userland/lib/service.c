/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests to init. One at a time per process, as init serves them: `lock` is held across the call,
 * so that two threads take turns instead of being told BUSY. Tests: tests/qemu/broker.
 */
#include <sk/service.h>

#include <string.h>

#include <sk/ipc.h>
#include <sk/protocol/init.h>
#include <sk/spawn.h>
#include <sk/thread.h>
#include <sk/time.h>

/* Init never waits for anybody, so an answer that takes this long will not come. */
#define INIT_PATIENCE (5 * SK_SECOND)

/* Init answers a connect at its deadline; so much longer the call waits for that answer. */
#define ANSWER_TIME SK_SECOND

static struct sk_mutex lock;

/* A process that another program started reaches init through an endpoint named "init". */
static handle_t init_endpoint(void)
{
    handle_t endpoint = sk_boot_handle("init");
    return endpoint != SK_HANDLE_NONE ? endpoint : sk_boot_endpoint;
}

static bool copy_name(char *to, const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= SK_INIT_NAME_MAX) {
        return false;
    }
    memcpy(to, name, length + 1);
    return true;
}

static status_t call_init(const struct sk_out *out, handle_t *handle, uint64_t deadline)
{
    struct sk_init_status reply;
    handle_t handles[1];
    struct sk_in in = {&reply, sizeof reply, handles, handle != NULL ? 1 : 0};
    status_t status = sk_mutex_lock_until(&lock, deadline);
    if (status != SK_OK) {
        return status;
    }
    status = sk_channel_call(init_endpoint(), out, &in, deadline);
    sk_mutex_unlock(&lock);
    if (status != SK_OK) {
        return status;
    }
    if (in.length < sizeof reply) {
        return SK_BAD_FORMAT;
    }
    status = (status_t)reply.status;
    if (handle != NULL && status == SK_OK) {
        if (in.handle_count != 1) {
            return SK_BAD_FORMAT;
        }
        *handle = handles[0];
    }
    return status;
}

status_t sk_connect(const char *service, uint64_t deadline, handle_t *endpoint)
{
    struct sk_init_connect request = {.operation = SK_INIT_CONNECT, .deadline = deadline};
    if (!copy_name(request.name, service)) {
        return SK_INVALID_ARGS;
    }
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    uint64_t now = sk_now();
    uint64_t answer = deadline > now ? deadline : now;
    answer = answer < SK_DEADLINE_NEVER - ANSWER_TIME ? answer + ANSWER_TIME : SK_DEADLINE_NEVER;
    return call_init(&out, endpoint, answer);
}

status_t sk_connect_refusal(handle_t endpoint)
{
    struct sk_init_status refusal = {SK_PEER_CLOSED};
    struct sk_in in = sk_in_bytes(&refusal, sizeof refusal);
    status_t status = sk_channel_receive(endpoint, &in, SK_DEADLINE_POLL);
    bool told = status == SK_OK && in.length == sizeof refusal && refusal.status < SK_OK;
    return told ? (status_t)refusal.status : SK_PEER_CLOSED;
}

void sk_complain(const char *service)
{
    struct sk_init_name request = {.operation = SK_INIT_COMPLAIN};
    if (copy_name(request.name, service)) {
        struct sk_out out = sk_out_bytes(&request, sizeof request);
        sk_channel_send(init_endpoint(), &out);
    }
}

void sk_control_accept(handle_t control, const struct sk_in *in)
{
    const struct sk_init_ping *message = in->bytes; /* a new client's begins like this, too */
    if (in->handle_count != 0) {
        sk_handle_close(in->handles[0]);
    }
    if (in->length >= sizeof *message) {
        struct sk_init_accepted accepted = {SK_INIT_ACCEPTED, message->sequence};
        struct sk_out out = sk_out_bytes(&accepted, sizeof accepted);
        sk_channel_send(control, &out);
    }
}

status_t sk_control_answer(handle_t control)
{
    struct sk_init_new_client message;
    handle_t client;
    for (;;) {
        struct sk_in in = {&message, sizeof message, &client, 1};
        status_t status = sk_channel_receive(control, &in, SK_DEADLINE_POLL);
        if (status != SK_OK) {
            return status == SK_TIMED_OUT ? SK_OK : status;
        }
        sk_control_accept(control, &in);
    }
}

static status_t call_name(uint64_t operation, const char *name, const handle_t *give,
                          handle_t *take)
{
    struct sk_init_name request = {.operation = operation};
    if (!copy_name(request.name, name)) {
        return SK_INVALID_ARGS;
    }
    struct sk_out out = {&request, sizeof request, give, give != NULL ? 1 : 0};
    return call_init(&out, take, sk_deadline_after(INIT_PATIENCE));
}

status_t sk_offer(const char *service, handle_t job, uint32_t priority, handle_t *control)
{
    struct sk_init_offer request = {.operation = SK_INIT_OFFER, .priority = priority};
    handle_t ours, inits;
    if (!copy_name(request.name, service)) {
        return SK_INVALID_ARGS;
    }
    status_t status = sk_channel_create(job, &ours, &inits);
    if (status != SK_OK) {
        return status;
    }
    struct sk_out out = {&request, sizeof request, &inits, 1};
    status = call_init(&out, NULL, sk_deadline_after(INIT_PATIENCE));
    if (status != SK_OK) {
        /* Closing a handle that init has taken is a harmless BAD_HANDLE. */
        sk_handle_close(inits);
        sk_handle_close(ours);
        return status;
    }
    *control = ours;
    return SK_OK;
}

status_t sk_no_device(const char *service)
{
    return call_name(SK_INIT_NO_DEVICE, service, NULL, NULL);
}

status_t sk_keep(const char *name, handle_t handle)
{
    return call_name(SK_INIT_KEEP, name, handle != SK_HANDLE_NONE ? &handle : NULL, NULL);
}

status_t sk_ready(void)
{
    return call_name(SK_INIT_READY, sk_self_name, NULL, NULL);
}

status_t sk_delegate(const char *child_name, handle_t job, handle_t *endpoint)
{
    handle_t copy;
    status_t status = sk_handle_duplicate(
        job, SK_RIGHT_MANAGE | SK_RIGHT_TRANSFER | SK_RIGHT_DUPLICATE, &copy);
    if (status != SK_OK) {
        return status;
    }
    status = call_name(SK_INIT_DELEGATE, child_name, &copy, endpoint);
    if (status != SK_OK) {
        sk_handle_close(copy);
    }
    return status;
}
