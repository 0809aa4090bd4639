/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Mutex and condition on futex words. The mutex word is 0 free, 1 held, 2 held with waiters; an
 * unlock of 2 wakes one, which takes the word as 2 because others may still wait.
 */
#include <sk/thread.h>

#include <sk/syscalls.h>

enum { FREE, HELD, CONTENDED };

static const void *word(_Atomic uint32_t *futex)
{
    return (const void *)futex;
}

bool sk_mutex_try_lock(struct sk_mutex *mutex)
{
    uint32_t expected = FREE;
    return atomic_compare_exchange_strong_explicit(&mutex->state, &expected, HELD,
                                                   memory_order_acquire, memory_order_relaxed);
}

status_t sk_mutex_lock_until(struct sk_mutex *mutex, uint64_t deadline)
{
    if (sk_mutex_try_lock(mutex)) {
        return SK_OK;
    }
    while (atomic_exchange_explicit(&mutex->state, CONTENDED, memory_order_acquire) != FREE) {
        if (sk_futex_wait(word(&mutex->state), CONTENDED, deadline) == SK_TIMED_OUT) {
            return SK_TIMED_OUT;
        }
    }
    return SK_OK;
}

void sk_mutex_lock(struct sk_mutex *mutex)
{
    sk_mutex_lock_until(mutex, SK_DEADLINE_NEVER);
}

void sk_mutex_unlock(struct sk_mutex *mutex)
{
    uint64_t woken;
    if (atomic_exchange_explicit(&mutex->state, FREE, memory_order_release) == CONTENDED) {
        sk_futex_wake(word(&mutex->state), 1, &woken);
    }
}

/* The sequence is read before the mutex is released, so a signal in between is never missed. */
status_t sk_condition_wait(struct sk_condition *condition, struct sk_mutex *mutex,
                           uint64_t deadline)
{
    uint32_t sequence = atomic_load_explicit(&condition->sequence, memory_order_relaxed);
    sk_mutex_unlock(mutex);
    status_t status = sk_futex_wait(word(&condition->sequence), sequence, deadline);
    sk_mutex_lock(mutex);
    return status == SK_TIMED_OUT ? SK_TIMED_OUT : SK_OK;
}

static void wake(struct sk_condition *condition, uint32_t count)
{
    uint64_t woken;
    atomic_fetch_add_explicit(&condition->sequence, 1, memory_order_release);
    sk_futex_wake(word(&condition->sequence), count, &woken);
}

void sk_condition_signal(struct sk_condition *condition)
{
    wake(condition, 1);
}

void sk_condition_broadcast(struct sk_condition *condition)
{
    wake(condition, UINT32_MAX);
}
