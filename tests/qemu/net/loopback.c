/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections within the machine: one of everything. */
#include "net_test.h"

#define PORT 7100

static void refused(void)
{
    struct sk_net *net = net_session(4);
    struct sk_socket *socket;

    for (int i = 0; net != NULL && i < 100; i++) {
        if (!test_status(sk_tcp_connect_wait(net, sk_net_loopback(PORT), test_deadline(), &socket),
                         SK_CONNECTION_REFUSED)) {
            break;
        }
    }
    sk_net_close(net);
}

static void unreachable_and_wrong(void)
{
    struct sk_net *net = net_session(4);
    struct sk_socket *socket, *listener;
    struct sk_net_address foreign = {.ip = {203, 0, 113, 7}, .port = PORT};

    if (net != NULL) {
        test_status(sk_tcp_listen(net, sk_net_any(80), 8, test_deadline(), &socket),
                    SK_NOT_ALLOWED);
        test_status(sk_udp_open(net, sk_net_any(1023), test_deadline(), &socket), SK_NOT_ALLOWED);
        test_status(sk_tcp_connect(net, sk_net_loopback(0), test_deadline(), &socket),
                    SK_INVALID_ARGS);
        test_status(sk_tcp_listen(net, foreign, 8, test_deadline(), &socket), SK_UNREACHABLE);
        test_status(sk_tcp_listen(net, sk_net_any(PORT), 8, test_deadline(), &listener), SK_OK);
        test_status(sk_tcp_listen(net, sk_net_any(PORT), 8, test_deadline(), &socket),
                    SK_ADDRESS_IN_USE);
    }
    sk_net_close(net);
}

/* Both ends, and the waiting for both, in one thread. */
static void self_connect(void)
{
    struct sk_net *net = net_session(4);
    struct sk_socket *listener, *client, *server;
    char text[8];
    uint32_t length;

    if (net != NULL &&
        test_status(sk_tcp_listen(net, sk_net_any(PORT), 8, test_deadline(), &listener), SK_OK) &&
        test_status(sk_tcp_connect_wait(net, sk_net_loopback(PORT), test_deadline(), &client),
                    SK_OK)) {
        sk_socket_wait_for(listener, SK_SOCKET_READABLE, test_deadline(), NULL);
        test_status(sk_tcp_accept(listener, &server), SK_OK);
        test_status(sk_tcp_write_all(client, "to me", 5, test_deadline()), SK_OK);
        test_status(sk_tcp_read_wait(server, text, sizeof text, test_deadline(), &length), SK_OK);
        test_check(length == 5 && memcmp(text, "to me", 5) == 0);
        sk_socket_close(server);
        test_status(sk_tcp_read_wait(client, text, sizeof text, test_deadline(), &length), SK_OK);
        test_equal(length, 0);
    }
    sk_net_close(net);
}

static uint8_t pattern(uint32_t at)
{
    return (uint8_t)(at * 31 + at / 251);
}

/* A megabyte through the echo server, every byte compared; reading and writing at once. */
static void megabyte(void)
{
    const uint32_t total = 1 << 20;
    struct net_echo echo;
    struct sk_net *net = net_session(4);
    struct sk_socket *socket, *reported;
    uint32_t sent = 0, got = 0, wrong = 0;

    if (net == NULL || !net_echo_start(&echo, PORT)) {
        sk_net_close(net);
        return;
    }
    if (test_status(sk_tcp_connect_wait(net, sk_net_loopback(PORT), test_deadline(), &socket),
                    SK_OK)) {
        while (got < total) {
            void *space;
            const void *data;
            uint32_t room, length;
            while (sent < total && sk_tcp_reserve(socket, &space, &room) == SK_OK) {
                room = room < total - sent ? room : total - sent;
                for (uint32_t i = 0; i < room; i++) {
                    ((uint8_t *)space)[i] = pattern(sent + i);
                }
                sk_tcp_commit(socket, room);
                sent += room;
            }
            if (!test_status(sk_net_wait(net, net_deadline(), &reported), SK_OK)) {
                break;
            }
            while (sk_tcp_peek(socket, &data, &length) == SK_OK && length > 0) {
                for (uint32_t i = 0; i < length; i++) {
                    wrong += ((const uint8_t *)data)[i] != pattern(got + i);
                }
                sk_tcp_consume(socket, length);
                got += length;
            }
        }
        test_equal(got, total);
        test_equal(wrong, 0);
        sk_socket_close(socket);
    }
    net_echo_stop(&echo);
    sk_net_close(net);
}

static void half_close(void)
{
    struct net_echo echo;
    struct sk_net *net = net_session(4);
    struct sk_socket *socket;
    char text[16];
    uint32_t length = 0;

    if (net == NULL || !net_echo_start(&echo, PORT)) {
        sk_net_close(net);
        return;
    }
    if (test_status(sk_tcp_connect_wait(net, sk_net_loopback(PORT), test_deadline(), &socket),
                    SK_OK)) {
        test_status(sk_tcp_write_all(socket, "last", 4, test_deadline()), SK_OK);
        test_status(sk_tcp_shutdown(socket), SK_OK);
        test_status(sk_tcp_read_wait(socket, text, sizeof text, test_deadline(), &length), SK_OK);
        test_check(length == 4 && memcmp(text, "last", 4) == 0);
        test_status(sk_tcp_read_wait(socket, text, sizeof text, test_deadline(), &length), SK_OK);
        test_equal(length, 0);
        sk_socket_close(socket);
    }
    net_echo_stop(&echo);
    sk_net_close(net);
}

static void datagrams(void)
{
    struct sk_net *net = net_session(4);
    struct sk_socket *one, *two;
    struct sk_net_address from;
    char text[16];
    uint32_t length;

    if (net != NULL &&
        test_status(sk_udp_open(net, sk_net_any(PORT), test_deadline(), &one), SK_OK) &&
        test_status(sk_udp_open(net, sk_net_any(0), test_deadline(), &two), SK_OK)) {
        for (int i = 0; i < 200; i++) {
            if (!test_status(sk_udp_send(two, sk_net_loopback(PORT), &i, sizeof i), SK_OK) ||
                !test_status(sk_socket_wait_for(one, SK_SOCKET_READABLE, test_deadline(), NULL),
                             SK_OK) ||
                !test_status(sk_udp_receive(one, &from, text, sizeof text, &length), SK_OK)) {
                break;
            }
            test_check(length == sizeof i && memcmp(text, &i, sizeof i) == 0);
        }
    }
    sk_net_close(net);
}

static void names(void)
{
    struct sk_net *net = net_session(1);
    uint8_t ip[4];

    if (net != NULL) {
        test_status(sk_net_resolve(net, "10.20.30.40", test_deadline(), ip), SK_OK);
        test_check(ip[0] == 10 && ip[3] == 40);
        test_status(sk_net_resolve(net, "localhost", test_deadline(), ip), SK_OK);
        test_check(ip[0] == 127 && ip[3] == 1);
        test_status(sk_net_resolve(net, "", test_deadline(), ip), SK_INVALID_ARGS);
    }
    sk_net_close(net);
}

void run_loopback_cases(void)
{
    test_case("loopback: connection refused, a hundred times", refused);
    test_case("loopback: wrong addresses and ports", unreachable_and_wrong);
    test_case("loopback: a thread connects to itself", self_connect);
    test_case("loopback: a megabyte there and back, compared", megabyte);
    test_case("loopback: half-close lets the answer through", half_close);
    test_case("loopback: datagrams", datagrams);
    test_case("names that need no server", names);
}
