/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libc's locks, on futex words. Each is recursive: libc's one recursive mutex and the plain ones
 * share the structure. All hooks must be defined, else libc links its stubs beside them.
 */
#include <stdlib.h>
#include <sys/lock.h>

#include <sk/thread.h>

struct __lock {
    struct sk_mutex mutex;
    _Atomic(void *) owner; /* the holder's thread-local address, NULL when free */
    uint32_t depth;        /* [mutex] */
};

struct __lock __lock___libc_recursive_mutex;

/* The address of a thread-local variable tells threads apart without a system call. */
static void *self(void)
{
    static _Thread_local char here;
    return &here;
}

void __retarget_lock_init(_LOCK_T *lock)
{
    *lock = calloc(1, sizeof **lock);
}

void __retarget_lock_init_recursive(_LOCK_T *lock)
{
    __retarget_lock_init(lock);
}

void __retarget_lock_close(_LOCK_T lock)
{
    free(lock);
}

void __retarget_lock_close_recursive(_LOCK_T lock)
{
    free(lock);
}

static void entered(_LOCK_T lock)
{
    atomic_store_explicit(&lock->owner, self(), memory_order_relaxed);
    lock->depth = 1;
}

static bool is_mine(_LOCK_T lock)
{
    return atomic_load_explicit(&lock->owner, memory_order_relaxed) == self();
}

void __retarget_lock_acquire_recursive(_LOCK_T lock)
{
    if (is_mine(lock)) {
        lock->depth++;
        return;
    }
    sk_mutex_lock(&lock->mutex);
    entered(lock);
}

int __retarget_lock_try_acquire_recursive(_LOCK_T lock)
{
    if (is_mine(lock)) {
        lock->depth++;
        return 1;
    }
    if (!sk_mutex_try_lock(&lock->mutex)) {
        return 0;
    }
    entered(lock);
    return 1;
}

void __retarget_lock_release_recursive(_LOCK_T lock)
{
    if (--lock->depth == 0) {
        atomic_store_explicit(&lock->owner, NULL, memory_order_relaxed);
        sk_mutex_unlock(&lock->mutex);
    }
}

void __retarget_lock_acquire(_LOCK_T lock)
{
    __retarget_lock_acquire_recursive(lock);
}

int __retarget_lock_try_acquire(_LOCK_T lock)
{
    return __retarget_lock_try_acquire_recursive(lock);
}

void __retarget_lock_release(_LOCK_T lock)
{
    __retarget_lock_release_recursive(lock);
}
