/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes: an address space, a handle table, threads, an end.
 *
 * Ending goes in steps (step.h): DYING, every thread is told to end; the last thread queues the process for
 * the reaper, which breaks the calls it was serving, closes handles, unmaps, then makes it DEAD and shows
 * TERMINATED. Lock: process.lock (LOCK_PROCESS) for threads and state.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include <skerry/info.h>

#include <kernel/handle.h>
#include <kernel/job.h>
#include <kernel/space.h>
#include <kernel/thread.h>

struct process {
    struct object object;
    struct spinlock lock;
    char name[SK_NAME_MAX];    /* [I] */
    struct job *job;           /* [I] +1 */
    struct list_node job_link; /* [job_tree_lock] */
    struct address_space space;

    uint32_t state;           /* [lock] enum sk_process_state */
    bool starting;            /* [lock] process_start is at work: not to be reaped yet */
    uint32_t exit_reason;     /* [lock] enum sk_exit_reason */
    int64_t exit_code;        /* [lock] */
    struct list_node threads; /* [lock] struct thread.process_link */
    uint32_t thread_count;    /* [lock] */
    uint64_t ended_run_time;  /* [lock] ticks, of threads that ended */

    struct list_node list_link;   /* [process_list_lock] */
    struct list_node reaper_link; /* the chores of whoever reaps it */
    uint32_t reaper_stage;        /* reaper */
    uint32_t to_tell;     /* [lock] DYING: so many threads are to be told yet, and one more */
    uint32_t reaper_slot; /* reaper: next thread slot to look at */
    struct handle_table handles;
};

extern const struct object_type process_type;
/* Init, whose end is a panic. Compared, never followed; NULL until boot has made it. */
extern const struct process *process_init;

static inline struct process *process_from_object(struct object *object)
{
    return container_of(object, struct process, object);
}

/* The caller owns the reference. BAD_STATE, OVER_BUDGET, NO_MEMORY. */
status_t process_create(struct job *job, const char *name, struct process **process);
/* Starts the first thread with a handle in a0: `argument` of the process `giver`, which moves, or of
 * its own table if giver is NULL. Nothing moves on error, unless somebody
 * ends the process in the midst of it: then it has the handle. The caller owns the thread reference.
 * BAD_STATE (not NEW), those of handle_reserve, handle_room and thread_create. */
status_t process_start(struct process *process, uint64_t entry, uint64_t stack,
                       struct process *giver, handle_t argument, uint32_t priority,
                       struct thread **thread);
/* Ends it; only the first end counts. No lock held. */
void process_end(struct process *process, enum sk_exit_reason reason, int64_t code);
/* A thread of it has ended, and runs no more; the caller has the reference to it then. No lock held. */
void process_thread_ended(struct process *process, struct thread *thread);
void process_info(struct process *process, struct sk_process_info *info);
/* The process that was made after `before` (NULL: the first of all), dead ones included, +1; gives the reference to
 * `before` up. NULL at the end. */
struct process *process_next(struct process *before);

/* Supplied by ipc/: ends calls that the process was serving, from thread slot *slot on; false: there are more, in
 * the next step. */
bool call_break_step(struct process *server, uint32_t *slot);

#endif
