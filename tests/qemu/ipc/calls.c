/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls that are answered: who gets which reply, in which order, at which priority. Calls that end
 * otherwise are in call_ends.c.
 */
#include <stdatomic.h>

#include "ipc_test.h"

#define CALLERS 8u
#define SERVERS 4u
#define ROUNDS 200u
#define BATCH 3u

struct request {
    uint64_t caller, number;
};

/* Answers every call with its bytes and handles, until the other end is closed. */
static void serve_echo(void *argument)
{
    static _Thread_local uint8_t bytes[SK_MESSAGE_BYTES_MAX];
    handle_t endpoint = *(handle_t *)argument, handles[SK_MESSAGE_HANDLES_MAX];
    struct sk_out out = {.length = 0};
    token_t token = SK_TOKEN_NONE;
    for (;;) {
        status_t replied;
        struct sk_in in = {bytes, sizeof bytes, handles, SK_MESSAGE_HANDLES_MAX};
        status_t status = sk_channel_reply_receive(token, &out, &replied, endpoint, &in,
                                                   SK_DEADLINE_NEVER);
        test_status(replied, SK_OK);
        if (status != SK_OK) {
            test_status(status, SK_PEER_CLOSED);
            return;
        }
        test_check(in.is_call && in.token != SK_TOKEN_NONE);
        out = (struct sk_out){bytes, in.length, handles, in.handle_count};
        token = in.token;
    }
}

static void every_length_comes_back(void)
{
    static uint8_t sent[SK_MESSAGE_BYTES_MAX], got[SK_MESSAGE_BYTES_MAX];
    handle_t ends[2];
    struct sk_thread server;
    make_channel(ends);
    start_thread(&server, serve_echo, &ends[1]);
    for (size_t length = 0; length <= SK_MESSAGE_BYTES_MAX; length += length < 70 ? 1 : 61) {
        handle_t event = make_event(), back = SK_HANDLE_NONE;
        uint64_t id = id_of(event);
        fill(sent, length, (uint32_t)length);
        struct sk_out out = {sent, length, &event, 1};
        struct sk_in in = {got, sizeof got, &back, 1};
        if (!test_status(sk_channel_call(ends[0], &out, &in, test_deadline()), SK_OK)) {
            break;
        }
        test_equal(in.length, length);
        test_equal(in.handle_count, 1);
        test_check(!in.is_call && filled(got, length, (uint32_t)length));
        test_equal(id_of(back), id);
        test_status(sk_handle_close(back), SK_OK);
    }
    test_status(sk_handle_close(ends[0]), SK_OK);
    join_thread(&server);
    test_status(sk_handle_close(ends[1]), SK_OK);
}

/* Collects some calls, then answers them last come first served. */
static void serve_backwards(void *argument)
{
    handle_t endpoint = *(handle_t *)argument;
    struct request requests[BATCH];
    token_t tokens[BATCH];
    for (;;) {
        uint32_t count = 0;
        status_t status = SK_OK;
        while (count < BATCH) {
            struct sk_in in = sk_in_bytes(&requests[count], sizeof requests[0]);
            /* With fewer callers left than a batch, it goes on with what it has. */
            status = sk_channel_receive(endpoint, &in, sk_deadline_after(2 * SK_MS));
            if (status != SK_OK) {
                break;
            }
            tokens[count++] = in.token;
        }
        while (count-- > 0) {
            struct sk_out out = sk_out_bytes(&requests[count], sizeof requests[0]);
            test_status(sk_channel_reply(tokens[count], &out), SK_OK);
        }
        if (status == SK_PEER_CLOSED) {
            return;
        }
    }
}

struct caller {
    handle_t endpoint;
    uint64_t number;
};

static void call_often(void *argument)
{
    struct caller *caller = argument;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct request request = {caller->number, i}, reply = {~0ull, ~0ull};
        struct sk_out out = sk_out_bytes(&request, sizeof request);
        struct sk_in in = sk_in_bytes(&reply, sizeof reply);
        if (!test_status(sk_channel_call(caller->endpoint, &out, &in, test_deadline()), SK_OK) ||
            !test_equal(reply.caller, caller->number) || !test_equal(reply.number, i)) {
            return;
        }
    }
}

static void each_caller_gets_its_own_reply(void)
{
    handle_t ends[2];
    struct sk_thread callers[CALLERS], servers[SERVERS];
    struct caller arguments[CALLERS];
    make_channel(ends);
    for (uint32_t i = 0; i < SERVERS; i++) {
        start_thread(&servers[i], serve_backwards, &ends[1]);
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        arguments[i] = (struct caller){ends[0], i};
        start_thread(&callers[i], call_often, &arguments[i]);
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        join_thread(&callers[i]);
    }
    test_status(sk_handle_close(ends[0]), SK_OK);
    for (uint32_t i = 0; i < SERVERS; i++) {
        join_thread(&servers[i]);
    }
    test_status(sk_handle_close(ends[1]), SK_OK);
}

static token_t receive_call(handle_t endpoint, uint64_t expected)
{
    uint64_t word = 0;
    struct sk_in in = sk_in_bytes(&word, sizeof word);
    test_status(sk_channel_receive(endpoint, &in, test_deadline()), SK_OK);
    test_check(in.is_call);
    test_equal(word, expected);
    return in.token;
}

static void sends_and_calls_are_one_queue(void)
{
    handle_t ends[2];
    struct sk_thread threads[2];
    make_channel(ends);
    struct one_call calls[2] = {{ends[0], 1, 0, SK_OK}, {ends[0], 3, 0, SK_OK}};
    uint64_t word;
    test_status(send_word(ends[0], 0), SK_OK);
    start_thread(&threads[0], call_once, &calls[0]);
    wait_blocked(threads[0].handle);
    test_status(send_word(ends[0], 2), SK_OK);
    start_thread(&threads[1], call_once, &calls[1]);
    wait_blocked(threads[1].handle);
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_OK);
    test_equal(word, 0);
    token_t first = receive_call(ends[1], 1);
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_OK);
    test_equal(word, 2);
    token_t second = receive_call(ends[1], 3);
    test_status(reply_word(second, 33), SK_OK);
    test_status(reply_word(first, 11), SK_OK);
    join_thread(&threads[0]);
    join_thread(&threads[1]);
    test_equal(calls[0].reply, 11);
    test_equal(calls[1].reply, 33);
    close_all(ends, 2);
}

static void a_call_is_never_told_full(void)
{
    handle_t ends[2];
    struct sk_thread thread;
    uint64_t word;
    make_channel(ends);
    while (send_word(ends[0], 9) == SK_OK) {
    }
    struct one_call call = {ends[0], 1, 0, SK_PENDING};
    start_thread(&thread, call_once, &call);
    wait_blocked(thread.handle);
    for (uint32_t i = 0; i < SK_INBOX_MESSAGES_MAX; i++) {
        test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_OK);
    }
    test_status(reply_word(receive_call(ends[1], 1), 2), SK_OK);
    join_thread(&thread);
    test_status(call.status, SK_OK);
    close_all(ends, 2);
}

/* The registers after a call, whether the server was waiting already or came later. */
static void fast_and_slow_look_the_same(void)
{
    struct sk_ipc_registers results[2];
    for (int parked = 0; parked < 2; parked++) {
        handle_t ends[2];
        struct sk_thread server;
        make_channel(ends);
        if (!parked) {
            struct sk_thread caller;
            struct one_call call = {ends[0], 1, 0, SK_PENDING};
            start_thread(&caller, call_once, &call);
            wait_blocked(caller.handle);
            start_thread(&server, serve_echo, &ends[1]);
            join_thread(&caller);
            test_status(call.status, SK_OK);
            test_equal(call.reply, 1);
        } else {
            start_thread(&server, serve_echo, &ends[1]);
        }
        wait_blocked(server.handle);
        struct sk_ipc_registers r = {.a0 = ends[0], .info = 32, .words = {1, 2, 3, 4}};
        r.deadline = parked ? SK_DEADLINE_NEVER : test_deadline();
        r.in_room = SK_ROOM(32, 0);
        sk_syscall_ipc(SK_SYS_channel_call, &r);
        results[parked] = r;
        test_status(sk_handle_close(ends[0]), SK_OK);
        join_thread(&server);
        test_status(sk_handle_close(ends[1]), SK_OK);
    }
    test_check(memcmp(&results[0], &results[1], sizeof results[0]) == 0);
    test_equal(results[0].words[3], 4);
    test_equal(results[0].info, 32);
}

/* Level n answers with 1 more than level n - 1 does. */
struct level {
    handle_t own, next;
};

static void serve_level(void *argument)
{
    struct level *level = argument;
    for (;;) {
        uint64_t word;
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        if (sk_channel_receive(level->own, &in, SK_DEADLINE_NEVER) != SK_OK) {
            return;
        }
        if (level->next != SK_HANDLE_NONE) {
            test_status(call_word(level->next, word, &word, test_deadline()), SK_OK);
        }
        test_status(reply_word(in.token, word + 1), SK_OK);
    }
}

static void calls_nest(void)
{
    enum { DEPTH = 10 };
    handle_t ends[DEPTH][2];
    struct sk_thread threads[DEPTH];
    struct level levels[DEPTH];
    for (int i = 0; i < DEPTH; i++) {
        make_channel(ends[i]);
    }
    for (int i = 0; i < DEPTH; i++) {
        levels[i] = (struct level){ends[i][1], i + 1 < DEPTH ? ends[i + 1][0] : SK_HANDLE_NONE};
        start_thread(&threads[i], serve_level, &levels[i]);
    }
    for (uint64_t i = 0; i < 100; i++) {
        uint64_t reply = 0;
        test_status(call_word(ends[0][0], i, &reply, test_deadline()), SK_OK);
        test_equal(reply, i + DEPTH);
    }
    for (int i = 0; i < DEPTH; i++) {
        test_status(sk_handle_close(ends[i][0]), SK_OK);
        join_thread(&threads[i]);
        test_status(sk_handle_close(ends[i][1]), SK_OK);
    }
}

struct late {
    token_t token;
    status_t status;
};

static void answer_late(void *argument)
{
    struct late *late = argument;
    late->status = reply_word(late->token, 77);
}

/* Received by one thread, which ends; its endpoint is closed; another thread answers. */
static void receive_and_end(void *argument)
{
    struct caller *receiver = argument;
    receiver->number = receive_call(receiver->endpoint, 5);
}

static void a_token_outlives_thread_and_endpoint(void)
{
    handle_t ends[2];
    struct sk_thread caller, receiver, answerer;
    make_channel(ends);
    struct one_call call = {ends[0], 5, 0, SK_PENDING};
    struct caller received = {ends[1], 0};
    start_thread(&caller, call_once, &call);
    start_thread(&receiver, receive_and_end, &received);
    join_thread(&receiver);
    test_status(sk_handle_close(ends[1]), SK_OK);
    struct late late = {received.number, SK_PENDING};
    start_thread(&answerer, answer_late, &late);
    join_thread(&answerer);
    join_thread(&caller);
    test_status(late.status, SK_OK);
    test_status(call.status, SK_OK);
    test_equal(call.reply, 77);
    test_status(sk_handle_close(ends[0]), SK_OK);
}

static void a_token_is_good_once(void)
{
    handle_t ends[2];
    struct sk_thread caller;
    make_channel(ends);
    struct one_call call = {ends[0], 5, 0, SK_PENDING};
    start_thread(&caller, call_once, &call);
    token_t token = receive_call(ends[1], 5);
    static const uint64_t changes[] = {1, 2, 0x10000, 1ull << 63, ~0ull};
    for (size_t i = 0; i < COUNT(changes); i++) {
        test_status(reply_word(token ^ changes[i], 0), SK_NOT_FOUND);
    }
    test_status(reply_word(SK_TOKEN_NONE, 0), SK_NOT_FOUND);
    handle_t event = make_event();
    test_status(reply_word(token, 6), SK_OK);
    struct sk_out out = {.handles = &event, .handle_count = 1};
    test_status(sk_channel_reply(token, &out), SK_NOT_FOUND);
    test_check(handle_is_good(event));
    join_thread(&caller);
    test_equal(call.reply, 6);
    test_status(sk_handle_close(event), SK_OK);
    close_all(ends, 2);
}

/* A failed reply never skips the receive. */
static void reply_receive_tells_both_results(void)
{
    handle_t ends[2];
    uint64_t word = 0;
    status_t replied;
    make_channel(ends);
    struct sk_out out = sk_out_bytes(&word, sizeof word);
    struct sk_in in = sk_in_bytes(&word, sizeof word);
    test_status(send_word(ends[0], 4), SK_OK);
    test_status(sk_channel_reply_receive(0x10001, &out, &replied, ends[1], &in, SK_DEADLINE_POLL),
                SK_OK);
    test_status(replied, SK_NOT_FOUND);
    test_equal(word, 4);
    test_status(
        sk_channel_reply_receive(SK_TOKEN_NONE, NULL, &replied, ends[1], &in, SK_DEADLINE_POLL),
        SK_TIMED_OUT);
    test_status(replied, SK_OK);
    test_status(sk_channel_reply_receive(0x10001, &out, &replied, ends[1], &in, soon()),
                SK_TIMED_OUT);
    test_status(replied, SK_NOT_FOUND);
    test_status(sk_handle_close(ends[0]), SK_OK);
    test_status(sk_channel_reply_receive(0x10001, &out, &replied, ends[1], &in, soon()),
                SK_PEER_CLOSED);
    test_status(replied, SK_NOT_FOUND);
    test_status(sk_handle_close(ends[1]), SK_OK);
}

void test_calls(void)
{
    self_case("call: every length comes back", every_length_comes_back);
    self_case("call: each caller gets its own reply", each_caller_gets_its_own_reply);
    self_case("call: sends and calls are one queue", sends_and_calls_are_one_queue);
    self_case("call: never told FULL", a_call_is_never_told_full);
    self_case("call: fast and slow look the same", fast_and_slow_look_the_same);
    self_case("call: they nest", calls_nest);
    self_case("call: a token outlives thread and endpoint", a_token_outlives_thread_and_endpoint);
    self_case("call: a token is good once", a_token_is_good_once);
    self_case("call: reply-and-receive tells both results", reply_receive_tells_both_results);
}
