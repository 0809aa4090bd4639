/* SPDX-License-Identifier: BSD-2-Clause */
/* Waits (kernel/wait.c) at the moments that only a race would hit: a time-out that comes late, a kill just before. */
#include "harness.h"

#include <kernel/thread.h>
#include <kernel/wait.h>

static handle_t event_make(const struct user *user)
{
    assert_int_equal(syscall_as(user->thread, SK_SYS_event_create, user->job_handle), SK_OK);
    return (handle_t)value_of(user->thread, 0);
}

/* A time-out that was popped for one wait and comes during the next: that one goes on. */
static void test_late_timeout(void **state)
{
    struct user user = user_start(SK_PRIORITY_DEFAULT);
    struct thread *waiter = user_thread(&user, SK_PRIORITY_DEFAULT);
    handle_t event = event_make(&user);
    const uint64_t wait[8] = {event, SK_SIGNAL_EVENT, SK_DEADLINE_NEVER};
    assert_int_equal(syscall_array(waiter, SK_SYS_object_wait, wait), BLOCKED);
    uint64_t sequence = waiter->wait.sequence;
    assert_int_equal(syscall_as(user.thread, SK_SYS_event_signal, event), SK_OK);
    assert_int_equal(status_of(waiter), SK_OK);
    assert_int_equal(syscall_array(waiter, SK_SYS_object_wait, wait), BLOCKED);
    assert_false(wait_cancel(waiter, sequence, SK_TIMED_OUT));
    assert_true(is_blocked(waiter));
    assert_true(wait_cancel(waiter, waiter->wait.sequence, SK_TIMED_OUT));
    assert_int_equal(status_of(waiter), SK_TIMED_OUT);
    user_stop(&user);
}

/* The killer found no wait to cancel, because the thread had not blocked yet. */
static void test_kill_before_block(void **state)
{
    struct user user = user_start(SK_PRIORITY_DEFAULT);
    handle_t event = event_make(&user);
    atomic_fetch_or(&user.thread->pending, THREAD_PENDING_KILL);
    assert_int_equal(
        syscall_as(user.thread, SK_SYS_object_wait, event, SK_SIGNAL_EVENT, SK_DEADLINE_NEVER),
        ENDED);
    user_forget(&user);
}

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_late_timeout, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_kill_before_block, census_setup, census_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
