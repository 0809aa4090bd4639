/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection to a service that outlives the service: made at first use, and made again when the
 * service has died and was started again. Every client in this library uses it. The rule is that of
 * docs/ipc.md: what the dead service had received is asked once more only if that does no harm.
 *
 *     static struct sk_connection fs = SK_CONNECTION("fs");
 *     status = sk_connection_call(&fs, &out, &in, SK_REPEAT_ALWAYS, deadline);
 *
 * Any thread may use it; calls of several threads are under way at the same time.
 */
#ifndef SK_CONNECTION_H
#define SK_CONNECTION_H

#include <sk/ipc.h>
#include <sk/thread.h>

struct sk_connection {
    const char *service;
    struct sk_mutex lock; /* held while the connection is made, never during a call */
    handle_t endpoint;    /* [lock] SK_HANDLE_NONE: to be made */
};

#define SK_CONNECTION(name)                                                                        \
    {                                                                                              \
        .service = (name)                                                                          \
    }

/* May an operation be done twice? */
enum sk_repeat {
    SK_REPEAT_UNDELIVERED, /* no: it is repeated only when no service has received it */
    SK_REPEAT_ALWAYS,      /* yes: it is repeated, but not by ever more services that die of it */
};

/*
 * As sk_channel_call. While the service is being started again it waits, until the deadline. What
 * sk_connect says when there is no connection; BUSY: the service has no room for us; PEER_CLOSED: the service died and the operation may
 * not be repeated (in->delivered). A call that ends with TIMED_OUT makes init look at the service.
 */
status_t sk_connection_call(struct sk_connection *connection, const struct sk_out *out,
                            struct sk_in *in, enum sk_repeat repeat, uint64_t deadline);

/* As sk_channel_send, over a new connection if the service can be had at once. Never waits. */
status_t sk_connection_send(struct sk_connection *connection, const struct sk_out *out);

#endif
