/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls lend their priority to whoever serves them. */
#include "ipc_test.h"

#define HOGS 8u            /* as many as there can be harts */
#define SLOW_WORK 2000000u /* loops: some milliseconds, in which the hogs start */

/* A server that receives two calls and says its priority at each step. */
struct served {
    handle_t endpoint;
    _Atomic uint32_t replies_wanted;
    token_t tokens[2];
    _Atomic uint32_t step;
};

static void serve_two(void *argument)
{
    struct served *served = argument;
    for (uint32_t i = 0; i < 2; i++) {
        uint64_t word;
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        test_status(sk_channel_receive(served->endpoint, &in, SK_DEADLINE_NEVER), SK_OK);
        served->tokens[i] = in.token;
        atomic_store(&served->step, i + 1);
    }
    for (uint32_t i = 0; i < 2; i++) {
        while (atomic_load(&served->replies_wanted) <= i) {
            sk_sleep(SK_MS);
        }
        test_status(reply_word(served->tokens[i], 0), SK_OK);
        atomic_store(&served->step, i + 3);
    }
    while (atomic_load(&served->replies_wanted) < 3) {
        sk_sleep(SK_MS);
    }
}

static void expect_priority(struct served *served, handle_t thread, uint32_t step,
                            uint32_t priority)
{
    struct sk_thread_info info;
    uint64_t written, limit = test_deadline();
    while (atomic_load(&served->step) < step && sk_now() < limit) {
        sk_sleep(SK_MS);
    }
    test_equal(atomic_load(&served->step), step);
    must(sk_object_info(thread, &info, sizeof info, &written));
    test_equal(info.priority, priority);
}

static void a_server_runs_at_its_callers_priority(void)
{
    for (int parked = 0; parked < 2; parked++) {
        handle_t ends[2];
        struct sk_thread server, callers[2];
        make_channel(ends);
        struct served served = {.endpoint = ends[1]};
        struct one_call calls[2] = {{ends[0], 1, 0, SK_OK}, {ends[0], 2, 0, SK_OK}};
        if (parked) {
            start_thread_at(&server, serve_two, &served, 5);
            wait_blocked(server.handle);
        }
        start_thread_at(&callers[0], call_once, &calls[0], 15);
        wait_blocked(callers[0].handle);
        if (!parked) {
            start_thread_at(&server, serve_two, &served, 5);
        }
        expect_priority(&served, server.handle, 1, 15);
        wait_blocked(server.handle); /* in receive: the next call finds it parked */
        start_thread_at(&callers[1], call_once, &calls[1], 15);
        expect_priority(&served, server.handle, 2, 15);
        atomic_store(&served.replies_wanted, 1);
        /* The second caller still waits, so its priority is still lent. */
        expect_priority(&served, server.handle, 3, 15);
        atomic_store(&served.replies_wanted, 2);
        expect_priority(&served, server.handle, 4, 5);
        atomic_store(&served.replies_wanted, 3);
        join_thread(&server);
        join_thread(&callers[0]);
        join_thread(&callers[1]);
        close_all(ends, 2);
    }
}

/* A server that is slow with its first call. */
struct slow {
    handle_t endpoint;
    _Atomic bool busy, stop;
};

static void serve_slowly(void *argument)
{
    struct slow *slow = argument;
    for (uint32_t calls = 0; calls < 2; calls++) {
        uint64_t word;
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        test_status(sk_channel_receive(slow->endpoint, &in, SK_DEADLINE_NEVER), SK_OK);
        atomic_store(&slow->busy, true);
        for (volatile uint32_t work = 0; calls == 0 && work < SLOW_WORK; work++) {
        }
        test_status(reply_word(in.token, word), SK_OK);
    }
}

static void hog(void *argument)
{
    struct slow *slow = argument;
    while (!atomic_load(&slow->stop)) {
    }
}

/* The server of the least priority is busy, and hogs of a middle one keep every hart: the call of the highest
 * is answered as if they were not there. */
static void a_queued_call_is_not_kept_waiting_by_hogs(void)
{
    handle_t ends[2];
    struct sk_thread server, caller, hogs[HOGS];
    uint64_t reply;
    make_channel(ends);
    struct slow slow = {.endpoint = ends[1]};
    struct one_call first = {ends[0], 1, 0, SK_OK};
    start_thread_at(&server, serve_slowly, &slow, 5);
    start_thread_at(&caller, call_once, &first, 5);
    while (!atomic_load(&slow.busy)) {
        sk_sleep(SK_MS);
    }
    for (uint32_t i = 0; i < HOGS; i++) {
        start_thread_at(&hogs[i], hog, &slow, 10);
    }
    test_status(call_word(ends[0], 2, &reply, sk_deadline_after(5 * SK_SECOND)), SK_OK);
    test_equal(reply, 2);
    atomic_store(&slow.stop, true);
    for (uint32_t i = 0; i < HOGS; i++) {
        join_thread(&hogs[i]);
    }
    join_thread(&caller);
    join_thread(&server);
    close_all(ends, 2);
}

void test_call_priority(void)
{
    self_case("call: a server runs at its callers' priority",
              a_server_runs_at_its_callers_priority);
    self_case("call: a queued call is not kept waiting by hogs of a middle priority",
              a_queued_call_is_not_kept_waiting_by_hogs);
}
