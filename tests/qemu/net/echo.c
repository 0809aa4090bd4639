/* SPDX-License-Identifier: BSD-2-Clause */
/* The echo server of test-net, and the client's side of one round trip. */
#include "net_test.h"

#define ECHO_SOCKETS 96u

struct sk_net *net_session(uint32_t sockets)
{
    struct sk_net *net = NULL;

    test_status(sk_net_open(&net, sockets, test_deadline()), SK_OK);
    return net;
}

/* Sends back what is there, as far as there is room; closes at the end. */
static void echo_serve(struct sk_socket *connection)
{
    const void *data;
    uint32_t length, written;
    status_t status;

    while ((status = sk_tcp_peek(connection, &data, &length)) == SK_OK && length > 0) {
        status = sk_tcp_write(connection, data, length, &written);
        if (status != SK_OK) {
            break; /* PENDING, no room: a report comes */
        }
        sk_tcp_consume(connection, written);
    }
    if (status != SK_PENDING) {
        sk_socket_close(connection);
    }
}

static void echo_run(void *context)
{
    struct net_echo *echo = context;
    struct sk_net *net;
    struct sk_socket *listener, *socket;

    if (sk_net_open(&net, ECHO_SOCKETS, test_deadline()) != SK_OK) {
        return;
    }
    if (sk_tcp_listen(net, sk_net_any(echo->port), 64, test_deadline(), &listener) == SK_OK) {
        echo->is_up = 1;
    }
    while (echo->is_up && !echo->stop) {
        if (sk_net_wait(net, sk_deadline_after(100 * SK_MS), &socket) != SK_OK) {
            continue;
        }
        if (socket != listener) {
            echo_serve(socket);
            continue;
        }
        while (sk_tcp_accept(listener, &socket) == SK_OK) {
        }
    }
    sk_net_close(net);
}

bool net_echo_start(struct net_echo *echo, uint16_t port)
{
    *echo = (struct net_echo){.port = port};
    if (!test_status(sk_thread_start(&echo->thread, echo_run, echo, 0, SK_PRIORITY_DEFAULT),
                     SK_OK)) {
        return false;
    }
    uint64_t deadline = test_deadline();
    while (!echo->is_up && sk_now() < deadline) {
        sk_sleep(SK_MS);
    }
    return test_check(echo->is_up);
}

void net_echo_stop(struct net_echo *echo)
{
    echo->stop = 1;
    test_status(sk_thread_join(&echo->thread, test_deadline()), SK_OK);
}

bool net_round_trip(struct sk_net *net, uint16_t port, const char *text)
{
    struct sk_socket *socket;
    char answer[256];
    uint32_t length = (uint32_t)strlen(text), got = 0, piece;

    if (!test_status(sk_tcp_connect_wait(net, sk_net_loopback(port), net_deadline(), &socket),
                     SK_OK)) {
        return false;
    }
    bool good = test_status(sk_tcp_write_all(socket, text, length, net_deadline()), SK_OK);
    while (good && got < length) {
        good = test_status(sk_tcp_read_wait(socket, answer + got, (uint32_t)sizeof answer - got,
                                            net_deadline(), &piece),
                           SK_OK) &&
               test_check(piece > 0);
        got += good ? piece : 0;
    }
    good = good && test_equal(got, length) && test_check(memcmp(answer, text, length) == 0);
    sk_socket_close(socket);
    return good;
}
