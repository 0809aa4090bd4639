/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns: who pays for the time that threads take (ADR 017).
 *
 * A job has a share of the processors, in thousandths of a hart, carved out of its parent's as every budget is; a
 * job that was given none uses its parent's. Time is cut into periods of SCHED_PERIOD_NS, and an account says
 * what a job has spent of it. Threads of a job whose share of the period is used up rank below all others, whatever
 * their priorities, until the next period. So a share is what a job can count on, and what nobody counts on is had
 * by priority.
 *
 * A turn names the account that pays, that of the thread which was taken from the queue. What it may take is paid
 * at its beginning, so that no two harts spend the same, and what was not used is given back at its end. The turn goes
 * on when the hart's next thread has the same account, and when it is lent: by a call on the short way, until the
 * reply. It ends with what was paid, when another account's thread is taken, and in idle. When a lent turn is over,
 * the server goes on at its own job's cost. Beyond what was paid a turn costs nothing: it only goes on while nobody
 * else wants the hart.
 *
 * A turn belongs to this hart, but for the account, which all harts share: its words are atomic, and nothing is
 * reached through it. The memory of jobs keeps its type, so a turn may outlive its job: it then counts for
 * nobody. No lock. Tests: tests/host/kernel/test_turn.c, tests/qemu/hostile/loops.c.
 */
#ifndef KERNEL_TURN_H
#define KERNEL_TURN_H

#include <kernel/hart.h>

struct thread;

struct account {
    _Atomic uint64_t share;   /* thousandths of a hart; job.budget_lock to write */
    _Atomic uint64_t spent;   /* the last period that it paid in, and ticks of it */
    _Atomic uint64_t time;    /* ticks that it paid for, or that went on beyond */
    _Atomic uint64_t ran_out; /* turns that its share could not pay for */
};

/* Of `spent`, for the ticks: enough for all harts' of a period. The rest numbers periods, for twenty years. */
#define SPENT_BITS 28u
#define SPENT_ALL ((1ull << SPENT_BITS) - 1) /* whatever it had of the period */

/* Something of the running period is left, as far as this hart knows of it. What its own turn has paid is. */
static inline bool turn_is_paid(const struct hart *hart, const struct account *account)
{
    return account == hart->payer ||
           atomic_load_explicit(&account->spent, memory_order_relaxed) < hart->period_all;
}
/* The hart gives a turn to the thread, at hart.switched_at: hart.payer is its account if that can pay, else NULL. */
void turn_begin(struct hart *hart, struct thread *thread);
/* The turn is over, at hart.switched_at; nobody has one. True if a period is, too. */
bool turn_end(struct hart *hart);

#endif
