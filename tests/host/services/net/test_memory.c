/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's memory runs out, over and over: allocations fail at random while bodies pass both ways. What
 * arrives must be right, nothing may stand still, and everything must be given back at the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_net.h"

#include <lwip/mem.h>
#include <lwip/memp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>
#include <sk/socket.h>

#define FAR (~0ull >> 1)
#define PORT 8100
#define PAIRS 6
#define BODY 150000u

static unsigned failing; /* of 1,000 allocations; 0: none */

void *__real_memp_malloc(memp_t type);
void *__wrap_memp_malloc(memp_t type);
void *__real_mem_malloc(mem_size_t size);
void *__wrap_mem_malloc(mem_size_t size);

void *__wrap_memp_malloc(memp_t type)
{
    return (unsigned)rand() % 1000 < failing ? NULL : __real_memp_malloc(type);
}

void *__wrap_mem_malloc(mem_size_t size)
{
    return (unsigned)rand() % 1000 < failing ? NULL : __real_mem_malloc(size);
}

struct flow {
    struct sk_socket *socket;
    uint32_t sent, got;
    bool shut, ended;
};

static uint8_t pattern(uint32_t at)
{
    return (uint8_t)(at * 31 + at / 251);
}

/* Writes and reads what goes; true when all of it has been read, the end included. */
static bool flow_serve(struct flow *flow)
{
    uint8_t buffer[5000];
    const void *data;
    uint32_t length;

    while (flow->sent < BODY) {
        uint32_t size = BODY - flow->sent < sizeof buffer ? BODY - flow->sent
                                                          : (uint32_t)sizeof buffer;
        for (uint32_t i = 0; i < size; i++) {
            buffer[i] = pattern(flow->sent + i);
        }
        if (sk_tcp_write(flow->socket, buffer, size, &length) != SK_OK) {
            break;
        }
        flow->sent += length;
    }
    if (flow->sent == BODY && !flow->shut) {
        assert_int_equal(sk_tcp_shutdown(flow->socket), SK_OK);
        flow->shut = true;
    }
    while (!flow->ended && sk_tcp_peek(flow->socket, &data, &length) == SK_OK) {
        for (uint32_t i = 0; i < length; i++) {
            assert_int_equal(((const uint8_t *)data)[i], pattern(flow->got + i));
        }
        flow->got += length;
        flow->ended = length == 0;
        sk_tcp_consume(flow->socket, length);
    }
    return flow->ended && flow->shut;
}

/* Connects; tries again, as a failure of the service's memory is an error for the caller. */
static struct sk_socket *connect_at_last(struct sk_net *net)
{
    struct sk_socket *socket;

    for (int i = 0; i < 1000; i++) {
        if (sk_tcp_connect_wait(net, sk_net_loopback(PORT), FAR, &socket) == SK_OK) {
            return socket;
        }
    }
    fail_msg("no connection in a thousand tries");
    return NULL;
}

static struct sk_socket *accept_at_last(struct sk_net *net, struct sk_socket *listener)
{
    struct sk_socket *socket;

    for (int i = 0; i < 1000; i++) {
        if (sk_tcp_accept(listener, &socket) == SK_OK) {
            return socket;
        }
        fake_net_run(1);
        sk_net_next(net);
    }
    fail_msg("no connection came in");
    return NULL;
}

/* The listener's answer to a connection may have failed half-way: what is dead is dropped. */
static void pass_bodies(unsigned rate, unsigned seed)
{
    struct sk_net *client, *server;
    struct sk_socket *listener;
    struct flow flows[2 * PAIRS] = {{0}};

    fake_net_start();
    srand(seed);
    failing = 0;
    assert_int_equal(sk_net_open(&client, 32, FAR), SK_OK);
    assert_int_equal(sk_net_open(&server, 32, FAR), SK_OK);
    assert_int_equal(sk_tcp_listen(server, sk_net_any(PORT), 32, FAR, &listener), SK_OK);
    for (int i = 0; i < PAIRS; i++) {
        flows[2 * i].socket = connect_at_last(client);
        flows[2 * i + 1].socket = accept_at_last(server, listener);
    }
    failing = rate;
    bool done = false;
    for (int step = 0; !done && step < 20000; step++) {
        done = true;
        for (int i = 0; i < 2 * PAIRS; i++) {
            done &= flow_serve(&flows[i]);
        }
        while (sk_net_next(client) != NULL || sk_net_next(server) != NULL) {
        }
        fake_net_run(1);
    }
    failing = 0;
    for (int i = 0; i < 2 * PAIRS; i++) {
        assert_int_equal(flows[i].got, BODY);
        assert_true(flows[i].ended);
    }
    sk_net_close(client);
    sk_net_close(server);
    fake_net_run(400);
    assert_int_equal(fake_net_sockets(), 0);
    assert_int_equal(fake_net_sessions(), 0);
    assert_null(tcp_active_pcbs);
}

static void bodies_pass_though_memory_fails(void **state)
{
    static const unsigned rates[] = {1, 10, 50};

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        pass_bodies(rates[i], (unsigned)i + 1);
    }
}

static void connecting_fails_with_an_error(void **state)
{
    struct sk_net *net;
    struct sk_socket *listener, *socket;
    int good = 0, bad = 0;

    fake_net_start();
    srand(7);
    failing = 0;
    assert_int_equal(sk_net_open(&net, 32, FAR), SK_OK);
    assert_int_equal(sk_tcp_listen(net, sk_net_any(PORT), 16, FAR, &listener), SK_OK);
    for (int i = 0; i < 2000; i++) {
        failing = 100;
        if (sk_tcp_connect_wait(net, sk_net_loopback(PORT), FAR, &socket) == SK_OK) {
            good++;
            sk_socket_close(socket);
        } else {
            bad++;
        }
        while (sk_tcp_accept(listener, &socket) == SK_OK) {
            sk_socket_close(socket);
        }
        sk_net_flush(net);
        fake_net_run(1);
        while (sk_net_next(net) != NULL) {
        }
    }
    failing = 0;
    assert_true(good > 100);
    assert_true(bad > 10);
    sk_net_close(net);
    fake_net_run(400);
    assert_int_equal(fake_net_sockets(), 0);
    assert_null(tcp_active_pcbs);
}

/* Pools are as full as at the start: nothing leaked in all of the above. */
static void everything_was_given_back(void **state)
{
    fake_net_run(400);
    for (memp_t i = 0; i < MEMP_MAX; i++) {
        assert_int_equal(lwip_stats.memp[i]->used, 0);
    }
    assert_int_equal(lwip_stats.mem.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_pass_though_memory_fails),
        cmocka_unit_test(connecting_fails_with_an_error),
        cmocka_unit_test(everything_was_given_back),
    };
    return cmocka_run_group_tests_name("net-memory", tests, NULL, NULL);
}
