/* SPDX-License-Identifier: BSD-2-Clause */
/* Wait sets, waits for signals, futexes. */
#include "harness.h"

#include <ipc/waitset.h>
#include <kernel/syscall.h>
#include <stdlib.h>
#include <string.h>

#define MANY 250u /* more than a step serves */

static handle_t create(struct user *user, uint32_t number)
{
    assert_int_equal(syscall_as(user->thread, number, user->job_handle), SK_OK);
    return (handle_t)value_of(user->thread, 0);
}

static status_t receive(struct thread *thread, handle_t source, uint64_t deadline)
{
    return ipc_as(thread, SK_SYS_channel_receive,
                  &(struct ipc){.handle = source, .deadline = deadline});
}

static void assert_signals(const struct thread *thread, uint64_t key, uint64_t signals)
{
    assert_false(is_blocked(thread));
    assert_int_equal(status_of(thread), SK_OK);
    assert_int_equal(thread->frame.arg[1], SK_INFO_SIGNALS);
    assert_int_equal(thread->frame.arg[2], signals);
    assert_int_equal(thread->frame.extra[0], key);
}

static void test_one_signal_wakes_one(void **state)
{
    struct user user = user_start(16);
    handle_t set = create(&user, SK_SYS_waitset_create), event = create(&user, SK_SYS_event_create);
    struct thread *waiters[3];
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, set, event, SK_SIGNAL_EVENT, 77),
                     SK_OK);
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, set, event, SK_SIGNAL_EVENT, 78),
                     SK_EXISTS);
    for (uint32_t i = 0; i < 3; i++) {
        waiters[i] = user_thread(&user, 16);
        assert_int_equal(receive(waiters[i], set, SK_DEADLINE_NEVER), BLOCKED);
    }
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(syscall_as(user.thread, SK_SYS_event_signal, event), SK_OK);
        for (uint32_t k = 0; k < 3; k++) {
            assert_int_equal(is_blocked(waiters[k]), k > i);
        }
        assert_signals(waiters[i], 77, SK_SIGNAL_EVENT);
    }
    /* Nobody waits: it is kept, once. */
    assert_int_equal(syscall_as(user.thread, SK_SYS_event_signal, event), SK_OK);
    assert_int_equal(syscall_as(user.thread, SK_SYS_event_signal, event), SK_OK);
    assert_int_equal(receive(waiters[0], set, SK_DEADLINE_POLL), SK_OK);
    assert_int_equal(receive(waiters[0], set, SK_DEADLINE_POLL), SK_TIMED_OUT);
    user_stop(&user);
}

static void test_what_is_removed_is_silent(void **state)
{
    struct user user = user_start(16);
    handle_t set = create(&user, SK_SYS_waitset_create), event = create(&user, SK_SYS_event_create);
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, set, event, SK_SIGNAL_EVENT, 1),
                     SK_OK);
    assert_int_equal(syscall_as(user.thread, SK_SYS_event_signal, event), SK_OK);
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_remove, set, event), SK_OK);
    assert_int_equal(receive(user.thread, set, SK_DEADLINE_POLL), SK_TIMED_OUT);
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_remove, set, event), SK_NOT_FOUND);
    /* It is shown at once to whom it is added. */
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, set, event, SK_SIGNAL_EVENT, 2),
                     SK_OK);
    assert_int_equal(receive(user.thread, set, SK_DEADLINE_POLL), SK_OK);
    assert_signals(user.thread, 2, SK_SIGNAL_EVENT);
    /* Closed, it leaves by itself. */
    uint64_t objects = user.job->used[BUDGET_OBJECTS];
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, event), SK_OK);
    settle();
    assert_int_equal(user.job->used[BUDGET_OBJECTS], objects - 2);
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, set, set, SK_SIGNAL_EVENT, 2),
                     SK_ACCESS_DENIED);
    user_stop(&user);
}

static void test_closing_ends_waits(void **state)
{
    struct user user = user_start(16);
    handle_t set = create(&user, SK_SYS_waitset_create), event = create(&user, SK_SYS_event_create);
    struct thread *receiver = user_thread(&user, 16), *waiter = user_thread(&user, 16);
    assert_int_equal(receive(receiver, set, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal(
        syscall_as(waiter, SK_SYS_object_wait, event, SK_SIGNAL_EVENT, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, set), SK_OK);
    assert_int_equal(status_of(receiver), SK_BAD_STATE);
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, event), SK_OK);
    assert_int_equal(status_of(waiter), SK_BAD_STATE);
    user_stop(&user);
}

/* Messages of many endpoints, each with its key, none lost, in order within an endpoint. */
static void test_many_endpoints(void **state)
{
    struct user user = user_start(16);
    handle_t set = create(&user, SK_SYS_waitset_create), near[6], far[6];
    uint64_t sent[6] = {0}, received[6] = {0};
    for (uint32_t i = 0; i < 6; i++) {
        channel_make(user.thread, &near[i], &far[i]);
        assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, set, far[i],
                                    SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED, i),
                         SK_OK);
    }
    srand(9);
    for (uint32_t step = 0; step < 3000; step++) {
        uint32_t i = (uint32_t)rand() % 6;
        if (rand() % 2) {
            struct ipc ipc = {.handle = near[i], .info = 8, .words = {sent[i]}};
            bool full = sent[i] - received[i] == SK_INBOX_MESSAGES_MAX;
            assert_int_equal(ipc_as(user.thread, SK_SYS_channel_send, &ipc),
                             full ? SK_FULL : SK_OK);
            sent[i] += !full;
        } else if (receive(user.thread, set, SK_DEADLINE_POLL) == SK_OK) {
            uint64_t key = user.thread->frame.extra[0];
            assert_true(key < 6);
            assert_int_equal(user.thread->frame.arg[2], received[key]);
            received[key]++;
        } else {
            assert_int_equal(status_of(user.thread), SK_TIMED_OUT);
            assert_memory_equal(sent, received, sizeof sent);
        }
    }
    while (receive(user.thread, set, SK_DEADLINE_POLL) == SK_OK) {
        received[user.thread->frame.extra[0]]++;
    }
    assert_memory_equal(sent, received, sizeof sent);
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, near[4]), SK_OK);
    assert_int_equal(receive(user.thread, set, SK_DEADLINE_POLL), SK_OK);
    assert_signals(user.thread, 4, SK_SIGNAL_PEER_CLOSED);
    user_stop(&user);
}

/* A level goes to each of many that wait, in steps: the call that shows it returns when all have it. Who closes the set
 * in between loses nothing. */
static void test_level_wakes_many(void **state)
{
    const uint64_t budget[BUDGET_KINDS] = {4000, 4000, 4000, 1000, MANY + 10};
    for (uint32_t closes = 0; closes < 2; closes++) {
        struct user user = user_start_budget(root_job, 16, budget);
        handle_t set = create(&user, SK_SYS_waitset_create), near, far;
        struct thread *receivers[MANY];
        channel_make(user.thread, &near, &far);
        assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, set, far,
                                    SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED, 5),
                         SK_OK);
        for (uint32_t i = 0; i < MANY; i++) {
            receivers[i] = user_thread(&user, 16);
            assert_int_equal(receive(receivers[i], set, SK_DEADLINE_NEVER), BLOCKED);
        }
        if (closes) {
            assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, set), SK_OK);
            settle();
        }
        assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, near), SK_OK);
        for (uint32_t i = 0; i < MANY; i++) {
            if (closes) {
                assert_int_equal(status_of(receivers[i]), SK_BAD_STATE);
            } else {
                assert_signals(receivers[i], 5, SK_SIGNAL_PEER_CLOSED);
            }
        }
        user_stop(&user);
    }
}

static void test_futexes(void **state)
{
    struct user user = user_start(16);
    struct thread *waiters[4];
    handle_t memory;
    vaddr_t word = map_pages(user.thread, 1, SK_PROT_READ | SK_PROT_WRITE, &memory) + 16;
    uint32_t value = 5;
    assert_true(user_write(user.thread, word, &value, sizeof value));
    assert_int_equal(syscall_as(user.thread, SK_SYS_futex_wait, word, 4, SK_DEADLINE_NEVER),
                     SK_BAD_STATE);
    assert_int_equal(syscall_as(user.thread, SK_SYS_futex_wait, word + 2, 5, SK_DEADLINE_NEVER),
                     SK_INVALID_ARGS);
    assert_int_equal(syscall_as(user.thread, SK_SYS_futex_wait, 0x10000, 5, SK_DEADLINE_NEVER),
                     SK_BAD_ADDRESS);
    assert_int_equal(syscall_as(user.thread, SK_SYS_futex_wait, word, 5, SK_DEADLINE_POLL),
                     SK_TIMED_OUT);
    /* The same word by another mapping. */
    assert_int_equal(syscall_as(user.thread, SK_SYS_memory_map, user.process_handle, memory, 0,
                                PAGE_SIZE, 0, SK_PROT_READ),
                     SK_OK);
    vaddr_t other = value_of(user.thread, 0) + 16;
    for (uint32_t i = 0; i < 4; i++) {
        waiters[i] = user_thread(&user, 16);
        assert_int_equal(syscall_as(waiters[i], SK_SYS_futex_wait, i % 2 ? word : other, 5,
                                    i == 3 ? clock_now_ns() + 100 : SK_DEADLINE_NEVER),
                         BLOCKED);
    }
    assert_int_equal(syscall_as(user.thread, SK_SYS_futex_wake, word + 4, 9), SK_OK);
    assert_int_equal(value_of(user.thread, 0), 0);
    assert_int_equal(syscall_as(user.thread, SK_SYS_futex_wake, other, 2), SK_OK);
    assert_int_equal(value_of(user.thread, 0), 2);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(is_blocked(waiters[i]), i >= 2);
    }
    advance_to(clock_now_ns() + 100);
    assert_int_equal(status_of(waiters[3]), SK_TIMED_OUT);
    assert_int_equal(syscall_as(user.thread, SK_SYS_futex_wake, word, 100), SK_OK);
    assert_int_equal(value_of(user.thread, 0), 1);
    user_stop(&user);
}

/* What the last handles to each other hold goes when the job ends, however deep. */
static void test_endpoints_in_each_others_inboxes(void **state)
{
    struct user user = user_start(16);
    vaddr_t page = map_pages(user.thread, 1, SK_PROT_READ | SK_PROT_WRITE, NULL);
    handle_t a[2], b[2];
    channel_make(user.thread, &a[0], &a[1]);
    channel_make(user.thread, &b[0], &b[1]);
    assert_true(user_write(user.thread, page, &b[1], sizeof b[1]));
    assert_true(user_write(user.thread, page + 8, &a[1], sizeof a[1]));
    assert_int_equal(
        ipc_as(user.thread, SK_SYS_channel_send,
               &(struct ipc){.handle = a[0], .info = SK_INFO(0, 1), .out_handles = page}),
        SK_OK);
    assert_int_equal(
        ipc_as(user.thread, SK_SYS_channel_send,
               &(struct ipc){.handle = b[0], .info = SK_INFO(0, 1), .out_handles = page + 8}),
        SK_OK);
    user_stop(&user); /* the census afterwards finds nothing */
}

static void test_observers_are_limited(void **state)
{
    struct user user = user_start(16);
    handle_t event = create(&user, SK_SYS_event_create), sets[SK_OBSERVERS_MAX];
    for (uint32_t i = 0; i < SK_OBSERVERS_MAX; i++) {
        sets[i] = create(&user, SK_SYS_waitset_create);
        assert_int_equal(
            syscall_as(user.thread, SK_SYS_waitset_add, sets[i], event, SK_SIGNAL_EVENT, i), SK_OK);
    }
    handle_t more = create(&user, SK_SYS_waitset_create);
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, more, event, SK_SIGNAL_EVENT, 0),
                     SK_OUT_OF_RANGE);
    assert_int_equal(
        syscall_as(user.thread, SK_SYS_object_wait, event, SK_SIGNAL_EVENT, SK_DEADLINE_NEVER),
        SK_OUT_OF_RANGE);
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_remove, sets[3], event), SK_OK);
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, more, event, SK_SIGNAL_EVENT, 0),
                     SK_OK);
    user_stop(&user);
}

#define STALE 220u

/* A set of so many members that were ready once. */
static handle_t stale_set(struct user *user)
{
    handle_t set = create(user, SK_SYS_waitset_create);
    for (uint32_t i = 0; i < STALE; i++) {
        handle_t event = create(user, SK_SYS_event_create);
        assert_int_equal(
            syscall_as(user->thread, SK_SYS_waitset_add, set, event, SK_SIGNAL_EVENT, i), SK_OK);
        assert_int_equal(syscall_as(user->thread, SK_SYS_event_signal, event), SK_OK);
        assert_int_equal(
            syscall_as(user->thread, SK_SYS_object_wait, event, SK_SIGNAL_EVENT, SK_DEADLINE_POLL),
            SK_OK);
    }
    return set;
}

/* Looking at them goes in steps, and ends as if it were one. */
static void test_many_stale_members(void **state)
{
    struct user user = user_start(16);
    uint64_t sets = object_live[SK_TYPE_WAITSET];
    handle_t set = stale_set(&user), live = create(&user, SK_SYS_event_create);
    struct thread *thread = user_thread(&user, 16);
    syscall_array(thread, SK_SYS_channel_receive,
                  (const uint64_t[8]){set, 0, 0, 0, 0, 0, SK_DEADLINE_NEVER});
    settle();
    assert_true(is_blocked(thread));
    assert_int_equal(syscall_as(user.thread, SK_SYS_waitset_add, set, live, SK_SIGNAL_EVENT, 7),
                     SK_OK);
    assert_int_equal(syscall_as(user.thread, SK_SYS_event_signal, live), SK_OK);
    assert_signals(thread, 7, SK_SIGNAL_EVENT);
    /* Closing goes in steps, too. */
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, set), SK_OK);
    settle();
    assert_int_equal(object_live[SK_TYPE_WAITSET], sets);
    user_stop(&user);
}

static struct waitset *set_of(struct thread *thread, handle_t handle)
{
    struct capability set;
    assert_int_equal(handle_get(thread->process, handle, SK_TYPE_WAITSET, 0, &set), SK_OK);
    object_put(set.object); /* the handle keeps it */
    return waitset_from_object(set.object);
}

static void test_killed_among_stale_members(void **state)
{
    struct user user = user_start(16);
    handle_t set = stale_set(&user);
    struct thread *thread = user_thread(&user, 16);
    run(thread);
    assert_int_equal(waitset_receive(thread, set_of(thread, set), SK_DEADLINE_NEVER), SYSCALL_DONE);
    assert_true(thread->pending & THREAD_PENDING_STEP);
    process_end(user.process, SK_EXIT_KILLED, 0);
    settle();
    assert_int_equal(user.process->state, SK_PROCESS_DEAD);
    user_forget(&user);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, census_setup, census_teardown)

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        TEST(test_one_signal_wakes_one),
        TEST(test_what_is_removed_is_silent),
        TEST(test_closing_ends_waits),
        TEST(test_many_endpoints),
        TEST(test_observers_are_limited),
        TEST(test_many_stale_members),
        TEST(test_killed_among_stale_members),
        TEST(test_level_wakes_many),
        TEST(test_futexes),
        TEST(test_endpoints_in_each_others_inboxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
