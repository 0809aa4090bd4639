/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one loop of every service and driver: connections arrive on control endpoints, requests on
 * connections, and anything else that has signals is watched. One wait set, one thread.
 *
 *     static const struct sk_server_ops ops = {.message = on_message, .disconnect = on_disconnect};
 *     static struct sk_server server;
 *     sk_server_init(&server, &ops, context);
 *     sk_server_offer(&server, "rtc");        (takes the boot handle "control:rtc")
 *     sk_server_run(&server);
 *
 * Requests and replies are structs whose first 64-bit word is the operation or the status. Callbacks
 * never block on a client: an answer that must wait is SK_PENDING. Large state (buffers of 4 KiB)
 * lies in struct sk_server: make it static.
 */
#ifndef SK_SERVER_H
#define SK_SERVER_H

#include <stdbool.h>
#include <string.h>

#include <sk/ipc.h>
#include <sk/protocol/init.h>

struct sk_server;

/* One connection. Memory is the server loop's, valid until disconnect() returns. */
struct sk_client {
    uint64_t process_id;         /* kernel object id of the process that connected */
    char name[SK_INIT_NAME_MAX]; /* its program's name, NUL-terminated */
    uint32_t grants;             /* enum sk_init_grant, from the manifest */
    uint32_t service;            /* which of the server's offers it came by: 0, 1, ... */
    handle_t endpoint;           /* for sk_channel_send to the client; never close it */
    void *data;                  /* the service's own */
    struct sk_client *next;      /* all clients of the server; read only */
    bool closing;                /* internal: sk_server_drop was called */
};

/* Room for a reply; message() fills in what it needs. */
struct sk_reply {
    _Alignas(8) uint8_t bytes[SK_MESSAGE_BYTES_MAX];
    size_t length; /* 0 on entry; 0 with SK_OK means a bare status word */
    handle_t handles[SK_MESSAGE_HANDLES_MAX]; /* move with the reply; closed if it cannot be sent */
    size_t handle_count;
};

struct sk_server_ops {
    /*
     * A new connection; may be NULL. Anything but SK_OK turns it away: the client is told the status (see
     * sk_connect_refusal), its endpoint is closed, and disconnect() is not called.
     */
    status_t (*connect)(struct sk_server *server, struct sk_client *client);
    /*
     * A message of in->length bytes (never less than 8, the operation; at in->bytes, 8-aligned) and
     * in->handle_count handles. The handles still in in->handles afterwards are closed by the loop:
     * take one by setting its slot to SK_HANDLE_NONE. For a call (in->is_call):
     *   SK_OK       reply is sent: reply->bytes, whose first word must be the status SK_OK
     *   SK_PENDING  the service keeps in->token and answers later with sk_server_answer
     *   any other   a bare reply with that status is sent; handles in `reply` are closed. NO_MEMORY,
     *               OVER_BUDGET and NO_HANDLES are the service's own trouble: the client is told BUSY
     * For a plain message the result and `reply` are ignored.
     */
    status_t (*message)(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                        struct sk_reply *reply);
    /* The client has gone, or was dropped. Frees what the service keeps for it. May be NULL. */
    void (*disconnect)(struct sk_server *server, struct sk_client *client);
    /* The time set by sk_server_set_deadline has come. The deadline is then off. May be NULL. */
    void (*deadline)(struct sk_server *server);
    /*
     * Called before every wait; may be NULL. true: there is more to do, look for messages without
     * blocking and call again. So shared rings are served without a system call per entry.
     */
    bool (*before_wait)(struct sk_server *server);
    /* Init says that who serves `name`, which this program has put up for it (sk_offer), hangs. May be
     * NULL. */
    void (*stuck)(struct sk_server *server, const char *name);
};

typedef void (*sk_watch_function)(struct sk_server *server, handle_t handle, uint32_t signals,
                                  void *context);

#define SK_SERVER_CLIENTS_DEFAULT 64u
#define SK_SERVER_CLIENTS_PER_PROCESS_DEFAULT 16u
#define SK_SERVER_OFFERS_MAX 8u

struct sk_server {
    const struct sk_server_ops *ops;
    void *context; /* the service's own */
    /* Limits; the service may change them before sk_server_run. */
    uint32_t clients_max;
    uint32_t clients_per_process_max;
    bool
        clients_pay; /* what is made for a client is charged to the client: lack is told as it is */

    /* The loop's own from here on. */
    handle_t waitset;
    uint64_t deadline;
    struct sk_client *clients; /* all, newest first; may be walked by callbacks */
    uint32_t client_count;
    struct sk_server_source *offers[SK_SERVER_OFFERS_MAX];
    uint32_t offer_count;
    struct sk_server_source *watches;
    struct sk_server_source *graveyard; /* freed after the callback that removed them */
    handle_t spare;                     /* an event: its entry is for who is turned away */
    bool served;                        /* init knows that a message was handled */
    bool working; /* ... and that there was something to do since its last ping */
    bool stopping;
    int exit_code;
    handle_t in_handles[SK_MESSAGE_HANDLES_MAX];
    _Alignas(8) uint8_t in_bytes[SK_MESSAGE_BYTES_MAX];
    struct sk_reply reply;
};

/* Makes the wait set. OVER_BUDGET, NO_MEMORY, NO_HANDLES. */
status_t sk_server_init(struct sk_server *server, const struct sk_server_ops *ops, void *context);

/* Serves the name with the boot handle "control:NAME". NOT_FOUND: there is no such boot handle. */
status_t sk_server_offer(struct sk_server *server, const char *name);
/* Serves with a control endpoint from elsewhere (sk_offer), which becomes the loop's on success. */
status_t sk_server_add_control(struct sk_server *server, handle_t control);
/* Adds a connection that did not come through init. `endpoint` becomes the loop's on success. */
status_t sk_server_add_client(struct sk_server *server, handle_t endpoint, uint64_t process_id,
                              const char *name, struct sk_client **client);
/* Ends a connection: disconnect() is called, the endpoint closed. Allowed in any callback. */
void sk_server_drop(struct sk_server *server, struct sk_client *client);

/*
 * Calls `function` whenever the object shows one of `signals` (READABLE not included). `handle`
 * stays the caller's and must be unwatched before it is closed. EXISTS, OVER_BUDGET, NO_MEMORY.
 */
status_t sk_server_watch(struct sk_server *server, handle_t handle, uint32_t signals,
                         sk_watch_function function, void *context);
/* Nothing is called for it any more. NOT_FOUND. */
status_t sk_server_unwatch(struct sk_server *server, handle_t handle);

/* ops->deadline is called at this time: one per server, cheaper than a timer object. */
static inline void sk_server_set_deadline(struct sk_server *server, uint64_t deadline)
{
    server->deadline = deadline;
}

/* Answers a call that was SK_PENDING. The errors of sk_channel_reply; handles move on SK_OK only. */
status_t sk_server_answer(token_t token, const void *reply, size_t length, const handle_t *handles,
                          size_t handle_count);
/* The same with nothing but a status. */
status_t sk_server_answer_status(token_t token, status_t status);

/* Serves until sk_server_stop, or until every control endpoint is closed. Returns the exit code. */
int sk_server_run(struct sk_server *server);
void sk_server_stop(struct sk_server *server, int exit_code);

/* For message(): the request as a struct, NULL if it is shorter. */
#define sk_request(in, type)                                                                       \
    ((in)->length >= sizeof(type) ? (const type *)(in)->bytes : (const type *)0)
/* For message(): the reply as a zeroed struct, its length set. */
#define sk_reply_struct(reply, type)                                                               \
    ((reply)->length = sizeof(type), (type *)memset((reply)->bytes, 0, sizeof(type)))

static inline uint64_t sk_operation(const struct sk_in *in)
{
    uint64_t operation;
    memcpy(&operation, in->bytes, sizeof operation);
    return operation;
}

#endif
