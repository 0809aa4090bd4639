/* SPDX-License-Identifier: BSD-2-Clause */
/* See fixture.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

struct sk_net *net;
struct sk_socket *listener;

int sockets_start(void **state)
{
    fake_net_start();
    assert_int_equal(sk_net_open(&net, 64, SOON), SK_OK);
    assert_int_equal(sk_tcp_listen(net, sk_net_any(PORT), 16, SOON, &listener), SK_OK);
    return 0;
}

int sockets_stop(void **state)
{
    sk_net_close(net);
    fake_net_run(200);
    assert_int_equal(fake_net_sockets(), 0);
    assert_int_equal(fake_net_sessions(), 0);
    return 0;
}

struct sk_socket *connect_one(void)
{
    struct sk_socket *made;
    assert_int_equal(sk_tcp_connect(net, sk_net_loopback(PORT), SOON, &made), SK_OK);
    assert_int_equal(sk_socket_status(made), SK_PENDING);
    assert_int_equal(sk_socket_wait_for(made, SK_SOCKET_CONNECTED, SOON, NULL), SK_OK);
    assert_int_equal(sk_socket_status(made), SK_OK);
    return made;
}

struct sk_socket *accept_one(void)
{
    struct sk_socket *made;
    assert_int_equal(sk_socket_wait_for(listener, SK_SOCKET_READABLE, SOON, NULL), SK_OK);
    assert_int_equal(sk_tcp_accept(listener, &made), SK_OK);
    return made;
}

void expect_text(struct sk_socket *socket, const char *text)
{
    char buffer[256];
    uint32_t length;
    assert_int_equal(sk_tcp_read_wait(socket, buffer, sizeof buffer, SOON, &length), SK_OK);
    assert_int_equal(length, strlen(text));
    assert_memory_equal(buffer, text, length);
}

void expect_end(struct sk_socket *socket)
{
    char byte;
    uint32_t length = 1;
    assert_int_equal(sk_tcp_read_wait(socket, &byte, 1, SOON, &length), SK_OK);
    assert_int_equal(length, 0);
}

void text_both_ways(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one();

    assert_int_equal(sk_tcp_write_all(client, "hello", 5, SOON), SK_OK);
    expect_text(server, "hello");
    assert_int_equal(sk_tcp_write_all(server, "world", 5, SOON), SK_OK);
    expect_text(client, "world");
    assert_int_equal(sk_socket_remote(client).port, PORT);
    assert_int_equal(sk_socket_local(server).port, PORT);
    sk_socket_close(client);
    expect_end(server);
    sk_socket_close(server);
}
