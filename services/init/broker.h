/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The broker: names of services, and the transaction that connects a client to one. Knows nothing of
 * programs; init tells it who offers what. Used by init and by the tests that let a service die at
 * every step (tests/qemu/broker).
 *
 *     client --call--> init          connect "net"
 *                      init: channel_create, charged to the client's job: (ours, theirs)
 *     service <--send-- init         NEW_CLIENT + theirs, on the service's control channel
 *                      the result of that send decides:
 *     client <--reply-- init         ours, or both ends closed and the reason
 *
 * Nothing is looked at before the send: a service may die between any two instructions. One that
 * dies after it shows as PEER_CLOSED on the client's end.
 */
#ifndef INIT_BROKER_H
#define INIT_BROKER_H

#include <stdbool.h>

#include <sk/protocol/init.h>
#include <skerry/ipc.h>
#include <skerry/status.h>
#include <skerry/types.h>

#define BROKER_SERVICES_MAX 48u

/* Who connects. Owned by the caller, and valid until broker_forget. */
struct broker_client {
    uint64_t id; /* of the process */
    const char *name;
    handle_t job;        /* what a connection is charged to; borrowed */
    uint32_t grants;     /* enum sk_init_grant, told to the service */
    uint32_t unaccepted; /* the broker's: connections that no service has taken yet */
};

/* A name and, while the service lives, its control channel. */
struct broker_service {
    char name[SK_INIT_NAME_MAX];
    void *owner;       /* the caller's */
    uint32_t priority; /* of who serves it; the caller's */
    handle_t control;  /* init's end; SK_HANDLE_NONE while the service is down */
    bool absent;       /* its owner has said that it will not come */
    uint64_t sent;     /* messages sent since the control channel was made */
    uint64_t accepted; /* ... of which the service has taken this many off its queue */
    uint64_t oldest;   /* what was the oldest untaken one at the last look */
    uint32_t looks;    /* ... at how many looks in a row since the first */
    uint64_t look;     /* when to look again; SK_DEADLINE_NEVER: nothing is untaken */
    /* Whose connections accepted + 1 to sent are, by number; NULL: gone, or a ping. */
    struct broker_client *queue[SK_INBOX_MESSAGES_MAX];
};

/* Points of the transaction at which tests let the service die. */
enum broker_step {
    BROKER_LOOKED_UP,
    BROKER_CREATED, /* the channel exists */
    BROKER_SENT,    /* the service has been told */
    BROKER_STEP_COUNT,
};

struct broker {
    uint32_t count;
    struct broker_service services[BROKER_SERVICES_MAX];
    void *context;
    /* A send found the service dead; the caller calls broker_down and closes its end. */
    void (*lost)(struct broker *broker, struct broker_service *service);
    void (*step)(struct broker *broker, enum broker_step step); /* may be NULL */
};

/* The service of this name, NULL when nobody has offered it yet. */
struct broker_service *broker_find(struct broker *broker, const char *name);

/*
 * Makes the name known, down at first. EXISTS: it is known and up; NO_SPACE. A name that is known
 * and down changes its owner.
 */
status_t broker_add(struct broker *broker, const char *name, void *owner,
                    struct broker_service **service);
/* The service lives: `control` is borrowed until broker_down. */
void broker_up(struct broker_service *service, handle_t control);
/* The service has ended: its control endpoint is forgotten (not closed), its queue is accounted. */
void broker_down(struct broker_service *service);

/*
 * Connects; *endpoint is the caller's. SERVICE_DOWN, BUSY (the control queue is full, or the client
 * has SK_INIT_UNACCEPTED_MAX unaccepted connections), OVER_BUDGET, NO_MEMORY, NO_HANDLES, and what
 * channel_create says of client->job.
 */
status_t broker_connect(struct broker *broker, struct broker_client *client,
                        struct broker_service *service, handle_t *endpoint);
/* The service has taken everything up to `sequence` off its queue. Nonsense is ignored. */
void broker_accepted(struct broker_service *service, uint64_t sequence);
/* Gives the service something to take off its queue, unless it has something already. */
void broker_ping(struct broker_service *service);
/* Tells the owner, on its own control channel, that a name it has put up for another is stuck. NULL: to nobody. */
void broker_tell_stuck(const struct broker_service *owner, const char *name);
/*
 * Looks whether the service still takes messages off its queue: true when the oldest one is the same as
 * `limit` or more before. Looks BROKER_LOOKS times in between, so that a pause of the whole machine counts
 * as one look, however long it is. Sets service->look to when it wants to be called next.
 */
#define BROKER_LOOKS 4u
bool broker_is_stuck(struct broker_service *service, uint64_t now, uint64_t limit);
/* Begins anew with the looks at a service that has something on its queue. */
void broker_look_anew(struct broker_service *service, uint64_t now, uint64_t limit);
/* The client has ended. */
void broker_forget(struct broker *broker, const struct broker_client *client);

#endif
