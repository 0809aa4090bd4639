/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls and chores in steps. Owns: thread.step. No lock: only the hart that runs the thread, or has the chores,
 * comes here.
 * Tests: tests/host/kernel/test_step.c.
 */
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/step.h>
#include <kernel/syscall.h>

static void objects_put(struct step *step)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (step->object[i] != NULL) {
            object_put(step->object[i]);
        }
    }
}

static void step_later(struct thread *self)
{
    atomic_fetch_or(&self->pending, THREAD_PENDING_STEP);
    sched_attention();
}

status_t step_start(struct thread *self, status_t (*run)(struct thread *self),
                    struct object *object0, struct object *object1)
{
    struct step *step = &self->step;
    step->run = run;
    step->object[0] = object0;
    step->object[1] = object1;
    for (uint32_t i = 0; i < 2; i++) {
        if (step->object[i] != NULL) {
            object_get(step->object[i]);
        }
    }
    step_begin();
    status_t status = run(self);
    if (status == SYSCALL_BLOCKED) { /* it may already make another call, elsewhere */
        object_put(object0);
        return status;
    }
    if (status != SK_PENDING) {
        objects_put(step);
        return status;
    }
    step_later(self);
    return SYSCALL_DONE;
}

void step_run(struct thread *self)
{
    struct step *step = &self->step;
    struct object *object = step->object[0];
    step_begin();
    atomic_fetch_and(&self->pending, ~THREAD_PENDING_STEP); /* before it may run elsewhere */
    status_t status = step->run(self);
    if (status == SK_PENDING) {
        step_later(self);
    } else if (status == SYSCALL_BLOCKED) {
        object_put(object);
        syscall_blocked(self);
    } else {
        if (status <= SK_OK) {
            syscall_result(self, status, step->result, step->result2);
        }
        objects_put(step);
    }
}
