/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Restarts as the manifest wants them (tests/qemu/manifests/supervise.manifest): policies, pauses,
 * giving up, what depends on what, hangs, and what a connect says meanwhile.
 */
#include <string.h>

#include <child.h>
#include <guest_test.h>
#include <sk/connection.h>
#include <sk/protocol/init.h>

#include "heal_test.h"
#include "keeper.h"

static status_t connect(const char *name, handle_t *endpoint)
{
    return sk_connect(name, test_deadline(), endpoint);
}

/* Calls the service over a new connection. */
static status_t ask(const char *name, uint64_t operation, uint64_t deadline)
{
    uint64_t words[2] = {operation, 99}, answer[2] = {0};
    handle_t endpoint;
    status_t status = sk_connect(name, deadline, &endpoint);
    if (status != SK_OK) {
        return status;
    }
    struct sk_out out = sk_out_bytes(words, sizeof words);
    struct sk_in in = sk_in_bytes(answer, sizeof answer);
    status = sk_channel_call(endpoint, &out, &in, deadline);
    sk_handle_close(endpoint);
    return status == SK_OK && answer[1] != 99 ? SK_BAD_FORMAT : status;
}

static struct sk_init_service look(const char *program)
{
    static struct sk_init_services list;
    struct sk_init_list request = {SK_INIT_SERVICES, 0};
    struct sk_init_service found = {.state = UINT32_MAX};
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&list, sizeof list);
    test_status(sk_channel_call(sk_boot_endpoint, &out, &in, test_deadline()), SK_OK);
    for (uint32_t i = 0; i < list.count; i++) {
        if (strcmp(list.entries[i].program, program) == 0) {
            found = list.entries[i];
        }
    }
    return found;
}

/* Waits until the program is in the state and was started again `restarts` times. */
static void expect_state(const char *program, enum sk_init_state state, uint32_t restarts,
                         enum sk_init_cause cause)
{
    uint64_t deadline = test_deadline();
    struct sk_init_service now = look(program);
    while ((now.state != state || now.restarts != restarts || now.cause != cause) &&
           sk_now() < deadline) {
        sk_sleep(SK_MS);
        now = look(program);
    }
    test_equal(now.state, state);
    test_equal(now.restarts, restarts);
    test_equal(now.cause, cause);
}

static void always_means_always(void)
{
    uint32_t before = look("steady").restarts;
    for (uint32_t i = 1; i <= 20; i++) {
        test_status(ask("steady", 1, test_deadline()), SK_OK);
        test_status(heal_kill("steady"), SK_OK);
        expect_state("steady", SK_INIT_UP, before + i, SK_CAUSE_KILLED);
    }
    test_status(ask("steady", CHILD_CRASH, test_deadline()), SK_PEER_CLOSED);
    expect_state("steady", SK_INIT_UP, before + 21, SK_CAUSE_FAULT);
    test_status(ask("steady", 1, test_deadline()), SK_OK);
}

static void never_means_never(void)
{
    handle_t endpoint;
    test_status(ask("mortal", 1, test_deadline()), SK_OK);
    test_status(heal_kill("mortal"), SK_OK);
    expect_state("mortal", SK_INIT_FAILED, 0,
                 SK_CAUSE_KILLED); /* until then it may still be sent to */
    uint64_t begin = sk_now();
    test_status(connect("mortal", &endpoint), SK_SERVICE_DOWN);
    test_check(sk_now() - begin < SK_SECOND);
    test_status(heal_kill("mortal"), SK_BAD_STATE);
}

static void code_0_is_no_failure(void)
{
    handle_t endpoint;
    test_status(ask("content", 1, test_deadline()), SK_OK);
    test_status(ask("content", 1, test_deadline()), SK_PEER_CLOSED);
    test_status(connect("content", &endpoint), SK_SERVICE_DOWN);
    expect_state("content", SK_INIT_ENDED, 0, SK_CAUSE_EXITED);
    uint32_t before = look("tireless").restarts;
    test_status(ask("tireless", 1, test_deadline()), SK_OK);
    test_status(ask("tireless", 1, test_deadline()), SK_PEER_CLOSED);
    expect_state("tireless", SK_INIT_UP, before + 1, SK_CAUSE_EXITED);
}

/* It was tried since the system began; whoever waits for it is told when it is given up. */
static void who_never_responds_is_given_up(void)
{
    handle_t endpoint;
    status_t status;
    uint64_t begin = sk_now();
    do {
        status = sk_connect("hopeless", sk_deadline_after(30 * SK_SECOND), &endpoint);
        if (status == SK_OK) {
            sk_handle_close(endpoint); /* it was just alive */
        }
        sk_sleep(SK_MS);
    } while (status == SK_OK || status == SK_BUSY);
    test_status(status, SK_SERVICE_DOWN);
    test_check(sk_now() - begin < 25 * SK_SECOND);
    expect_state("hopeless", SK_INIT_FAILED, 7, SK_CAUSE_FAULT);
}

/* Three ends before a response make a pause of 80 ms, in which a connect has to wait. */
static void a_connect_waits_for_a_restart(void)
{
    handle_t endpoint;
    uint32_t before = look("steady").restarts;
    test_status(ask("steady", 1, test_deadline()), SK_OK);
    for (uint32_t i = 1; i <= 3; i++) {
        test_status(heal_kill("steady"), SK_OK);
        expect_state("steady", SK_INIT_UP, before + i, SK_CAUSE_KILLED);
    }
    test_status(heal_kill("steady"), SK_OK);
    expect_state("steady", SK_INIT_RESTARTING, before + 3, SK_CAUSE_KILLED);
    test_status(sk_connect("steady", SK_DEADLINE_POLL, &endpoint), SK_SERVICE_DOWN);
    uint64_t deadline = sk_deadline_after(5 * SK_MS);
    test_status(sk_connect("steady", deadline, &endpoint), SK_SERVICE_DOWN);
    test_check(sk_now() >= deadline);
    test_status(ask("steady", 1, test_deadline()), SK_OK);
    expect_state("steady", SK_INIT_UP, before + 4, SK_CAUSE_KILLED);
}

static void dependents_go_and_come_in_order(void)
{
    uint64_t middle = look("middle").process_id, top = look("top").process_id;
    uint32_t before = look("top").restarts;
    test_status(ask("top", 1, test_deadline()), SK_OK);
    test_status(heal_kill("base"), SK_OK);
    expect_state("base", SK_INIT_UP, before + 1, SK_CAUSE_KILLED);
    expect_state("middle", SK_INIT_UP, before + 1, SK_CAUSE_TORN_DOWN);
    expect_state("top", SK_INIT_UP, before + 1, SK_CAUSE_TORN_DOWN);
    test_status(ask("top", 1, test_deadline()), SK_OK);
    /* Ids grow: each was made after what it depends on. */
    struct sk_init_service b = look("base"), m = look("middle"), t = look("top");
    test_check(m.process_id > middle && t.process_id > top);
    test_check(b.process_id < m.process_id && m.process_id < t.process_id);
}

/* A dependent that ends by itself takes nobody with it, and its own policy decides. */
static void a_dependent_alone_is_not_its_bases_business(void)
{
    uint32_t before = look("base").restarts;
    test_status(heal_kill("top"), SK_OK);
    expect_state("top", SK_INIT_FAILED, look("top").restarts, SK_CAUSE_KILLED);
    expect_state("base", SK_INIT_UP, before, SK_CAUSE_KILLED);
}

/* The service spins in a call: that call times out, its client complains, and init ends it. */
static void a_service_that_spins_is_ended(void)
{
    static struct sk_connection connection = SK_CONNECTION("hanging");
    uint32_t before = look("hanging").restarts;
    uint64_t words[2] = {CHILD_SPIN, 99}, answer[2];
    struct sk_out out = sk_out_bytes(words, sizeof words);
    struct sk_in in = sk_in_bytes(answer, sizeof answer);
    test_status(ask("hanging", 1, test_deadline()), SK_OK);
    test_status(sk_connection_call(&connection, &out, &in, SK_REPEAT_UNDELIVERED,
                                   sk_deadline_after(50 * SK_MS)),
                SK_TIMED_OUT);
    expect_state("hanging", SK_INIT_UP, before + 1, SK_CAUSE_HUNG);
    words[0] = 1;
    test_status(sk_connection_call(&connection, &out, &in, SK_REPEAT_UNDELIVERED, test_deadline()),
                SK_OK);
    sk_handle_close(connection.endpoint);
    connection.endpoint = SK_HANDLE_NONE;
}

/* Who answers is not ended for a complaint, nor for a hundred. */
static void complaints_end_nobody_who_answers(void)
{
    uint32_t before = look("hanging").restarts;
    test_status(ask("hanging", 1, test_deadline()), SK_OK);
    uint64_t end = sk_deadline_after(SK_SECOND); /* more than three limits */
    while (sk_now() < end) {
        sk_complain("hanging");
        sk_sleep(10 * SK_MS);
    }
    test_status(ask("hanging", 1, test_deadline()), SK_OK);
    test_equal(look("hanging").restarts, before);
}

/* Nobody waits for it: it was told to spin, without a call that could time out. */
static void a_service_that_spins_is_found_by_itself(void)
{
    uint64_t operation = CHILD_SPIN, observed, begin = sk_now();
    struct sk_out out = sk_out_bytes(&operation, sizeof operation);
    handle_t endpoint;
    uint32_t before = look("hanging").restarts;
    test_status(connect("hanging", &endpoint), SK_OK);
    test_status(sk_channel_send(endpoint, &out), SK_OK);
    test_status(sk_object_wait(endpoint, SK_SIGNAL_PEER_CLOSED, test_deadline(), &observed), SK_OK);
    test_check(sk_now() - begin >= 300 * SK_MS);
    sk_handle_close(endpoint);
    expect_state("hanging", SK_INIT_UP, before + 1, SK_CAUSE_HUNG);
}

/* It never takes anything off its queue, and nobody connects: it was ended all the same. */
static void a_service_that_takes_nothing_is_ended(void)
{
    expect_state("deaf", SK_INIT_FAILED, 0, SK_CAUSE_HUNG);
}

static uint64_t timer_interrupts(void)
{
    struct sk_hart_info harts[8];
    uint64_t written = 0, sum = 0;
    test_status(
        sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_HARTS, harts, sizeof harts, &written),
        SK_OK);
    for (size_t i = 0; i < written / sizeof harts[0]; i++) {
        sum += harts[i].timer_interrupts;
    }
    return sum;
}

/* The looks cease a second after the last thing that anybody did: in three seconds the one timer
 * interrupt is that which ends this sleep. */
static void nobody_looks_at_an_idle_system(void)
{
    uint64_t deadline = sk_deadline_after(30 * SK_SECOND), seen;
    do {
        uint64_t before = timer_interrupts();
        sk_sleep(3 * SK_SECOND);
        seen = timer_interrupts() - before;
    } while (seen != 1 && sk_now() < deadline);
    test_equal(seen, 1);
}

/* A request that kills its service is not given to ever more of them. */
static void a_deadly_request_is_repeated_a_few_times_only(void)
{
    static struct sk_connection connection = SK_CONNECTION("steady");
    uint32_t before = look("steady").restarts;
    uint64_t words[2] = {CHILD_CRASH, 99}, answer[2];
    struct sk_out out = sk_out_bytes(words, sizeof words);
    struct sk_in in = sk_in_bytes(answer, sizeof answer);
    test_status(ask("steady", 1, test_deadline()), SK_OK);
    test_status(sk_connection_call(&connection, &out, &in, SK_REPEAT_UNDELIVERED, test_deadline()),
                SK_PEER_CLOSED);
    test_check(in.delivered);
    expect_state("steady", SK_INIT_UP, before + 1, SK_CAUSE_FAULT);
    test_status(sk_connection_call(&connection, &out, &in, SK_REPEAT_ALWAYS, test_deadline()),
                SK_PEER_CLOSED);
    expect_state("steady", SK_INIT_UP, before + 5, SK_CAUSE_FAULT);
    test_status(ask("steady", 1, test_deadline()), SK_OK);
    test_equal(connection.endpoint, SK_HANDLE_NONE);
}

/* The other side had died before the request was sent: then it may always be repeated. */
static void what_nobody_received_is_repeated(void)
{
    static struct sk_connection connection = SK_CONNECTION("steady");
    uint64_t words[2] = {1, 99}, answer[2] = {0};
    struct sk_out out = sk_out_bytes(words, sizeof words);
    struct sk_in in = sk_in_bytes(answer, sizeof answer);
    for (int i = 0; i < 10; i++) {
        answer[1] = 0;
        test_status(
            sk_connection_call(&connection, &out, &in, SK_REPEAT_UNDELIVERED, test_deadline()),
            SK_OK);
        test_equal(answer[1], 99);
        uint32_t before = look("steady").restarts;
        test_status(heal_kill("steady"), SK_OK);
        expect_state("steady", SK_INIT_UP, before + 1, SK_CAUSE_KILLED);
    }
    sk_handle_close(connection.endpoint);
    connection.endpoint = SK_HANDLE_NONE;
}

/* The keeper's answer: was its present life given what the one before had init keep? */
static uint64_t ask_keeper(uint64_t operation)
{
    uint64_t answer[2] = {0, UINT64_MAX};
    handle_t endpoint;
    if (!test_status(connect("keeper", &endpoint), SK_OK)) {
        return UINT64_MAX;
    }
    struct sk_out out = sk_out_bytes(&operation, sizeof operation);
    struct sk_in in = sk_in_bytes(answer, sizeof answer);
    test_status(sk_channel_call(endpoint, &out, &in, test_deadline()), SK_OK);
    sk_handle_close(endpoint);
    return answer[1];
}

static uint64_t pages_free(void)
{
    struct sk_system_info info = {0};
    uint64_t written;
    sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_GENERAL, &info, sizeof info, &written);
    return info.memory_free_pages;
}

/* What a device may write to is nobody else's before the next life has stopped the device. */
static void memory_for_devices_outlives_two_lives(void)
{
    test_equal(ask_keeper(KEEPER_ASK), 0);
    uint64_t before = pages_free();
    for (uint32_t i = 1; i <= 3; i++) {
        uint32_t restarts = look("keeper").restarts;
        test_status(heal_kill("keeper"), SK_OK);
        expect_state("keeper", SK_INIT_UP, restarts + 1, SK_CAUSE_KILLED);
        test_equal(ask_keeper(KEEPER_ASK), 1);
        test_check(pages_free() < before + KEEPER_PAGES / 2);
    }
    test_equal(ask_keeper(KEEPER_FREE), 1);
    uint64_t deadline = test_deadline();
    while (pages_free() < before + KEEPER_PAGES / 2 && sk_now() < deadline) {
        sk_sleep(SK_MS);
    }
    test_check(pages_free() >= before + KEEPER_PAGES / 2);
}

static void keeping_needs_devices(void)
{
    handle_t event = SK_HANDLE_NONE;
    test_status(sk_event_create(sk_self_job, &event), SK_OK);
    test_status(sk_keep("event", event), SK_NOT_ALLOWED); /* and closes it */
}

static void killing_needs_the_grant_and_a_name(void)
{
    test_status(heal_kill("no-such-program"), SK_NOT_FOUND);
    test_status(heal_kill(""), SK_INVALID_ARGS);
    /* A delegate has no grants, whatever its parent has. */
    struct sk_init_name request = {.operation = SK_INIT_KILL, .name = "steady"};
    int64_t answer = 0;
    handle_t way;
    test_status(sk_delegate("child", sk_self_job, &way), SK_OK);
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&answer, sizeof answer);
    test_status(sk_channel_call(way, &out, &in, test_deadline()), SK_OK);
    test_status((status_t)answer, SK_NOT_ALLOWED);
    sk_handle_close(way);
}

int main(void)
{
    test_case_uncounted("who never responds is given up", who_never_responds_is_given_up);
    test_case("restart always", always_means_always);
    test_case_uncounted("restart never", never_means_never);
    test_case_uncounted("restart on-failure: code 0 is none", code_0_is_no_failure);
    test_case("a connect waits for a restart until its deadline", a_connect_waits_for_a_restart);
    test_case("dependents go and come in order", dependents_go_and_come_in_order);
    test_case_uncounted("a dependent alone", a_dependent_alone_is_not_its_bases_business);
    test_case("a service that spins is ended", a_service_that_spins_is_ended);
    test_case("complaints end nobody who answers", complaints_end_nobody_who_answers);
    test_case("a service that spins is found by itself", a_service_that_spins_is_found_by_itself);
    test_case("a service that takes nothing is ended", a_service_that_takes_nothing_is_ended);
    test_case("nobody looks at an idle system", nobody_looks_at_an_idle_system);
    test_case("a deadly request is repeated a few times only",
              a_deadly_request_is_repeated_a_few_times_only);
    test_case("what nobody received is repeated", what_nobody_received_is_repeated);
    test_case_uncounted("memory for devices outlives two lives",
                        memory_for_devices_outlives_two_lives);
    test_case("keeping needs devices", keeping_needs_devices);
    test_case("killing needs the grant and a name", killing_needs_the_grant_and_a_name);
    attack_init();
    return test_done();
}
