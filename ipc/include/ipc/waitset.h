/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wait sets: any number of objects, each with a key, level-triggered, any number of waiting threads.
 *
 * Invariants, under the wait set's lock: a thread is parked only while no member is ready, or while `wakes_later`
 * promises that it is served in a step to come; a member is on the ready list at most once; being ready is a hint, the
 * object is looked at again under its own lock before anything is delivered.
 */
#ifndef IPC_WAITSET_H
#define IPC_WAITSET_H

#include <kernel/process.h>
#include <kernel/wait.h>

struct waitset {
    struct object object;      /* object.lock has level LOCK_WAITSET */
    struct list_node ready;    /* [lock] struct member.ready_link, in the order they became ready */
    struct list_node parked;   /* [lock] struct wait.link */
    struct list_node leaving;  /* [lock] parked once, to be told that it has closed */
    struct list_node members;  /* [lock] struct member.member_link */
    struct list_node servers;  /* [lock] struct thread.source_link, who last received from here */
    bool orphaned;             /* [lock] */
    bool wakes_later;          /* [lock] `waking` is in use */
    struct later waking, rest; /* parked threads to be served; closing */
};

struct member {
    struct observer observer;
    struct waitset *waitset;      /* [I] outlives its members */
    uint64_t key;                 /* [I] */
    struct list_node ready_link;  /* [waitset lock] */
    struct list_node member_link; /* [waitset lock] */
};

static inline struct member *member_from_observer(struct observer *observer)
{
    return container_of(observer, struct member, observer);
}

/* The notify of every member. */
void member_activate(struct observer *observer);

extern const struct object_type waitset_type;

static inline struct waitset *waitset_from_object(struct object *object)
{
    return container_of(object, struct waitset, object);
}

/* Receives for the running thread: writes its result registers, or parks it (SYSCALL_BLOCKED). */
status_t waitset_receive(struct thread *self, struct waitset *waitset, uint64_t deadline);

#endif
