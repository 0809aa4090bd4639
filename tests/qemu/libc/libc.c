/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The C library's glue: memory, clocks, entropy, environment, ends. What picolibc does by itself is its
 * own to test.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "guest_test.h"

#define BLOCKS 200u

/* Random sizes, kept contents, everything freed: the heap must serve it again and again. */
static void malloc_keeps_contents(void)
{
    static unsigned char *blocks[BLOCKS];
    static size_t sizes[BLOCKS];
    unsigned seed = 1;
    for (unsigned round = 0; round < 5000; round++) {
        seed = seed * 1103515245 + 12345;
        unsigned at = seed / 65536 % BLOCKS;
        for (size_t i = 0; i < sizes[at]; i += 97) {
            test_check(blocks[at][i] == (unsigned char)at);
        }
        sizes[at] = seed / 256 % 3000;
        blocks[at] = realloc(blocks[at], sizes[at] + 1);
        if (!test_check(blocks[at] != NULL)) {
            return;
        }
        memset(blocks[at], (int)at, sizes[at]);
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        free(blocks[i]);
        blocks[i] = NULL;
        sizes[i] = 0;
    }
}

static void large_blocks_are_zeroed_and_aligned(void)
{
    unsigned char *block = calloc(1, 1 << 20);
    if (test_check(block != NULL)) {
        test_equal((uintptr_t)block % sizeof(uint64_t), 0);
        for (size_t i = 0; i < 1 << 20; i += 4096) {
            test_equal(block[i], 0);
        }
    }
    free(block);
    test_check(malloc((size_t)1 << 40) == NULL);
    test_equal(errno, ENOMEM);
}

static void the_monotonic_clock_goes_on(void)
{
    struct timespec before, after;
    test_equal(clock_gettime(CLOCK_MONOTONIC, &before), 0);
    sk_sleep(2 * SK_MS);
    test_equal(clock_gettime(CLOCK_MONOTONIC, &after), 0);
    int64_t passed = (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
    test_check(passed >= 2000000 && passed < 1000000000);
}

static void nobody_invents_a_wall_clock(void)
{
    struct timespec now;
    test_equal(time(NULL), -1);
    test_equal(clock_gettime(CLOCK_REALTIME, &now), -1);
    sk_wall_clock_set(1700000000 * SK_SECOND, sk_now());
    time_t seconds = time(NULL);
    test_check(seconds >= 1700000000 && seconds < 1700000010);
    test_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
}

/* The suite is run on a machine with a random device and on one without. */
static bool machine_has_rng(void)
{
    handle_t endpoint;
    if (sk_connect("rng", test_deadline(), &endpoint) != SK_OK) {
        return false;
    }
    sk_handle_close(endpoint);
    return true;
}

static void entropy_comes_from_a_device_or_not_at_all(void)
{
    unsigned char first[32] = {0}, second[32] = {0}, zero[32] = {0};
    if (!machine_has_rng()) {
        test_equal(getentropy(first, sizeof first), -1);
        test_equal(errno, EIO);
        test_check(memcmp(first, zero, sizeof first) == 0);
        return;
    }
    test_equal(getentropy(first, sizeof first), 0);
    test_equal(getentropy(second, sizeof second), 0);
    test_check(memcmp(first, zero, sizeof first) != 0);
    test_check(memcmp(first, second, sizeof first) != 0);
    test_equal(getentropy(first, 257), -1);
}

static void the_environment_is_readable(void)
{
    const char *value = getenv("ip");
    test_check(value != NULL && strcmp(value, "off") == 0);
    test_check(getenv("run") == NULL);
}

static void long_lines_arrive_whole(void)
{
    char line[700];
    memset(line, '-', sizeof line - 1);
    line[sizeof line - 1] = 0;
    test_equal(printf("# %s\n", line), (int)sizeof line + 2);
    test_equal(printf("# %d %s %c %lx %5.2f\n", -1, "text", 'x', 0xdeadbeefcafel, 3.14159), 31);
}

static struct sk_process_info run(const char *mode)
{
    const char *const arguments[] = {mode, NULL};
    struct sk_process_info info = {0};
    struct sk_child child;
    handle_t job = test_job();
    if (test_status(test_spawn(job, arguments, NULL, 0, &child), SK_OK)) {
        info = test_child_end(&child);
    }
    test_job_end(job);
    return info;
}

static void abort_has_a_code_of_its_own(void)
{
    struct sk_process_info info = run("abort");
    test_equal(info.exit_reason, SK_EXIT_EXITED);
    test_equal(info.exit_code, 134);
}

static void exit_runs_what_was_registered(void)
{
    test_equal(run("atexit").exit_code, 9);
}

int main(void)
{
    machine_has_rng(); /* so that the service's first client is not taken for a leak */
    test_case("malloc keeps contents", malloc_keeps_contents);
    test_case("large blocks are zeroed and aligned", large_blocks_are_zeroed_and_aligned);
    test_case("the monotonic clock goes on", the_monotonic_clock_goes_on);
    test_case("nobody invents a wall clock", nobody_invents_a_wall_clock);
    test_case_uncounted("entropy comes from a device or not at all",
                        entropy_comes_from_a_device_or_not_at_all);
    test_case("the environment is readable", the_environment_is_readable);
    test_case("long lines arrive whole", long_lines_arrive_whole);
    test_case("abort has a code of its own", abort_has_a_code_of_its_own);
    test_case("exit runs what was registered", exit_runs_what_was_registered);
    return test_done();
}
