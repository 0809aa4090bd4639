/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For tests that look at the kernel alone: exact accounts, children that are the same program in
 * another mode, threads, patterns.
 */
#ifndef SELF_H
#define SELF_H

#include <string.h>

#include <sk/thread.h>

#include "guest_test.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* A mode of the program: run in a child by its name; what it returns is the exit code. */
struct self_mode {
    const char *name;
    int (*run)(int argc, char **argv);
};

/* First thing in a test's main: what the C library and this file keep for good is made now, so that
 * every case finds it there. */
void self_begin(void);

/* Runs the mode that argv[1] names; -1 if it names none. */
int self_run_mode(const struct self_mode *modes, size_t count, int argc, char **argv);

/* Starts this program again as `mode`, with at most one more argument (or NULL). Ends the test
 * program when that fails. `handle` (or SK_HANDLE_NONE) moves; the child knows it as "given". */
struct sk_child self_spawn(handle_t job, const char *mode, const char *argument, handle_t handle);
/* The same, but failing is the caller's business. */
status_t self_try_spawn(handle_t job, const char *mode, const char *argument, handle_t handle,
                        struct sk_child *child);
/* Waits for its end, closes its handles and checks that it exited with `code`. */
void self_expect_exit(struct sk_child *child, int64_t code);

/* A child with handles of the caller's choice, which are gone in any case. */
struct self_start {
    handle_t job;
    const char *mode, *argument; /* argument may be NULL */
    uint32_t priority;           /* 0: the default */
    const struct sk_spawn_handle *handles;
    size_t handle_count;
};
status_t self_start(const struct self_start *start, struct sk_child *child);

/* As test_case, and the own job's budget must be back as well, to the page. Pages that were touched
 * for the first time are told from lost ones by a second run. */
void self_case(const char *name, void (*body)(void));

/* Ends the test program if a preparation fails. */
#define must(status)                                                                               \
    do {                                                                                           \
        status_t must_status = (status);                                                           \
        if (must_status != SK_OK) {                                                                \
            sk_die("%s:%d: %s: %s", __FILE__, __LINE__, #status, sk_status_words(must_status));    \
        }                                                                                          \
    } while (0)

void make_channel(handle_t ends[2]);
handle_t make_event(void);
handle_t make_memory(uint64_t pages);
uint64_t map_memory(handle_t memory, uint64_t pages, uint32_t flags);
handle_t duplicate(handle_t handle, uint32_t rights);
uint32_t rights_of(handle_t handle);
uint64_t id_of(handle_t handle);
bool handle_is_good(handle_t handle);
void close_all(const handle_t *handles, size_t count);
struct sk_job_info job_info(handle_t job);

/* An address 32 bytes before memory that nobody may touch: what a message has in registers can still
 * be read there. */
void *edge(void);

/* Bytes that depend on the seed and their place. */
void fill(void *bytes, size_t length, uint32_t seed);
bool filled(const void *bytes, size_t length, uint32_t seed);
uint32_t random_next(uint64_t *state);

/* Threads that must be there and must end. */
void start_thread(struct sk_thread *thread, void (*entry)(void *), void *argument);
void start_thread_at(struct sk_thread *thread, void (*entry)(void *), void *argument,
                     uint32_t priority);
void join_thread(struct sk_thread *thread);
/* Waits until a thread blocks in the kernel. */
void wait_blocked(handle_t thread);

static inline uint64_t soon(void)
{
    return sk_deadline_after(10 * SK_MS);
}

#endif
