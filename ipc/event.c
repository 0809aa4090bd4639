/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events and timers: one bit each, taken by whoever waits for it.
 *
 * Owns: their memory. Lock: object.own_lock. A timer's sequence outlives it, so an expiry under way
 * never hits the next life of the memory. Tests: tests/host/ipc/test_waitset.c.
 */
#include <kernel/deadline.h>
#include <kernel/event.h>
#include <kernel/handle.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/process.h>
#include <kernel/syscalls.h>
#include <kernel/wait.h>

struct event {
    struct object object;
    bool set; /* [lock] */
};

struct timer {
    struct object object;
    struct deadline deadline;
    uint64_t sequence; /* [lock] of the setting that counts */
    bool expired;      /* [lock] and not yet taken */
};

static struct cache event_cache = CACHE_INIT("event", struct event);
static struct cache timer_cache = CACHE_INIT("timer", struct timer);

static struct event *event_from_object(struct object *object)
{
    return container_of(object, struct event, object);
}

static struct timer *timer_from_object(struct object *object)
{
    return container_of(object, struct timer, object);
}

static void event_destroy(struct object *object)
{
    object_fini(object);
    cache_free(&event_cache, event_from_object(object));
}

static void event_orphan(struct object *object)
{
    object_orphan_observers(object);
    log_console_lost(object);
}

static uint32_t event_observe(struct object *object)
{
    return event_from_object(object)->set ? SK_SIGNAL_EVENT : 0;
}

static void event_take(struct object *object, uint32_t signals)
{
    if (signals & SK_SIGNAL_EVENT) {
        event_from_object(object)->set = false;
    }
}

const struct object_type event_type = {
    .name = "event",
    .signals = SK_SIGNAL_EVENT,
    .rights = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_WRITE | SK_RIGHT_WAIT,
    .orphan = event_orphan,
    .destroy = event_destroy,
    .observe = event_observe,
    .take = event_take,
};

/* Object lock held. */
static void event_set(struct object *object)
{
    event_from_object(object)->set = true;
    object_notify(object, SK_SIGNAL_EVENT);
}

void event_signal(struct object *object)
{
    lock_acquire(object->lock);
    event_set(object);
    lock_release(object->lock);
}

static void timer_stop(struct timer *timer)
{
    lock_acquire(timer->object.lock);
    timer->sequence++;
    timer->expired = false;
    deadline_cancel(&timer->deadline);
    lock_release(timer->object.lock);
}

static void timer_orphan(struct object *object)
{
    object_orphan_observers(object);
    timer_stop(timer_from_object(object));
}

static void timer_destroy(struct object *object)
{
    struct timer *timer = timer_from_object(object);
    timer_stop(timer);
    object_fini(object);
    cache_free(&timer_cache, timer);
}

static uint32_t timer_observe(struct object *object)
{
    return timer_from_object(object)->expired ? SK_SIGNAL_TIMER : 0;
}

static void timer_take(struct object *object, uint32_t signals)
{
    if (signals & SK_SIGNAL_TIMER) {
        timer_from_object(object)->expired = false;
    }
}

const struct object_type timer_type = {
    .name = "timer",
    .signals = SK_SIGNAL_TIMER,
    .rights = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_WRITE | SK_RIGHT_WAIT,
    .orphan = timer_orphan,
    .destroy = timer_destroy,
    .observe = timer_observe,
    .take = timer_take,
};

static void timer_expired(struct deadline *deadline, uint64_t sequence)
{
    struct timer *timer = container_of(deadline, struct timer, deadline);
    lock_acquire(&timer->object.own_lock);
    if (timer->sequence == sequence) {
        timer->expired = true;
        object_notify(&timer->object, SK_SIGNAL_TIMER);
    }
    lock_release(&timer->object.own_lock);
}

status_t sys_event_create(struct thread *self, struct capability job, handle_t *handle)
{
    struct job *payer = container_of(job.object, struct job, object);
    status_t status = job_charge(payer, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return status;
    }
    struct event *event = cache_alloc(&event_cache);
    if (event == NULL) {
        job_uncharge(payer, BUDGET_OBJECTS, 1);
        return SK_NO_MEMORY;
    }
    object_init(&event->object, SK_TYPE_EVENT, payer);
    event->set = false;
    return handle_add_new(self->process, &event->object, handle);
}

status_t sys_event_signal(struct thread *self, struct object *event)
{
    struct spinlock *lock = event->lock;
    event_set(event);
    lock_release(lock);
    return SK_OK;
}

status_t sys_timer_create(struct thread *self, struct capability job, handle_t *handle)
{
    struct job *payer = container_of(job.object, struct job, object);
    status_t status = job_charge(payer, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return status;
    }
    struct timer *timer = cache_alloc(&timer_cache);
    if (timer == NULL) {
        job_uncharge(payer, BUDGET_OBJECTS, 1);
        return SK_NO_MEMORY;
    }
    object_init(&timer->object, SK_TYPE_TIMER, payer);
    timer->deadline = (struct deadline){.expired = timer_expired};
    timer->sequence++;
    timer->expired = false;
    return handle_add_new(self->process, &timer->object, handle);
}

status_t sys_timer_set(struct thread *self, struct object *object, uint64_t deadline)
{
    struct timer *timer = timer_from_object(object);
    timer->sequence++;
    timer->expired = false;
    deadline_cancel(&timer->deadline);
    if (deadline != SK_DEADLINE_NEVER) {
        deadline_arm(&timer->deadline, deadline, timer->sequence);
    }
    lock_release(timer->object.lock);
    return SK_OK;
}
