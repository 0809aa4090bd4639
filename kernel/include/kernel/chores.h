/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chores: what is let go under a lock, or takes longer than one step, is put off to kernel_exit.
 *
 * Whoever lets go pays: what a system call puts off is done, step by step, before its thread is back in its program,
 * so that a call that closes returns when everything is given back. That holds for a thread that was killed meanwhile,
 * too. What is nobody's (a process is reaped, a deadline expires, the thread has blocked) is the hart's own: it
 * does a step of it now and then (kernel/sched.c). Only one hart at a time has a list: the thread's goes where the
 * thread goes. Tests: tests/host/kernel/test_step.c, tests/qemu/kernel/budgets.c.
 */
#ifndef KERNEL_CHORES_H
#define KERNEL_CHORES_H

#include <kernel/list.h>

struct thread;

struct chores {
    struct list_node later;    /* struct later.link: objects on which much hangs */
    struct list_node objects;  /* struct object.observers: to be destroyed */
    struct list_node messages; /* struct message.link: to be released */
    struct list_node memories; /* struct memory, by object.observers: frames to be freed */
    struct list_node jobs;     /* struct job.end_link: ended, to hand over and be told */
    struct list_node reaper;   /* struct process.reaper_link: ending */
};

void chores_init(struct chores *chores);
bool chores_empty(const struct chores *chores);
/* Likewise, but for jobs and processes: all is given back that was let go. */
bool chores_given_back(const struct chores *chores);
/* The lists that this hart puts things off to now; kernel_exit will look. */
struct chores *chores_here(void);
/* Does of them what fits into the step; false: there is more, in the next step. */
bool chores_step(struct chores *chores);
/* What the system call that just ended has put off becomes the running thread's, or the hart's if none runs. Part of
 * kernel_exit. */
void chores_assign(void);

/* Part of chores_step, for those that own what is in the lists; false: there is more, in the next step. */
bool object_later_step(struct chores *chores);
bool object_destroy_step(struct chores *chores);
bool message_release_step(struct chores *chores); /* supplied by ipc/ */
bool memory_release_step(struct chores *chores);
bool job_end_step(struct chores *chores);
bool process_reap_step(struct chores *chores);
/* One step of what this hart has put off; false: there is more. Part of kernel_exit. */
bool chores_run(void);

#endif
