/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server loop (userland/lib/server.c) under clients that misbehave: the others are served on.
 */
#include <string.h>

#include <sk/protocol/init.h>

#include "broker_test.h"
#include "guest_test.h"

/* A server in a child, and our end of its control channel: this test plays init. */
struct service {
    handle_t job, control;
    struct sk_child child;
    uint64_t sent;
};

static struct service start(uint64_t handles)
{
    struct service service = {.sent = 0};
    handle_t theirs = SK_HANDLE_NONE;
    const char *const arguments[] = {"serve", "service", NULL};
    service.job = test_job_with((struct sk_budget){
        .pages = 256, .objects = 256, .handles = handles, .messages = 64, .threads = 2});
    test_status(sk_channel_create(service.job, &service.control, &theirs), SK_OK);
    struct sk_spawn_handle given = {"control:service", theirs};
    test_status(test_spawn(service.job, arguments, &given, 1, &service.child), SK_OK);
    return service;
}

static void stop(struct service *service)
{
    sk_handle_close(service->control); /* the loop ends when nobody can send it clients */
    struct sk_process_info info = test_child_end(&service->child);
    test_equal(info.exit_reason, SK_EXIT_EXITED);
    test_equal(info.exit_code, 0);
    test_job_end(service->job);
}

static handle_t connect(struct service *service)
{
    handle_t ours = SK_HANDLE_NONE, theirs = SK_HANDLE_NONE;
    test_status(sk_channel_create(sk_self_job, &ours, &theirs), SK_OK);
    struct sk_init_new_client message = {
        .operation = SK_INIT_NEW_CLIENT, .sequence = ++service->sent, .client_id = 1};
    struct sk_out out = {&message, sizeof message, &theirs, 1};
    test_status(sk_channel_send(service->control, &out), SK_OK);
    return ours;
}

static status_t call(handle_t endpoint, size_t length, uint64_t deadline)
{
    uint64_t words[4] = {1, 2, 3, 4}, answer[4] = {0};
    struct sk_out out = sk_out_bytes(words, length);
    struct sk_in in = sk_in_bytes(answer, sizeof answer);
    status_t status = sk_channel_call(endpoint, &out, &in, deadline);
    return status == SK_OK ? (status_t)answer[0] : status;
}

static void short_requests_are_refused(void)
{
    struct service service = start(128);
    handle_t client = connect(&service);
    for (size_t length = 0; length < 8; length++) {
        test_status(call(client, length, test_deadline()), SK_INVALID_ARGS);
    }
    test_status(call(client, 8, test_deadline()), SK_OK);
    sk_handle_close(client);
    stop(&service);
}

/* The server's job cannot pay for eight handles: the sender goes, nobody else notices. */
static void a_message_that_cannot_be_taken_ends_its_client(void)
{
    struct service service = start(12);
    handle_t good = connect(&service), bad = connect(&service);
    test_status(call(good, 16, test_deadline()), SK_OK);
    handle_t handles[SK_MESSAGE_HANDLES_MAX], event = SK_HANDLE_NONE;
    test_status(sk_event_create(sk_self_job, &event), SK_OK);
    for (size_t i = 0; i < SK_MESSAGE_HANDLES_MAX; i++) {
        test_status(sk_handle_duplicate(event, SK_RIGHT_TRANSFER, &handles[i]), SK_OK);
    }
    uint64_t word = 1, observed = 0;
    struct sk_out out = {&word, sizeof word, handles, SK_MESSAGE_HANDLES_MAX};
    test_status(sk_channel_send(bad, &out), SK_OK);
    test_status(sk_object_wait(bad, SK_SIGNAL_PEER_CLOSED, test_deadline(), &observed), SK_OK);
    test_status(call(good, 16, test_deadline()), SK_OK);
    sk_handle_close(event);
    sk_handle_close(bad);
    sk_handle_close(good);
    stop(&service);
}

static void handles_that_nobody_takes_are_closed(void)
{
    struct service service = start(128);
    handle_t client = connect(&service);
    for (int i = 0; i < 200; i++) {
        handle_t event = SK_HANDLE_NONE;
        uint64_t word = 1;
        test_status(sk_event_create(sk_self_job, &event), SK_OK);
        struct sk_out out = {&word, sizeof word, &event, 1};
        status_t status;
        while ((status = sk_channel_send(client, &out)) == SK_FULL) {
            sk_thread_yield();
        }
        test_status(status, SK_OK);
    }
    test_status(call(client, 16, test_deadline()), SK_OK);
    sk_handle_close(client);
    stop(&service);
}

/* Ten thousand calls whose caller is gone before the answer. */
static void callers_that_do_not_wait_block_nobody(void)
{
    struct service service = start(128);
    handle_t hasty = connect(&service), patient = connect(&service);
    for (int i = 0; i < 10000; i++) {
        status_t status = call(hasty, 16, sk_now() + i % 50 * SK_US);
        test_check(status == SK_TIMED_OUT || status == SK_OK);
        if (i % 1000 == 0) {
            test_status(call(patient, 16, test_deadline()), SK_OK);
        }
    }
    sk_handle_close(hasty);
    sk_handle_close(patient);
    stop(&service);
}

static void one_process_gets_so_many_connections(void)
{
    enum { MOST = 16 };
    struct service service = start(128);
    handle_t clients[MOST + 1];
    for (int i = 0; i <= MOST; i++) {
        clients[i] = connect(&service);
        status_t status = call(clients[i], 16, test_deadline());
        test_status(status, i < MOST ? SK_OK : SK_PEER_CLOSED);
    }
    for (int i = 0; i <= MOST; i++) {
        sk_handle_close(clients[i]);
    }
    stop(&service);
}

void server_tests(void)
{
    test_case("server: short requests are refused", short_requests_are_refused);
    test_case("server: a message that cannot be taken ends its client",
              a_message_that_cannot_be_taken_ends_its_client);
    test_case("server: handles that nobody takes are closed", handles_that_nobody_takes_are_closed);
    test_case("server: callers that do not wait block nobody",
              callers_that_do_not_wait_block_nobody);
    test_case("server: one process gets so many connections", one_process_gets_so_many_connections);
}
