/* SPDX-License-Identifier: BSD-2-Clause */
/* Handle tables: names, rights, growth, moves in two phases. */
#include "harness.h"

#include <stdlib.h>

static handle_t event_of(struct user *user)
{
    assert_int_equal(syscall_as(user->thread, SK_SYS_event_create, user->job_handle), SK_OK);
    return (handle_t)value_of(user->thread, 0);
}

static status_t close_as(struct user *user, handle_t handle)
{
    return syscall_as(user->thread, SK_SYS_handle_close, handle);
}

static void test_stale_handles(void **state)
{
    struct user user = user_start(16);
    handle_t event = event_of(&user);
    assert_int_equal(close_as(&user, event), SK_OK);
    assert_int_equal(close_as(&user, event), SK_BAD_HANDLE);
    /* All other free slots are used before this one comes again, and then its name is new. */
    for (uint32_t i = 0; i < 3 * HANDLES_PER_PAGE; i++) {
        handle_t other = event_of(&user);
        assert_int_not_equal(other, event);
        assert_int_equal(close_as(&user, event), SK_BAD_HANDLE);
        assert_int_equal(close_as(&user, other), SK_OK);
    }
    const handle_t bad[] = {0, 1, 0xffffffff, 0x80010000, event ^ 1, event ^ 0x10000, 0x1ffff};
    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(syscall_as(user.thread, SK_SYS_handle_info, bad[i]), SK_BAD_HANDLE);
    }
    user_stop(&user);
}

static void test_a_slot_lives_often(void **state)
{
    struct user user = user_start(16);
    handle_t handle = event_of(&user), first = handle, other[HANDLES_PER_PAGE];
    uint32_t rest = HANDLES_PER_PAGE - user.process->handles.used;
    assert_int_equal(handle_room(user.process, other, rest), SK_OK);
    /* Generations come round without 0, which would make a handle of 0. */
    for (uint32_t i = 1; i < 0x7fff * 2; i++) {
        struct capability taken;
        assert_int_equal(handle_reserve(user.process, &handle, 1), SK_OK);
        handle_take(user.process, &handle, 1, &taken);
        assert_int_equal(handle_add(user.process, taken, &handle), SK_OK);
        assert_int_equal(handle & 0xffff, first & 0xffff);
        assert_int_not_equal(handle >> 16, 0);
        assert_int_equal(handle >> 31, 0);
        assert_true(handle != first || i % 0x7fff == 0);
    }
    handle_room_cancel(user.process, other, rest);
    user_stop(&user);
}

static void test_the_table_grows_to_its_budget(void **state)
{
    const uint64_t budget[BUDGET_KINDS] = {64, 64, 1000, 8, 2};
    struct user user = user_start_budget(root_job, 16, budget);
    handle_t event = event_of(&user), last = 0;
    status_t status;
    uint32_t made = 0;
    while ((status = syscall_as(user.thread, SK_SYS_handle_duplicate, event, SK_RIGHT_WAIT)) ==
           SK_OK) {
        last = (handle_t)value_of(user.thread, 0);
        made++;
    }
    assert_int_equal(status, SK_OVER_BUDGET);
    assert_int_equal(user.process->handles.used, 1000);
    assert_true(made >= 996);
    assert_int_equal(close_as(&user, last), SK_OK);
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_duplicate, event, 0), SK_OK);
    user_stop(&user);
}

static void test_rights(void **state)
{
    struct user user = user_start(16);
    handle_t event = event_of(&user);
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_duplicate, event, SK_RIGHT_WAIT), SK_OK);
    handle_t weak = (handle_t)value_of(user.thread, 0);
    assert_int_equal(syscall_as(user.thread, SK_SYS_event_signal, weak), SK_ACCESS_DENIED);
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_duplicate, weak, 0), SK_ACCESS_DENIED);
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_duplicate, event, SK_RIGHT_MAP),
                     SK_INVALID_ARGS);
    assert_int_equal(syscall_as(user.thread, SK_SYS_timer_set, event, 0), SK_WRONG_TYPE);
    assert_int_equal(handle_reserve(user.process, &weak, 1), SK_ACCESS_DENIED);
    user_stop(&user);
}

static void test_moves_are_all_or_nothing(void **state)
{
    struct user user = user_start(16);
    handle_t event[4];
    for (uint32_t i = 0; i < 4; i++) {
        event[i] = event_of(&user);
    }
    struct census before = census_take(&user);
    handle_t twice[3] = {event[0], event[1], event[0]};
    assert_int_equal(handle_reserve(user.process, twice, 3), SK_INVALID_ARGS);
    handle_t stale[3] = {event[0], event[1], event[2] ^ 0x10000};
    assert_int_equal(handle_reserve(user.process, stale, 3), SK_BAD_HANDLE);
    assert_int_equal(handle_reserve(user.process, event, 4), SK_OK);
    /* Neither usable nor closable until it is decided. */
    assert_int_equal(close_as(&user, event[2]), SK_BAD_HANDLE);
    assert_int_equal(syscall_as(user.thread, SK_SYS_event_signal, event[2]), SK_BAD_HANDLE);
    assert_int_equal(handle_reserve(user.process, &event[2], 1), SK_BAD_HANDLE);
    handle_unreserve(user.process, event, 4);
    struct census after = census_take(&user);
    census_assert_equal(&before, &after, "unreserved");
    assert_int_equal(syscall_as(user.thread, SK_SYS_event_signal, event[2]), SK_OK);
    user_stop(&user);
}

static void test_room_is_charged_and_given_back(void **state)
{
    struct user user = user_start(16);
    struct census before = census_take(&user);
    handle_t room[5];
    assert_int_equal(handle_room(user.process, room, 5), SK_OK);
    assert_int_equal(user.job->used[BUDGET_HANDLES], before.used[BUDGET_HANDLES] + 5);
    assert_int_equal(close_as(&user, room[3]), SK_BAD_HANDLE);
    handle_room_cancel(user.process, room, 5);
    user.job->limit[BUDGET_HANDLES] = user.job->used[BUDGET_HANDLES] + 3;
    assert_int_equal(handle_room(user.process, room, 5), SK_OVER_BUDGET);
    struct census after = census_take(&user);
    census_assert_equal(&before, &after, "room given back");
    user.job->limit[BUDGET_HANDLES] = 1024;
    user_stop(&user);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, census_setup, census_teardown)

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        TEST(test_stale_handles),
        TEST(test_a_slot_lives_often),
        TEST(test_the_table_grows_to_its_budget),
        TEST(test_rights),
        TEST(test_moves_are_all_or_nothing),
        TEST(test_room_is_charged_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
