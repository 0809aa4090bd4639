/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jobs: a tree of budgets that processes live in.
 *
 * A child's limit is carved out of its parent's unused budget at creation, so what it promises
 * exists. Charges name one job; a dead job's remaining limit (what is still in use) passes to its
 * parent together with the charges. Lock: job.budget_lock (LOCK_BUDGET) for numbers, job_tree_lock
 * (LOCK_JOB_TREE) for parents, children and processes. Tests: tests/host/kernel/test_job.c.
 */
#ifndef KERNEL_JOB_H
#define KERNEL_JOB_H

#include <skerry/info.h>

#include <kernel/log.h>
#include <kernel/object.h>
#include <kernel/turn.h>

enum budget_kind {
    BUDGET_PAGES,
    BUDGET_OBJECTS,
    BUDGET_HANDLES,
    BUDGET_MESSAGES,
    BUDGET_THREADS,
    BUDGET_KINDS,
};

struct channel;

/* The search for endpoints that nobody can reach (ipc/collect.c), among the channels that a job keeps. */
struct job_search {
    bool runs;   /* [budget_lock] it is in the list of a hart, which has all of the following; +1 */
    bool wanted; /* [budget_lock] it is to be made (once more) */
    bool begun;
    struct list_node link; /* hart.searches */

    uint64_t number;
    uint32_t phase, rounds;
    bool found;
    struct channel *cursor;   /* pinned */
    struct list_node reached; /* struct endpoint.reached_link, to be looked into, pinned */
};

struct job {
    struct object object;
    struct spinlock budget_lock;
    uint64_t
        limit[BUDGET_KINDS];     /* [budget_lock] what is its own: after carving out for children */
    uint64_t used[BUDGET_KINDS]; /* [budget_lock] */
    struct account *account;     /* [I] who pays for its threads: itself, or an ancestor */
    struct account own_account;  /* its share as the limits: after carving out for children */
    struct list_node
        channels; /* [budget_lock] struct channel.job_link, charged to it or to jobs that ended below */
    struct job *keeper; /* [budget_lock] not NULL once ended: has the channels; an ancestor */
    struct job_search search;
    struct job *heir;   /* [budget_lock] not NULL once ended: charges go there; +1 */
    struct job *parent; /* [job_tree_lock] +1; NULL for the root */
    struct log_use own_log;
    struct log_use
        *log; /* [I] that of the ancestor below the root, or its own; NULL for the root */
    struct list_node end_link;  /* the chores of whoever ended it; +1 */
    struct list_node sibling;   /* [job_tree_lock] */
    struct list_node children;  /* [job_tree_lock] */
    uint32_t depth;             /* [I] below the root */
    uint32_t child_count;       /* [job_tree_lock] of `children` ... */
    uint32_t live_children;     /* [job_tree_lock] ... and those of them not ended */
    struct list_node processes; /* [job_tree_lock] struct process.job_link */
    uint32_t live_processes;    /* [job_tree_lock] not yet DEAD, in this job */
    bool killed;                /* [job_tree_lock] */
    bool ended;                 /* [job_tree_lock] killed or orphaned, and no live process below */
};

extern const struct object_type job_type;

/* The root job, with everything that boot left, and all harts. Called once. */
struct job *job_init_root(const uint64_t limit[BUDGET_KINDS]);
/* `share`: of the processors, in SK_CPU_HART; 0: it uses its parent's. OUT_OF_RANGE (too deep), OVER_BUDGET,
 * NO_MEMORY. The caller owns the reference. */
status_t job_create(struct job *parent, const uint64_t limit[BUDGET_KINDS], uint64_t share,
                    struct job **job);

/* The rare part of the two below: of a job that has ended, what its heir has to do with it. No budget lock held. */
RARELY status_t job_charge_heir(struct job *job, enum budget_kind kind, uint64_t amount);
/* Adds to a job's limit, or to its heir's if it has ended. */
RARELY void job_limit_give(struct job *job, enum budget_kind kind, uint64_t amount);

/* Charges `amount`, or OVER_BUDGET and nothing is charged. Any lock below LOCK_BUDGET may be held. */
static inline status_t job_charge(struct job *job, enum budget_kind kind, uint64_t amount)
{
    lock_acquire(&job->budget_lock);
    struct job *heir = job->heir;
    bool fits = amount <= job->limit[kind] - job->used[kind];
    if (fits) {
        job->used[kind] += amount;
    }
    lock_release(&job->budget_lock);
    if (likely(fits)) {
        return SK_OK;
    }
    return heir == NULL ? SK_OVER_BUDGET : job_charge_heir(job, kind, amount);
}

/* Gives back what was charged to `job`, even if the job has ended since. */
static inline void job_uncharge(struct job *job, enum budget_kind kind, uint64_t amount)
{
    lock_acquire(&job->budget_lock);
    job->used[kind] -= amount;
    struct job *heir = job->heir;
    if (unlikely(heir != NULL)) {
        job->limit[kind] -= amount;
    }
    lock_release(&job->budget_lock);
    if (unlikely(heir != NULL)) {
        job_limit_give(heir, kind, amount);
    }
}

/* False once it was killed or has ended: what it may use then says nothing. */
bool job_accepts(struct job *job);
/* A process enters (BAD_STATE if killed) and, dead, leaves the job. */
struct process;
status_t job_enter(struct job *job, struct process *process);
void job_leave(struct job *job, struct process *process);

/* Kills the tree below: done when every process has been told to end. Of the step, object[0] and object[1] are the
 * job; the second is where a walk of the tree has come. */
struct step;
status_t job_kill_step(struct step *step);
/* Takes the budget lock of the job that keeps this one's channels, and returns it. */
static inline struct job *job_channels_lock(struct job *job)
{
    for (;;) {
        lock_acquire(&job->budget_lock);
        struct job *keeper = job->keeper;
        if (keeper == NULL) {
            return job;
        }
        lock_release(&job->budget_lock);
        job = keeper;
    }
}
/* Looks on for unreachable endpoints on behalf of jobs that this hart ended; false: there is more, in the next step. */
bool job_search_step(void);
/* Supplied by ipc/: a new search, the next part of it, or of giving it up; true when it is over. */
void channels_search_begin(struct job *job);
bool channels_search_step(struct job *job);
bool channels_search_end(struct job *job);
void job_info(struct job *job, struct sk_job_info *info);
/* What all jobs together use of a kind, added to step->value; step->object[1] is job_root() at first. */
status_t job_used_total_step(struct step *step, enum budget_kind kind);
struct object *job_root(void);
/* Moves a reference on to the next job of all, parents first; NULL after the last. */
void job_walk_on(struct object **job);

#endif
