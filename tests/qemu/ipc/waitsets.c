/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wait sets: keys, levels, many members, many waiters, members that go.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "ipc_test.h"

#define MEMBERS 1000u
#define WAITERS 4u
#define SIGNALS 2000u

static handle_t make_waitset(void)
{
    handle_t waitset;
    must(sk_waitset_create(sk_self_job, &waitset));
    return waitset;
}

/* What comes next from a wait set, as signals. */
static struct sk_in expect_signals(handle_t waitset, uint64_t key, uint32_t signals)
{
    struct sk_in in = {.length = 0};
    test_status(sk_channel_receive(waitset, &in, test_deadline()), SK_OK);
    test_equal(in.key, key);
    test_equal(in.signals, signals);
    return in;
}

static void expect_nothing(handle_t waitset)
{
    struct sk_in in = {.length = 0};
    test_status(sk_channel_receive(waitset, &in, SK_DEADLINE_POLL), SK_TIMED_OUT);
}

static void every_type_shows_its_signals(void)
{
    handle_t set = make_waitset(), event = make_event(), timer, job = test_job(), ends[2];
    uint64_t word = 0;
    must(sk_timer_create(sk_self_job, &timer));
    make_channel(ends);
    test_status(sk_waitset_add(set, event, SK_SIGNAL_EVENT, 1), SK_OK);
    test_status(sk_waitset_add(set, timer, SK_SIGNAL_TIMER, 2), SK_OK);
    test_status(sk_waitset_add(set, ends[1], SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED, 3), SK_OK);
    test_status(sk_waitset_add(set, job, SK_SIGNAL_TERMINATED, 4), SK_OK);
    expect_nothing(set);
    test_status(sk_event_signal(event), SK_OK);
    expect_signals(set, 1, SK_SIGNAL_EVENT);
    expect_nothing(set);
    test_status(sk_timer_set(timer, soon()), SK_OK);
    expect_signals(set, 2, SK_SIGNAL_TIMER);
    expect_nothing(set);
    test_status(send_word(ends[0], 55), SK_OK);
    struct sk_in in = sk_in_bytes(&word, sizeof word);
    test_status(sk_channel_receive(set, &in, test_deadline()), SK_OK);
    test_equal(in.key, 3);
    test_equal(in.signals, 0);
    test_equal(word, 55);
    test_status(sk_handle_close(ends[0]), SK_OK);
    expect_signals(set, 3, SK_SIGNAL_PEER_CLOSED);
    expect_signals(set, 3, SK_SIGNAL_PEER_CLOSED); /* a level */
    test_status(sk_waitset_remove(set, ends[1]), SK_OK);
    test_status(sk_job_kill(job), SK_OK);
    expect_signals(set, 4, SK_SIGNAL_TERMINATED);
    close_all((handle_t[]){ends[1], event, timer, job, set}, 5);
}

static void a_process_and_its_thread_are_members(void)
{
    handle_t set = make_waitset(), ends[2], job = test_job();
    make_channel(ends);
    struct sk_child child = self_spawn(job, "receiver", NULL, ends[1]);
    test_status(sk_waitset_add(set, child.process, SK_SIGNAL_TERMINATED, ~0ull), SK_OK);
    expect_nothing(set);
    test_status(sk_handle_close(ends[0]), SK_OK);
    expect_signals(set, ~0ull, SK_SIGNAL_TERMINATED);
    self_expect_exit(&child, 0);
    expect_nothing(set); /* its handle is closed, so it has left */
    test_status(sk_handle_close(set), SK_OK);
    test_job_end(job);
}

static void bad_members_are_refused(void)
{
    handle_t set = make_waitset(), other = make_waitset(), event = make_event(), ends[2];
    handle_t memory = make_memory(1);
    make_channel(ends);
    test_status(sk_waitset_add(set, other, SK_SIGNAL_EVENT, 1), SK_ACCESS_DENIED);
    test_status(sk_waitset_add(set, memory, SK_SIGNAL_EVENT, 1), SK_ACCESS_DENIED);
    test_status(sk_waitset_add(set, event, 0, 1), SK_INVALID_ARGS);
    test_status(sk_waitset_add(set, event, SK_SIGNAL_TIMER, 1), SK_INVALID_ARGS);
    test_status(sk_waitset_add(set, event, SK_SIGNAL_EVENT | 1u << 31, 1), SK_INVALID_ARGS);
    handle_t blind = duplicate(ends[0], SK_RIGHT_WAIT);
    test_status(sk_waitset_add(set, blind, SK_SIGNAL_READABLE, 1), SK_ACCESS_DENIED);
    test_status(sk_waitset_add(set, blind, SK_SIGNAL_PEER_CLOSED, 1), SK_OK);
    test_status(sk_waitset_add(set, ends[0], SK_SIGNAL_READABLE, 1), SK_EXISTS);
    test_status(sk_waitset_remove(set, event), SK_NOT_FOUND);
    test_status(sk_waitset_remove(set, blind), SK_OK);
    test_status(sk_waitset_remove(set, blind), SK_NOT_FOUND);
    close_all((handle_t[]){blind, ends[0], ends[1], memory, event, other, set}, 7);
}

static void a_thousand_members(void)
{
    handle_t set = make_waitset(), *events = malloc(MEMBERS * sizeof *events);
    uint64_t state = 42;
    for (uint32_t i = 0; i < MEMBERS; i++) {
        events[i] = make_event();
        test_status(sk_waitset_add(set, events[i], SK_SIGNAL_EVENT, 1000000 + i), SK_OK);
    }
    expect_nothing(set);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        uint32_t which = random_next(&state) % MEMBERS;
        test_status(sk_event_signal(events[which]), SK_OK);
        expect_signals(set, 1000000 + which, SK_SIGNAL_EVENT);
    }
    for (uint32_t i = 0; i < MEMBERS; i++) {
        test_status(sk_event_signal(events[i]), SK_OK);
    }
    for (uint32_t i = 0; i < MEMBERS; i++) {
        expect_signals(set, 1000000 + i, SK_SIGNAL_EVENT); /* in the order they came */
    }
    expect_nothing(set);
    for (uint32_t i = 0; i < MEMBERS; i += 2) {
        test_status(sk_handle_close(events[i]), SK_OK);
    }
    test_status(sk_handle_close(set), SK_OK); /* with 500 members */
    for (uint32_t i = 1; i < MEMBERS; i += 2) {
        test_status(sk_handle_close(events[i]), SK_OK);
    }
    free(events);
}

static void readiness_is_a_level(void)
{
    handle_t set = make_waitset(), ends[2];
    uint64_t word = 0;
    make_channel(ends);
    for (uint64_t i = 0; i < 5; i++) {
        test_status(send_word(ends[0], i), SK_OK);
    }
    test_status(sk_waitset_add(set, ends[1], SK_SIGNAL_READABLE, 9), SK_OK);
    for (uint64_t i = 0; i < 5; i++) {
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        test_status(sk_channel_receive(set, &in, SK_DEADLINE_POLL), SK_OK);
        test_equal(word, i);
        test_equal(in.key, 9);
    }
    expect_nothing(set);
    /* Somebody else takes the message first: nothing is left to deliver. */
    test_status(send_word(ends[0], 6), SK_OK);
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_OK);
    expect_nothing(set);
    /* What does not fit is offered again. */
    uint8_t bytes[100] = {1};
    test_status(send_bytes(ends[0], bytes, sizeof bytes), SK_OK);
    for (int i = 0; i < 2; i++) {
        struct sk_in small = sk_in_bytes(bytes, 50);
        test_status(sk_channel_receive(set, &small, SK_DEADLINE_POLL), SK_TOO_SMALL);
        test_equal(small.length, 100);
    }
    struct sk_in in = sk_in_bytes(bytes, sizeof bytes);
    test_status(sk_channel_receive(set, &in, SK_DEADLINE_POLL), SK_OK);
    close_all((handle_t[]){set, ends[0], ends[1]}, 3);
}

/* Two endpoints that always have something are served in turn. */
static void members_take_turns(void)
{
    handle_t set = make_waitset(), ends[3][2];
    uint32_t served[3] = {0};
    for (uint64_t i = 0; i < 3; i++) {
        make_channel(ends[i]);
        test_status(sk_waitset_add(set, ends[i][1], SK_SIGNAL_READABLE, i), SK_OK);
        for (int n = 0; n < 20; n++) {
            test_status(send_word(ends[i][0], i), SK_OK);
        }
    }
    for (int n = 0; n < 30; n++) {
        uint64_t word;
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        test_status(sk_channel_receive(set, &in, SK_DEADLINE_POLL), SK_OK);
        test_equal(in.key, word);
        served[word % 3]++;
    }
    for (int i = 0; i < 3; i++) {
        test_equal(served[i], 10);
        close_all(ends[i], 2);
    }
    test_status(sk_handle_close(set), SK_OK);
}

static void removed_means_silent(void)
{
    handle_t set = make_waitset(), event = make_event(), other = make_event();
    test_status(sk_waitset_add(set, event, SK_SIGNAL_EVENT, 1), SK_OK);
    test_status(sk_waitset_add(set, other, SK_SIGNAL_EVENT, 2), SK_OK);
    test_status(sk_event_signal(event), SK_OK);
    test_status(sk_waitset_remove(set, event), SK_OK);
    expect_nothing(set);
    test_status(sk_waitset_add(set, event, SK_SIGNAL_EVENT, 3), SK_OK);
    expect_signals(set, 3, SK_SIGNAL_EVENT); /* it was still signalled */
    /* Ready, and then closed: it leaves by itself. */
    test_status(sk_event_signal(event), SK_OK);
    test_status(sk_handle_close(event), SK_OK);
    expect_nothing(set);
    test_status(sk_event_signal(other), SK_OK);
    expect_signals(set, 2, SK_SIGNAL_EVENT);
    close_all((handle_t[]){set, other}, 2);
}

struct waiter {
    handle_t set;
    _Atomic uint32_t *taken;
    status_t status;
};

static void take_signals(void *argument)
{
    struct waiter *waiter = argument;
    for (;;) {
        struct sk_in in = {.length = 0};
        waiter->status = sk_channel_receive(waiter->set, &in, SK_DEADLINE_NEVER);
        if (waiter->status != SK_OK) {
            return;
        }
        atomic_fetch_add(waiter->taken, 1);
    }
}

static void each_signal_wakes_one_of_many(void)
{
    handle_t set = make_waitset(), events[8];
    struct sk_thread threads[WAITERS];
    struct waiter waiters[WAITERS];
    _Atomic uint32_t taken = 0;
    for (uint32_t i = 0; i < COUNT(events); i++) {
        events[i] = make_event();
        test_status(sk_waitset_add(set, events[i], SK_SIGNAL_EVENT, i), SK_OK);
    }
    for (uint32_t i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){set, &taken, SK_PENDING};
        start_thread(&threads[i], take_signals, &waiters[i]);
    }
    for (uint32_t i = 0; i < SIGNALS; i++) {
        uint64_t limit = test_deadline();
        test_status(sk_event_signal(events[i % COUNT(events)]), SK_OK);
        while (atomic_load(&taken) <= i && sk_now() < limit) {
            sk_thread_yield();
        }
        if (!test_equal(atomic_load(&taken), i + 1)) {
            break;
        }
    }
    test_status(sk_handle_close(set), SK_OK);
    for (uint32_t i = 0; i < WAITERS; i++) {
        join_thread(&threads[i]);
        /* Closed while it waited, or just before it came back to wait. */
        test_check(waiters[i].status == SK_BAD_STATE || waiters[i].status == SK_BAD_HANDLE);
    }
    close_all(events, COUNT(events));
}

static void take_one(void *argument)
{
    struct waiter *waiter = argument;
    struct sk_in in = {.length = 0};
    waiter->status = sk_channel_receive(waiter->set, &in, test_deadline());
    test_equal(in.signals, SK_SIGNAL_PEER_CLOSED);
    test_equal(in.key, 5);
    atomic_fetch_add(waiter->taken, 1);
}

static void a_level_wakes_all_who_wait(void)
{
    handle_t set = make_waitset(), ends[2];
    struct sk_thread threads[WAITERS];
    struct waiter waiters[WAITERS];
    _Atomic uint32_t taken = 0;
    must(sk_channel_create(sk_self_job, &ends[0], &ends[1]));
    test_status(sk_waitset_add(set, ends[0], SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED, 5), SK_OK);
    for (uint32_t i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){set, &taken, SK_PENDING};
        start_thread(&threads[i], take_one, &waiters[i]);
        wait_blocked(threads[i].handle);
    }
    test_status(sk_handle_close(ends[1]), SK_OK);
    for (uint32_t i = 0; i < WAITERS; i++) {
        join_thread(&threads[i]);
        test_status(waiters[i].status, SK_OK);
    }
    test_equal(atomic_load(&taken), WAITERS);
    close_all((handle_t[]){set, ends[0]}, 2);
}

/* A member is closed, added and removed while others wait and signal. */
static _Atomic bool stop;

static void add_and_remove(void *argument)
{
    handle_t set = *(handle_t *)argument;
    while (!atomic_load(&stop)) {
        handle_t event = make_event();
        test_status(sk_waitset_add(set, event, SK_SIGNAL_EVENT, 7), SK_OK);
        test_status(sk_event_signal(event), SK_OK);
        if ((id_of(event) & 2) != 0) {
            test_status(sk_waitset_remove(set, event), SK_OK);
        }
        test_status(sk_handle_close(event), SK_OK);
    }
}

static void members_come_and_go_under_load(void)
{
    handle_t set = make_waitset();
    struct sk_thread takers[2], movers[2];
    struct waiter waiters[2];
    _Atomic uint32_t taken = 0;
    atomic_store(&stop, false);
    for (uint32_t i = 0; i < 2; i++) {
        waiters[i] = (struct waiter){set, &taken, SK_PENDING};
        start_thread(&takers[i], take_signals, &waiters[i]);
        start_thread(&movers[i], add_and_remove, &set);
    }
    uint64_t limit = test_deadline();
    do {
        sk_sleep(200 * SK_MS);
    } while (atomic_load(&taken) == 0 && sk_now() < limit);
    atomic_store(&stop, true);
    join_thread(&movers[0]);
    join_thread(&movers[1]);
    test_check(atomic_load(&taken) > 0);
    test_status(sk_handle_close(set), SK_OK);
    join_thread(&takers[0]);
    join_thread(&takers[1]);
}

static void calls_arrive_with_the_members_key(void)
{
    handle_t set = make_waitset(), ends[2][2];
    uint64_t word;
    status_t replied;
    for (uint64_t i = 0; i < 2; i++) {
        make_channel(ends[i]);
        test_status(sk_waitset_add(set, ends[i][1], SK_SIGNAL_READABLE, 100 + i), SK_OK);
    }
    struct sk_child children[2];
    handle_t job = test_job();
    for (int i = 0; i < 2; i++) {
        children[i] = self_spawn(job, "caller", NULL, ends[i][0]);
    }
    uint64_t keys = 0;
    token_t token = SK_TOKEN_NONE;
    struct sk_out out = {.length = 0};
    for (int i = 0; i < 2; i++) {
        static uint8_t bytes[256];
        handle_t event;
        struct sk_in in = {bytes, sizeof bytes, &event, 1};
        test_status(sk_channel_reply_receive(token, &out, &replied, set, &in, test_deadline()),
                    SK_OK);
        test_status(replied, SK_OK);
        test_check(in.is_call);
        keys += in.key;
        token = in.token;
        test_status(sk_handle_close(event), SK_OK);
    }
    test_equal(keys, 201);
    test_status(sk_channel_reply(token, &out), SK_OK);
    for (int i = 0; i < 2; i++) {
        test_equal(test_child_end(&children[i]).exit_code, 2);
        test_status(receive_word(ends[i][1], &word, test_deadline()), SK_PEER_CLOSED);
        test_status(sk_handle_close(ends[i][1]), SK_OK);
    }
    test_status(sk_handle_close(set), SK_OK);
    test_job_end(job);
}

static void one_object_in_many_sets(void)
{
    handle_t sets[10], event = make_event(), ends[2];
    make_channel(ends);
    for (uint64_t i = 0; i < COUNT(sets); i++) {
        sets[i] = make_waitset();
        test_status(sk_waitset_add(sets[i], event, SK_SIGNAL_EVENT, i), SK_OK);
        test_status(sk_waitset_add(sets[i], ends[1], SK_SIGNAL_PEER_CLOSED, i), SK_OK);
    }
    test_status(sk_event_signal(event), SK_OK);
    uint32_t taken = 0;
    for (uint32_t i = 0; i < COUNT(sets); i++) {
        struct sk_in in = {.length = 0};
        taken += sk_channel_receive(sets[i], &in, SK_DEADLINE_POLL) == SK_OK;
    }
    test_equal(taken, 1); /* taken by one delivery */
    test_status(sk_handle_close(ends[0]), SK_OK);
    for (uint32_t i = 0; i < COUNT(sets); i++) {
        expect_signals(sets[i], i, SK_SIGNAL_PEER_CLOSED); /* a level is told everywhere */
    }
    test_status(sk_handle_close(ends[1]), SK_OK);
    for (uint32_t i = 0; i < COUNT(sets); i++) {
        expect_nothing(sets[i]);
    }
    close_all(sets, COUNT(sets));
    test_status(sk_handle_close(event), SK_OK);
}

void test_waitsets(void)
{
    self_case("wait set: every type shows its signals", every_type_shows_its_signals);
    self_case("wait set: a process is a member", a_process_and_its_thread_are_members);
    self_case("wait set: bad members are refused", bad_members_are_refused);
    self_case("wait set: a thousand members", a_thousand_members);
    self_case("wait set: readiness is a level", readiness_is_a_level);
    self_case("wait set: members take turns", members_take_turns);
    self_case("wait set: removed means silent", removed_means_silent);
    self_case("wait set: each signal wakes one of many", each_signal_wakes_one_of_many);
    self_case("wait set: a level wakes all who wait", a_level_wakes_all_who_wait);
    self_case("wait set: members come and go under load", members_come_and_go_under_load);
    self_case("wait set: calls arrive with the member's key", calls_arrive_with_the_members_key);
    self_case("wait set: one object in many sets", one_object_in_many_sets);
}
