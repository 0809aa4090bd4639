/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocking, and observing objects.
 *
 * A wait belongs to one lock, that of the thing waited on. Its life: wait_begin under the lock; then
 * exactly one of wait_end (whoever has what the thread waits for, under the lock) or wait_cancel
 * (time-out, kill: finds the lock by itself). After wait_begin's lock is released the thread may run
 * on another hart at once, so the caller touches it no more.
 */
#ifndef KERNEL_WAIT_H
#define KERNEL_WAIT_H

#include <kernel/object.h>

struct thread;

/* What a blocked thread waits for. Fields belong to *lock while it is not NULL. */
struct wait {
    struct spinlock *_Atomic lock; /* guards this wait; NULL when not waiting */
    struct list_node link;         /* in a list of the thing waited on, or in none */
    uint64_t sequence;             /* counts waits over all lives of the thread's memory */
    /* Undoes the wait and writes the result registers when it ends by cancellation; lock held.
     * wait.link is out of its list already. NULL: only the status needs to be written. */
    void (*cancel)(struct thread *thread, status_t status);
};

/* Blocks the running thread. `head` NULL: in no list. A wait needs no reference to what it waits on:
 * who closes that ends the wait first, and the lock's memory keeps its type. */
void wait_begin(struct thread *thread, struct spinlock *lock, struct list_node *head,
                void (*cancel)(struct thread *, status_t));
/* Arms the time-out of the wait just begun; lock held. SK_DEADLINE_NEVER arms none. */
void wait_deadline(struct thread *thread, uint64_t deadline);
/* Ends the wait; lock held. The caller writes the result registers before or after, then calls
 * thread_ready. */
void wait_end(struct thread *thread);
/* Ends the wait with `status`, if the thread is still in the wait `sequence` (any: WAIT_ANY), and
 * makes it ready. No lock held. */
#define WAIT_ANY (~(uint64_t)0)
bool wait_cancel(struct thread *thread, uint64_t sequence, status_t status);

/*
 * Observers: who wants to know of an object's signals. Linked under the object's lock; each is a wait
 * set member or the thread of an object_wait.
 */
struct observer {
    struct list_node link; /* [object lock] */
    struct object *object; /* [object lock] while linked; +1 for a wait set member */
    uint32_t signals;      /* [I] of interest */
    /* Signals came up. It looks at what the object shows now, delivers to somebody who waits, if
     * anybody does, and takes what delivery takes. Object lock held. */
    void (*notify)(struct observer *observer);
    /* The object was orphaned and the observer unlinked; it puts observer->object, which is not the
     * last reference. Object lock held. */
    void (*orphaned)(struct observer *observer);
};

/* Tells the observers that the object shows `signals`, which it does already; those that delivery
 * takes are gone with the first taker. Object lock held. */
void object_notify_each(struct object *object, uint32_t signals);
static inline void object_notify(struct object *object, uint32_t signals)
{
    if (!list_empty(&object->observers)) {
        object_notify_each(object, signals);
    }
}
/* Which of `signals` the object shows, object lock held. */
static inline uint32_t object_observe(struct object *object, uint32_t signals)
{
    return object_types[object->type]->observe(object) & signals;
}
/* Delivers what the object shows of `signals`: returns it, and takes what delivery takes. */
static inline uint32_t object_take(struct object *object, uint32_t signals)
{
    const struct object_type *type = object_types[object->type];
    uint32_t shown = type->observe(object) & signals;
    if (type->take != NULL && shown != 0) {
        type->take(object, shown);
    }
    return shown;
}
/* True if an object has as many as it may: wait sets and threads. Object lock held. */
RARELY bool object_observers_full(const struct object *object);
static inline bool object_is_crowded(const struct object *object)
{
    return !list_empty(&object->observers) && object_observers_full(object);
}
/* Those of a thread that waits for an object. */
void object_wait_notify(struct observer *observer);
void object_wait_orphaned(struct observer *observer);
/* Removes and tells all observers. No lock held, a reference is. Part of every waitable type's orphan. */
void object_orphan_observers(struct object *object);

#endif
