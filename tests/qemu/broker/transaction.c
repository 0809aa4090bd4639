/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connect transaction, step by step, with the service dying at each: init's own broker code
 * (services/init/broker.c) runs here, with a child as the service, and is stopped between any two
 * steps to kill it. Afterwards the client has the right answer and nothing is left over.
 */
#include <string.h>

#include "../../../services/init/broker.h"
#include "broker_test.h"
#include "guest_test.h"

#define NEVER ((enum broker_step) - 1)

static struct {
    struct broker broker;
    struct broker_service *service;
    struct broker_client client;
    struct sk_child child;
    bool alive;
    handle_t service_job, client_job;
    enum broker_step die_at;
    unsigned lost;
} it;

static void kill_service(void)
{
    uint64_t observed;
    if (it.alive) {
        it.alive = false;
        test_status(sk_process_kill(it.child.process, 0), SK_OK);
        test_status(
            sk_object_wait(it.child.process, SK_SIGNAL_TERMINATED, test_deadline(), &observed),
            SK_OK);
    }
}

static void on_step(struct broker *broker, enum broker_step step)
{
    if (step == it.die_at) {
        kill_service();
    }
}

static void on_lost(struct broker *broker, struct broker_service *service)
{
    handle_t control = service->control;
    it.lost++;
    broker_down(service);
    test_status(sk_handle_close(control), SK_OK);
}

/* A broker with one client and one service, which does `mode`. */
static void set_up(const char *mode, const char *value, enum broker_step die_at)
{
    handle_t ours = SK_HANDLE_NONE, theirs = SK_HANDLE_NONE;
    memset(&it, 0, sizeof it);
    it.die_at = die_at;
    it.broker.lost = on_lost;
    it.broker.step = on_step;
    it.service_job = test_job();
    it.client_job = test_job();
    it.client = (struct broker_client){.id = 1, .name = "client", .job = it.client_job};
    test_status(sk_channel_create(it.service_job, &ours, &theirs), SK_OK);
    struct sk_spawn_handle given = {"control:service", theirs};
    const char *arguments[] = {mode, "service", value, NULL};
    it.alive = test_status(test_spawn(it.service_job, arguments, &given, 1, &it.child), SK_OK);
    test_status(broker_add(&it.broker, "service", NULL, &it.service), SK_OK);
    broker_up(it.service, ours);
}

static void tear_down(void)
{
    kill_service();
    if (it.service->control != SK_HANDLE_NONE) {
        handle_t control = it.service->control;
        broker_down(it.service);
        sk_handle_close(control);
    }
    test_equal(it.client.unaccepted, 0);
    test_child_end(&it.child);
    test_job_end(it.service_job);
    test_job_end(it.client_job);
}

static status_t connect(handle_t *endpoint)
{
    return broker_connect(&it.broker, &it.client, it.service, endpoint);
}

static status_t call(handle_t endpoint)
{
    uint64_t words[2] = {17, 4};
    int64_t answer[2] = {-1, -1};
    struct sk_out out = sk_out_bytes(words, sizeof words);
    struct sk_in in = sk_in_bytes(answer, sizeof answer);
    status_t status = sk_channel_call(endpoint, &out, &in, test_deadline());
    if (status == SK_OK) {
        test_equal(answer[0], SK_OK);
        test_equal(answer[1], 4);
    }
    return status;
}

static void a_live_service_answers(void)
{
    handle_t endpoint;
    set_up("serve", NULL, NEVER);
    if (test_status(connect(&endpoint), SK_OK)) {
        test_status(call(endpoint), SK_OK);
        sk_handle_close(endpoint);
    }
    test_equal(it.lost, 0);
    tear_down();
}

/* Dead before its end has been sent: the send fails and decides. */
static void expect_service_down(enum broker_step die_at)
{
    handle_t endpoint;
    set_up("serve", NULL, die_at);
    test_status(connect(&endpoint), SK_SERVICE_DOWN);
    test_equal(it.lost, 1);
    test_check(it.service->control == SK_HANDLE_NONE);
    test_status(connect(&endpoint), SK_SERVICE_DOWN);
    test_equal(it.lost, 1);
    tear_down();
}

static void dead_before_the_request(void)
{
    handle_t endpoint;
    set_up("serve", NULL, NEVER);
    kill_service();
    test_status(connect(&endpoint), SK_SERVICE_DOWN);
    test_equal(it.lost, 1);
    tear_down();
}

static void dies_after_the_look_up(void)
{
    expect_service_down(BROKER_LOOKED_UP);
}

static void dies_after_the_channel_is_made(void)
{
    expect_service_down(BROKER_CREATED);
}

/* Dead after the send: the client's end shows it. */
static void dies_after_the_send(void)
{
    handle_t endpoint;
    set_up("serve", NULL, BROKER_SENT);
    if (test_status(connect(&endpoint), SK_OK)) {
        test_status(call(endpoint), SK_PEER_CLOSED);
        sk_handle_close(endpoint);
    }
    test_status(connect(&endpoint), SK_SERVICE_DOWN);
    tear_down();
}

static void dies_when_the_client_has_its_end(void)
{
    handle_t endpoint;
    set_up("serve", NULL, NEVER);
    if (test_status(connect(&endpoint), SK_OK)) {
        kill_service();
        test_status(call(endpoint), SK_PEER_CLOSED);
        sk_handle_close(endpoint);
    }
    tear_down();
}

static void exits_when_it_accepts(void)
{
    handle_t endpoint;
    set_up("serve", "1", NEVER);
    if (test_status(connect(&endpoint), SK_OK)) {
        test_status(call(endpoint), SK_PEER_CLOSED);
        sk_handle_close(endpoint);
    }
    tear_down();
}

static void dies_with_the_connection_unread_and_closed(void)
{
    handle_t endpoint;
    set_up("wait", NULL, NEVER);
    if (test_status(connect(&endpoint), SK_OK)) {
        test_equal(it.client.unaccepted, 1);
        sk_handle_close(endpoint);
    }
    tear_down();
}

/* Clients enough to fill the control queue of a service that never looks at it. */
static void a_full_control_queue_is_busy(void)
{
    enum { CLIENTS = SK_INBOX_MESSAGES_MAX / SK_INIT_UNACCEPTED_MAX + 1 };
    struct broker_client clients[CLIENTS];
    handle_t endpoints[SK_INBOX_MESSAGES_MAX], endpoint;
    unsigned connected = 0;
    set_up("wait", NULL, NEVER);
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = it.client;
        for (unsigned j = 0; j < SK_INIT_UNACCEPTED_MAX; j++) {
            status_t status = broker_connect(&it.broker, &clients[i], it.service,
                                             &endpoints[connected]);
            if (connected == SK_INBOX_MESSAGES_MAX) {
                test_status(status, SK_BUSY);
                break;
            }
            test_status(status, SK_OK);
            connected++;
        }
        test_status(broker_connect(&it.broker, &clients[i], it.service, &endpoint), SK_BUSY);
    }
    test_equal(connected, SK_INBOX_MESSAGES_MAX);
    test_equal(it.lost, 0);
    broker_forget(&it.broker, &clients[0]);
    kill_service();
    for (unsigned i = 0; i < connected; i++) {
        test_status(call(endpoints[i]), SK_PEER_CLOSED);
        sk_handle_close(endpoints[i]);
    }
    test_status(broker_connect(&it.broker, &it.client, it.service, &endpoint), SK_BUSY);
    tear_down();
    for (unsigned i = 1; i < CLIENTS; i++) {
        test_equal(clients[i].unaccepted, 0);
    }
}

/* The client pays: with each of its budgets used up the error is its own, and nothing is left. */
static void a_client_over_budget_gets_the_error(void)
{
    handle_t endpoint, rich = SK_HANDLE_NONE;
    set_up("serve", NULL, NEVER);
    rich = it.client_job;
    for (uint64_t objects = 0; objects < 4; objects++) {
        it.client.job = test_job_with((struct sk_budget){.objects = objects});
        status_t status = connect(&endpoint);
        if (status == SK_OK) {
            sk_handle_close(endpoint);
        } else {
            test_status(status, SK_OVER_BUDGET);
        }
        test_job_end(it.client.job);
    }
    it.client.job = rich;
    test_status(connect(&endpoint), SK_OK);
    sk_handle_close(endpoint);
    tear_down();
}

void transaction_tests(void)
{
    test_case("connect: a live service answers", a_live_service_answers);
    test_case("connect: the service is dead before the request", dead_before_the_request);
    test_case("connect: the service dies after the look-up", dies_after_the_look_up);
    test_case("connect: the service dies after the channel is made",
              dies_after_the_channel_is_made);
    test_case("connect: the service dies after the send", dies_after_the_send);
    test_case("connect: the service dies when the client has its end",
              dies_when_the_client_has_its_end);
    test_case("connect: the service exits when it accepts", exits_when_it_accepts);
    test_case("connect: the service dies with a closed connection unread",
              dies_with_the_connection_unread_and_closed);
    test_case("connect: the control queue is full", a_full_control_queue_is_busy);
    test_case("connect: the client is over its budget", a_client_over_budget_gets_the_error);
}
