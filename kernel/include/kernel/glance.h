/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a handle to its object, locked, without its table's lock and without counting a reference: a look,
 * the object's lock, and a second look. Handles may be closed and moved meanwhile, so the first look is
 * only a hint; but object memory keeps its type for ever, and whoever closes the last handle takes the
 * object's lock before anything goes away. Only for objects whose type does that: all that can be
 * waited for. Context: no lock at or above LOCK_OBJECT held.
 */
#ifndef KERNEL_GLANCE_H
#define KERNEL_GLANCE_H

#include <kernel/process.h>

/* What a handle names, as seen without its table's lock. */
struct glance {
    struct handle_entry *entry;
    struct object *object;
    handle_t handle;
};

/* The object of a handle; may be stale until its lock is held and glance_holds. */
ALWAYS_INLINE bool glance_at(struct process *process, uint64_t handle, struct glance *glance)
{
    struct handle_entry *page = __atomic_load_n(handle_page(&process->handles, handle),
                                                __ATOMIC_RELAXED);
    glance->entry = &page[handle % HANDLES_PER_PAGE];
    glance->handle = (handle_t)handle;
    if (page == NULL) {
        return false;
    }
    glance->object = __atomic_load_n(&glance->entry->object, __ATOMIC_RELAXED);
    return glance->object != NULL;
}

/* True if the handle still names the object, with these rights. The object's lock is held. */
ALWAYS_INLINE bool glance_holds(const struct glance *glance, uint32_t rights)
{
    const struct handle_entry *entry = glance->entry;
    return __atomic_load_n(&entry->name, __ATOMIC_RELAXED) == glance->handle &&
           __atomic_load_n(&entry->object, __ATOMIC_RELAXED) == glance->object &&
           (__atomic_load_n(&entry->rights, __ATOMIC_RELAXED) & (rights | ENTRY_MARKS)) == rights;
}

/* Words of an object that is only glanced at: another one may be beginning in its memory. */
ALWAYS_INLINE enum sk_type glance_type(const struct glance *glance)
{
    return (enum sk_type)__atomic_load_n(&glance->object->type, __ATOMIC_RELAXED);
}

ALWAYS_INLINE struct spinlock *glance_lock_of(const struct glance *glance)
{
    return __atomic_load_n(&glance->object->lock, __ATOMIC_RELAXED);
}

/* Locks what was seen; false, and unlocked, if the handle does not name it with these rights. */
ALWAYS_INLINE bool glance_lock(const struct glance *glance, uint32_t rights)
{
    struct spinlock *lock = glance_lock_of(glance);
    lock_acquire(lock);
    if (likely(glance_holds(glance, rights))) {
        return true;
    }
    lock_release(lock);
    return false;
}

/* handle_lock when the looks did not agree: says why, or looks until they do. */
RARELY status_t handle_lock_again(struct process *process, handle_t handle, enum sk_type type,
                                  uint32_t rights, struct object **object);

/* The object of a handle, its lock held until the caller gives it back. `type` SK_TYPE_NONE accepts any.
 * BAD_HANDLE, WRONG_TYPE, ACCESS_DENIED. */
ALWAYS_INLINE status_t handle_lock(struct process *process, uint64_t handle, enum sk_type type,
                                   uint32_t rights, struct object **object)
{
    struct glance glance;
    if (unlikely(!glance_at(process, (uint32_t)handle, &glance) ||
                 (type != SK_TYPE_NONE && glance_type(&glance) != type) ||
                 !glance_lock(&glance, rights))) {
        return handle_lock_again(process, (handle_t)handle, type, rights, object);
    }
    *object = glance.object;
    return SK_OK;
}

#endif
