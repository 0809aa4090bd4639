/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A kernel inside the test program, and user threads that a test moves by hand.
 *
 * One POSIX thread steps from hart to hart: every function that acts "as" a thread makes that thread
 * the current one of the hart first. A system call returns when the thread has its result or is
 * blocked; then the results are in thread->frame. Nothing happens in between that the test did not ask
 * for: time stands, and other harts do nothing.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arch_impl/host.h>
#include <ipc/call.h>
#include <kernel/clock.h>
#include <kernel/job.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <skerry/ipc.h>

/* Boots once, with this many harts; the calling thread is hart 0. */
void kernel_start(uint32_t hart_number);
extern struct job *root_job;

/* A user process of a job of its own, with one thread and handles to itself. */
struct user {
    struct job *job;
    struct process *process;
    struct thread *thread;
    handle_t job_handle, process_handle;
};

/* Pages, objects, handles, messages, threads that a user gets unless a test says otherwise. */
#define USER_BUDGET                                                                                \
    {                                                                                              \
        512, 512, 1024, 512, 16                                                                    \
    }

struct user user_start(uint32_t priority);
struct user user_start_budget(struct job *parent, uint32_t priority,
                              const uint64_t budget[BUDGET_KINDS]);
/* A further process of the same job. */
struct user user_start_in(struct job *job, uint32_t priority);
struct thread *user_thread(struct user *user, uint32_t priority);
/* Kills the process, gives up the job, lets every hart finish what it put off. */
void user_stop(struct user *user);
/* Nothing of the process is left: for users that ended by themselves. */
void user_forget(struct user *user);

/* The hart that the following acts happen on. */
void on_hart(uint32_t number);
/* Makes the thread, which is ready or running, the current one of this hart. */
void run(struct thread *thread);
/* Lets this hart go through the kernel, as an interrupt does; returns who runs, NULL when idle. */
struct thread *pass(void);
/* Every hart goes through the kernel until nothing is left to do. */
void settle(void);
/* Moves the clock, and lets every hart whose shot or call is due take its interrupts. */
void advance_to(uint64_t ns);

bool is_blocked(const struct thread *thread);
bool is_dead(const struct thread *thread);

/* A system call with up to six arguments; returns its status, or BLOCKED, or ENDED. */
#define BLOCKED 100
#define ENDED 101
#define syscall_as(thread, number, ...)                                                            \
    syscall_array((thread), (number), (const uint64_t[8]){__VA_ARGS__})
status_t syscall_array(struct thread *thread, uint32_t number, const uint64_t arguments[8]);
/* Status of a system call that has ended, and its values. */
status_t status_of(const struct thread *thread);
uint64_t value_of(const struct thread *thread, uint32_t index);

/* Registers of the ipc calls, see <skerry/ipc.h>. */
struct ipc {
    uint64_t handle, info, words[4], deadline;
    uint64_t out_buffer, out_handles, in_buffer, in_room, in_handles, token;
};
/* `slow`: never by the short way. */
status_t ipc_as(struct thread *thread, uint32_t number, const struct ipc *ipc);
extern bool ipc_slow;

/* Both ends of a new channel, in this thread's table. */
void channel_make(struct thread *thread, handle_t *end0, handle_t *end1);
/* Moves a handle to another process, as a message would. */
handle_t give(struct thread *from, handle_t handle, struct thread *to);
/* Duplicates with all rights of the source, then gives. */
handle_t share(struct thread *from, handle_t handle, struct thread *to);

/* New memory of `pages`, mapped; returns where. */
vaddr_t map_pages(struct thread *thread, uint64_t pages, uint32_t prot, handle_t *memory);
/* What the program itself reads and writes, through this hart's TLB; false if that ended it. */
bool user_write(struct thread *thread, vaddr_t va, const void *from, size_t size);
bool user_read(struct thread *thread, vaddr_t va, void *to, size_t size);

/* What a system call that fails must leave as it was. */
struct census {
    uint64_t live[SK_TYPE_COUNT];
    uint64_t messages;
    uint64_t used[BUDGET_KINDS];
    uint64_t frames; /* charged to jobs or in use by anybody but caches */
    uint32_t handles;
};
struct census census_take(const struct user *user);
void census_assert_equal(const struct census *a, const struct census *b, const char *where);
/* What is live before a test must be after it: cmocka setup and teardown. */
int census_setup(void **state);
int census_teardown(void **state);

/* Runs `function` in a child process, which must panic with a message that holds `text`. */
void assert_panics(void (*function)(void), const char *text);

#endif
