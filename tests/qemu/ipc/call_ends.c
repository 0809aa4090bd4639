/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that end without a good reply (the table in docs/ipc.md): where the handles are afterwards,
 * and whether DELIVERED is said.
 */
#include <stdlib.h>

#include "ipc_test.h"

#define DEAF_CALLS 1000u

static uint8_t request[200];

/* One call with an event in it. */
struct attempt {
    handle_t endpoint, event;
    void *reply;
    size_t room;
    handle_t *reply_handles;
    size_t handle_room;
    uint64_t deadline;

    status_t status;
    bool delivered;
};

static void attempt_run(void *argument)
{
    struct attempt *a = argument;
    struct sk_out out = {request, sizeof request, &a->event, 1};
    struct sk_in in = {a->reply, a->room, a->reply_handles, a->handle_room};
    a->status = sk_channel_call(a->endpoint, &out, &in, a->deadline);
    a->delivered = in.delivered;
}

static struct attempt attempt_make(handle_t endpoint, uint64_t deadline)
{
    return (struct attempt){
        .endpoint = endpoint, .event = make_event(), .deadline = deadline, .status = SK_PENDING};
}

static void expect_kept(struct attempt *a, status_t status)
{
    test_status(a->status, status);
    test_check(!a->delivered);
    test_status(sk_event_signal(a->event), SK_OK);
    test_status(sk_handle_close(a->event), SK_OK);
}

static void expect_gone(struct attempt *a, status_t status)
{
    test_status(a->status, status);
    test_check(a->delivered);
    test_check(!handle_is_good(a->event));
}

/* Receives a call of attempt_run; its event is the receiver's now. */
static token_t take_call(handle_t endpoint, handle_t *event)
{
    static uint8_t bytes[sizeof request];
    struct sk_in in = {bytes, sizeof bytes, event, 1};
    test_status(sk_channel_receive(endpoint, &in, test_deadline()), SK_OK);
    test_check(in.is_call);
    test_equal(in.length, sizeof request);
    return in.token;
}

static void a_closed_peer_refuses(void)
{
    handle_t ends[2];
    make_channel(ends);
    test_status(sk_handle_close(ends[1]), SK_OK);
    struct attempt a = attempt_make(ends[0], test_deadline());
    attempt_run(&a);
    expect_kept(&a, SK_PEER_CLOSED);
    test_status(sk_handle_close(ends[0]), SK_OK);
}

static void bad_arguments_move_nothing(void)
{
    handle_t ends[2], event = make_event();
    make_channel(ends);
    struct sk_in in = {.length = 0};
    struct sk_out out = {edge(), 64, &event, 1};
    test_status(sk_channel_call(ends[0], &out, &in, test_deadline()), SK_BAD_ADDRESS);
    out = (struct sk_out){NULL, 0, (handle_t *)8, 1};
    test_status(sk_channel_call(ends[0], &out, &in, test_deadline()), SK_BAD_ADDRESS);
    handle_t twice[2] = {event, event};
    out = (struct sk_out){NULL, 0, twice, 2};
    test_status(sk_channel_call(ends[0], &out, &in, test_deadline()), SK_INVALID_ARGS);
    out = (struct sk_out){NULL, 0, &ends[1], 1};
    test_status(sk_channel_call(ends[0], &out, &in, test_deadline()), SK_INVALID_ARGS);
    struct sk_ipc_registers r = {.a0 = ends[0], .info = SK_INFO(4097, 0), .deadline = ~0ull};
    sk_syscall_ipc(SK_SYS_channel_call, &r);
    test_status((status_t)r.a0, SK_TOO_BIG);
    test_check(handle_is_good(event));
    close_all((handle_t[]){event, ends[0], ends[1]}, 3);
}

static void a_time_out_before_it_is_received(void)
{
    handle_t ends[2];
    uint64_t word;
    make_channel(ends);
    const uint64_t deadlines[] = {SK_DEADLINE_POLL, 1, soon()};
    for (size_t i = 0; i < COUNT(deadlines); i++) {
        struct attempt a = attempt_make(ends[0], deadlines[i]);
        attempt_run(&a);
        expect_kept(&a, SK_TIMED_OUT);
        test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_TIMED_OUT);
    }
    close_all(ends, 2);
}

/* While a call waits, its handles can neither be used nor closed. */
static void handles_of_a_waiting_call_are_reserved(void)
{
    handle_t ends[2], other[2];
    struct sk_thread thread;
    make_channel(ends);
    make_channel(other);
    struct attempt a = attempt_make(ends[0], sk_deadline_after(50 * SK_MS));
    start_thread(&thread, attempt_run, &a);
    wait_blocked(thread.handle);
    test_status(sk_event_signal(a.event), SK_BAD_HANDLE);
    test_status(sk_handle_close(a.event), SK_BAD_HANDLE);
    test_status(send_handles(other[0], &a.event, 1), SK_BAD_HANDLE);
    join_thread(&thread);
    expect_kept(&a, SK_TIMED_OUT);
    close_all(ends, 2);
    close_all(other, 2);
}

static void a_time_out_after_it_was_received(void)
{
    handle_t ends[2], event;
    struct sk_thread thread;
    make_channel(ends);
    struct attempt a = attempt_make(ends[0], sk_deadline_after(50 * SK_MS));
    start_thread(&thread, attempt_run, &a);
    token_t token = take_call(ends[1], &event);
    join_thread(&thread);
    expect_gone(&a, SK_TIMED_OUT);
    struct sk_out out = {.handles = &event, .handle_count = 1};
    test_status(sk_channel_reply(token, &out), SK_NOT_FOUND);
    test_status(sk_event_signal(event), SK_OK);
    close_all((handle_t[]){event, ends[0], ends[1]}, 3);
}

static void a_close_before_it_is_received(void)
{
    handle_t ends[2];
    struct sk_thread thread;
    make_channel(ends);
    struct attempt a = attempt_make(ends[0], test_deadline());
    start_thread(&thread, attempt_run, &a);
    wait_blocked(thread.handle);
    test_status(sk_handle_close(ends[1]), SK_OK);
    join_thread(&thread);
    expect_kept(&a, SK_PEER_CLOSED);
    test_status(sk_handle_close(ends[0]), SK_OK);
}

/* Ends 0 calls, 1 serves. Closing either after the call was received changes nothing for it. */
static void close_after_it_was_received(uint32_t closed)
{
    handle_t ends[2], event, back;
    struct sk_thread thread;
    make_channel(ends);
    struct attempt a = attempt_make(ends[0], test_deadline());
    a.reply_handles = &back;
    a.handle_room = 1;
    start_thread(&thread, attempt_run, &a);
    token_t token = take_call(ends[1], &event);
    test_status(sk_handle_close(ends[closed]), SK_OK);
    struct sk_out out = {.handles = &event, .handle_count = 1};
    test_status(sk_channel_reply(token, &out), SK_OK);
    join_thread(&thread);
    test_status(a.status, SK_OK);
    close_all((handle_t[]){back, ends[1 - closed]}, 2);
}

static void a_close_after_it_was_received(void)
{
    close_after_it_was_received(1);
}

/* By another thread of the caller's. */
static void the_callers_handle_is_closed_meanwhile(void)
{
    close_after_it_was_received(0);
}

/* A reply that the caller cannot take ends the call; the server keeps what it wanted to give. */
static void a_reply_that_does_not_fit(void)
{
    static uint8_t room[4096];
    static uint8_t bytes[100];
    handle_t back;
    const struct {
        void *reply;
        size_t room;
        handle_t *handles;
        size_t handle_room;
        status_t status;
    } cases[] = {
        {room, 99, &back, 1, SK_TOO_SMALL},
        {room, 100, &back, 0, SK_TOO_SMALL},
        {(void *)16, 100, &back, 1, SK_BAD_ADDRESS},
        {room, 100, (handle_t *)16, 1, SK_BAD_ADDRESS},
        {(void *)&test_call_ends, 100, &back, 1, SK_BAD_ADDRESS}, /* read-only */
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        handle_t ends[2], event;
        struct sk_thread thread;
        make_channel(ends);
        struct attempt a = attempt_make(ends[0], test_deadline());
        a.reply = cases[i].reply;
        a.room = cases[i].room;
        a.reply_handles = cases[i].handles;
        a.handle_room = cases[i].handle_room;
        start_thread(&thread, attempt_run, &a);
        token_t token = take_call(ends[1], &event);
        struct sk_out out = {bytes, sizeof bytes, &event, 1};
        test_status(sk_channel_reply(token, &out), SK_NOT_DELIVERED);
        test_status(sk_event_signal(event), SK_OK);
        test_status(sk_channel_reply(token, &out), SK_NOT_FOUND);
        join_thread(&thread);
        expect_gone(&a, cases[i].status);
        close_all((handle_t[]){event, ends[0], ends[1]}, 3);
    }
}

/* Replies that are malformed leave the call as it is. */
static void a_malformed_reply_can_be_repeated(void)
{
    handle_t ends[2], event, back;
    struct sk_thread thread;
    make_channel(ends);
    struct attempt a = attempt_make(ends[0], test_deadline());
    a.reply_handles = &back;
    a.handle_room = 1;
    start_thread(&thread, attempt_run, &a);
    token_t token = take_call(ends[1], &event);
    struct sk_out out = {edge(), 64, &event, 1};
    test_status(sk_channel_reply(token, &out), SK_BAD_ADDRESS);
    handle_t twice[2] = {event, event};
    out = (struct sk_out){NULL, 0, twice, 2};
    test_status(sk_channel_reply(token, &out), SK_INVALID_ARGS);
    struct sk_ipc_registers r = {.info = SK_INFO(0, 9), .token = token};
    sk_syscall_ipc(SK_SYS_channel_reply, &r);
    test_status((status_t)r.a0, SK_TOO_BIG);
    out = (struct sk_out){NULL, 0, &event, 1};
    test_status(sk_channel_reply(token, &out), SK_OK);
    join_thread(&thread);
    test_status(a.status, SK_OK);
    close_all((handle_t[]){back, ends[0], ends[1]}, 3);
}

/*
 * Child: what it does with the calls on "given": "never" looks, "dies" after it has received one,
 * "tells" the token as a message and then answers when told so, "answers" and ends.
 */
int mode_server(int argc, char **argv)
{
    static uint8_t bytes[sizeof request];
    handle_t endpoint = sk_boot_handle("given"), event;
    uint64_t word = 0;
    if (strcmp(argv[1], "never") == 0) {
        return 0;
    }
    struct sk_in in = {bytes, sizeof bytes, &event, 1};
    if (sk_channel_receive(endpoint, &in, test_deadline()) != SK_OK || !in.is_call) {
        return 1;
    }
    if (strcmp(argv[1], "dies") == 0) {
        return 0;
    }
    if (strcmp(argv[1], "tells") == 0) {
        send_word(endpoint, in.token);
        receive_word(endpoint, &word, test_deadline());
    }
    struct sk_out out = {NULL, 0, &event, 1};
    return sk_channel_reply(in.token, &out) == SK_OK ? 0 : 2;
}

static void serve_in_a_child(const char *what, status_t status, bool delivered)
{
    handle_t ends[2], back = SK_HANDLE_NONE;
    struct sk_thread thread;
    make_channel(ends);
    handle_t job = test_job();
    struct attempt a = attempt_make(ends[0], test_deadline());
    a.reply_handles = &back;
    a.handle_room = 1;
    start_thread(&thread, attempt_run, &a);
    wait_blocked(thread.handle);
    struct sk_child child = self_spawn(job, "server", what, ends[1]);
    self_expect_exit(&child, 0);
    join_thread(&thread);
    if (status == SK_OK) {
        test_status(a.status, SK_OK);
        test_status(sk_handle_close(back), SK_OK);
    } else if (delivered) {
        expect_gone(&a, status);
    } else {
        expect_kept(&a, status);
    }
    test_status(sk_handle_close(ends[0]), SK_OK);
    test_job_end(job);
}

static void the_server_dies_before_it_receives(void)
{
    serve_in_a_child("never", SK_PEER_CLOSED, false);
}

static void the_server_dies_before_it_replies(void)
{
    serve_in_a_child("dies", SK_PEER_CLOSED, true);
}

static void the_server_dies_after_its_reply(void)
{
    serve_in_a_child("answers", SK_OK, false);
}

/* The server is killed while its caller waits, with another handle to its endpoint still open. */
static void a_killed_server_breaks_its_calls(void)
{
    handle_t ends[2];
    struct sk_thread thread;
    uint64_t token = 0;
    make_channel(ends);
    handle_t job = test_job(), kept = duplicate(ends[1], SK_RIGHT_READ);
    struct sk_child child = self_spawn(job, "server", "tells", ends[1]);
    struct attempt a = attempt_make(ends[0], test_deadline());
    start_thread(&thread, attempt_run, &a);
    test_status(receive_word(ends[0], &token, test_deadline()), SK_OK);
    test_status(sk_process_kill(child.process, 9), SK_OK);
    join_thread(&thread);
    expect_gone(&a, SK_PEER_CLOSED);
    test_equal(test_child_end(&child).exit_reason, SK_EXIT_KILLED);
    struct sk_out out = {.length = 0};
    test_status(sk_channel_reply(token, &out), SK_NOT_FOUND);
    close_all((handle_t[]){kept, ends[0]}, 2);
    test_job_end(job);
}

static void a_token_is_nothing_in_another_process(void)
{
    handle_t ends[2], back = SK_HANDLE_NONE;
    struct sk_thread thread;
    uint64_t token = 0;
    make_channel(ends);
    handle_t job = test_job();
    struct sk_child child = self_spawn(job, "server", "tells", ends[1]);
    struct attempt a = attempt_make(ends[0], test_deadline());
    a.reply_handles = &back;
    a.handle_room = 1;
    start_thread(&thread, attempt_run, &a);
    test_status(receive_word(ends[0], &token, test_deadline()), SK_OK);
    test_check(token != SK_TOKEN_NONE);
    struct sk_out out = {.length = 0};
    test_status(sk_channel_reply(token, &out), SK_NOT_FOUND);
    test_status(send_word(ends[0], 1), SK_OK);
    self_expect_exit(&child, 0);
    join_thread(&thread);
    test_status(a.status, SK_OK);
    close_all((handle_t[]){back, ends[0]}, 2);
    test_job_end(job);
}

/* Child: calls on "given" with an event, for ever. */
int mode_caller(int argc, char **argv)
{
    handle_t event;
    if (sk_event_create(sk_self_job, &event) != SK_OK) {
        return 1;
    }
    struct sk_out out = {request, sizeof request, &event, 1};
    struct sk_in in = {.length = 0};
    sk_channel_call(sk_boot_handle("given"), &out, &in, SK_DEADLINE_NEVER);
    return 2;
}

static void a_killed_caller_leaves_the_server_alone(void)
{
    for (int received = 0; received < 2; received++) {
        handle_t ends[2], event = SK_HANDLE_NONE;
        token_t token = SK_TOKEN_NONE;
        uint64_t word;
        make_channel(ends);
        handle_t job = test_job();
        struct sk_child child = self_spawn(job, "caller", NULL, ends[0]);
        if (received) {
            token = take_call(ends[1], &event);
        } else {
            uint64_t observed;
            test_status(sk_object_wait(ends[1], SK_SIGNAL_READABLE, test_deadline(), &observed),
                        SK_OK);
        }
        test_status(sk_process_kill(child.process, 1), SK_OK);
        test_equal(test_child_end(&child).exit_reason, SK_EXIT_KILLED);
        if (received) {
            struct sk_out out = {.handles = &event, .handle_count = 1};
            test_status(sk_channel_reply(token, &out), SK_NOT_FOUND);
            test_status(sk_event_signal(event), SK_OK);
            test_status(sk_handle_close(event), SK_OK);
        }
        test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_PEER_CLOSED);
        test_status(sk_handle_close(ends[1]), SK_OK);
        test_job_end(job);
    }
}

/* Clients that give up before they are answered cost the server nothing. */
static void call_and_give_up(void *argument)
{
    handle_t endpoint = *(handle_t *)argument;
    for (uint32_t i = 0; i < DEAF_CALLS; i++) {
        uint64_t word = i;
        struct sk_out out = sk_out_bytes(&word, sizeof word);
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        status_t status = sk_channel_call(endpoint, &out, &in, sk_now() + 20 * SK_US);
        if (status != SK_OK) {
            test_status(status, SK_TIMED_OUT);
        }
    }
    test_status(sk_handle_close(endpoint), SK_OK);
}

static void deaf_clients_do_not_hold_up_a_server(void)
{
    handle_t ends[2];
    struct sk_thread thread;
    uint64_t word;
    status_t status;
    make_channel(ends);
    start_thread(&thread, call_and_give_up, &ends[0]);
    for (;;) {
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        status = sk_channel_receive(ends[1], &in, test_deadline());
        if (status != SK_OK) {
            break;
        }
        struct sk_out out = sk_out_bytes(&word, sizeof word);
        status = sk_channel_reply(in.token, &out);
        if (status != SK_OK) {
            test_status(status, SK_NOT_FOUND);
        }
    }
    test_status(status, SK_PEER_CLOSED);
    join_thread(&thread);
    test_status(sk_handle_close(ends[1]), SK_OK);
}

void test_call_ends(void)
{
    fill(request, sizeof request, 3);
    self_case("call end: a closed peer refuses", a_closed_peer_refuses);
    self_case("call end: bad arguments move nothing", bad_arguments_move_nothing);
    self_case("call end: time-out before it is received", a_time_out_before_it_is_received);
    self_case("call end: handles of a waiting call are reserved",
              handles_of_a_waiting_call_are_reserved);
    self_case("call end: time-out after it was received", a_time_out_after_it_was_received);
    self_case("call end: a close before it is received", a_close_before_it_is_received);
    self_case("call end: a close after it was received", a_close_after_it_was_received);
    self_case("call end: the caller's handle is closed meanwhile",
              the_callers_handle_is_closed_meanwhile);
    self_case("call end: a reply that does not fit", a_reply_that_does_not_fit);
    self_case("call end: a malformed reply can be repeated", a_malformed_reply_can_be_repeated);
    self_case("call end: the server dies before it receives", the_server_dies_before_it_receives);
    self_case("call end: the server dies before it replies", the_server_dies_before_it_replies);
    self_case("call end: the server dies after its reply", the_server_dies_after_its_reply);
    self_case("call end: a killed server breaks its calls", a_killed_server_breaks_its_calls);
    self_case("call end: a token is nothing in another process",
              a_token_is_nothing_in_another_process);
    self_case("call end: a killed caller leaves the server alone",
              a_killed_caller_leaves_the_server_alone);
    self_case("call end: deaf clients do not hold up a server",
              deaf_clients_do_not_hold_up_a_server);
}
