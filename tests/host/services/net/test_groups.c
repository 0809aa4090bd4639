/* SPDX-License-Identifier: BSD-2-Clause */
/* Memberships in multicast groups: who may join, how often, and what ends a membership. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <lwip/igmp.h>

#include "fixture.h"

static struct netif netif;
static uint32_t changes; /* of which the device was told */

static err_t count_change(struct netif *of, const ip4_addr_t *group,
                          enum netif_mac_filter_action action)
{
    changes++;
    return ERR_OK;
}

static err_t start(struct netif *of)
{
    of->flags = NETIF_FLAG_IGMP;
    of->igmp_mac_filter = count_change;
    return ERR_OK;
}

static void group_of(uint8_t group[4], uint32_t number)
{
    memcpy(group, (const uint8_t[]){239, 1, (uint8_t)(number >> 8), (uint8_t)number}, 4);
}

static bool is_joined(uint32_t number)
{
    ip4_addr_t address;
    group_of((uint8_t *)&address.addr, number);
    return igmp_lookfor_group(&netif, &address) != NULL;
}

static status_t join(struct sk_socket *socket, uint32_t number)
{
    uint8_t group[4];
    group_of(group, number);
    return sk_udp_join(socket, group, SOON);
}

static status_t leave(struct sk_socket *socket, uint32_t number)
{
    uint8_t group[4];
    group_of(group, number);
    return sk_udp_leave(socket, group, SOON);
}

static struct sk_socket *open_one(struct sk_net *in)
{
    struct sk_socket *socket;
    assert_int_equal(sk_udp_open(in, sk_net_any(0), SOON, &socket), SK_OK);
    return socket;
}

static void without_a_network_there_is_no_group(void **state)
{
    struct sk_socket *socket = open_one(net);
    assert_int_equal(join(socket, 1), SK_UNREACHABLE);
    assert_int_equal(leave(socket, 1), SK_NOT_FOUND);
    sk_socket_close(socket);
    /* From here on there is one. */
    assert_non_null(netif_add_noaddr(&netif, NULL, start, netif_input));
}

static void it_ends_with_leaving_or_closing(void **state)
{
    struct sk_socket *one = open_one(net), *two = open_one(net);

    changes = 0;
    assert_int_equal(join(one, 1), SK_OK);
    assert_int_equal(join(one, 1), SK_EXISTS);
    assert_int_equal(join(two, 1), SK_OK);
    assert_int_equal(join(two, 2), SK_OK);
    assert_int_equal(changes, 2);
    assert_int_equal(leave(one, 1), SK_OK);
    assert_int_equal(leave(one, 1), SK_NOT_FOUND);
    assert_true(is_joined(1) && is_joined(2)); /* the other is in it still */
    sk_socket_close(two);
    fake_net_run(1);
    assert_false(is_joined(1) || is_joined(2));
    assert_int_equal(changes, 4);
    sk_socket_close(one);
}

static void it_ends_with_the_session(void **state)
{
    struct sk_net *other;
    assert_int_equal(sk_net_open(&other, 4, SOON), SK_OK);
    assert_int_equal(join(open_one(other), 3), SK_OK);
    assert_true(is_joined(3));
    sk_net_close(other);
    fake_net_run(1);
    assert_false(is_joined(3));
}

static void what_is_no_group_is_refused(void **state)
{
    static const uint8_t wrong[][4] = {{10, 0, 0, 1},        {223, 255, 255, 255}, {240, 0, 0, 1},
                                       {255, 255, 255, 255}, {0, 0, 0, 0},         {224, 0, 0, 1}};
    static const uint8_t first[4] = {224, 0, 0, 2}, last[4] = {239, 255, 255, 255};
    struct sk_socket *socket = open_one(net);

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(sk_udp_join(socket, wrong[i], SOON), SK_INVALID_ARGS);
        assert_int_equal(sk_udp_leave(socket, wrong[i], SOON), SK_INVALID_ARGS);
    }
    assert_int_equal(sk_udp_join(socket, first, SOON), SK_OK);
    assert_int_equal(sk_udp_join(socket, last, SOON), SK_OK);
    assert_int_equal(sk_udp_join(listener, first, SOON), SK_INVALID_ARGS);
    sk_socket_close(socket);
}

/* What a program may write that does not use the library. */
static void what_is_no_socket_is_refused(void **state)
{
    struct sk_socket *socket = open_one(net);
    struct net_session *session = fake_net_session();
    struct sk_net_group_request request = {.op = SK_NET_OP_JOIN, .ip = {239, 1, 0, 4}};

    while (request.slot < session->slots && session->sockets[request.slot].kind != NET_UDP) {
        request.slot++;
    }
    request.generation = session->sockets[request.slot].generation;
    assert_int_equal(udp_socket_join(session, &request), SK_OK);
    request.generation++;
    assert_int_equal(udp_socket_leave(session, &request), SK_INVALID_ARGS);
    assert_int_equal(udp_socket_join(session, &request), SK_INVALID_ARGS);
    request.slot = session->slots;
    assert_int_equal(udp_socket_join(session, &request), SK_INVALID_ARGS);
    request.slot = UINT32_MAX;
    assert_int_equal(udp_socket_join(session, &request), SK_INVALID_ARGS);
    sk_socket_close(socket);
    fake_net_run(1);
    assert_false(is_joined(4));
}

static void one_session_leaves_some_for_others(void **state)
{
    const uint32_t in_all = MEMP_NUM_IGMP_GROUP - 1; /* without that of all hosts */
    struct sk_net *others[MEMP_NUM_IGMP_GROUP / SK_NET_GROUPS_MAX];
    const uint32_t count = sizeof others / sizeof others[0];
    struct sk_socket *socket = NULL;
    uint32_t number = 100;

    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(sk_net_open(&others[i], 4, SOON), SK_OK);
        socket = open_one(others[i]);
        for (uint32_t k = 0; k < SK_NET_GROUPS_MAX && number < 100 + in_all; k++) {
            assert_int_equal(join(socket, number++), SK_OK);
        }
        assert_int_equal(join(socket, 99), SK_BUSY); /* of the session, at last of all */
    }
    assert_int_equal(leave(socket, number - 1), SK_OK);
    assert_int_equal(join(socket, 99), SK_OK);
    for (uint32_t i = 0; i < count; i++) {
        sk_net_close(others[i]);
    }
    fake_net_run(1);
    assert_false(is_joined(99) || is_joined(100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_network_there_is_no_group, sockets_start,
                                        sockets_stop),
        cmocka_unit_test_setup_teardown(it_ends_with_leaving_or_closing, sockets_start,
                                        sockets_stop),
        cmocka_unit_test_setup_teardown(it_ends_with_the_session, sockets_start, sockets_stop),
        cmocka_unit_test_setup_teardown(what_is_no_group_is_refused, sockets_start, sockets_stop),
        cmocka_unit_test_setup_teardown(what_is_no_socket_is_refused, sockets_start, sockets_stop),
        cmocka_unit_test_setup_teardown(one_session_leaves_some_for_others, sockets_start,
                                        sockets_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
