/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns, and the accounts that pay for them. turn.h tells the rules.
 *
 * Owns: the turn in struct hart, the words of struct account. Runs in kernel_exit, no lock held.
 * Tests: tests/host/kernel/test_turn.c.
 */
#include <skerry/info.h>

#include <arch/irq.h>
#include <kernel/clock.h>
#include <kernel/sched.h>
#include <kernel/turn.h>

/* What a share has left is forfeited when it is less than this part of a period: no turn is that short. */
#define TURNS_MAX 1000u

/* Ticks of a period that it may spend. */
static uint64_t allotment_of(const struct account *account)
{
    return clock_period_ticks * atomic_load_explicit(&account->share, memory_order_relaxed) /
           SK_CPU_HART;
}

static bool spent_change(struct account *account, uint64_t *spent, uint64_t now)
{
    return atomic_compare_exchange_weak_explicit(&account->spent, spent, now, memory_order_relaxed,
                                                 memory_order_relaxed);
}

/* Pays for a turn to at most the end of the period; the ticks that it may last, or 0. */
static uint64_t pay(const struct hart *hart, struct account *account)
{
    uint64_t all = hart->period_all, none = all - SPENT_ALL;
    uint64_t spent = atomic_load_explicit(&account->spent, memory_order_relaxed);
    uint64_t most = allotment_of(account), rest = hart->period_end - hart->switched_at;
    uint64_t ticks, now;
    do {
        if (spent >= all) {
            return 0;
        }
        uint64_t before = spent > none ? spent - none : 0;
        uint64_t left = most > before ? most - before : 0;
        ticks = left < rest ? left : rest;
        now = left > rest ? none + before + ticks : all;
        if (left < rest && left < clock_period_ticks / TURNS_MAX) {
            ticks = 0;
            now = all;
        }
    } while (!spent_change(account, &spent, now));
    return ticks;
}

/* Gives back what a turn did not use of the running period. */
static void refund(const struct hart *hart, struct account *account, uint64_t ticks)
{
    uint64_t all = hart->period_all, none = all - SPENT_ALL;
    uint64_t spent = atomic_load_explicit(&account->spent, memory_order_relaxed), before;
    do {
        if (spent < none || spent > all) {
            return;
        }
        before = spent == all ? allotment_of(account) : spent - none;
    } while (!spent_change(account, &spent, none + (before > ticks ? before - ticks : 0)));
}

static void turn_settle(struct hart *hart)
{
    struct account *account = hart->turn_account;
    if (account == NULL) {
        return;
    }
    atomic_fetch_add_explicit(&account->time, hart->switched_at - hart->turn_began,
                              memory_order_relaxed);
    if (hart->payer != NULL && hart->switched_at < hart->turn_end) {
        refund(hart, account, hart->turn_end - hart->switched_at);
    }
    hart->turn_account = NULL;
    hart->payer = NULL;
}

void turn_begin(struct hart *hart, struct thread *thread)
{
    struct account *account = thread->account;
    turn_settle(hart);
    uint64_t ticks = pay(hart, account);
    hart->turn_account = account;
    hart->turn_began = hart->switched_at;
    hart->turn_end = hart->period_end;
    if (likely(ticks > 0)) {
        hart->payer = account;
        hart->turn_end = hart->switched_at + ticks;
    } else {
        atomic_fetch_add_explicit(&account->ran_out, 1, memory_order_relaxed);
    }
}

bool turn_end(struct hart *hart)
{
    turn_settle(hart);
    hart->turn_over = false;
    if (hart->period_end == 0) {
        hart->switched_at = clock_ticks(); /* its first turn: nobody has left it before */
    }
    if (hart->switched_at < hart->period_end) {
        return false;
    }
    uint64_t number = hart->switched_at / clock_period_ticks + 1; /* 0 is before all */
    hart->period_end = number * clock_period_ticks;
    hart->period_all = number << SPENT_BITS | SPENT_ALL;
    return true;
}
