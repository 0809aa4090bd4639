/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocking: how a wait begins and the two ways it ends.
 *
 * Owns: thread.wait and thread.deadline. Lock: the one the wait names. Tests:
 * tests/host/kernel/race.c, tests/host/ipc/.
 */
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/wait.h>

void wait_begin(struct thread *thread, struct spinlock *lock, struct list_node *head,
                void (*cancel)(struct thread *, status_t))
{
    struct wait *wait = &thread->wait;
    store_relaxed(&thread->lazy_ns, SK_DEADLINE_NEVER); /* before the new sequence is seen */
    store_release(&wait->sequence, wait->sequence + 1);
    wait->cancel = cancel;
    if (head != NULL) {
        list_append(head, &wait->link);
    }
    store_release(&wait->lock, lock);
    sched_leave(thread); /* nobody ends the wait before the lock is free */
}

void wait_deadline(struct thread *thread, uint64_t deadline)
{
    if (deadline != SK_DEADLINE_NEVER) {
        deadline_arm(&thread->deadline, deadline, thread->wait.sequence);
    }
}

void wait_end(struct thread *thread)
{
    struct wait *wait = &thread->wait;
    list_remove(&wait->link);
    store_release(&wait->lock, NULL);
    deadline_cancel(&thread->deadline);
}

bool wait_cancel(struct thread *thread, uint64_t sequence, status_t status)
{
    for (;;) {
        struct spinlock *lock = atomic_load_explicit(&thread->wait.lock, memory_order_acquire);
        if (lock == NULL) {
            return false;
        }
        /* The lock's memory keeps its type, so it can be taken even if the wait is over by now. */
        lock_acquire(lock);
        bool same = atomic_load_explicit(&thread->wait.lock, memory_order_relaxed) == lock;
        if (same && sequence != WAIT_ANY && thread->wait.sequence != sequence) {
            lock_release(lock);
            return false;
        }
        if (same) {
            void (*cancel)(struct thread *, status_t) = thread->wait.cancel;
            wait_end(thread);
            if (cancel != NULL) {
                cancel(thread, status);
            } else {
                syscall_result(thread, status, 0, 0);
            }
            lock_release(lock);
            thread_ready(thread);
            return true;
        }
        lock_release(lock);
    }
}
