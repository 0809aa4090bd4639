/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spin locks, and the run-time check of their order (docs/locking.md).
 *
 * Owns: nothing but the per-hart record of held locks. Tests: tests/host/kernel/test_lock.c.
 */
#include <arch/cpu.h>
#include <kernel/hart.h>
#include <kernel/lock.h>
#include <kernel/panic.h>

void lock_init(struct spinlock *lock, enum lock_level level)
{
    lock->level = (uint8_t)level;
}

void lock_acquire_contended(struct spinlock *lock)
{
    do {
        while (atomic_load_explicit(&lock->word, memory_order_relaxed) != 0) {
            cpu_relax();
        }
    } while (atomic_exchange_explicit(&lock->word, 1, memory_order_acquire) != 0);
}

void lock_order_acquire(struct spinlock *lock, bool pair)
{
    struct hart *hart = cpu_hart();
    if (hart->held_count > 0) {
        const struct spinlock *last = hart->held[hart->held_count - 1];
        bool right = last->level < lock->level || (pair && last->level == lock->level);
        if (!right) {
            panic("lock order: level %u taken while level %u is held", lock->level, last->level);
        }
    }
    ASSERT(hart->held_count < HART_LOCKS_MAX);
    hart->held[hart->held_count++] = lock;
}

void lock_order_release(struct spinlock *lock)
{
    struct hart *hart = cpu_hart();
    uint32_t i = hart->held_count;
    while (i > 0 && hart->held[i - 1] != lock) {
        i--;
    }
    ASSERT(i > 0);
    for (; i < hart->held_count; i++) {
        hart->held[i - 1] = hart->held[i];
    }
    hart->held_count--;
}

void lock_order_none_held(void)
{
    ASSERT(cpu_hart()->held_count == 0);
}
