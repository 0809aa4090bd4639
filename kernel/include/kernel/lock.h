/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spin locks. Interrupts are always off in the kernel, so a lock is only ever waited for by other
 * harts. A lock is taken only while every lock already held has a lower level (docs/locking.md);
 * builds with checks on verify that. Two locks of one level are taken only by lock_pair, in the
 * order of their addresses.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

#include <stdatomic.h>

#include <arch/cpu.h>
#include <kernel/types.h>

enum lock_level {
    LOCK_NONE = 0,
    LOCK_PROCESS_LIST, /* the list of all processes */
    LOCK_JOB_TREE,     /* the tree of jobs */
    LOCK_PROCESS,      /* a process: its threads and state */
    LOCK_OBJECT,     /* a channel (both ends), event, timer, interrupt, ...: state and observers */
    LOCK_WAITSET,    /* ready list and parked threads of a wait set */
    LOCK_FUTEX,      /* one bucket of the futex table */
    LOCK_HANDLES,    /* one process's handle table */
    LOCK_SPACE,      /* one address space: regions and page tables */
    LOCK_MEMORY,     /* one memory object's pages */
    LOCK_THREAD,     /* one thread's scheduling state and donors */
    LOCK_TIMERS,     /* one hart's deadlines */
    LOCK_RUNQUEUE,   /* one hart's run queue */
    LOCK_BUDGET,     /* one job's budget */
    LOCK_CACHE,      /* one object cache */
    LOCK_PAGES,      /* the page allocator */
    LOCK_CONTROLLER, /* the interrupt controller's registers */
    LOCK_LOG,        /* the kernel log */
};

struct spinlock {
    atomic_ulong word; /* 0 free, 1 held */
    uint8_t level;     /* enum lock_level */
};

#define SPINLOCK_INIT(level_)                                                                      \
    {                                                                                              \
        .word = 0, .level = (level_)                                                               \
    }

/* Once for memory of bss, every time for memory of a cache: it never changes whether the lock is held,
 * because a hart that holds a stale pointer may be holding it just now. */
void lock_init(struct spinlock *lock, enum lock_level level);
RARELY void lock_acquire_contended(struct spinlock *lock);

/* What this hart holds, in builds with checks: a lock taken out of order is a panic. */
void lock_order_acquire(struct spinlock *lock, bool pair);
void lock_order_release(struct spinlock *lock);
void lock_order_none_held(void);
ALWAYS_INLINE void lock_check_acquire(struct spinlock *lock, bool pair)
{
    if (SKERRY_CHECKS) {
        lock_order_acquire(lock, pair);
    }
}
ALWAYS_INLINE void lock_check_release(struct spinlock *lock)
{
    if (SKERRY_CHECKS) {
        lock_order_release(lock);
    }
}
ALWAYS_INLINE void lock_check_none_held(void)
{
    if (SKERRY_CHECKS) {
        lock_order_none_held();
    }
}

ALWAYS_INLINE void lock_take(struct spinlock *lock)
{
    if (unlikely(atomic_exchange_explicit(&lock->word, 1, memory_order_acquire) != 0)) {
        lock_acquire_contended(lock);
    }
}

ALWAYS_INLINE void lock_acquire(struct spinlock *lock)
{
    lock_check_acquire(lock, false);
    lock_take(lock);
}

/* Takes the lock if nobody has it. */
ALWAYS_INLINE bool lock_try(struct spinlock *lock)
{
    if (atomic_exchange_explicit(&lock->word, 1, memory_order_acquire) != 0) {
        return false;
    }
    lock_check_acquire(lock, false);
    return true;
}

ALWAYS_INLINE void lock_release(struct spinlock *lock)
{
    lock_check_release(lock);
    store_release(&lock->word, 0);
}

/* lock_release by a holder that has executed a seq_cst fence since its last access under the lock. */
ALWAYS_INLINE void lock_release_fenced(struct spinlock *lock)
{
    lock_check_release(lock);
    store_fenced(&lock->word, 0);
}

/* Takes two locks of one level; they may be the same lock. */
ALWAYS_INLINE void lock_pair_acquire(struct spinlock *a, struct spinlock *b)
{
    struct spinlock *first = a < b ? a : b;
    struct spinlock *second = a < b ? b : a;
    lock_acquire(first);
    if (first != second) {
        lock_check_acquire(second, true);
        lock_take(second);
    }
}

ALWAYS_INLINE void lock_pair_release(struct spinlock *a, struct spinlock *b)
{
    lock_release(a);
    if (a != b) {
        lock_release(b);
    }
}

#endif
