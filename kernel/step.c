/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls in steps. Owns: thread.step. No lock: only the hart that runs the thread comes here.
 * Tests: tests/host/kernel/test_step.c.
 */
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
    if (status != SK_PENDING) {
        objects_put(step);
        return status;
    }
    atomic_fetch_or(&self->pending, THREAD_PENDING_STEP);
    sched_attention();
    return SYSCALL_DONE;
}

void step_run(struct thread *self)
{
    struct step *step = &self->step;
    step_begin();
    status_t status = step->run(self);
    if (status == SK_PENDING) {
        return;
    }
    atomic_fetch_and(&self->pending, ~THREAD_PENDING_STEP);
    syscall_result(self, status, step->result, step->result2);
    objects_put(step);
}
