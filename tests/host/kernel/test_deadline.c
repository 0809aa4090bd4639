/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap of deadlines against a model, and what harts do with their clocks. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <kernel/deadline.h>

#define COUNT 200u

static struct deadline deadlines[COUNT];
static uint64_t when[COUNT]; /* ~0: not armed */
static uint64_t sequences[COUNT];
static uint64_t now, last_ns;
static uint32_t expired_count;

static void expired(struct deadline *deadline, uint64_t sequence)
{
    uint32_t i = (uint32_t)(deadline - deadlines);
    assert_int_equal(sequence, sequences[i]);
    assert_true(when[i] <= now);
    assert_true(when[i] >= last_ns); /* in their order */
    last_ns = when[i];
    when[i] = ~0ull;
    expired_count++;
}

static uint64_t earliest(void)
{
    uint64_t first = ~0ull;
    for (uint32_t i = 0; i < COUNT; i++) {
        first = when[i] < first ? when[i] : first;
    }
    return first;
}

static void test_the_heap_against_a_model(void **state)
{
    srand(3);
    now = clock_now_ns();
    for (uint32_t i = 0; i < COUNT; i++) {
        deadlines[i] = (struct deadline){.expired = expired};
        when[i] = ~0ull;
    }
    uint64_t sequence = 0;
    for (uint32_t step = 0; step < 100000; step++) {
        uint32_t i = (uint32_t)rand() % COUNT;
        switch (rand() % 8) {
        case 0:
            now += (uint64_t)rand() % 40;
            last_ns = 0;
            do {
                deadline_run(now);
            } while (deadline_next() <= now); /* not all at once */
            assert_true(earliest() > now);
            break;
        case 1:
        case 2:
        case 3:
            deadline_cancel(&deadlines[i]);
            when[i] = ~0ull;
            break;
        default:
            if (when[i] == ~0ull) {
                when[i] = now + 1 + (uint64_t)rand() % 300;
                sequences[i] = ++sequence;
                deadline_arm(&deadlines[i], when[i], sequence);
            }
        }
        assert_int_equal(deadline_next(), earliest());
    }
    assert_true(expired_count > 1000);
    for (uint32_t i = 0; i < COUNT; i++) {
        deadline_cancel(&deadlines[i]);
    }
    assert_int_equal(deadline_next(), ~0ull);
}

/* Many at one time do not keep the hart: what is left has its clock fire at once. */
static void test_many_come_in_steps(void **state)
{
    now = clock_now_ns() + 1000;
    last_ns = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        deadlines[i] = (struct deadline){.expired = expired};
        when[i] = now;
        deadline_arm(&deadlines[i], now, sequences[i]);
    }
    uint32_t before = expired_count, shots = 0;
    pass();
    for (advance_to(now); host_interrupt_pending(&harts[0]); pass()) {
        shots++;
    }
    assert_int_equal(expired_count - before, COUNT);
    assert_in_range(shots, 2, 10);
}

static void test_sleepers_wake_in_time(void **state)
{
    struct user user = user_start(16);
    struct thread *sleepers[8];
    uint64_t until[8];
    uint64_t begin = clock_now_ns();
    for (uint32_t i = 0; i < 8; i++) {
        sleepers[i] = user_thread(&user, 16);
        until[i] = begin + 1000 * (1 + (i * 5) % 8);
        on_hart(i % 2);
        assert_int_equal(syscall_as(sleepers[i], SK_SYS_thread_sleep, until[i]), BLOCKED);
    }
    on_hart(0);
    for (uint64_t ns = begin; ns < begin + 9000; ns += 500) {
        advance_to(ns);
        for (uint32_t i = 0; i < 8; i++) {
            assert_int_equal(is_blocked(sleepers[i]), until[i] > ns);
        }
    }
    assert_int_equal(syscall_as(user.thread, SK_SYS_thread_sleep, begin), SK_OK);
    user_stop(&user);
}

static void test_timers(void **state)
{
    struct user user = user_start(16);
    struct thread *waiter = user_thread(&user, 16);
    assert_int_equal(syscall_as(user.thread, SK_SYS_timer_create, user.job_handle), SK_OK);
    handle_t timer = (handle_t)value_of(user.thread, 0);
    uint64_t begin = clock_now_ns();
    assert_int_equal(syscall_as(user.thread, SK_SYS_timer_set, timer, begin + 1000), SK_OK);
    assert_int_equal(
        syscall_as(waiter, SK_SYS_object_wait, timer, SK_SIGNAL_TIMER, SK_DEADLINE_NEVER), BLOCKED);
    advance_to(begin + 999);
    assert_true(is_blocked(waiter));
    /* Moved away while somebody waits. */
    assert_int_equal(syscall_as(user.thread, SK_SYS_timer_set, timer, begin + 5000), SK_OK);
    advance_to(begin + 4999);
    assert_true(is_blocked(waiter));
    advance_to(begin + 5000);
    assert_false(is_blocked(waiter));
    assert_int_equal(value_of(waiter, 0), SK_SIGNAL_TIMER);
    /* Shown once. */
    assert_int_equal(
        syscall_as(waiter, SK_SYS_object_wait, timer, SK_SIGNAL_TIMER, SK_DEADLINE_POLL),
        SK_TIMED_OUT);
    assert_int_equal(syscall_as(user.thread, SK_SYS_timer_set, timer, begin + 6000), SK_OK);
    assert_int_equal(syscall_as(user.thread, SK_SYS_timer_set, timer, SK_DEADLINE_NEVER), SK_OK);
    advance_to(begin + 7000);
    assert_int_equal(
        syscall_as(waiter, SK_SYS_object_wait, timer, SK_SIGNAL_TIMER, SK_DEADLINE_POLL),
        SK_TIMED_OUT);
    user_stop(&user);
}

/* A hart with nothing to do by itself is not woken by its clock. */
static void test_an_idle_hart_has_no_clock(void **state)
{
    struct user user = user_start(16);
    assert_int_equal(syscall_as(user.thread, SK_SYS_object_wait, user.process_handle,
                                SK_SIGNAL_TERMINATED, SK_DEADLINE_NEVER),
                     BLOCKED);
    settle();
    advance_to(clock_now_ns() + 10 * SCHED_PERIOD_NS);
    settle();
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(host_clock_armed(&harts[i]), ~0ull);
    }
    user_stop(&user);
}

static void test_equals_share_a_hart(void **state)
{
    struct user user = user_start(16);
    struct thread *second = user_thread(&user, 16);
    run(user.thread);
    uint64_t begin = clock_now_ns();
    for (uint32_t i = 0; i < 10; i++) {
        begin += SCHED_PERIOD_NS;
        advance_to(begin);
        assert_ptr_equal(cpu_hart()->current, i % 2 == 0 ? second : user.thread);
    }
    user_stop(&user);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, census_setup, census_teardown)

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        TEST(test_the_heap_against_a_model),  TEST(test_many_come_in_steps),
        TEST(test_sleepers_wake_in_time),     TEST(test_timers),
        TEST(test_an_idle_hart_has_no_clock), TEST(test_equals_share_a_hart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
