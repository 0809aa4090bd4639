/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of services/init/broker.c without a kernel: who is taken to hang, and who waits unaccepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sk/ipc.h>

#include "../../../../services/init/broker.h"

#define LIMIT 4000u

static status_t send_status;
static uint64_t last_operation, messages;

/* Channels are made and closed; there is no kernel behind it. */
struct sk_result sk_syscall6(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
                             uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
    assert_true(number == SK_SYS_channel_create || number == SK_SYS_handle_close);
    return (struct sk_result){.status = SK_OK, .value = {1, 2}};
}

status_t sk_channel_send(handle_t endpoint, const struct sk_out *out)
{
    memcpy(&last_operation, out->bytes, sizeof last_operation);
    messages += send_status == SK_OK;
    return send_status;
}

static struct broker broker;
static struct broker_service *service;
static struct broker_client client = {.name = "client"};

static int begin(void **state)
{
    memset(&broker, 0, sizeof broker);
    client.unaccepted = 0;
    send_status = SK_OK;
    messages = 0;
    assert_int_equal(broker_add(&broker, "name", NULL, &service), SK_OK);
    broker_up(service, 7);
    return 0;
}

static void connect(void)
{
    handle_t endpoint;
    assert_int_equal(broker_connect(&broker, &client, service, &endpoint), SK_OK);
}

/* Looks whenever the service wants it, from `from` to `to`; when it was found stuck, 0: never. */
static uint64_t look_until(uint64_t from, uint64_t to)
{
    for (uint64_t now = from; now <= to;) {
        if (broker_is_stuck(service, now, LIMIT)) {
            return now;
        }
        now = service->look > now ? service->look : now + 1;
    }
    return 0;
}

static void nobody_looks_at_an_empty_queue(void **state)
{
    assert_false(broker_is_stuck(service, 1, LIMIT));
    assert_true(service->look == SK_DEADLINE_NEVER);
    connect();
    broker_accepted(service, 1);
    assert_false(broker_is_stuck(service, 1, LIMIT));
    assert_true(service->look == SK_DEADLINE_NEVER);
}

static void the_same_message_for_a_limit_is_a_hang(void **state)
{
    connect();
    assert_int_equal(look_until(1000, 1000 + LIMIT - 1), 0);
    assert_int_equal(look_until(1000 + LIMIT, 1000000), 1000 + LIMIT);
}

static void a_slow_service_is_none(void **state)
{
    for (int i = 0; i < 10; i++) {
        connect();
        connect();
        uint64_t now = 1000 + (uint64_t)i * LIMIT;
        assert_int_equal(look_until(now, now + LIMIT - 1), 0);
        broker_accepted(service, service->accepted + 1); /* one of two: never empty */
        if (client.unaccepted >= SK_INIT_UNACCEPTED_MAX - 1) {
            break;
        }
    }
}

/* The machine stood still: that is one look, not four. */
static void a_pause_of_the_machine_is_none(void **state)
{
    connect();
    assert_false(broker_is_stuck(service, 1000, LIMIT));
    assert_false(broker_is_stuck(service, 1000 + 100 * LIMIT, LIMIT));
    broker_accepted(service, 1);
    assert_false(broker_is_stuck(service, 1000 + 101 * LIMIT, LIMIT));
}

static void a_ping_is_sent_to_who_has_nothing(void **state)
{
    broker_ping(service);
    assert_int_equal(last_operation, SK_INIT_PING);
    assert_int_equal(messages, 1);
    broker_ping(service); /* it has one already */
    assert_int_equal(messages, 1);
    assert_int_equal(look_until(1000, 1000000), 1000 + LIMIT);
    broker_accepted(service, 1);
    assert_int_equal(look_until(1000, 2000), 0);
    connect();
    broker_ping(service); /* a connection serves as well */
    assert_int_equal(messages, 2);
    send_status = SK_PEER_CLOSED;
    broker_accepted(service, 2);
    broker_ping(service);
    assert_int_equal(service->sent, 2);
}

/* Who may have been kept from running by another gets a whole limit more. */
static void looks_can_begin_anew(void **state)
{
    broker_look_anew(service, 1000, LIMIT);
    assert_true(service->look == SK_DEADLINE_NEVER); /* nothing lies there */
    connect();
    assert_int_equal(look_until(1000, 1000000), 1000 + LIMIT);
    assert_true(broker_is_stuck(service, 1000 + LIMIT, LIMIT)); /* and stays so */
    broker_look_anew(service, 1000 + LIMIT, LIMIT);
    assert_int_equal(look_until(1001 + LIMIT, 1000000), 1000 + 2 * LIMIT);
}

static void owners_are_told_of_what_they_have_put_up(void **state)
{
    broker_tell_stuck(service, "nic0");
    assert_int_equal(last_operation, SK_INIT_STUCK);
    assert_int_equal(messages, 1);
    assert_int_equal(service->sent, 0); /* it is not asked for an answer */
    broker_down(service);
    broker_tell_stuck(service, "nic0");
    broker_tell_stuck(NULL, "nic0");
    assert_int_equal(messages, 1);
}

static void the_next_life_begins_anew(void **state)
{
    connect();
    assert_int_equal(client.unaccepted, 1);
    assert_false(broker_is_stuck(service, 1000, LIMIT));
    broker_down(service);
    assert_int_equal(client.unaccepted, 0);
    assert_false(broker_is_stuck(service, 1000 + LIMIT, LIMIT));
    broker_up(service, 8);
    connect();
    assert_int_equal(look_until(9000, 1000000), 9000 + LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_looks_at_an_empty_queue, begin),
        cmocka_unit_test_setup(the_same_message_for_a_limit_is_a_hang, begin),
        cmocka_unit_test_setup(a_slow_service_is_none, begin),
        cmocka_unit_test_setup(a_pause_of_the_machine_is_none, begin),
        cmocka_unit_test_setup(a_ping_is_sent_to_who_has_nothing, begin),
        cmocka_unit_test_setup(looks_can_begin_anew, begin),
        cmocka_unit_test_setup(owners_are_told_of_what_they_have_put_up, begin),
        cmocka_unit_test_setup(the_next_life_begins_anew, begin),
    };
    return cmocka_run_group_tests_name("broker", tests, NULL, NULL);
}
