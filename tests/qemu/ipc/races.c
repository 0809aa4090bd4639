/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls in registers, as fast as they go, while handles are closed, threads suspended, callers and
 * servers killed: at whatever instruction that hits, the others see a documented result.
 */
#include <stdatomic.h>

#include "ipc_test.h"

#define TIME (200 * SK_MS)
#define KILLS 20u

static _Atomic bool stop;

static status_t call_number(handle_t endpoint, uint64_t number, uint64_t *reply, uint64_t deadline)
{
    struct sk_out out = sk_out_bytes(&number, sizeof number);
    struct sk_in in = sk_in_bytes(reply, sizeof *reply);
    return sk_channel_call(endpoint, &out, &in, deadline);
}

/* Answers each number with the next one until it is told PEER_CLOSED; the status is returned. */
static status_t serve_numbers(handle_t source)
{
    uint64_t word = 0, answer = 0;
    token_t token = SK_TOKEN_NONE;
    for (;;) {
        status_t replied;
        struct sk_out out = sk_out_bytes(&answer, sizeof answer);
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        status_t status = sk_channel_reply_receive(token, &out, &replied, source, &in,
                                                   SK_DEADLINE_NEVER);
        if (replied != SK_OK) {
            test_status(replied, SK_NOT_FOUND);
        }
        if (status != SK_OK || in.signals != 0) {
            return status != SK_OK ? status : SK_PEER_CLOSED;
        }
        answer = word + 1;
        token = in.token;
    }
}

static void serve(void *argument)
{
    test_status(serve_numbers(*(handle_t *)argument), SK_PEER_CLOSED);
}

static _Atomic handle_t current;

static void call_the_current(void *argument)
{
    for (uint64_t i = 0; !atomic_load(&stop); i++) {
        uint64_t reply = 0;
        status_t status = call_number(atomic_load(&current), i, &reply, SK_DEADLINE_NEVER);
        if (status == SK_OK ? !test_equal(reply, i + 1) : !test_status(status, SK_BAD_HANDLE)) {
            return;
        }
    }
}

static void closing_races_with_calls(void)
{
    handle_t ends[2];
    struct sk_thread server, callers[3];
    make_channel(ends);
    atomic_store(&stop, false);
    atomic_store(&current, ends[0]);
    start_thread(&server, serve, &ends[1]);
    for (int i = 0; i < 3; i++) {
        start_thread(&callers[i], call_the_current, NULL);
    }
    for (uint64_t end = sk_deadline_after(TIME); sk_now() < end;) {
        handle_t old = atomic_load(&current), fresh = duplicate(old, rights_of(old));
        atomic_store(&current, fresh);
        test_status(sk_handle_close(old), SK_OK);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        join_thread(&callers[i]);
    }
    test_status(sk_handle_close(atomic_load(&current)), SK_OK);
    join_thread(&server);
    test_status(sk_handle_close(ends[1]), SK_OK);
}

static void suspending_races_with_calls(void)
{
    handle_t ends[2];
    struct sk_thread server, callers[2];
    make_channel(ends);
    atomic_store(&stop, false);
    atomic_store(&current, ends[0]);
    start_thread(&server, serve, &ends[1]);
    start_thread(&callers[0], call_the_current, NULL);
    start_thread(&callers[1], call_the_current, NULL);
    for (uint64_t end = sk_deadline_after(TIME), i = 0; sk_now() < end; i++) {
        handle_t victim = i % 3 == 0 ? server.handle : callers[i % 3 - 1].handle;
        test_status(sk_thread_suspend(victim), SK_OK);
        if (i % 5 == 0) {
            sk_sleep(50 * SK_US);
        }
        test_status(sk_thread_resume(victim), SK_OK);
    }
    atomic_store(&stop, true);
    join_thread(&callers[0]);
    join_thread(&callers[1]);
    test_status(sk_handle_close(ends[0]), SK_OK);
    join_thread(&server);
    test_status(sk_handle_close(ends[1]), SK_OK);
}

/* Child: calls without end. */
int mode_hammer(int argc, char **argv)
{
    handle_t endpoint = sk_boot_handle("given");
    for (uint64_t i = 0;; i++) {
        uint64_t reply = 0;
        if (call_number(endpoint, i, &reply, SK_DEADLINE_NEVER) != SK_OK || reply != i + 1) {
            return 1;
        }
    }
}

static void callers_are_killed_at_any_time(void)
{
    uint64_t state = 5;
    handle_t job = test_job();
    for (uint32_t i = 0; i < KILLS; i++) {
        handle_t ends[2];
        struct sk_thread server;
        make_channel(ends);
        start_thread(&server, serve, &ends[1]);
        struct sk_child child = self_spawn(job, "hammer", NULL, ends[0]);
        sk_sleep(2 * SK_MS + random_next(&state) % 3000 * SK_US);
        must(sk_process_kill(child.process, 1));
        test_equal(test_child_end(&child).exit_reason, SK_EXIT_KILLED);
        join_thread(&server);
        test_status(sk_handle_close(ends[1]), SK_OK);
    }
    test_job_end(job);
}

/* Child: serves by a wait set. */
int mode_answer(int argc, char **argv)
{
    handle_t set;
    must(sk_waitset_create(sk_self_job, &set));
    must(sk_waitset_add(set, sk_boot_handle("given"), SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED,
                        1));
    return serve_numbers(set) == SK_PEER_CLOSED ? 0 : 1;
}

struct client {
    handle_t endpoint;
    uint64_t answered;
    status_t status;
};

static void call_until_it_ends(void *argument)
{
    struct client *client = argument;
    for (client->status = SK_OK; client->status == SK_OK; client->answered++) {
        uint64_t reply = client->answered + 1;
        client->status = call_number(client->endpoint, client->answered, &reply, SK_DEADLINE_NEVER);
        test_equal(reply, client->answered + 1);
    }
}

static void servers_are_killed_at_any_time(void)
{
    uint64_t state = 6;
    handle_t job = test_job();
    for (uint32_t i = 0; i < KILLS; i++) {
        handle_t ends[2];
        struct sk_thread threads[2];
        make_channel(ends);
        struct client clients[2] = {{ends[0], 0, SK_OK}, {ends[0], 0, SK_OK}};
        struct sk_child child = self_spawn(job, "answer", NULL, ends[1]);
        start_thread(&threads[0], call_until_it_ends, &clients[0]);
        start_thread(&threads[1], call_until_it_ends, &clients[1]);
        sk_sleep(2 * SK_MS + random_next(&state) % 3000 * SK_US);
        must(sk_process_kill(child.process, 1));
        test_equal(test_child_end(&child).exit_reason, SK_EXIT_KILLED);
        for (int k = 0; k < 2; k++) {
            join_thread(&threads[k]);
            test_status(clients[k].status, SK_PEER_CLOSED);
        }
        test_status(sk_handle_close(ends[0]), SK_OK);
    }
    test_job_end(job);
}

/* Replies and time-outs meet: each call is answered rightly or told TIMED_OUT. */
static void call_in_haste(void *argument)
{
    struct client *client = argument;
    uint64_t state = client->answered;
    client->answered = 0;
    for (uint64_t i = 0; !atomic_load(&stop); i++) {
        uint64_t reply = 0, deadline = sk_now() + random_next(&state) % 40 * SK_US;
        status_t status = call_number(client->endpoint, i, &reply, deadline);
        if (status == SK_OK ? !test_equal(reply, i + 1) : !test_status(status, SK_TIMED_OUT)) {
            break;
        }
        client->answered += status == SK_OK;
    }
}

static void deadlines_race_with_replies(void)
{
    handle_t ends[2];
    struct sk_thread server, callers[3];
    make_channel(ends);
    struct client clients[3];
    atomic_store(&stop, false);
    start_thread(&server, serve, &ends[1]);
    for (uint64_t i = 0; i < 3; i++) {
        clients[i] = (struct client){ends[0], i, SK_OK};
        start_thread(&callers[i], call_in_haste, &clients[i]);
    }
    sk_sleep(TIME);
    atomic_store(&stop, true);
    for (int i = 0; i < 3; i++) {
        join_thread(&callers[i]);
    }
    test_status(sk_handle_close(ends[0]), SK_OK);
    join_thread(&server);
    test_status(sk_handle_close(ends[1]), SK_OK);
}

void test_races(void)
{
    self_case("race: closing and calls", closing_races_with_calls);
    self_case("race: suspending and calls", suspending_races_with_calls);
    self_case("race: callers are killed at any time", callers_are_killed_at_any_time);
    self_case("race: servers are killed at any time", servers_are_killed_at_any_time);
    self_case("race: deadlines and replies", deadlines_race_with_replies);
}
