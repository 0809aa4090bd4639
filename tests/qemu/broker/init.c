/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Init itself, by the manifest of this suite (tests/qemu/manifests/broker.manifest): every answer
 * that a connect can get, offers, limits, delegates, and requests that make no sense.
 */
#include <string.h>

#include <sk/protocol/init.h>

#include "broker_test.h"
#include "guest_test.h"

static status_t connect(const char *name, handle_t *endpoint)
{
    return sk_connect(name, test_deadline(), endpoint);
}

static void expect_refused(const char *name, status_t expected)
{
    handle_t endpoint = SK_HANDLE_NONE;
    uint64_t begin = sk_now();
    test_status(connect(name, &endpoint), expected);
    test_check(sk_now() - begin < SK_SECOND);
    test_equal(endpoint, SK_HANDLE_NONE);
}

static status_t echo(handle_t endpoint)
{
    uint64_t words[2] = {1, 99};
    int64_t answer[2] = {0};
    struct sk_out out = sk_out_bytes(words, sizeof words);
    struct sk_in in = sk_in_bytes(answer, sizeof answer);
    status_t status = sk_channel_call(endpoint, &out, &in, test_deadline());
    return status == SK_OK && answer[1] != 99 ? SK_BAD_FORMAT : status;
}

static void unknown_names_are_not_found(void)
{
    expect_refused("no-such-service", SK_NOT_FOUND);
    expect_refused("stead", SK_NOT_FOUND);
    expect_refused("", SK_INVALID_ARGS);
    expect_refused("a23456789012345678901234567890123", SK_INVALID_ARGS);
}

static void what_the_manifest_does_not_list_is_not_allowed(void)
{
    expect_refused("private", SK_NOT_ALLOWED);
}

static void a_service_that_never_started_is_down(void)
{
    expect_refused("never-started", SK_SERVICE_DOWN);
}

static void a_service_whose_program_is_missing_is_down(void)
{
    expect_refused("missing", SK_SERVICE_DOWN);
}

/* Its exit may still be under way at the first connects: those show PEER_CLOSED. */
static void a_service_that_has_exited_is_down(void)
{
    uint64_t deadline = test_deadline();
    handle_t endpoint;
    status_t status;
    while ((status = connect("exited", &endpoint)) == SK_OK && sk_now() < deadline) {
        test_status(echo(endpoint), SK_PEER_CLOSED);
        sk_handle_close(endpoint);
    }
    test_status(status, SK_SERVICE_DOWN);
}

static void a_service_that_dies_closes_its_clients(void)
{
    handle_t first, second;
    test_status(connect("fragile", &first), SK_OK);
    test_status(echo(first), SK_OK);
    test_status(connect("fragile", &second), SK_OK); /* its second connection ends it */
    test_status(echo(second), SK_PEER_CLOSED);
    test_status(echo(first), SK_PEER_CLOSED);
    expect_refused("fragile", SK_SERVICE_DOWN);
    sk_handle_close(first);
    sk_handle_close(second);
}

static void connections_come_and_go(void)
{
    for (int i = 0; i < 1000; i++) {
        handle_t endpoint;
        if (!test_status(connect("steady", &endpoint), SK_OK) ||
            !test_status(echo(endpoint), SK_OK)) {
            return;
        }
        sk_handle_close(endpoint);
    }
}

static void a_name_that_may_still_come_times_out(void)
{
    handle_t endpoint;
    uint64_t deadline = sk_deadline_after(50 * SK_MS);
    test_status(sk_connect("device0", deadline, &endpoint), SK_TIMED_OUT);
    test_check(sk_now() >= deadline);
    test_status(sk_connect("device0", sk_deadline_after(SK_MS), &endpoint), SK_TIMED_OUT);
}

/* Takes one connection off a control endpoint; acknowledges it if asked to. */
static status_t accept(handle_t control, bool acknowledge, handle_t *endpoint)
{
    struct sk_init_new_client request;
    struct sk_in in = {&request, sizeof request, endpoint, 1};
    status_t status = sk_channel_receive(control, &in, test_deadline());
    if (status == SK_OK) {
        test_equal(request.operation, SK_INIT_NEW_CLIENT);
        test_equal(in.handle_count, 1);
        test_check(strcmp(request.client_name, "test-broker") == 0);
    }
    if (status == SK_OK && acknowledge) {
        struct sk_init_accepted accepted = {SK_INIT_ACCEPTED, request.sequence};
        struct sk_out out = sk_out_bytes(&accepted, sizeof accepted);
        test_status(sk_channel_send(control, &out), SK_OK);
    }
    return status;
}

static void offers_come_and_go(void)
{
    handle_t control, again, endpoint, server;
    test_status(sk_offer("own1", sk_self_job, SK_PRIORITY_DEFAULT, &control), SK_OK);
    test_status(sk_offer("own1", sk_self_job, SK_PRIORITY_DEFAULT, &again), SK_EXISTS);
    test_status(connect("own1", &endpoint), SK_OK);
    test_status(accept(control, true, &server), SK_OK);
    sk_handle_close(server);
    test_status(echo(endpoint), SK_PEER_CLOSED);
    sk_handle_close(endpoint);
    sk_handle_close(control);
    expect_refused("own1", SK_SERVICE_DOWN);
    test_status(sk_offer("own1", sk_self_job, SK_PRIORITY_DEFAULT, &control), SK_OK);
    test_status(connect("own1", &endpoint), SK_OK);
    sk_handle_close(control);
    test_status(echo(endpoint), SK_PEER_CLOSED);
    sk_handle_close(endpoint);
    expect_refused("own1", SK_SERVICE_DOWN);
}

static void offers_need_the_manifest(void)
{
    handle_t control;
    test_status(sk_offer("other", sk_self_job, SK_PRIORITY_DEFAULT, &control), SK_NOT_ALLOWED);
    test_status(sk_offer("steady", sk_self_job, SK_PRIORITY_DEFAULT, &control), SK_NOT_ALLOWED);
    test_status(sk_no_device("steady"), SK_NOT_ALLOWED);
}

static void a_device_that_is_not_there_is_not_found(void)
{
    test_status(sk_no_device("own2"), SK_OK);
    expect_refused("own2", SK_NOT_FOUND);
}

/* Eight connections that the service has not taken, then BUSY, until it takes some. */
static void unaccepted_connections_are_bounded(void)
{
    handle_t control, endpoints[SK_INIT_UNACCEPTED_MAX], endpoint, server;
    test_status(sk_offer("own1", sk_self_job, SK_PRIORITY_DEFAULT, &control), SK_OK);
    for (unsigned i = 0; i < SK_INIT_UNACCEPTED_MAX; i++) {
        test_status(connect("own1", &endpoints[i]), SK_OK);
    }
    expect_refused("own1", SK_BUSY);
    test_status(accept(control, true, &server), SK_OK);
    sk_handle_close(server);
    /* Init may not have seen the acknowledgement yet. */
    status_t status;
    uint64_t deadline = test_deadline();
    while ((status = connect("own1", &endpoint)) == SK_BUSY && sk_now() < deadline) {
        sk_sleep(SK_MS);
    }
    test_status(status, SK_OK);
    expect_refused("own1", SK_BUSY);
    sk_handle_close(endpoint);
    sk_handle_close(control);
    for (unsigned i = 0; i < SK_INIT_UNACCEPTED_MAX; i++) {
        test_status(echo(endpoints[i]), SK_PEER_CLOSED);
        sk_handle_close(endpoints[i]);
    }
    /* The dead service's queue counts no more. */
    test_status(connect("steady", &endpoint), SK_OK);
    sk_handle_close(endpoint);
}

static status_t raw_call(handle_t endpoint, const void *request, size_t length, handle_t *handle)
{
    int64_t reply[512];
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct sk_out out = sk_out_bytes(request, length);
    struct sk_in in = {reply, sizeof reply, handles, SK_MESSAGE_HANDLES_MAX};
    status_t status = sk_channel_call(endpoint, &out, &in, test_deadline());
    if (status != SK_OK) {
        return status;
    }
    if (handle != NULL && in.handle_count == 1) {
        *handle = handles[0];
    }
    return (status_t)reply[0];
}

static status_t connect_on(handle_t endpoint, const char *name, handle_t *result)
{
    struct sk_init_connect request = {.operation = SK_INIT_CONNECT, .deadline = test_deadline()};
    strcpy(request.name, name);
    return raw_call(endpoint, &request, sizeof request, result);
}

/* Delegates are clients of their own, so together they can fill a control queue. */
static void a_full_control_queue_is_busy_at_init(void)
{
    enum { CLIENTS = SK_INBOX_MESSAGES_MAX / SK_INIT_UNACCEPTED_MAX };
    handle_t control, ways[CLIENTS + 1], endpoints[SK_INBOX_MESSAGES_MAX], more;
    unsigned count = 0;
    test_status(sk_offer("own1", sk_self_job, SK_PRIORITY_DEFAULT, &control), SK_OK);
    for (unsigned i = 0; i <= CLIENTS; i++) {
        test_status(sk_delegate("child", sk_self_job, &ways[i]), SK_OK);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned j = 0; j < SK_INIT_UNACCEPTED_MAX; j++) {
            test_status(connect_on(ways[i], "own1", &endpoints[count++]), SK_OK);
        }
    }
    test_status(connect_on(ways[CLIENTS], "own1", &more), SK_BUSY);
    test_status(connect_on(ways[CLIENTS], "steady", &more), SK_OK);
    sk_handle_close(more);
    sk_handle_close(control);
    for (unsigned i = 0; i < count; i++) {
        test_status(echo(endpoints[i]), SK_PEER_CLOSED);
        sk_handle_close(endpoints[i]);
    }
    for (unsigned i = 0; i <= CLIENTS; i++) {
        sk_handle_close(ways[i]);
    }
}

/* A child's connects go through its parent's permissions. */
static void children_connect_through_a_delegate(void)
{
    static const struct {
        const char *name;
        status_t expected;
    } cases[] = {
        {"steady", SK_OK},
        {"private", SK_NOT_ALLOWED},
        {"never-started", SK_SERVICE_DOWN},
        {"no-such-service", SK_NOT_FOUND},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const arguments[] = {"connect", cases[i].name, NULL};
        struct sk_spawn_handle given = {"init", SK_HANDLE_NONE};
        struct sk_child child;
        handle_t job = test_job();
        test_status(sk_delegate("test-child", job, &given.handle), SK_OK);
        if (test_status(test_spawn(job, arguments, &given, 1, &child), SK_OK)) {
            test_equal(test_child_end(&child).exit_code, -cases[i].expected);
        }
        test_job_end(job);
    }
}

static void nonsense_is_refused(void)
{
    struct {
        uint64_t words[8];
    } request;
    for (uint64_t operation = 0; operation < 10; operation++) {
        if (operation == SK_INIT_READY || operation == SK_INIT_SERVICES ||
            operation == SK_INIT_POWER) {
            continue;
        }
        memset(&request, 0xff, sizeof request);
        request.words[0] = operation;
        for (size_t length = 0; length <= sizeof request; length++) {
            status_t status = raw_call(sk_boot_endpoint, &request, length, NULL);
            test_check(status == SK_INVALID_ARGS || status == SK_NOT_SUPPORTED);
        }
    }
}

static void state_and_power_need_a_grant(void)
{
    struct sk_init_list list = {SK_INIT_SERVICES, 0};
    struct sk_init_power power = {SK_INIT_POWER, SK_POWER_OFF, SK_POWER_SUCCESS};
    test_status(raw_call(sk_boot_endpoint, &list, sizeof list, NULL), SK_NOT_ALLOWED);
    test_status(raw_call(sk_boot_endpoint, &power, sizeof power, NULL), SK_NOT_ALLOWED);
    power.power_operation = 7;
    test_status(raw_call(sk_boot_endpoint, &power, sizeof power, NULL), SK_INVALID_ARGS);
}

/* A request nobody waits for: init must neither keep its handles nor stumble. */
static void plain_messages_to_init_leave_nothing(void)
{
    for (int i = 0; i < 100; i++) {
        struct sk_init_offer request = {.operation = SK_INIT_OFFER, .name = "own3"};
        handle_t ours = SK_HANDLE_NONE, theirs = SK_HANDLE_NONE;
        test_status(sk_channel_create(sk_self_job, &ours, &theirs), SK_OK);
        struct sk_out out = {&request, sizeof request, &theirs, 1};
        status_t status;
        while ((status = sk_channel_send(sk_boot_endpoint, &out)) == SK_FULL) {
            sk_sleep(SK_MS);
        }
        test_status(status, SK_OK);
        sk_handle_close(ours);
    }
}

void init_tests(void)
{
    handle_t warm;
    if (connect("steady", &warm) == SK_OK) {
        sk_handle_close(warm); /* so that init's first allocations are not taken for a leak */
    }
    test_case("init: unknown names are not found", unknown_names_are_not_found);
    test_case("init: what the manifest does not list is not allowed",
              what_the_manifest_does_not_list_is_not_allowed);
    test_case("init: a service that never started is down", a_service_that_never_started_is_down);
    test_case("init: a service whose program is missing is down",
              a_service_whose_program_is_missing_is_down);
    test_case("init: a service that has exited is down", a_service_that_has_exited_is_down);
    test_case_uncounted("init: a service that dies closes its clients",
                        a_service_that_dies_closes_its_clients);
    test_case("init: 1,000 connections come and go", connections_come_and_go);
    test_case("init: a name that may still come times out", a_name_that_may_still_come_times_out);
    test_case("init: offers come and go", offers_come_and_go);
    test_case("init: offers need the manifest", offers_need_the_manifest);
    test_case("init: a device that is not there is not found",
              a_device_that_is_not_there_is_not_found);
    test_case("init: unaccepted connections are bounded", unaccepted_connections_are_bounded);
    test_case("init: a full control queue is busy", a_full_control_queue_is_busy_at_init);
    test_case("init: children connect through a delegate", children_connect_through_a_delegate);
    test_case("init: nonsense is refused", nonsense_is_refused);
    test_case("init: state and power need a grant", state_and_power_need_a_grant);
    test_case("init: plain messages leave nothing", plain_messages_to_init_leave_nothing);
}
