/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clock, sleeping, yielding, calls that do not exist.
 */
#include "kernel_test.h"

/* A machine that shares its cores is late now and then, but never early, and never late each time. */
#define LATE (20 * SK_MS)
#define ATTEMPTS 20u
#define LATE_AT_MOST (3 * SK_SECOND)

static void the_own_id_is_stable(void)
{
    uint64_t id = id_of(sk_self_process), written;
    struct sk_process_info info;
    for (int i = 0; i < 100; i++) {
        test_equal(id_of(sk_self_process), id);
        sk_thread_yield();
    }
    must(sk_object_info(sk_self_process, &info, sizeof info, &written));
    test_equal(info.id, id);
    test_equal(info.state, SK_PROCESS_RUNNING);
    test_equal(info.threads, 1);
    test_check(strcmp(info.name, sk_self_name) == 0);
    test_equal(info.job_id, id_of(sk_self_job));
}

static void the_clock_goes_forward(void)
{
    uint64_t last = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t now = sk_now();
        if (!test_check(now >= last)) {
            break;
        }
        last = now;
    }
    test_check(last > 0);
}

/* The least lateness of some sleeps of this duration. */
static uint64_t sleep_lateness(uint64_t duration)
{
    uint64_t least = SK_DEADLINE_NEVER;
    for (uint32_t i = 0; i < ATTEMPTS && least >= LATE; i++) {
        uint64_t wanted = sk_now() + duration;
        test_status(sk_thread_sleep(wanted), SK_OK);
        uint64_t woke = sk_now();
        test_check(woke >= wanted);
        least = woke - wanted < least ? woke - wanted : least;
    }
    return least;
}

static void sleep_keeps_its_bounds(void)
{
    static const uint64_t durations[] = {0,         1,          1000,           50 * SK_US, SK_MS,
                                         3 * SK_MS, 10 * SK_MS, 10 * SK_MS + 1, 20 * SK_MS};
    for (size_t i = 0; i < COUNT(durations); i++) {
        test_check(sleep_lateness(durations[i]) < LATE);
    }
    test_status(sk_thread_sleep(SK_DEADLINE_POLL), SK_OK);
    test_status(sk_thread_sleep(1), SK_OK);
}

struct sleeper {
    uint64_t wanted, woke;
};

static void sleep_until(void *argument)
{
    struct sleeper *sleeper = argument;
    sk_thread_sleep(sleeper->wanted);
    sleeper->woke = sk_now();
}

static void many_sleep_at_once(void)
{
    struct sk_thread threads[20];
    struct sleeper sleepers[20];
    uint64_t begin = sk_now();
    for (uint32_t i = 0; i < COUNT(threads); i++) {
        sleepers[i].wanted = begin + (1 + i * 7 % 20) * 2 * SK_MS;
        start_thread(&threads[i], sleep_until, &sleepers[i]);
    }
    for (uint32_t i = 0; i < COUNT(threads); i++) {
        join_thread(&threads[i]);
        test_check(sleepers[i].woke >= sleepers[i].wanted);
        test_check(sleepers[i].woke < sleepers[i].wanted + LATE_AT_MOST);
    }
}

static void there_is_no_such_call(void)
{
    static const uint64_t numbers[] = {5, 9, 99, SK_SYS_COUNT, 1000, ~0ull, 1ull << 63, 1ull << 32};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct sk_result result = sk_syscall6(numbers[i], 1, 2, 3, 4, 5, 6);
        test_status(result.status, SK_BAD_SYSCALL);
        test_equal(result.value[0], 0);
        test_equal(result.value[1], 0);
    }
}

static void the_system_tells_about_itself(void)
{
    static struct sk_process_info processes[64];
    struct sk_hart_info harts[8];
    struct sk_system_info info, later;
    uint64_t written, ignored;
    handle_t inspect = sk_boot_handle("inspect");
    must(sk_system_info(inspect, SK_SYSTEM_GENERAL, &info, sizeof info, &written));
    test_equal(written, sizeof info);
    test_check(info.harts > 0 && info.timebase_hz > 0 && info.uptime_ns <= sk_now());
    test_check(info.memory_free_pages < info.memory_total_pages);
    must(sk_system_info(inspect, SK_SYSTEM_HARTS, harts, sizeof harts, &written));
    /* A hart may come up meanwhile. */
    must(sk_system_info(inspect, SK_SYSTEM_GENERAL, &later, sizeof later, &ignored));
    test_check(written >= info.harts * sizeof harts[0] && written <= later.harts * sizeof harts[0]);
    must(sk_system_info(inspect, SK_SYSTEM_PROCESSES, processes, sizeof processes, &written));
    test_equal(written, info.objects[SK_TYPE_PROCESS] * sizeof processes[0]);
    must(
        sk_system_info(inspect, SK_SYSTEM_PROCESSES, processes, sizeof processes[0] + 1, &written));
    test_equal(written, sizeof processes[0]);
    test_check(strcmp(processes[0].name, "init") == 0);
    must(sk_system_info(inspect, SK_SYSTEM_GENERAL, &info, sizeof info - 1, &written));
    test_equal(written, 0); /* whole structures only */
    test_status(sk_system_info(inspect, 99, processes, sizeof processes, &written),
                SK_INVALID_ARGS);
}

static _Atomic bool rest;

static void spin(void *argument)
{
    (void)argument;
    while (!rest) {
    }
}

/* How many are runnable, as soon as it is the number expected. */
static uint32_t runnable_settles(uint32_t expected)
{
    struct sk_system_info info;
    uint64_t written, deadline = test_deadline();
    do {
        sk_sleep(SK_MS);
        must(sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_GENERAL, &info, sizeof info,
                            &written));
    } while (info.runnable != expected && sk_now() < deadline);
    return info.runnable;
}

static void who_is_runnable_is_counted(void)
{
    struct sk_thread threads[3];
    test_equal(runnable_settles(1), 1);
    rest = false;
    for (size_t i = 0; i < COUNT(threads); i++) {
        must(sk_thread_start(&threads[i], spin, NULL, 0, 1));
    }
    test_equal(runnable_settles(4), 4);
    rest = true;
    for (size_t i = 0; i < COUNT(threads); i++) {
        must(sk_thread_join(&threads[i], test_deadline()));
    }
    test_equal(runnable_settles(1), 1);
}

void test_basics(void)
{
    self_case("basics: the own id is stable", the_own_id_is_stable);
    self_case("basics: the clock goes forward", the_clock_goes_forward);
    self_case("basics: sleep keeps its bounds", sleep_keeps_its_bounds);
    self_case("basics: many sleep at once", many_sleep_at_once);
    self_case("basics: there is no such call", there_is_no_such_call);
    self_case("basics: the system tells about itself", the_system_tells_about_itself);
    self_case("basics: who runs or waits for a hart is counted", who_is_runnable_is_counted);
}
