/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wait sets.
 *
 * Owns: wait set and member memory. Locks: an object's lock for its observers and signals, then
 * waitset.object.lock for ready, parked and members; a member is linked and unlinked under both.
 * Tests: tests/host/ipc/test_waitset.c.
 */
#include <ipc/channel.h>
#include <ipc/lend.h>
#include <ipc/message.h>
#include <ipc/waitset.h>
#include <kernel/handle.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/step.h>
#include <kernel/syscall.h>
#include <kernel/syscalls.h>

/* Members that a receive looks at in one step, of which two may follow each other: some 150 instructions each. */
#define LOOKS_MAX 100u
/* Threads that a member wakes at once; there may be as many wait sets that show the same thing as SK_OBSERVERS_MAX. */
#define WAKES_MAX 2u

static struct cache waitset_cache = CACHE_INIT("waitset", struct waitset);
static struct cache member_cache = CACHE_INIT("waitset member", struct member);

/* Hands to a thread, running or unparked, what the member shows; nothing: false. What is handed over
 * may also be an error that leaves a message in its inbox. Object lock held. */
static bool member_deliver(struct member *member, struct thread *to)
{
    struct object *object = member->observer.object;
    uint32_t shown = object_observe(object, member->observer.signals);
    if (shown & SK_SIGNAL_READABLE) {
        endpoint_hand_over(to, endpoint_from_object(object), member->key);
        return true;
    }
    shown = object_take(object, shown);
    if (shown != 0) {
        message_signals(to, shown, member->key);
    }
    return shown != 0;
}

static void waitset_wake(struct object *set);

/* Parked threads are served soon. Wait set lock held. */
static RARELY void wake_later(struct waitset *waitset)
{
    if (!waitset->wakes_later) {
        waitset->wakes_later = true;
        object_later(&waitset->object, &waitset->waking, waitset_wake);
    }
}

/* Takes a parked thread to be given what the member shows, if there is one; `later`: it is left to waitset_wake. As
 * long as it shows something it stays on the ready list, so that nobody parks meanwhile. Object lock held. */
static struct thread *member_unpark(struct member *member, bool shows, bool later)
{
    struct waitset *waitset = member->waitset;
    struct thread *thread = NULL;
    lock_acquire(waitset->object.lock);
    if (!shows) {
        list_remove(&member->ready_link);
    } else if (!list_linked(&member->ready_link)) {
        list_append(&waitset->ready, &member->ready_link);
    }
    if (shows && !list_empty(&waitset->parked)) {
        if (later) {
            wake_later(waitset);
        } else {
            thread = list_first(&waitset->parked, struct thread, wait.link);
            wait_end(thread);
        }
    }
    lock_release(waitset->object.lock);
    return thread;
}

/* Serves parked threads as long as the member shows something: a message or a signal that delivery
 * takes goes to one, a level to every one of them, *left of them here. Object lock held. */
static void member_serve(struct member *member, uint32_t *left)
{
    const struct observer *observer = &member->observer;
    for (;; (*left)--) {
        bool shows = object_observe(observer->object, observer->signals) != 0;
        struct thread *thread = member_unpark(member, shows, *left == 0);
        if (thread == NULL) {
            return;
        }
        member_deliver(member, thread);
        thread_ready(thread);
    }
}

void member_activate(struct observer *observer)
{
    uint32_t left = WAKES_MAX;
    member_serve(member_from_observer(observer), &left);
}

/* Unlinks from the wait set and frees; unlinked from the object already. Object lock held. */
static void member_free(struct observer *observer)
{
    struct member *member = member_from_observer(observer);
    struct waitset *waitset = member->waitset;
    lock_acquire(waitset->object.lock);
    list_remove(&member->ready_link);
    list_remove(&member->member_link);
    lock_release(waitset->object.lock);
    object_put_later(observer->object);
    job_uncharge(waitset->object.job, BUDGET_OBJECTS, 1);
    cache_free(&member_cache, member);
}

/* The member by which an object belongs to a wait set, or NULL. Object lock held. */
static struct member *member_find(struct waitset *waitset, struct object *object)
{
    list_for_each(node, &object->observers) {
        struct observer *observer = list_entry(node, struct observer, link);
        if (observer->notify == member_activate &&
            member_from_observer(observer)->waitset == waitset) {
            return member_from_observer(observer);
        }
    }
    return NULL;
}

/* Removes an object; false if it is no member. Caller holds a reference to the object. */
static bool member_remove(struct waitset *waitset, struct object *object)
{
    lock_acquire(object->lock);
    struct member *member = member_find(waitset, object);
    if (member != NULL) {
        list_remove(&member->observer.link);
        member_free(&member->observer);
    }
    lock_release(object->lock);
    return member != NULL;
}

/* Serves threads that were left parked though a member is ready. */
static void waitset_wake(struct object *set)
{
    struct waitset *waitset = waitset_from_object(set);
    uint32_t left = OBJECT_PIECES;
    lock_acquire(set->lock);
    waitset->wakes_later = false;
    while (left > 0 && !list_empty(&waitset->ready) && !list_empty(&waitset->parked)) {
        struct object *object = list_first(&waitset->ready, struct member, ready_link)
                                    ->observer.object;
        object_get(object);
        lock_release(set->lock);
        lock_acquire(object->lock);
        struct member *member = member_find(waitset, object);
        left--;
        if (member != NULL) {
            member_serve(member, &left);
        }
        lock_release(object->lock);
        object_put(object);
        lock_acquire(set->lock);
    }
    if (!list_empty(&waitset->ready) && !list_empty(&waitset->parked)) {
        wake_later(waitset);
    }
    lock_release(set->lock);
    object_step_done(left);
}

static void waitset_orphan(struct object *set)
{
    struct waitset *waitset = waitset_from_object(set);
    uint32_t left = OBJECT_PIECES;
    lock_acquire(set->lock);
    waitset->orphaned = true;
    list_splice(&waitset->leaving, &waitset->parked);
    lend_forget_source(&waitset->servers, &left);
    for (; left > 0 && !list_empty(&waitset->leaving); left--) {
        struct thread *thread = list_first(&waitset->leaving, struct thread, wait.link);
        wait_end(thread);
        message_fail(thread, SK_BAD_STATE, 0);
        thread_ready(thread);
    }
    for (; left > 0 && !list_empty(&waitset->members); left--) {
        struct member *member = list_first(&waitset->members, struct member, member_link);
        struct object *object = member->observer.object;
        object_get(object);
        lock_release(set->lock);
        member_remove(waitset, object); /* unless somebody else has meanwhile */
        object_put(object);
        lock_acquire(set->lock);
    }
    if (object_step_done(left)) {
        object_later(set, &waitset->rest, waitset_orphan);
    }
    lock_release(set->lock);
}

static void waitset_destroy(struct object *object)
{
    struct waitset *waitset = waitset_from_object(object);
    ASSERT(list_empty(&waitset->members));
    object_fini(object);
    cache_free(&waitset_cache, waitset);
}

const struct object_type waitset_type = {
    .name = "waitset",
    .rights = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_READ | SK_RIGHT_WRITE,
    .orphan = waitset_orphan,
    .destroy = waitset_destroy,
};

/* Parks the running thread. Wait set lock held. */
static status_t waitset_park(struct thread *self, struct waitset *waitset, uint64_t deadline)
{
    if (waitset->orphaned || deadline == SK_DEADLINE_POLL) {
        message_fail(self, waitset->orphaned ? SK_BAD_STATE : SK_TIMED_OUT, 0);
        return SYSCALL_DONE;
    }
    lend_end_queue(self);
    wait_begin(self, waitset->object.lock, &waitset->parked, receive_cancelled);
    wait_deadline(self, deadline);
    return SYSCALL_BLOCKED;
}

/* Looks at the object of a member that was ready; true if the thread got something from it. */
static bool receive_from(struct thread *self, struct waitset *waitset, struct object *object)
{
    bool got = false;
    lock_acquire(object->lock);
    struct member *member = member_find(waitset, object);
    if (member != NULL) {
        got = member_deliver(member, self);
        member_activate(&member->observer);
    }
    lock_release(object->lock);
    return got;
}

/* Looks at as many ready members as a step may; PENDING: nothing yet. */
static status_t receive_some(struct thread *self, struct waitset *waitset, uint64_t deadline)
{
    struct spinlock *lock = waitset->object.lock;
    bool got = false;
    for (uint32_t looks = 0; !got; looks++) {
        if (looks == LOOKS_MAX) {
            return SK_PENDING;
        }
        lock_acquire(lock);
        if (!waitset->orphaned) {
            lend_enter_source(self, &waitset->object, &waitset->servers);
        }
        if (list_empty(&waitset->ready)) {
            status_t outcome = waitset_park(self, waitset, deadline);
            lock_release(lock);
            return outcome;
        }
        struct member *member = list_first(&waitset->ready, struct member, ready_link);
        struct object *object = member->observer.object;
        list_remove(&member->ready_link);
        object_get(object);
        lock_release(lock);
        got = receive_from(self, waitset, object);
        object_put(object);
    }
    return SYSCALL_DONE;
}

/* The rest of a receive that has looked at many members that were ready, but are no more. */
static status_t receive_step(struct thread *self)
{
    struct waitset *waitset = waitset_from_object(self->step.object[0]);
    if (atomic_load_explicit(&self->pending, memory_order_relaxed) & THREAD_PENDING_KILL) {
        message_fail(self, SK_TIMED_OUT, 0);
        return SYSCALL_DONE;
    }
    return receive_some(self, waitset, self->step.end);
}

status_t waitset_receive(struct thread *self, struct waitset *waitset, uint64_t deadline)
{
    status_t outcome = receive_some(self, waitset, deadline);
    if (outcome == SK_PENDING) {
        self->step.end = deadline;
        outcome = step_start(self, receive_step, &waitset->object, NULL);
    }
    return outcome;
}
status_t sys_waitset_create(struct thread *self, struct capability job, handle_t *handle)
{
    struct job *payer = container_of(job.object, struct job, object);
    status_t status = job_charge(payer, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return status;
    }
    struct waitset *waitset = cache_alloc(&waitset_cache);
    if (waitset == NULL) {
        job_uncharge(payer, BUDGET_OBJECTS, 1);
        return SK_NO_MEMORY;
    }
    object_init(&waitset->object, SK_TYPE_WAITSET, payer);
    lock_init(&waitset->object.own_lock, LOCK_WAITSET);
    list_init(&waitset->ready);
    list_init(&waitset->parked);
    list_init(&waitset->leaving);
    list_init(&waitset->members);
    list_init(&waitset->servers);
    waitset->orphaned = false;
    waitset->wakes_later = false;
    return handle_add_new(self->process, &waitset->object, handle);
}

/* Links a new member unless the object is one already, or has no handle any more. */
static status_t member_link(struct member *member, struct object *object)
{
    struct waitset *waitset = member->waitset;
    status_t status = SK_OK;
    lock_acquire(object->lock);
    lock_acquire(waitset->object.lock);
    if (member_find(waitset, object) != NULL) {
        status = SK_EXISTS;
    } else if (atomic_load_explicit(&object->handles, memory_order_relaxed) == 0 ||
               waitset->orphaned) {
        status = SK_BAD_HANDLE; /* closed between the look-up and here */
    } else if (object_is_crowded(object)) {
        status = SK_OUT_OF_RANGE;
    } else {
        member->observer.object = object;
        object_get(object);
        list_append(&object->observers, &member->observer.link);
        list_append(&waitset->members, &member->member_link);
    }
    lock_release(waitset->object.lock);
    if (status == SK_OK) {
        member_activate(&member->observer);
    }
    lock_release(object->lock);
    return status;
}

status_t sys_waitset_add(struct thread *self, struct capability set, struct capability member_of,
                         uint32_t signals, uint64_t key)
{
    struct waitset *waitset = waitset_from_object(set.object);
    struct object *object = member_of.object;
    if (signals == 0 || (signals & ~object_types[object->type]->signals) != 0) {
        return SK_INVALID_ARGS;
    }
    if ((signals & SK_SIGNAL_READABLE) && !(member_of.rights & SK_RIGHT_READ)) {
        return SK_ACCESS_DENIED;
    }
    status_t status = job_charge(waitset->object.job, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return status;
    }
    struct member *member = cache_alloc(&member_cache);
    if (member == NULL) {
        status = SK_NO_MEMORY;
        goto fail_alloc;
    }
    member->observer.signals = signals;
    member->observer.notify = member_activate;
    member->observer.orphaned = member_free;
    member->waitset = waitset;
    member->key = key;
    list_init(&member->observer.link);
    list_init(&member->ready_link);
    list_init(&member->member_link);
    status = member_link(member, object);
    if (status == SK_OK) {
        return SK_OK;
    }
    cache_free(&member_cache, member);
fail_alloc:
    job_uncharge(waitset->object.job, BUDGET_OBJECTS, 1);
    return status;
}

status_t sys_waitset_remove(struct thread *self, struct capability set, struct capability object)
{
    return member_remove(waitset_from_object(set.object), object.object) ? SK_OK : SK_NOT_FOUND;
}
