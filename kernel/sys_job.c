/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on jobs: they check, then call one function.
 */
#include <kernel/handle.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/step.h>
#include <kernel/syscall.h>
#include <kernel/syscalls.h>

status_t sys_job_create(struct thread *self, struct capability parent, vaddr_t budget,
                        handle_t *handle)
{
    struct sk_budget wanted;
    status_t status = space_copy_in(&self->process->space, &wanted, budget, sizeof(wanted));
    if (status != SK_OK) {
        return status;
    }
    const uint64_t limit[BUDGET_KINDS] = {
        [BUDGET_PAGES] = wanted.pages,     [BUDGET_OBJECTS] = wanted.objects,
        [BUDGET_HANDLES] = wanted.handles, [BUDGET_MESSAGES] = wanted.messages,
        [BUDGET_THREADS] = wanted.threads,
    };
    struct job *job;
    status = job_create(container_of(parent.object, struct job, object), limit, wanted.cpu, &job);
    return status != SK_OK ? status : handle_add_new(self->process, &job->object, handle);
}

static status_t kill_step(struct thread *self)
{
    return job_kill_step(&self->step);
}

status_t sys_job_kill(struct thread *self, struct capability job)
{
    self->step = (struct step){.flag = false};
    return step_start(self, kill_step, job.object, job.object);
}
