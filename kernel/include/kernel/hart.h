/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per-hart data, indexed by a dense number; the machine's own hart id is only a field.
 */
#ifndef KERNEL_HART_H
#define KERNEL_HART_H

#include <arch/cpu.h>
#include <kernel/chores.h>
#include <kernel/list.h>
#include <kernel/lock.h>

#define PRIORITIES 32u
/* In a run queue, a thread's rank is its priority, and this more if its job has some of its share left. */
#define RANK_PAID PRIORITIES
#define RANKS (2 * PRIORITIES)
#define HART_LOCKS_MAX 8u

struct account;
struct deadline;

struct hart {
    /* Read by the trap entry: keep first, in this order. */
    struct thread *current; /* NULL in idle */
    uint64_t stack_top;     /* of its kernel stack */
    struct arch_hart arch;

    /* Something is to be done before a user program runs on: kernel_exit looks. Set by anyone who
     * gives this hart work, and by its interrupts. */
    _Atomic bool attention;
    bool chores;           /* this hart: it has put something off, see the lists below */
    bool turn_over;        /* this hart: its clock has found the turn at its end */
    uint64_t system_calls; /* for statistics; this hart */
    uint32_t number;       /* [I] dense */
    uint64_t id;           /* [I] the machine's */
    _Atomic bool online;
    int32_t step_left; /* this hart: allowance of the step under way, see step.h */

    struct spinlock runqueue_lock;
    struct list_node ready[RANKS]; /* [runqueue_lock] struct thread.run_link */
    _Atomic uint64_t ready_mask;   /* [runqueue_lock] written; read by anyone */
    _Atomic uint32_t ready_top; /* the highest priority of a paid rank in it, 0 if there is none */
    _Atomic uint32_t ready_count;
    uint64_t switched_at; /* this hart: ticks, up to when run time has been told */

    /* The turn under way (turn.h); this hart, in ticks. */
    struct thread *turn_owner;    /* who was taken from the queue: compared, never followed */
    struct account *payer;        /* its account, while that has paid; NULL: nobody pays */
    uint32_t taken_rank;          /* that it had there */
    struct account *turn_account; /* its account; NULL: there is no turn */
    uint64_t turn_began, turn_end;
    uint64_t turn_armed; /* what the clock is set to on behalf of a turn, ~0 for nothing */
    uint64_t period_end, period_all; /* and struct account.spent of who has spent all of it */

    struct spinlock timers_lock;
    struct deadline *timers; /* [timers_lock] heap */
    uint64_t timers_next_ns; /* [timers_lock] written; time of the first, NEVER if none */
    struct list_node lazy;   /* [timers_lock] struct thread.lazy_link */
    uint64_t lazy_next_ns;   /* this hart: the earliest of them at the last look */
    uint64_t armed_ns;       /* this hart: what its clock is set to, ~0 for nothing */

    struct list_node searches;  /* this hart: struct job.search.link */
    struct chores own_chores;   /* this hart: put off on nobody's behalf */
    struct chores fresh_chores; /* this hart: put off since it entered the kernel */
    struct chores *chores_to;   /* this hart: where what is put off now goes */

    /* Statistics, this hart only. */
    uint64_t timer_interrupts, switches, idle_ns, ipi_received;

    struct spinlock *held[HART_LOCKS_MAX]; /* builds with checks: locks held, in order */
    uint32_t held_count;

    /* Payload of the message being sent, between reading it and knowing where it goes. */
    _Alignas(8) unsigned char bounce[4096];
};

extern struct hart harts[];
extern uint32_t hart_count; /* present in the device tree and usable; [I] after boot */

#endif
