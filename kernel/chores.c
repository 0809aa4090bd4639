/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is put off, and who does it.
 *
 * Owns: thread.chores, hart.own_chores, hart.fresh_chores. No lock: only the hart that runs the thread, or whose they
 * are, comes here. Tests: tests/host/kernel/test_step.c.
 */
#include <kernel/chores.h>
#include <kernel/job.h>
#include <kernel/sched.h>
#include <kernel/step.h>

void chores_init(struct chores *chores)
{
    list_init(&chores->later);
    list_init(&chores->objects);
    list_init(&chores->messages);
    list_init(&chores->memories);
    list_init(&chores->jobs);
    list_init(&chores->reaper);
}

bool chores_given_back(const struct chores *chores)
{
    return list_empty(&chores->later) && list_empty(&chores->objects) &&
           list_empty(&chores->messages) && list_empty(&chores->memories);
}

bool chores_empty(const struct chores *chores)
{
    return chores_given_back(chores) && list_empty(&chores->jobs) && list_empty(&chores->reaper);
}

struct chores *chores_here(void)
{
    sched_chore();
    return cpu_hart()->chores_to;
}

void chores_assign(void)
{
    struct hart *hart = cpu_hart();
    struct chores *fresh = &hart->fresh_chores, *to = &hart->own_chores;
    if (chores_empty(fresh)) {
        return;
    }
    if (hart->current != NULL) {
        to = &hart->current->chores;
        atomic_fetch_or(&hart->current->pending, THREAD_PENDING_CHORES);
    }
    list_splice(&to->later, &fresh->later);
    list_splice(&to->objects, &fresh->objects);
    list_splice(&to->messages, &fresh->messages);
    list_splice(&to->memories, &fresh->memories);
    list_splice(&to->jobs, &fresh->jobs);
    list_splice(&to->reaper, &fresh->reaper);
}

bool chores_step(struct chores *chores)
{
    struct hart *hart = cpu_hart();
    struct chores *before = hart->chores_to;
    hart->chores_to = chores; /* what comes of it is part of it */
    bool done = true;
    while (done && !chores_empty(chores)) { /* each may have made work for another */
        done = object_later_step(chores) && object_destroy_step(chores) &&
               message_release_step(chores) && memory_release_step(chores) &&
               job_end_step(chores) && process_reap_step(chores);
    }
    hart->chores_to = before;
    return done;
}

bool chores_run(void)
{
    struct hart *hart = cpu_hart();
    struct chores *own = &hart->own_chores;
    step_begin_chores();
    hart->chores_to = own;
    bool goes_on = true, done = false;
    while (goes_on && !done) {
        goes_on = chores_step(own);
        if (chores_given_back(own)) { /* no message on its way out holds a handle */
            goes_on = job_search_step() && goes_on;
        }
        done = goes_on && chores_empty(own) && list_empty(&hart->searches);
    }
    hart->chores_to = &hart->fresh_chores;
    return done;
}
