/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What guest tests share: TAP on the console, the system's counts before and after, and children.
 *
 *     int main(void)
 *     {
 *         test_case("an event is taken once", takes_an_event);
 *         return test_done();
 *     }
 *
 * Every case that starts through test_case must leave the system's counts as they were.
 */
#ifndef GUEST_TEST_H
#define GUEST_TEST_H

#include <stdbool.h>
#include <stdio.h>

#include <sk/ipc.h>
#include <sk/print.h>
#include <sk/service.h>
#include <sk/spawn.h>
#include <sk/time.h>
#include <skerry/info.h>

/* Records a failure of the running case with file, line and words, and goes on. */
#define test_check(condition) test_check_at((condition), __FILE__, __LINE__, #condition)
#define test_equal(actual, expected)                                                               \
    test_equal_at((long long)(actual), (long long)(expected), __FILE__, __LINE__, #actual)
/* A status: printed in words. */
#define test_status(actual, expected)                                                              \
    test_status_at((actual), (expected), __FILE__, __LINE__, #actual)

bool test_check_at(bool condition, const char *file, int line, const char *text);
bool test_equal_at(long long actual, long long expected, const char *file, int line,
                   const char *text);
bool test_status_at(status_t actual, status_t expected, const char *file, int line,
                    const char *text);

/* Runs `body` and prints "ok" or "not ok"; a leak is a failure. */
void test_case(const char *name, void (*body)(void));
/* The same without the counts, for a case that ends something for good. */
void test_case_uncounted(const char *name, void (*body)(void));
/* Says that a case cannot be run here, and why. */
void test_skip(const char *name, const char *reason);
/* Prints the plan; returns the exit code. */
int test_done(void);

/* Live objects, handles and messages of the whole system. */
struct test_counts {
    struct sk_system_info info;
};
/* Waits until the counts stand still for a moment, then takes them. */
void test_counts_take(struct test_counts *counts);
/* Waits up to 5 seconds for the counts to come back; says what is left over if they do not. */
bool test_counts_back(const struct test_counts *before);

/* A job with a budget that no test exhausts by accident, charged to the test's. */
handle_t test_job(void);
handle_t test_job_with(struct sk_budget budget);
/* Kills the job and waits for its end. */
void test_job_end(handle_t job);

/*
 * Starts bin/test-child with the NULL-terminated arguments, in `job`. The handles are gone in any
 * case. The child's modes are listed in tests/qemu/process/child.c.
 */
status_t test_spawn(handle_t job, const char *const *arguments,
                    const struct sk_spawn_handle *handles, size_t handle_count,
                    struct sk_child *child);
/* Waits at most 5 seconds for its end and closes both handles. */
struct sk_process_info test_child_end(struct sk_child *child);

/* A deadline that only a hang reaches. */
static inline uint64_t test_deadline(void)
{
    return sk_deadline_after(5 * SK_SECOND);
}

#endif
