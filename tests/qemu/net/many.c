/* SPDX-License-Identifier: BSD-2-Clause */
/* Many connections, listeners that come and go, sockets that run out. */
#include "net_test.h"

#define PORT 7200
#define CONCURRENT 64u

static void a_thousand_in_turn(void)
{
    struct net_echo echo;
    struct sk_net *net = net_session(8);

    if (net != NULL && net_echo_start(&echo, PORT)) {
        for (int i = 0; i < 1000; i++) {
            char text[32];
            snprintf(text, sizeof text, "connection %d", i);
            if (!net_round_trip(net, PORT, text)) {
                break;
            }
        }
        net_echo_stop(&echo);
    }
    sk_net_close(net);
}

static bool expect_number(struct sk_socket *socket, uint32_t number)
{
    uint32_t answer = 0, length;

    return test_status(sk_tcp_read_wait(socket, &answer, sizeof answer, net_deadline(), &length),
                       SK_OK) &&
           test_equal(length, sizeof answer) && test_equal(answer, number);
}

static void sixty_four_at_once(void)
{
    struct net_echo echo;
    struct sk_net *net = net_session(CONCURRENT);
    struct sk_socket *sockets[CONCURRENT];
    bool good = net != NULL && net_echo_start(&echo, PORT);

    if (good) {
        for (uint32_t i = 0; good && i < CONCURRENT; i++) {
            good = test_status(
                sk_tcp_connect(net, sk_net_loopback(PORT), net_deadline(), &sockets[i]), SK_OK);
        }
        for (uint32_t round = 0; good && round < 20; round++) {
            for (uint32_t i = 0; good && i < CONCURRENT; i++) {
                uint32_t number = round << 16 | i;
                good = test_status(sk_socket_wait_for(sockets[i], SK_SOCKET_CONNECTED,
                                                      net_deadline(), NULL),
                                   SK_OK) &&
                       test_status(
                           sk_tcp_write_all(sockets[i], &number, sizeof number, net_deadline()),
                           SK_OK);
            }
            for (uint32_t i = 0; good && i < CONCURRENT; i++) {
                good = expect_number(sockets[i], round << 16 | i);
            }
        }
        net_echo_stop(&echo);
    }
    sk_net_close(net);
}

/* A listener is closed and opened again while a connection that it accepted goes on. */
static void listener_reopened(void)
{
    struct sk_net *net = net_session(8);
    struct sk_socket *listener, *client, *server, *second;
    char text[8];
    uint32_t length;

    for (int i = 0; net != NULL && i < 50; i++) {
        if (!test_status(sk_tcp_listen(net, sk_net_any(PORT), 8, test_deadline(), &listener),
                         SK_OK) ||
            !test_status(sk_tcp_connect_wait(net, sk_net_loopback(PORT), test_deadline(), &client),
                         SK_OK)) {
            break;
        }
        sk_socket_wait_for(listener, SK_SOCKET_READABLE, test_deadline(), NULL);
        test_status(sk_tcp_accept(listener, &server), SK_OK);
        sk_socket_close(listener);
        test_status(sk_tcp_connect_wait(net, sk_net_loopback(PORT), test_deadline(), &second),
                    SK_CONNECTION_REFUSED);
        test_status(sk_tcp_write_all(client, "alive", 5, test_deadline()), SK_OK);
        test_status(sk_tcp_read_wait(server, text, sizeof text, test_deadline(), &length), SK_OK);
        test_check(length == 5);
        sk_socket_close(client);
        sk_socket_close(server);
    }
    sk_net_close(net);
}

static void exhaustion_recovers(void)
{
    struct net_echo echo;
    struct sk_net *net = net_session(4);
    struct sk_socket *sockets[4], *more;

    if (net == NULL || !net_echo_start(&echo, PORT)) {
        sk_net_close(net);
        return;
    }
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 4; i++) {
            test_status(
                sk_tcp_connect_wait(net, sk_net_loopback(PORT), net_deadline(), &sockets[i]),
                SK_OK);
        }
        test_status(sk_tcp_connect(net, sk_net_loopback(PORT), test_deadline(), &more), SK_BUSY);
        for (int i = 0; i < 4; i++) {
            sk_socket_abort(sockets[i]);
        }
    }
    test_check(net_round_trip(net, PORT, "still here"));
    net_echo_stop(&echo);
    sk_net_close(net);
}

static void sessions_come_and_go(void)
{
    for (int i = 0; i < 300; i++) {
        struct sk_net *net = net_session(4);
        if (net == NULL) {
            break;
        }
        sk_net_close(net);
    }
}

/* Ask for more sessions than the service has; those that exist go on, and later there are more. */
static void sessions_run_out(void)
{
    struct sk_net *nets[64];
    uint32_t count = 0;
    status_t status = SK_OK;

    while (count < 64 && (status = sk_net_open(&nets[count], 1, test_deadline())) == SK_OK) {
        count++;
    }
    test_check(count > 4);
    test_check(status == SK_BUSY || status == SK_PEER_CLOSED);
    for (uint32_t i = 0; i < count; i++) {
        sk_net_close(nets[i]);
    }
    uint64_t deadline = test_deadline();
    while ((status = sk_net_open(&nets[0], 1, test_deadline())) != SK_OK && sk_now() < deadline) {
        sk_sleep(10 * SK_MS);
    }
    if (test_status(status, SK_OK)) {
        sk_net_close(nets[0]);
    }
}

void run_many_cases(void)
{
    test_case("a thousand connections in turn", a_thousand_in_turn);
    test_case("64 connections at once, 20 rounds", sixty_four_at_once);
    test_case("a listener is reopened over a live connection", listener_reopened);
    test_case("sockets that ran out come back", exhaustion_recovers);
    test_case("300 sessions in turn", sessions_come_and_go);
    test_case("sessions that ran out come back", sessions_run_out);
}
