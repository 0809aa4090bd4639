/* SPDX-License-Identifier: BSD-2-Clause */
/* Kills a job at once, as job_kill does in steps. */
#ifndef JOB_KILL_H
#define JOB_KILL_H

#include <kernel/job.h>
#include <kernel/step.h>

static inline void job_kill_all(struct job *job)
{
    struct step step = {.object = {&job->object, &job->object}};
    object_get(&job->object); /* the walk gives it up */
    do {
        step_begin();
    } while (job_kill_step(&step) == SK_PENDING);
}

#endif
