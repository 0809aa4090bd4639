/* SPDX-License-Identifier: BSD-2-Clause */
/* Priority lent by queued calls and along chains of them. */
#include "harness.h"

#include <ipc/lend.h>

#define LOW 5u
#define HIGH 25u
#define CHAIN (LEND_DEPTH + 2u)

/* A client's end and a server's of one channel. */
struct link {
    handle_t client_end, server_end;
};

static struct link link_make(struct thread *client, struct thread *server)
{
    struct link link;
    handle_t end;
    channel_make(client, &link.client_end, &end);
    link.server_end = give(client, end, server);
    return link;
}

static status_t call(struct thread *client, handle_t end, uint64_t deadline)
{
    return ipc_as(client, SK_SYS_channel_call,
                  &(struct ipc){.handle = end, .info = 8, .deadline = deadline});
}

/* The client is on a hart of its own, so that it never keeps the servers from running. */
static struct user client_start(void)
{
    struct user client = user_start(HIGH);
    on_hart(1);
    run(client.thread);
    on_hart(0);
    return client;
}

static status_t client_call(struct user *client, handle_t end, uint64_t deadline)
{
    on_hart(1);
    status_t status = call(client->thread, end, deadline);
    on_hart(0);
    return status;
}

static status_t answer(struct thread *server, handle_t source, token_t token, uint64_t deadline)
{
    return ipc_as(server, SK_SYS_channel_reply_receive,
                  &(struct ipc){.handle = source, .info = 8, .deadline = deadline, .token = token});
}

static status_t receive(struct thread *server, handle_t source, uint64_t deadline)
{
    return answer(server, source, SK_TOKEN_NONE, deadline);
}

/* A server that is busy with nobody's call is lent what a queued call has, and keeps it while it serves. */
static void test_queued_call_raises_its_server(void **state)
{
    struct user client = client_start(), server = user_start(LOW), other = user_start(LOW);
    on_hart(1);
    struct link link = link_make(client.thread, server.thread);
    on_hart(0);
    assert_int_equal(receive(server.thread, link.server_end, SK_DEADLINE_POLL), SK_TIMED_OUT);
    assert_int_equal(server.thread->priority, LOW);
    assert_int_equal(client_call(&client, link.client_end, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal(server.thread->priority, HIGH);
    assert_int_equal(other.thread->priority, LOW);
    assert_int_equal(receive(server.thread, link.server_end, SK_DEADLINE_NEVER), SK_OK);
    assert_int_equal(server.thread->priority, HIGH);
    token_t token = server.thread->frame.arg[6];
    assert_int_equal(answer(server.thread, link.server_end, token, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal(server.thread->priority, LOW);
    assert_int_equal(status_of(client.thread), SK_OK);
    user_stop(&client);
    user_stop(&server);
    user_stop(&other);
}

static void test_queued_call_raises_through_a_wait_set(void **state)
{
    struct user client = client_start(), server = user_start(LOW);
    on_hart(1);
    struct link link = link_make(client.thread, server.thread);
    on_hart(0);
    assert_int_equal(syscall_as(server.thread, SK_SYS_waitset_create, server.job_handle), SK_OK);
    handle_t set = (handle_t)value_of(server.thread, 0);
    assert_int_equal(
        syscall_as(server.thread, SK_SYS_waitset_add, set, link.server_end, SK_SIGNAL_READABLE, 7),
        SK_OK);
    assert_int_equal(receive(server.thread, set, SK_DEADLINE_POLL), SK_TIMED_OUT);
    assert_int_equal(client_call(&client, link.client_end, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal(server.thread->priority, HIGH);
    assert_int_equal(receive(server.thread, set, SK_DEADLINE_NEVER), SK_OK);
    token_t token = server.thread->frame.arg[6];
    assert_int_equal(answer(server.thread, set, token, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal(server.thread->priority, LOW);
    user_stop(&client);
    user_stop(&server);
}

/* The lender gives up, or what it called is closed: nothing is lent once the server looks again. */
static void test_what_is_lent_comes_back(void **state)
{
    struct user client = client_start(), server = user_start(LOW);
    on_hart(1);
    struct link link = link_make(client.thread, server.thread);
    on_hart(0);
    assert_int_equal(receive(server.thread, link.server_end, SK_DEADLINE_POLL), SK_TIMED_OUT);
    assert_int_equal(client_call(&client, link.client_end, clock_now_ns() + 100), BLOCKED);
    assert_int_equal(server.thread->priority, HIGH);
    advance_to(clock_now_ns() + 100);
    assert_int_equal(status_of(client.thread), SK_TIMED_OUT);
    assert_int_equal(receive(server.thread, link.server_end, clock_now_ns() + 100), BLOCKED);
    assert_int_equal(server.thread->priority, LOW);
    advance_to(clock_now_ns() + 100);
    assert_int_equal(client_call(&client, link.client_end, SK_DEADLINE_NEVER), BLOCKED);
    assert_int_equal(server.thread->priority, HIGH);
    assert_int_equal(syscall_as(server.thread, SK_SYS_handle_close, link.server_end), SK_OK);
    assert_int_equal(server.thread->priority, LOW);
    assert_int_equal(status_of(client.thread), SK_PEER_CLOSED);
    user_stop(&client);
    user_stop(&server);
}

/* thread[i] serves thread[i - 1] and calls thread[i + 1]; then the first is called from above. */
static void chain_test(bool served)
{
    struct user user[CHAIN], client = client_start();
    struct link link[CHAIN];
    for (uint32_t i = 0; i < CHAIN; i++) {
        user[i] = user_start(LOW);
    }
    on_hart(1);
    link[0] = link_make(client.thread, user[0].thread);
    on_hart(0);
    for (uint32_t i = 1; i < CHAIN; i++) {
        link[i] = link_make(user[i - 1].thread, user[i].thread);
    }
    for (uint32_t i = CHAIN; i-- > 0;) {
        uint64_t deadline = served && i > 0 ? SK_DEADLINE_NEVER : SK_DEADLINE_POLL;
        assert_int_equal(receive(user[i].thread, link[i].server_end, deadline),
                         deadline == SK_DEADLINE_POLL ? SK_TIMED_OUT : BLOCKED);
    }
    for (uint32_t i = 1; i < CHAIN; i++) {
        assert_int_equal(call(user[i - 1].thread, link[i].client_end, SK_DEADLINE_NEVER), BLOCKED);
    }
    assert_int_equal(client_call(&client, link[0].client_end, SK_DEADLINE_NEVER), BLOCKED);
    for (uint32_t i = 0; i < CHAIN; i++) {
        assert_int_equal(user[i].thread->priority, i <= LEND_DEPTH ? HIGH : LOW);
    }
    user_stop(&client);
    for (uint32_t i = 0; i < CHAIN; i++) {
        user_stop(&user[i]);
    }
}

static void test_chain_of_queued_calls(void **state)
{
    chain_test(false);
}

static void test_chain_of_served_calls(void **state)
{
    chain_test(true);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, census_setup, census_teardown)

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        TEST(test_queued_call_raises_its_server), TEST(test_queued_call_raises_through_a_wait_set),
        TEST(test_what_is_lent_comes_back),       TEST(test_chain_of_queued_calls),
        TEST(test_chain_of_served_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
