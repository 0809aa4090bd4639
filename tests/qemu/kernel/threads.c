/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads: suspension, priorities, sharing the harts, floating point, process_start.
 */
#include <stdatomic.h>

#include "kernel_test.h"

#define FLOAT_ROUNDS 60u

static struct sk_thread_info thread_info(handle_t thread)
{
    struct sk_thread_info info = {0};
    uint64_t written;
    must(sk_object_info(thread, &info, sizeof info, &written));
    return info;
}

struct counter {
    _Atomic uint64_t value;
    _Atomic bool stop;
};

static void count(void *argument)
{
    struct counter *counter = argument;
    while (!atomic_load(&counter->stop)) {
        atomic_fetch_add(&counter->value, 1);
    }
}

/* Does the counter move within some time? */
static bool moves(struct counter *counter, uint64_t time)
{
    uint64_t before = atomic_load(&counter->value), limit = sk_deadline_after(time);
    while (sk_now() < limit) {
        if (atomic_load(&counter->value) != before) {
            return true;
        }
        sk_sleep(SK_MS);
    }
    return false;
}

/* Whether it stands still after a while: another hart may finish its turn. */
static bool comes_to_rest(struct counter *counter)
{
    uint64_t limit = test_deadline();
    while (moves(counter, 20 * SK_MS)) {
        if (sk_now() > limit) {
            return false;
        }
    }
    return true;
}

static void a_suspended_thread_stands_still(void)
{
    struct counter counter = {0, false};
    struct sk_thread thread;
    start_thread(&thread, count, &counter);
    test_check(moves(&counter, SK_SECOND));
    test_status(sk_thread_resume(thread.handle), SK_BAD_STATE);
    for (int i = 0; i < 3; i++) {
        test_status(sk_thread_suspend(thread.handle), SK_OK);
    }
    test_check(comes_to_rest(&counter));
    test_check(!moves(&counter, 20 * SK_MS));
    test_equal(thread_info(thread.handle).state, 2);
    test_status(sk_thread_resume(thread.handle), SK_OK);
    test_status(sk_thread_resume(thread.handle), SK_OK);
    test_check(!moves(&counter, 20 * SK_MS));
    test_status(sk_thread_resume(thread.handle), SK_OK);
    test_check(moves(&counter, SK_SECOND));
    test_status(sk_thread_resume(thread.handle), SK_BAD_STATE);
    atomic_store(&counter.stop, true);
    uint64_t observed;
    must(sk_object_wait(thread.handle, SK_SIGNAL_TERMINATED, test_deadline(), &observed));
    test_status(sk_thread_suspend(thread.handle), SK_BAD_STATE);
    test_status(sk_thread_resume(thread.handle), SK_BAD_STATE);
    test_status(sk_thread_set_priority(thread.handle, 5), SK_BAD_STATE);
    test_equal(thread_info(thread.handle).state, 3);
    join_thread(&thread);
}

/* What a suspended thread waits for goes on: messages arrive, and none is lost. */
struct echo {
    handle_t endpoint;
    _Atomic uint32_t received;
};

static void receive_numbers(void *argument)
{
    struct echo *echo = argument;
    uint64_t word;
    for (;;) {
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        if (sk_channel_receive(echo->endpoint, &in, SK_DEADLINE_NEVER) != SK_OK) {
            return;
        }
        test_equal(word, atomic_load(&echo->received));
        atomic_fetch_add(&echo->received, 1);
    }
}

static void suspending_under_message_load(void)
{
    handle_t ends[2];
    struct sk_thread thread;
    uint64_t sent = 0;
    make_channel(ends);
    struct echo echo = {ends[1], 0};
    start_thread(&thread, receive_numbers, &echo);
    for (int round = 0; round < 200; round++) {
        test_status(sk_thread_suspend(thread.handle), SK_OK);
        for (int i = 0; i < 5; i++) {
            struct sk_out out = sk_out_bytes(&sent, sizeof sent);
            if (!test_status(sk_channel_send(ends[0], &out), SK_OK)) {
                break;
            }
            sent++;
        }
        test_status(sk_thread_resume(thread.handle), SK_OK);
        uint64_t limit = test_deadline();
        while (atomic_load(&echo.received) < sent && sk_now() < limit) {
            sk_thread_yield();
        }
        if (!test_equal(atomic_load(&echo.received), sent)) {
            break;
        }
    }
    test_status(sk_handle_close(ends[0]), SK_OK);
    join_thread(&thread);
    test_status(sk_handle_close(ends[1]), SK_OK);
}

static void a_suspended_waiter_times_out_later(void)
{
    struct sk_thread thread;
    struct counter counter = {0, false};
    start_thread(&thread, count, &counter);
    test_status(sk_thread_suspend(thread.handle), SK_OK);
    atomic_store(&counter.stop, true);
    sk_sleep(5 * SK_MS);
    test_status(sk_thread_resume(thread.handle), SK_OK);
    join_thread(&thread);
}

/* A process that ends takes its suspended threads with it. */
static void suspended_threads_die_too(void)
{
    handle_t job = test_job();
    for (int i = 0; i < 5; i++) {
        struct sk_child child = self_spawn(job, "idle", NULL, SK_HANDLE_NONE);
        handle_t process = child.process, thread = SK_HANDLE_NONE;
        /* A second thread there, at an address that would fault, were it to run. */
        status_t status = sk_thread_create(process, 0x20000000, 0, 0, 5, &thread);
        test_status(status, SK_OK);
        sk_thread_suspend(thread);
        must(sk_process_kill(process, 3));
        struct sk_process_info info = test_child_end(&child);
        test_check(info.exit_reason == SK_EXIT_KILLED || info.exit_reason == SK_EXIT_FAULT);
        test_equal(thread_info(thread).state, 3);
        must(sk_handle_close(thread));
    }
    test_job_end(job);
}

static void priorities_are_bounded(void)
{
    struct counter counter = {0, false};
    struct sk_thread thread;
    handle_t refused;
    start_thread_at(&thread, count, &counter, 3);
    test_equal(thread_info(thread.handle).priority, 3);
    test_status(sk_thread_set_priority(thread.handle, 4), SK_OK);
    test_equal(thread_info(thread.handle).priority, 4);
    test_status(sk_thread_set_priority(thread.handle, 0), SK_INVALID_ARGS);
    test_status(sk_thread_set_priority(thread.handle, 32), SK_INVALID_ARGS);
    test_status(sk_thread_set_priority(thread.handle, 31), SK_ACCESS_DENIED);
    uint64_t entry = (uint64_t)&test_threads;
    test_status(sk_thread_create(sk_self_process, entry, 0, 0, 31, &refused), SK_ACCESS_DENIED);
    test_status(sk_thread_create(sk_self_process, entry, 0, 0, 0, &refused), SK_INVALID_ARGS);
    test_status(sk_thread_create(sk_self_process, 0, 0, 0, 3, &refused), SK_INVALID_ARGS);
    test_status(sk_thread_create(sk_self_process, 0xffffffff80000000, 0, 0, 3, &refused),
                SK_INVALID_ARGS);
    test_status(sk_thread_create(sk_self_process, entry, 8, 0, 3, &refused), SK_INVALID_ARGS);
    test_status(sk_thread_create(sk_self_process, entry, ~0ull & ~15ull, 0, 3, &refused),
                SK_INVALID_ARGS);
    atomic_store(&counter.stop, true);
    join_thread(&thread);
}

/* More threads than harts at one priority: all of them get on. */
static void equals_share(void)
{
    enum { MANY = 10 };
    static struct counter counters[MANY];
    struct sk_thread threads[MANY];
    for (int i = 0; i < MANY; i++) {
        atomic_store(&counters[i].value, 0);
        atomic_store(&counters[i].stop, false);
        start_thread_at(&threads[i], count, &counters[i], 10);
    }
    uint64_t limit = sk_deadline_after(3 * SK_SECOND);
    uint32_t moved = 0;
    while (moved < MANY && sk_now() < limit) {
        sk_sleep(10 * SK_MS);
        moved = 0;
        for (int i = 0; i < MANY; i++) {
            moved += atomic_load(&counters[i].value) > 1000;
        }
    }
    test_equal(moved, MANY);
    for (int i = 0; i < MANY; i++) {
        atomic_store(&counters[i].stop, true);
    }
    for (int i = 0; i < MANY; i++) {
        join_thread(&threads[i]);
    }
}

/* Whatever runs below does not keep a higher one waiting. */
static void the_higher_runs_first(void)
{
    enum { MANY = 8 };
    static struct counter counters[MANY];
    struct sk_thread threads[MANY];
    for (int i = 0; i < MANY; i++) {
        atomic_store(&counters[i].stop, false);
        start_thread_at(&threads[i], count, &counters[i], 2);
    }
    for (int i = 0; i < 20; i++) {
        uint64_t begin = sk_now();
        sk_sleep(SK_MS);
        test_check(sk_now() - begin < 2 * SK_SECOND);
    }
    for (int i = 0; i < MANY; i++) {
        atomic_store(&counters[i].stop, true);
    }
    for (int i = 0; i < MANY; i++) {
        join_thread(&threads[i]);
    }
}

/* A sum in which every floating-point register has a part, with the harts given up in between. */
static double float_sum(double seed)
{
    double v[24];
    for (int i = 0; i < 24; i++) {
        v[i] = seed + i;
    }
    for (int round = 0; round < 2000; round++) {
        for (int i = 0; i < 24; i++) {
            v[i] = v[i] * 0.999 + v[(i + 1) % 24] * 0.001;
        }
        if (round % 100 == 0) {
            sk_thread_yield();
        }
    }
    double sum = 0;
    for (int i = 0; i < 24; i++) {
        sum += v[i];
    }
    return sum;
}

static int check_floats(double seed)
{
    double expected = float_sum(seed);
    for (uint32_t i = 0; i < FLOAT_ROUNDS; i++) {
        if (float_sum(seed) != expected) {
            return 1;
        }
    }
    return 0;
}

/* Child: two threads compute with floating point. */
static void float_thread(void *argument)
{
    *(int *)argument = check_floats(3.25);
}

int mode_floats(int argc, char **argv)
{
    struct sk_thread thread;
    int result = 1;
    must(sk_thread_start(&thread, float_thread, &result, 0, SK_PRIORITY_DEFAULT));
    int own = check_floats(argv[1][0] * 1.5);
    must(sk_thread_join(&thread, SK_DEADLINE_NEVER));
    return own + result;
}

static void floats_stay_with_their_thread(void)
{
    handle_t job = test_job();
    struct sk_child children[2] = {self_spawn(job, "floats", "a", SK_HANDLE_NONE),
                                   self_spawn(job, "floats", "b", SK_HANDLE_NONE)};
    struct counter counter = {0, false};
    struct sk_thread thread; /* one that uses none */
    start_thread_at(&thread, count, &counter, SK_PRIORITY_DEFAULT);
    for (int i = 0; i < 2; i++) {
        struct sk_process_info info;
        must(sk_process_wait(children[i].process, sk_deadline_after(60 * SK_SECOND), &info));
        self_expect_exit(&children[i], 0);
    }
    atomic_store(&counter.stop, true);
    join_thread(&thread);
    test_job_end(job);
}

static void a_start_moves_all_or_nothing(void)
{
    handle_t job = test_job(), process, thread = SK_HANDLE_NONE, event = make_event();
    handle_t fixed = duplicate(event, SK_RIGHT_WRITE);
    must(sk_process_create(job, "starter", 7, &process));
    const uint64_t entry = 0x20000;
    test_status(sk_thread_create(process, entry, 0, 0, 5, &thread), SK_BAD_STATE);
    test_status(sk_process_start(process, 0, 0, event, 5, &thread), SK_INVALID_ARGS);
    test_status(sk_process_start(process, entry, 8, event, 5, &thread), SK_INVALID_ARGS);
    test_status(sk_process_start(process, entry, 0, event, 0, &thread), SK_INVALID_ARGS);
    test_status(sk_process_start(process, entry, 0, event, 31, &thread), SK_ACCESS_DENIED);
    test_status(sk_process_start(process, entry, 0, fixed, 5, &thread), SK_ACCESS_DENIED);
    test_status(sk_process_start(process, entry, 0, 0, 5, &thread), SK_BAD_HANDLE);
    test_check(handle_is_good(event) && handle_is_good(fixed));
    /* It may still be started, and faults at once: nothing is mapped there. */
    test_status(sk_process_start(process, entry, 0, event, 5, &thread), SK_OK);
    test_check(!handle_is_good(event));
    struct sk_process_info info;
    must(sk_process_wait(process, test_deadline(), &info));
    test_equal(info.exit_reason, SK_EXIT_FAULT);
    test_status(sk_process_start(process, entry, 0, fixed, 5, &thread), SK_BAD_STATE);
    handle_t last = make_event();
    test_status(sk_process_start(process, entry, 0, last, 5, &event), SK_BAD_STATE);
    test_check(handle_is_good(last));
    uint64_t at;
    handle_t memory = make_memory(1);
    test_status(sk_memory_map(process, memory, 0, SK_PAGE_SIZE, 0, SK_PROT_READ, &at),
                SK_BAD_STATE);
    close_all((handle_t[]){process, last, fixed, memory, thread}, 5);
    test_job_end(job);
}

/* A process that was never started goes with its last handle, or when it is killed. */
static void an_unstarted_process_goes(void)
{
    handle_t job = test_job(), process, memory = make_memory(4);
    uint64_t at, observed;
    for (int killed = 0; killed < 2; killed++) {
        must(sk_process_create(job, "unborn", 6, &process));
        must(sk_memory_map(process, memory, 0, 4 * SK_PAGE_SIZE, 0, SK_PROT_READ | SK_MAP_POPULATE,
                           &at));
        if (killed) {
            test_status(sk_process_kill(process, 8), SK_OK);
            test_status(sk_object_wait(process, SK_SIGNAL_TERMINATED, test_deadline(), &observed),
                        SK_OK);
        }
        test_status(sk_handle_close(process), SK_OK);
    }
    test_status(sk_handle_close(memory), SK_OK);
    uint64_t limit = test_deadline();
    while (job_info(job).used.pages != 0 && sk_now() < limit) {
        sk_thread_yield();
    }
    test_equal(job_info(job).used.pages, 0);
    test_equal(job_info(job).processes, 0);
    test_job_end(job);
}

void test_threads(void)
{
    self_case("thread: a suspended one stands still", a_suspended_thread_stands_still);
    self_case("thread: suspending under message load", suspending_under_message_load);
    self_case("thread: suspended and told to stop", a_suspended_waiter_times_out_later);
    self_case("thread: suspended ones die too", suspended_threads_die_too);
    self_case("thread: priorities and entries are bounded", priorities_are_bounded);
    self_case("thread: equals share", equals_share);
    self_case("thread: the higher runs first", the_higher_runs_first);
    self_case("thread: floats stay with their thread", floats_stay_with_their_thread);
    self_case("process: a start moves all or nothing", a_start_moves_all_or_nothing);
    self_case("process: an unstarted one goes", an_unstarted_process_goes);
}
