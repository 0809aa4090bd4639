/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler: fixed priorities, round robin, one run queue per hart, tickless. A thread that
 * becomes ready queues on the hart that woke it; an idle hart steals. Those whose job has used up its share of the
 * processors run after all others (turn.h). Lock: hart.runqueue_lock.
 */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <kernel/hart.h>
#include <kernel/thread.h>

/* Shares of the processors are of this, and a turn among equals ends with it: long against a switch, short for
 * people. */
#define SCHED_PERIOD_NS 10000000ull

/* Harts that sleep, or are about to: bits by number. */
extern _Atomic uint64_t sched_idle_harts;

void sched_init_hart(struct hart *hart, uint32_t number, uint64_t id);
/* This hart must pass through kernel_exit before it goes back to a program. */
static inline void sched_attention(void)
{
    store_relaxed(&cpu_hart()->attention, true);
}
/* This hart has put something off, which kernel_exit does. */
static inline void sched_chore(void)
{
    cpu_hart()->chores = true;
    sched_attention();
}
/* Queues a ready thread on this hart. thread.lock held. */
void sched_enqueue(struct thread *thread);
/* Moves a queued thread to the list of its new priority. thread.lock held. */
void sched_requeue(struct thread *thread, uint32_t priority);
/* The running thread stops running, because it blocks, is parked or ends: saves what is only on
 * this hart. */
void sched_leave(struct thread *thread);
/* The running thread goes to the end of its priority's queue. */
void sched_yield(struct thread *thread);
/* This hart is idle no more. */
void sched_idle_end(struct hart *hart);
/* Makes every other hart that runs something pass through kernel_exit. */
void sched_interrupt_others(void);

#endif
