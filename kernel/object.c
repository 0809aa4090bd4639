/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Kernel objects: the two counts, observers, ids.
 *
 * Owns the count of live objects by type. Locks: object->lock (LOCK_OBJECT) for observers.
 * Tests: tests/host/kernel/test_failures.c, tests/qemu/kernel/.
 */
#include <kernel/job.h>
#include <kernel/object.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/step.h>
#include <kernel/wait.h>

/* What OBJECT_PIECES cost at most, in units of step_take. */
#define OBJECT_UNITS 200
/* What destroying an object costs, in units of step_take, without the pages of memory, which pay themselves. */
#define DESTROY_UNITS 5

_Atomic uint64_t object_live[SK_TYPE_COUNT];

/* Even ids are handed out; a channel's second end has the odd one above its first end's. */
static _Atomic uint64_t next_id = 2;

uint64_t object_new_id(void)
{
    return atomic_fetch_add_explicit(&next_id, 2, memory_order_relaxed);
}

void object_init(struct object *object, enum sk_type type, struct job *job)
{
    atomic_store_explicit(&object->refs, 1, memory_order_relaxed);
    atomic_store_explicit(&object->handles, 0, memory_order_relaxed);
    /* Somebody may still be glancing at what was here before (kernel/glance.h). */
    store_relaxed(&object->type, (uint8_t)type);
    object->ended = false;
    store_relaxed(&object->lock, &object->own_lock);
    lock_init(&object->own_lock, LOCK_OBJECT);
    list_init(&object->observers);
    object->job = job;
    if (job != NULL) {
        object_get(&job->object);
    }
    object->id = object_new_id();
    atomic_fetch_add_explicit(&object_live[type], 1, memory_order_relaxed);
}

void object_fini(struct object *object)
{
    ASSERT(list_empty(&object->observers));
    struct job *job = object->job;
    atomic_fetch_sub_explicit(&object_live[object->type], 1, memory_order_relaxed);
    if (job != NULL) {
        object->job = NULL;
        job_uncharge(job, BUDGET_OBJECTS, 1);
        object_put(&job->object);
    }
}

bool object_try_get(struct object *object)
{
    uint32_t refs = atomic_load_explicit(&object->refs, memory_order_relaxed);
    while (refs != 0) {
        if (atomic_compare_exchange_weak_explicit(&object->refs, &refs, refs + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

void object_put(struct object *object)
{
    if (atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) == 1) {
        object_types[object->type]->destroy(object);
    }
}

void object_end(struct object *object)
{
    struct spinlock *lock = object->lock;
    lock_acquire(lock);
    object->ended = true;
    object_notify(object, SK_SIGNAL_TERMINATED);
    /* Whoever closes the last handle now takes the lock first. */
    bool last = atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) == 1;
    lock_release(lock); /* its memory keeps its type */
    if (last) {
        object_types[object->type]->destroy(object);
    }
}

uint32_t object_observe_end(struct object *object)
{
    return object->ended ? SK_SIGNAL_TERMINATED : 0;
}

void object_put_later(struct object *object)
{
    if (atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) == 1) {
        /* Nobody else refers to it, so its list node is free for this use. */
        list_append(&chores_here()->objects, &object->observers);
    }
}

bool object_step_done(uint32_t left)
{
    step_pay((int32_t)(OBJECT_PIECES - left) * OBJECT_UNITS / (int32_t)OBJECT_PIECES);
    return left == 0;
}

void object_later(struct object *object, struct later *later, void (*go_on)(struct object *object))
{
    object_get(object);
    later->object = object;
    later->go_on = go_on;
    list_append(&chores_here()->later, &later->link);
}

bool object_later_step(struct chores *chores)
{
    while (!list_empty(&chores->later)) {
        if (cpu_hart()->step_left < OBJECT_UNITS) { /* it pays itself */
            return false;
        }
        struct later *later = list_entry(list_pop(&chores->later), struct later, link);
        struct object *object = later->object;
        later->go_on(object);
        object_put(object);
    }
    return true;
}

bool object_destroy_step(struct chores *chores)
{
    struct list_node *dead = &chores->objects;
    while (!list_empty(dead)) {
        if (!step_take(DESTROY_UNITS)) {
            return false;
        }
        struct object *object = list_entry(list_pop(dead), struct object, observers);
        object_types[object->type]->destroy(object);
    }
    return true;
}

struct capability capability_make(struct object *object, uint32_t rights)
{
    object_get(object);
    atomic_fetch_add_explicit(&object->handles, 1, memory_order_relaxed);
    return (struct capability){object, rights};
}

bool capability_copy(struct object *object, uint32_t rights, struct capability *copy)
{
    uint32_t handles = atomic_load_explicit(&object->handles, memory_order_relaxed);
    do {
        if (handles == 0) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&object->handles, &handles, handles + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    object_get(object);
    *copy = (struct capability){object, rights};
    return true;
}

void capability_drop(struct capability capability)
{
    struct object *object = capability.object;
    if (atomic_fetch_sub_explicit(&object->handles, 1, memory_order_acq_rel) == 1) {
        const struct object_type *type = object_types[object->type];
        if (type->orphan != NULL) {
            type->orphan(object);
        }
    }
    object_put(object);
}

void object_notify_each(struct object *object, uint32_t signals)
{
    list_for_each_safe(node, &object->observers) {
        struct observer *observer = list_entry(node, struct observer, link);
        if (observer->signals & signals) {
            observer->notify(observer);
        }
    }
}

bool object_observers_full(const struct object *object)
{
    uint32_t count = 0;
    list_for_each(node, &object->observers) {
        if (++count == SK_OBSERVERS_MAX) {
            return true;
        }
    }
    return false;
}

void object_orphan_observers(struct object *object)
{
    struct list_node *node;
    lock_acquire(object->lock);
    while ((node = list_pop(&object->observers)) != NULL) {
        struct observer *observer = list_entry(node, struct observer, link);
        observer->orphaned(observer);
    }
    lock_release(object->lock);
}
