/* SPDX-License-Identifier: BSD-2-Clause */
/* Every way in which a call ends, by the short and by the long way; tokens; lent priority. */
#include "harness.h"

#include <string.h>

struct pair {
    struct user client, server;
    handle_t client_end, server_end;
};

static struct pair pair_make(uint32_t client_priority, uint32_t server_priority)
{
    struct pair pair = {.client = user_start(client_priority),
                        .server = user_start(server_priority)};
    handle_t end;
    channel_make(pair.client.thread, &pair.client_end, &end);
    pair.server_end = give(pair.client.thread, end, pair.server.thread);
    return pair;
}

static void pair_end(struct pair *pair)
{
    user_stop(&pair->client);
    user_stop(&pair->server);
}

static status_t call(struct pair *pair, uint64_t word, uint64_t deadline)
{
    return ipc_as(
        pair->client.thread, SK_SYS_channel_call,
        &(struct ipc){
            .handle = pair->client_end, .info = 8, .words = {word}, .deadline = deadline});
}

static status_t receive(struct pair *pair, uint64_t deadline)
{
    return ipc_as(pair->server.thread, SK_SYS_channel_reply_receive,
                  &(struct ipc){.handle = pair->server_end, .deadline = deadline});
}

static status_t reply_receive(struct pair *pair, token_t token, uint64_t word)
{
    return ipc_as(pair->server.thread, SK_SYS_channel_reply_receive,
                  &(struct ipc){.handle = pair->server_end,
                                .info = 8,
                                .words = {word},
                                .deadline = SK_DEADLINE_NEVER,
                                .token = token});
}

static token_t token_of(const struct pair *pair)
{
    return pair->server.thread->frame.arg[6];
}

/* A call that the server has received; its token. */
static token_t call_received_by_server(struct pair *pair, uint64_t deadline)
{
    assert_int_equal(receive(pair, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal(call(pair, 1, deadline), BLOCKED);
    assert_false(is_blocked(pair->server.thread));
    assert_int_equal(status_of(pair->server.thread), SK_OK);
    assert_int_equal(pair->server.thread->frame.arg[1], 8 | SK_INFO_CALL);
    return token_of(pair);
}

static void assert_call_ended(const struct pair *pair, status_t status, uint64_t info)
{
    assert_false(is_blocked(pair->client.thread));
    assert_int_equal(status_of(pair->client.thread), status);
    assert_int_equal(pair->client.thread->frame.arg[1], info);
}

static void test_by_the_reply(void **state)
{
    struct pair pair = pair_make(16, 16);
    token_t before = 0;
    call_received_by_server(&pair, SK_DEADLINE_NEVER);
    for (uint64_t i = 0; i < 100; i++) {
        token_t token = token_of(&pair);
        assert_int_not_equal(token, before);
        before = token;
        assert_int_equal(reply_receive(&pair, token, 100 + i), BLOCKED);
        assert_call_ended(&pair, SK_OK, 8);
        assert_int_equal(pair.client.thread->frame.arg[2], 100 + i);
        assert_int_equal(pair.client.thread->frame.arg[6], SK_TOKEN_NONE);
        assert_int_equal(call(&pair, i, SK_DEADLINE_NEVER), BLOCKED);
        assert_int_equal(pair.server.thread->frame.arg[2], i);
    }
    pair_end(&pair);
}

static void test_by_its_deadline(void **state)
{
    struct pair pair = pair_make(16, 16);
    assert_int_equal(call(&pair, 1, SK_DEADLINE_POLL), SK_TIMED_OUT);
    /* Queued: not delivered. */
    assert_int_equal(call(&pair, 1, clock_now_ns() + 1000), BLOCKED);
    advance_to(clock_now_ns() + 999);
    assert_true(is_blocked(pair.client.thread));
    advance_to(clock_now_ns() + 1);
    assert_call_ended(&pair, SK_TIMED_OUT, 0);
    assert_int_equal(receive(&pair, SK_DEADLINE_POLL), SK_TIMED_OUT);
    /* Received: delivered, and the reply comes too late. */
    token_t token = call_received_by_server(&pair, clock_now_ns() + SCHED_PERIOD_NS * 3);
    advance_to(clock_now_ns() + SCHED_PERIOD_NS * 3);
    assert_call_ended(&pair, SK_TIMED_OUT, SK_INFO_DELIVERED);
    assert_int_equal(reply_receive(&pair, token, 5), BLOCKED);
    assert_int_equal(call(&pair, 6, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal((status_t)pair.server.thread->frame.extra[1], SK_NOT_FOUND);
    pair_end(&pair);
}

/* The reply's status is told also when there is nothing to receive from. */
static void test_reply_without_a_receive(void **state)
{
    struct pair pair = pair_make(16, 16);
    token_t token = call_received_by_server(&pair, SK_DEADLINE_NEVER);
    struct ipc ipc = {.handle = SK_HANDLE_NONE, .info = 8, .token = token};
    for (uint32_t round = 0; round < 2; round++) {
        assert_int_equal(ipc_as(pair.server.thread, SK_SYS_channel_reply_receive, &ipc),
                         SK_BAD_HANDLE);
        assert_int_equal((status_t)pair.server.thread->frame.extra[1],
                         round == 0 ? SK_OK : SK_NOT_FOUND);
    }
    pair_end(&pair);
}

static void test_by_the_end_of_the_server(void **state)
{
    for (uint32_t queued = 0; queued < 2; queued++) {
        struct pair pair = pair_make(16, 16);
        if (queued) {
            assert_int_equal(call(&pair, 1, SK_DEADLINE_NEVER), BLOCKED);
        } else {
            call_received_by_server(&pair, SK_DEADLINE_NEVER);
        }
        user_stop(&pair.server);
        assert_call_ended(&pair, SK_PEER_CLOSED, queued ? 0 : SK_INFO_DELIVERED);
        assert_int_equal(call(&pair, 1, SK_DEADLINE_NEVER), SK_PEER_CLOSED);
        user_stop(&pair.client);
    }
}

/* Closing the end does not break a call that was received from it: the token still answers. */
static void test_not_by_closing_the_servers_end(void **state)
{
    struct pair pair = pair_make(16, 16);
    token_t token = call_received_by_server(&pair, SK_DEADLINE_NEVER);
    assert_int_equal(syscall_as(pair.server.thread, SK_SYS_handle_close, pair.server_end), SK_OK);
    assert_true(is_blocked(pair.client.thread));
    assert_int_equal(ipc_as(pair.server.thread, SK_SYS_channel_reply,
                            &(struct ipc){.info = 8, .words = {9}, .token = token}),
                     SK_OK);
    assert_call_ended(&pair, SK_OK, 8);
    pair_end(&pair);
}

static void test_by_the_end_of_the_caller(void **state)
{
    struct pair pair = pair_make(16, 16);
    token_t token = call_received_by_server(&pair, SK_DEADLINE_NEVER);
    user_stop(&pair.client);
    assert_int_equal(
        ipc_as(pair.server.thread, SK_SYS_channel_reply, &(struct ipc){.info = 8, .token = token}),
        SK_NOT_FOUND);
    assert_int_equal(receive(&pair, SK_DEADLINE_NEVER), SK_PEER_CLOSED);
    user_stop(&pair.server);
}

static void test_tokens_are_exact(void **state)
{
    struct pair pair = pair_make(16, 16);
    struct user other = user_start(16);
    token_t token = call_received_by_server(&pair, SK_DEADLINE_NEVER);
    const token_t wrong[] = {0,
                             1,
                             token + (1ull << TOKEN_SLOT_BITS),
                             token + 1,
                             token - 1,
                             token | 1ull << 63,
                             ~0ull,
                             token ^ 0xffff};
    for (uint32_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(ipc_as(pair.server.thread, SK_SYS_channel_reply,
                                &(struct ipc){.info = 8, .token = wrong[i]}),
                         SK_NOT_FOUND);
    }
    assert_int_equal(
        ipc_as(other.thread, SK_SYS_channel_reply, &(struct ipc){.info = 8, .token = token}),
        SK_NOT_FOUND);
    assert_true(is_blocked(pair.client.thread));
    assert_int_equal(
        ipc_as(pair.server.thread, SK_SYS_channel_reply, &(struct ipc){.info = 8, .token = token}),
        SK_OK);
    assert_int_equal(
        ipc_as(pair.server.thread, SK_SYS_channel_reply, &(struct ipc){.info = 8, .token = token}),
        SK_NOT_FOUND);
    user_stop(&other);
    pair_end(&pair);
}

/* A handle in a call that nobody receives is back in its slot; in one that was received, gone. */
static void test_handles_of_calls_that_fail(void **state)
{
    struct pair pair = pair_make(16, 16);
    struct thread *client = pair.client.thread;
    vaddr_t page = map_pages(client, 1, SK_PROT_READ | SK_PROT_WRITE, NULL);
    vaddr_t server_page = map_pages(pair.server.thread, 1, SK_PROT_READ | SK_PROT_WRITE, NULL);
    assert_int_equal(syscall_as(client, SK_SYS_event_create, pair.client.job_handle), SK_OK);
    handle_t event = (handle_t)value_of(client, 0);
    assert_true(user_write(client, page, &event, sizeof event));
    const struct ipc out = {.handle = pair.client_end,
                            .info = SK_INFO(8, 1),
                            .out_handles = page,
                            .deadline = clock_now_ns() + 5000};
    assert_int_equal(ipc_as(client, SK_SYS_channel_call, &out), BLOCKED);
    advance_to(clock_now_ns() + 5000);
    assert_call_ended(&pair, SK_TIMED_OUT, 0);
    assert_int_equal(syscall_as(client, SK_SYS_event_signal, event), SK_OK);

    struct ipc again = out;
    again.deadline = clock_now_ns() + 5000;
    assert_int_equal(ipc_as(client, SK_SYS_channel_call, &again), BLOCKED);
    assert_int_equal(ipc_as(pair.server.thread, SK_SYS_channel_receive,
                            &(struct ipc){.handle = pair.server_end, .in_room = SK_ROOM(32, 0)}),
                     SK_TOO_SMALL);
    assert_int_equal(ipc_as(pair.server.thread, SK_SYS_channel_receive,
                            &(struct ipc){.handle = pair.server_end,
                                          .in_room = SK_ROOM(32, 1),
                                          .in_handles = server_page}),
                     SK_OK);
    advance_to(clock_now_ns() + 5000);
    assert_call_ended(&pair, SK_TIMED_OUT, SK_INFO_DELIVERED);
    assert_int_equal(syscall_as(client, SK_SYS_event_signal, event), SK_BAD_HANDLE);
    pair_end(&pair);
}

static void test_killed_in_the_midst(void **state)
{
    for (uint32_t round = 0; round < 3; round++) {
        struct pair pair = pair_make(16, 16);
        struct thread *second = user_thread(&pair.client, 16);
        struct census before = census_take(&pair.server);
        if (round == 0) {
            call_received_by_server(&pair, SK_DEADLINE_NEVER);
        } else if (round == 1) {
            assert_int_equal(call(&pair, 1, SK_DEADLINE_NEVER), BLOCKED);
        } else {
            assert_int_equal(receive(&pair, SK_DEADLINE_NEVER), BLOCKED);
        }
        struct thread *victim = round == 2 ? pair.server.thread : pair.client.thread;
        thread_kill(victim);
        for (uint32_t turn = 0; turn < 10 && !is_dead(victim); turn++) {
            settle();
            advance_to(clock_now_ns() + SCHED_PERIOD_NS);
        }
        assert_true(is_dead(victim));
        if (round < 2) {
            run(second); /* the process lives on */
            assert_int_equal(before.messages, message_live);
            user_stop(&pair.server);
        } else {
            user_forget(&pair.server); /* that was its last thread */
        }
        user_stop(&pair.client);
    }
}

/* The client, which has more right to run, to the other hart. */
static void client_aside(struct pair *pair)
{
    on_hart(1);
    run(pair->client.thread);
    on_hart(0);
}

static void test_priority_is_lent(void **state)
{
    struct pair pair = pair_make(20, 10);
    struct thread *client = pair.client.thread, *server = pair.server.thread;
    client_aside(&pair);
    assert_int_equal(server->priority, 10);
    assert_int_equal(receive(&pair, SK_DEADLINE_NEVER), BLOCKED);
    on_hart(1);
    assert_int_equal(call(&pair, 1, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal(server->priority, 20);
    assert_int_equal(thread_set_priority(server, 12), SK_OK);
    assert_int_equal(server->priority, 20);
    on_hart(0);
    assert_int_equal(reply_receive(&pair, token_of(&pair), 1), BLOCKED);
    assert_int_equal(server->priority, 12);
    assert_call_ended(&pair, SK_OK, 8);
    assert_int_equal(client->priority, 20);
    /* Ended by time, it is taken back as well. */
    assert_int_equal(call(&pair, 1, clock_now_ns() + 100), BLOCKED);
    assert_int_equal(server->priority, 20);
    advance_to(clock_now_ns() + 100);
    assert_call_ended(&pair, SK_TIMED_OUT, SK_INFO_DELIVERED);
    assert_int_equal(server->priority, 12);
    pair_end(&pair);
}

static int by_the_short_way(void **state)
{
    ipc_slow = false;
    return census_setup(state);
}

static int by_the_long_way(void **state)
{
    ipc_slow = true;
    return census_setup(state);
}

#define TEST(name)                                                                                 \
    {#name ", short way", name, by_the_short_way, census_teardown, NULL},                          \
    {                                                                                              \
#name ", long way", name, by_the_long_way, census_teardown, NULL                           \
    }

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        TEST(test_by_the_reply),
        TEST(test_by_its_deadline),
        TEST(test_reply_without_a_receive),
        TEST(test_by_the_end_of_the_server),
        TEST(test_not_by_closing_the_servers_end),
        TEST(test_by_the_end_of_the_caller),
        TEST(test_tokens_are_exact),
        TEST(test_handles_of_calls_that_fail),
        TEST(test_killed_in_the_midst),
        TEST(test_priority_is_lent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
