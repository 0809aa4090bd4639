/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linked with the net service, between it and its loop (-Wl,--wrap): when it is asked to, it waits for
 * something that never happens.
 */
#include <sk/server.h>
#include <sk/thread.h>

#include "hang.h"

status_t __real_sk_server_init(struct sk_server *server, const struct sk_server_ops *ops,
                               void *context);
status_t __wrap_sk_server_init(struct sk_server *server, const struct sk_server_ops *ops,
                               void *context);

static struct sk_server_ops ops_in_front;
static const struct sk_server_ops *ops_behind;

static status_t on_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    while (sk_operation(in) == HANG_OPERATION) {
        sk_thread_sleep(SK_DEADLINE_NEVER);
    }
    return ops_behind->message(server, client, in, reply);
}

status_t __wrap_sk_server_init(struct sk_server *server, const struct sk_server_ops *ops,
                               void *context)
{
    ops_behind = ops;
    ops_in_front = *ops;
    ops_in_front.message = on_message;
    return __real_sk_server_init(server, &ops_in_front, context);
}
