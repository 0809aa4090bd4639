/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels: two endpoints in one allocation, under one lock, freed when neither is referred to.
 *
 *     handle -> endpoint 0 --+                      +-- endpoint 1 <- handle
 *               (inbox 0)    +-- channel (lock) ----+   (inbox 1)
 *
 * Each end is an object with its own two counts. A reference to one end never looks at the other;
 * that the other is closed is a result of send, call, receive and wait, nothing else.
 * docs/ipc.md has the contract. Tests: tests/host/ipc/, tests/qemu/.
 */
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <kernel/call.h>
#include <kernel/object.h>
#include <kernel/process.h>

struct channel;

struct endpoint {
    struct object object;    /* object.lock is the channel's */
    struct channel *channel; /* [I] */
    struct endpoint *peer;   /* [I] the other end of the channel */
    struct list_node inbox;  /* [lock] struct message.link: sends and calls, one order */
    uint32_t shows;          /* [lock] SK_SIGNAL_READABLE, SK_SIGNAL_PEER_CLOSED */
    uint32_t inbox_sends;    /* [lock] of them, sends */
    uint32_t inbox_bytes;    /* [lock] of the sends */
    struct list_node
        receivers; /* [lock] parked threads, struct wait.link; none unless inbox empty */
    struct list_node
        leaving; /* [lock] parked threads, of receivers once, to be told that an end has closed */
    struct list_node servers; /* [lock] struct thread.source_link, who last received from here */
    bool closed;              /* [lock] the last handle is gone */
    struct later rest;
    uint32_t activity; /* [lock] sends that left the inbox by being received */

    /* Of the search for what nobody can reach (ipc/collect.c). */
    _Atomic uint64_t search; /* the number of the one that looks at it, or last did */
    uint32_t activity_seen;
    uint32_t inside; /* handles to this end in inboxes of candidates */
    bool reached;
    struct list_node reached_link; /* in job->search.reached */
};

struct channel {
    struct spinlock lock; /* LOCK_OBJECT */
    struct endpoint end[2];
    _Atomic uint32_t ends; /* not yet destroyed, and pins */
    struct job *job;       /* [I] pays; +1 */
    struct list_node
        job_link; /* in the channels of the job, or of who keeps them (job_channels_lock) */
};

extern const struct object_type endpoint_type;

static inline struct endpoint *endpoint_from_object(struct object *object)
{
    return container_of(object, struct endpoint, object);
}

static inline struct endpoint *endpoint_peer(const struct endpoint *endpoint)
{
    return endpoint->peer;
}

/* A message joins the inbox's end, or leaves the inbox that it is in. Channel lock held. */
static inline void inbox_append(struct endpoint *endpoint, struct message *message)
{
    list_append(&endpoint->inbox, &message->link);
    endpoint->shows |= SK_SIGNAL_READABLE;
}

static inline void inbox_remove(struct message *message)
{
    if (message->link.next == message->link.prev) { /* the only one: both are the inbox itself */
        struct endpoint *endpoint = container_of(message->link.next, struct endpoint, inbox);
        endpoint->shows &= ~(uint32_t)SK_SIGNAL_READABLE;
    }
    list_remove(&message->link);
}

/* A message on its way from a running thread, or out of an inbox: exactly one of the two handle
 * sources is used. All pointers are borrowed. */
struct outgoing {
    uint64_t info; /* length and handles only */
    const uint64_t *words;
    const unsigned char *payload;          /* bytes 32.., in kernel memory */
    struct process *giver;                 /* whose table has `handles` reserved */
    const handle_t *handles;               /* or */
    const struct capability *capabilities; /* moving in */
};

/* The caller owns one reference to each end. OVER_BUDGET, NO_MEMORY. */
status_t channel_create(struct job *job, struct endpoint **end0, struct endpoint **end1);

/* Sends from `endpoint`, whose lock is held and let go of, without blocking; `payer` is charged if it has to be queued. On SK_OK the
 * handles have moved. FULL, PEER_CLOSED, OVER_BUDGET, NO_MEMORY. */
status_t channel_send(struct endpoint *endpoint, const struct outgoing *out, struct job *payer);

/* Receives for the running thread: writes its result registers, or parks it (SYSCALL_BLOCKED). The lock is
 * held and let go of. */
status_t endpoint_receive(struct thread *self, struct endpoint *endpoint, uint64_t deadline);

/* Time-out or kill of a parked receiver: the wait's cancel. */
void receive_cancelled(struct thread *thread, status_t status);

/* Hands the first message of a non-empty inbox to a thread that is running or whose wait has ended,
 * with its result registers. On error the message stays and the registers hold the error.
 * Channel lock held. */
status_t endpoint_hand_over(struct thread *to, struct endpoint *endpoint, uint64_t key);

/* Keeps the memory of a channel that is in a job's list, whose lock is held, or that has a handle; false: it is
 * being freed. */
bool channel_pin(struct channel *channel);
/* No lock held. */
void channel_unpin(struct channel *channel);

/* Takes the first thread parked on the endpoint itself out of its wait; NULL: none. Lock held. */
struct thread *endpoint_unpark(struct endpoint *endpoint);

#endif
