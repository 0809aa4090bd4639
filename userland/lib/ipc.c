/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages between C structures and the registers of <skerry/ipc.h>. Bytes 0..31 travel in registers
 * and are copied here; the kernel reads and writes the rest of the buffers itself.
 */
#include <sk/ipc.h>

#include <string.h>

/* The bytes of a message that are in registers, to or from a buffer: mostly all of them, and aligned. */
static inline void copy_registers(void *to, const void *from, size_t bytes)
{
    if (bytes == SK_MESSAGE_REGISTER_BYTES && (((uintptr_t)to | (uintptr_t)from) & 7) == 0) {
        uint64_t *words = to;
        const uint64_t *values = from;
        words[0] = values[0];
        words[1] = values[1];
        words[2] = values[2];
        words[3] = values[3];
    } else if (bytes != 0) {
        memcpy(to, from, bytes);
    }
}

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline void load_out(struct sk_ipc_registers *r, const struct sk_out *out)
{
    uint64_t words[4] = {0};
    copy_registers(words, out->bytes, least(out->length, SK_MESSAGE_REGISTER_BYTES));
    r->words[0] = words[0];
    r->words[1] = words[1];
    r->words[2] = words[2];
    r->words[3] = words[3];
    r->info = SK_INFO(out->length, out->handle_count);
    r->out_bytes = (uint64_t)(uintptr_t)out->bytes;
    r->out_handles = (uint64_t)(uintptr_t)out->handles;
}

/* What the info word cannot say must not be cut off silently. */
static inline status_t check_out(const struct sk_out *out)
{
    if (out->length > SK_MESSAGE_BYTES_MAX) {
        return SK_TOO_BIG;
    }
    return out->handle_count > SK_MESSAGE_HANDLES_MAX ? SK_TOO_BIG : SK_OK;
}

static inline void load_in(struct sk_ipc_registers *r, const struct sk_in *in)
{
    size_t bytes = least(in->capacity, SK_MESSAGE_BYTES_MAX);
    size_t handles = least(in->handle_capacity, SK_MESSAGE_HANDLES_MAX);
    r->in_bytes = (uint64_t)(uintptr_t)in->bytes;
    r->in_room = SK_ROOM(bytes, handles);
    r->in_handles = (uint64_t)(uintptr_t)in->handles;
}

/* A receive can deliver 32 bytes into a smaller buffer's registers; the message is lost then only if
 * the caller gave less room than its own protocol's shortest message, so it is told TOO_SMALL. */
static inline status_t store_in(const struct sk_ipc_registers *r, struct sk_in *in, status_t status)
{
    in->length = SK_INFO_LENGTH(r->info);
    in->handle_count = SK_INFO_HANDLES(r->info);
    in->is_call = (r->info & SK_INFO_CALL) != 0;
    in->delivered = (r->info & SK_INFO_DELIVERED) != 0;
    in->key = r->out_bytes;
    in->token = r->deadline;
    in->signals = 0;
    if (status != SK_OK) {
        return status;
    }
    if ((r->info & SK_INFO_SIGNALS) != 0) {
        in->signals = (uint32_t)r->words[0];
        in->length = 0;
        return SK_OK;
    }
    const uint64_t words[4] = {r->words[0], r->words[1], r->words[2], r->words[3]};
    size_t in_registers = least(in->length, SK_MESSAGE_REGISTER_BYTES);
    copy_registers(in->bytes, words, least(in_registers, in->capacity));
    return in_registers > in->capacity ? SK_TOO_SMALL : SK_OK;
}

status_t sk_channel_send(handle_t endpoint, const struct sk_out *out)
{
    status_t status = check_out(out);
    if (status != SK_OK) {
        return status;
    }
    struct sk_ipc_registers r = {.a0 = endpoint};
    load_out(&r, out);
    sk_syscall_ipc(SK_SYS_channel_send, &r);
    return (status_t)r.a0;
}

status_t sk_channel_receive(handle_t source, struct sk_in *in, uint64_t deadline)
{
    struct sk_ipc_registers r = {.a0 = source, .deadline = deadline};
    load_in(&r, in);
    sk_syscall_ipc(SK_SYS_channel_receive, &r);
    return store_in(&r, in, (status_t)r.a0);
}

status_t sk_channel_call(handle_t endpoint, const struct sk_out *out, struct sk_in *in,
                         uint64_t deadline)
{
    in->delivered = false;
    status_t status = check_out(out);
    if (status != SK_OK) {
        return status;
    }
    struct sk_ipc_registers r = {.a0 = endpoint, .deadline = deadline};
    load_out(&r, out);
    load_in(&r, in);
    sk_syscall_ipc(SK_SYS_channel_call, &r);
    return store_in(&r, in, (status_t)r.a0);
}

status_t sk_channel_reply(token_t token, const struct sk_out *out)
{
    status_t status = check_out(out);
    if (status != SK_OK) {
        return status;
    }
    struct sk_ipc_registers r = {.token = token};
    load_out(&r, out);
    sk_syscall_ipc(SK_SYS_channel_reply, &r);
    return (status_t)r.a0;
}

status_t sk_channel_reply_receive(token_t token, const struct sk_out *out, status_t *reply_status,
                                  handle_t source, struct sk_in *in, uint64_t deadline)
{
    static const struct sk_out nothing;
    const struct sk_out *reply = token != SK_TOKEN_NONE ? out : &nothing;
    status_t status = check_out(reply);
    if (status != SK_OK) {
        /* The caller still gets its message; the reply has failed as a reply. */
        *reply_status = status;
        return sk_channel_receive(source, in, deadline);
    }
    struct sk_ipc_registers r = {.a0 = source, .deadline = deadline, .token = token};
    load_out(&r, reply);
    load_in(&r, in);
    sk_syscall_ipc(SK_SYS_channel_reply_receive, &r);
    *reply_status = (status_t)r.out_handles;
    return store_in(&r, in, (status_t)r.a0);
}
