/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads of this process, and what they synchronise with. Mutex and condition are words that need
 * no kernel object: uncontended use makes no system call. Zero-filled is the initial state of all.
 */
#ifndef SK_THREAD_H
#define SK_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>

#include <skerry/status.h>
#include <skerry/types.h>

#define SK_STACK_DEFAULT ((uint64_t)64 * 1024) /* bytes; only touched pages cost anything */

struct sk_thread {
    handle_t handle;
    void (*entry)(void *argument);
    void *argument;
    void *block; /* TLS and stack, one mapping with a guard page below */
    uint64_t block_size;
};

/*
 * Runs entry(argument) on a new thread. `thread` must stay valid until sk_thread_join. stack_size 0
 * means SK_STACK_DEFAULT; `priority` at most the caller's. OVER_BUDGET, NO_MEMORY, NO_HANDLES,
 * ACCESS_DENIED (priority).
 */
status_t sk_thread_start(struct sk_thread *thread, void (*entry)(void *argument), void *argument,
                         uint64_t stack_size, uint32_t priority);
/* Waits for the end of entry() and frees the stack. TIMED_OUT: still running, join again. */
status_t sk_thread_join(struct sk_thread *thread, uint64_t deadline);

struct sk_mutex {
    _Atomic uint32_t state; /* 0 free, 1 held, 2 held and somebody may wait */
};

void sk_mutex_lock(struct sk_mutex *mutex);
bool sk_mutex_try_lock(struct sk_mutex *mutex);
/* TIMED_OUT */
status_t sk_mutex_lock_until(struct sk_mutex *mutex, uint64_t deadline);
void sk_mutex_unlock(struct sk_mutex *mutex);

struct sk_condition {
    _Atomic uint32_t sequence;
};

/* Releases the mutex, waits, takes it again. May wake for no reason. TIMED_OUT (mutex held too). */
status_t sk_condition_wait(struct sk_condition *condition, struct sk_mutex *mutex,
                           uint64_t deadline);
void sk_condition_signal(struct sk_condition *condition);
void sk_condition_broadcast(struct sk_condition *condition);

#endif
