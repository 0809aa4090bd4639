/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps: the kernel runs with interrupts off, so what takes long is cut.
 *
 * Between two looks at the interrupts the kernel executes at most 50,000 instructions. Whatever can take longer
 * asks step_take before each piece. When the allowance is used up, the rest is left to the next step:
 *
 * - A system call names a function that does one step (step_start), which kernel_exit runs again and again before
 *   the thread is back in its program. Interrupts, more urgent threads and equals whose turn it is come in
 *   between. Such a call always comes to its end: a kill or a suspension waits for it, so that nothing is ever
 *   left half done.
 * - What is let go on the way (objects, messages, frames) is put off to lists, which kernel_exit does in steps before
 *   the thread is back in its program (kernel/chores.h).
 * - What nobody waits for (the end of a process) stays on a list of the hart, which kernel_exit does a step of now
 *   and then (sched_chore).
 *
 * No lock is held between two steps; what others may see then is told where the steps are. Tests:
 * tests/host/kernel/test_step.c, and tests/qemu/kernel/steps.c, which measures.
 */
#ifndef KERNEL_STEP_H
#define KERNEL_STEP_H

#include <kernel/hart.h>

struct object;
struct thread;

/* The allowance of a step, in units of some 100 instructions: what is left of the 50,000 is for the way in, the way
 * out, and what a piece costs more. */
#define STEP_UNITS 400
/* Of a step of chores: less, as who becomes ready waits for its end, though nobody waits for the chore. */
#define CHORE_UNITS 300

/* A system call in steps. The fields from `start` on are the function's own; `result` and `result2` are those of the
 * call when its status is OK. */
struct step {
    /* PENDING: there is more to do. Or an outcome (syscall.h): who may block uses object[0] only. */
    status_t (*run)(struct thread *self);
    struct object *object[2]; /* +1 each; may be NULL, and changed */
    uint64_t start, at, end, value;
    bool flag;
    uint64_t result, result2;
};

/* A step begins on this hart. */
static inline void step_begin(void)
{
    cpu_hart()->step_left = STEP_UNITS;
}

/* Likewise, of chores. */
static inline void step_begin_chores(void)
{
    cpu_hart()->step_left = CHORE_UNITS;
}

/* Pays for the next piece, of at most STEP_UNITS; false: not in this step. */
static inline bool step_take(int32_t units)
{
    struct hart *hart = cpu_hart();
    if (hart->step_left < units) {
        return false;
    }
    hart->step_left -= units;
    return true;
}

/* Pays for what was done before it was known how much it is: this step ends the sooner. */
static inline void step_pay(int32_t units)
{
    cpu_hart()->step_left -= units;
}

/* The first step of a system call, whose own fields are set. What a handler returns: the status, with the results
 * in self->step, or SYSCALL_DONE if more steps are to come. The objects are borrowed and may be NULL. */
status_t step_start(struct thread *self, status_t (*run)(struct thread *self),
                    struct object *object0, struct object *object1);
/* The next step of the running thread's system call. Part of kernel_exit. */
void step_run(struct thread *self);

#endif
