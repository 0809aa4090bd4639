/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads. The kernel is an event kernel: a thread has no kernel stack, its user registers are its
 * frame and its wait is data here. `frame` is first, so that the trap entry finds it.
 *
 * A thread is READY in one run queue, PARKED (it would be ready, but for its suspend count), DEAD, or
 * ACTIVE: it waits if wait.lock says so, and is some hart's `current` otherwise. Killing and suspending never touch a running thread:
 * they set `pending`, and the hart that runs it, or next would, acts on that in kernel_exit.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include <arch/cpu.h>
#include <kernel/call.h>
#include <kernel/chores.h>
#include <kernel/deadline.h>
#include <kernel/step.h>
#include <kernel/wait.h>

struct account;
struct process;
struct hart;
struct sk_thread_info;

#define THREADS_MAX 4096u

enum thread_state {
    THREAD_NEW,
    THREAD_READY,
    THREAD_ACTIVE,
    THREAD_PARKED,
    THREAD_DEAD,
};

/* Bits of thread.pending. */
#define THREAD_PENDING_KILL 1u
#define THREAD_PENDING_SUSPEND 2u
#define THREAD_PENDING_STEP 4u   /* its system call goes on: thread.step */
#define THREAD_PENDING_CHORES 8u /* it has something to do before it goes on: thread.chores */

struct thread {
    struct arch_frame frame;
    struct object object;
    struct process *process; /* [I] +1 */
    struct arch_fpu fpu;
    struct account *account; /* [I] that of its job: who pays for its turns */
    uint64_t token_slot;     /* [I] its place in thread_slots, for tokens */

    struct spinlock lock;            /* LOCK_THREAD */
    _Atomic uint32_t state;          /* enum thread_state */
    struct list_node run_link;       /* [run queue lock] */
    struct hart *hart;               /* where it is queued, or last was */
    uint32_t base_priority;          /* [lock] */
    _Atomic uint32_t priority;       /* [lock] written; effective */
    struct list_node donors;         /* [lock] struct call.donor_link of callers it serves */
    _Atomic uint32_t queue_priority; /* [lock] written; lent by calls that wait where it receives */
    uint32_t suspend_count;          /* [lock] */
    _Atomic uint32_t pending;        /* THREAD_PENDING_* */
    uint64_t run_time;               /* ticks, by its hart */

    struct wait wait;
    struct deadline deadline; /* of the wait */
    /* Or, of a wait begun on the fast path, a time that its hart looks at when its clock fires. */
    _Atomic uint64_t lazy_ns;       /* NEVER: none */
    struct hart *_Atomic lazy_hart; /* on whose list; NULL: none. Set under its timers_lock */
    struct list_node lazy_link;     /* [lazy_hart's timers_lock] */
    struct observer observer;       /* of an object_wait */
    struct memory *futex_memory;    /* of a futex_wait: where the word is, +1 ... */
    uint64_t futex_offset;          /* ... and at which byte */
    struct call call;
    /* What it last received from, an endpoint or a wait set; NULL: nothing yet, or it is gone. */
    struct object *_Atomic source; /* [source's lock] set by the thread itself, reset by anyone */
    struct list_node source_link;  /* [source's lock] in its `servers` */
    status_t reply_status;         /* of the reply in the reply_receive that it waits in */

    struct list_node process_link; /* [process lock] */
    struct step step;              /* of the system call that it makes */
    struct chores chores;          /* what its system call has put off */
};

extern const struct object_type thread_type;

/* Every thread memory there ever was, by slot; entries are set once. */
extern struct thread *_Atomic thread_slots[THREADS_MAX];
extern _Atomic uint32_t thread_slot_count;

static inline struct thread *thread_from_object(struct object *object)
{
    return container_of(object, struct thread, object);
}

/* Argument registers: what a new thread begins with, or a system call was made with. */
static inline uint64_t *thread_arguments(struct thread *thread)
{
    return thread->frame.arg;
}

/* A new thread of the process, not running yet. The caller owns the reference.
 * BAD_STATE (process ended), OVER_BUDGET, NO_MEMORY. */
status_t thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
                       uint32_t priority, struct thread **thread);
/* Makes a NEW thread, or one whose wait has ended, ready (or parks it if suspended). */
void thread_ready(struct thread *thread);
/* Tells a thread to end: it does so the next time it would run. Wait lock free. */
void thread_kill(struct thread *thread);
status_t thread_suspend(struct thread *thread);
status_t thread_resume(struct thread *thread);
/* Acts on `pending` of the thread this hart was about to run; true if it may run after all. A system call
 * in steps comes to its end first. */
bool thread_handle_pending(struct thread *thread);
/* The thread receives from what it received from no more. No lock held. */
void thread_leave_source(struct thread *thread);
/* Ends the running thread, here and now. */
void thread_exit(struct thread *thread);

/* Lends the caller's priority to the thread that serves its call, now or again, and takes it back. Any wait
 * lock may be held. True if the thread's own priority has changed. */
bool thread_donate(struct thread *donee, struct thread *caller);
void thread_donation_end(struct thread *caller);
/* Lends the priority of a call that waits where the thread receives; 0 takes all such back. Any wait lock
 * may be held. True if the thread's own priority has changed. */
bool thread_lend_queue(struct thread *thread, uint32_t priority);
status_t thread_set_priority(struct thread *thread, uint32_t priority);
void thread_info(struct thread *thread, struct sk_thread_info *info);

#endif
