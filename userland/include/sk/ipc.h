/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages as programs see them. Each function is one system call (docs/ipc.md, docs/syscalls.md);
 * errors are those of the system call of the same name. All pointers are borrowed for the call.
 */
#ifndef SK_IPC_H
#define SK_IPC_H

#include <stdbool.h>

#include <sk/syscalls.h>
#include <skerry/ipc.h>
#include <skerry/status.h>

/* A message to send: `length` bytes and `handle_count` handles, which move on success. */
struct sk_out {
    const void *bytes;
    size_t length;
    const handle_t *handles;
    size_t handle_count;
};

/* Room for a message, and what came. The caller sets the first four fields; the rest is written. */
struct sk_in {
    void *bytes;
    size_t capacity; /* of `bytes` */
    handle_t *handles;
    size_t handle_capacity;

    size_t length;       /* of the message; with TOO_SMALL: of the one that did not fit */
    size_t handle_count; /* likewise */
    bool is_call;        /* to be answered with `token` */
    bool delivered;      /* failed call only: it had been received, its handles are gone */
    uint32_t signals;    /* not 0: no message, but these signals of the member `key` */
    uint64_t key;        /* wait set key, or the endpoint's id */
    token_t token;
};

status_t sk_channel_send(handle_t endpoint, const struct sk_out *out);
status_t sk_channel_receive(handle_t source, struct sk_in *in, uint64_t deadline);
status_t sk_channel_call(handle_t endpoint, const struct sk_out *out, struct sk_in *in,
                         uint64_t deadline);
status_t sk_channel_reply(token_t token, const struct sk_out *out);
/* `token` may be SK_TOKEN_NONE. *reply_status is the reply's; the receive's is returned. */
status_t sk_channel_reply_receive(token_t token, const struct sk_out *out, status_t *reply_status,
                                  handle_t source, struct sk_in *in, uint64_t deadline);

/* Shorthands for messages without handles. */
static inline struct sk_out sk_out_bytes(const void *bytes, size_t length)
{
    return (struct sk_out){.bytes = bytes, .length = length};
}

static inline struct sk_in sk_in_bytes(void *bytes, size_t capacity)
{
    return (struct sk_in){.bytes = bytes, .capacity = capacity};
}

#endif
