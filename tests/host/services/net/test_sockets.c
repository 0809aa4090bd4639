/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets from end to end: the os library, sessions, lwIP over loopback, in one thread. The same
 * cases as tests/qemu/net, with the counts seen from inside at the end of each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lwip/stats.h>

#include "fixture.h"

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 31 + at / 251);
}

/* Both ends in one event loop, bodies compared byte by byte, through many wraps of the rings. */
static void bulk_both_ways(void **state)
{
    struct sk_socket *ends[2] = {connect_one(), accept_one()};
    uint64_t sent[2] = {0}, got[2] = {0}, total = 1 << 20;
    struct sk_socket *socket;

    while (got[0] < total || got[1] < total) {
        for (int i = 0; i < 2; i++) {
            void *space;
            uint32_t room;
            while (sent[i] < total && sk_tcp_reserve(ends[i], &space, &room) == SK_OK) {
                room = room < total - sent[i] ? room : (uint32_t)(total - sent[i]);
                for (uint32_t k = 0; k < room; k++) {
                    ((uint8_t *)space)[k] = pattern(sent[i] + k);
                }
                sent[i] += room;
                sk_tcp_commit(ends[i], room);
            }
        }
        assert_int_equal(sk_net_wait(net, SOON, &socket), SK_OK);
        int i = socket == ends[1];
        const void *data;
        uint32_t length;
        while (sk_tcp_peek(ends[i], &data, &length) == SK_OK) {
            for (uint32_t k = 0; k < length; k++) {
                assert_int_equal(((const uint8_t *)data)[k], pattern(got[i] + k));
            }
            got[i] += length;
            sk_tcp_consume(ends[i], length);
        }
    }
    sk_socket_close(ends[0]);
    sk_socket_close(ends[1]);
}

static void half_close_lets_the_answer_through(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one();

    assert_int_equal(sk_tcp_write_all(client, "question", 8, SOON), SK_OK);
    assert_int_equal(sk_tcp_shutdown(client), SK_OK);
    assert_int_equal(sk_tcp_shutdown(client), SK_BAD_STATE);
    expect_text(server, "question");
    expect_end(server);
    assert_int_equal(sk_tcp_write_all(server, "answer", 6, SOON), SK_OK);
    expect_text(client, "answer");
    sk_socket_close(server);
    expect_end(client);
    uint32_t written;
    assert_int_equal(sk_tcp_write(client, "x", 1, &written), SK_BAD_STATE);
    fake_net_run(40); /* TIME_WAIT passes while the program still has the socket */
    expect_end(client);
    sk_socket_close(client);
}

/* Everything that was written before the close arrives, then the end. */
static void fin_comes_after_the_data(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one();
    static uint8_t body[SK_NET_TX_BYTES];
    uint32_t written, got = 0;

    for (uint32_t i = 0; i < sizeof body; i++) {
        body[i] = pattern(i);
    }
    assert_int_equal(sk_tcp_write(server, body, sizeof body, &written), SK_OK);
    assert_int_equal(written, sizeof body);
    sk_socket_close(server);
    for (;;) {
        uint8_t buffer[1000];
        uint32_t length;
        assert_int_equal(sk_tcp_read_wait(client, buffer, sizeof buffer, SOON, &length), SK_OK);
        if (length == 0) {
            break;
        }
        assert_memory_equal(buffer, body + got, length);
        got += length;
    }
    assert_int_equal(got, sizeof body);
    sk_socket_close(client);
}

static void reset_is_seen(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one();
    uint32_t shown;

    sk_socket_abort(client);
    assert_int_equal(sk_socket_wait_for(server, SK_SOCKET_READABLE, SOON, &shown), SK_OK);
    assert_true(shown & SK_SOCKET_FAILED);
    assert_int_equal(sk_socket_status(server), SK_CONNECTION_RESET);
    sk_socket_close(server);
}

static void refused(void **state)
{
    struct sk_socket *client;
    assert_int_equal(sk_tcp_connect_wait(net, sk_net_loopback(PORT + 1), SOON, &client),
                     SK_CONNECTION_REFUSED);
}

static void wrong_addresses(void **state)
{
    struct sk_socket *made;
    struct sk_net_address nowhere = {.ip = {203, 0, 113, 1}, .port = 80};
    struct sk_net_address foreign = {.ip = {203, 0, 113, 1}, .port = 9000};

    assert_int_equal(sk_tcp_connect(net, nowhere, SOON, &made), SK_UNREACHABLE);
    assert_int_equal(sk_tcp_connect(net, sk_net_loopback(0), SOON, &made), SK_INVALID_ARGS);
    assert_int_equal(sk_tcp_listen(net, sk_net_any(PORT), 16, SOON, &made), SK_ADDRESS_IN_USE);
    assert_int_equal(sk_tcp_listen(net, sk_net_any(9001), 0, SOON, &made), SK_INVALID_ARGS);
    assert_int_equal(sk_tcp_listen(net, sk_net_any(9001), 256, SOON, &made), SK_INVALID_ARGS);
    assert_int_equal(sk_tcp_listen(net, foreign, 1, SOON, &made), SK_UNREACHABLE);
    assert_int_equal(sk_udp_open(net, foreign, SOON, &made), SK_UNREACHABLE);
}

static void low_ports_need_the_grant(void **state)
{
    struct sk_net *other;
    struct sk_socket *made;

    fake_net_low_ports = false;
    assert_int_equal(sk_net_open(&other, 4, SOON), SK_OK);
    assert_int_equal(sk_tcp_listen(other, sk_net_any(80), 1, SOON, &made), SK_NOT_ALLOWED);
    assert_int_equal(sk_udp_open(other, sk_net_any(53), SOON, &made), SK_NOT_ALLOWED);
    sk_net_close(other);
}

static void a_thousand_in_turn(void **state)
{
    for (int i = 0; i < 1000; i++) {
        text_both_ways(state);
    }
}

static void many_at_once(void **state)
{
    struct sk_net *other;
    struct sk_socket *clients[60], *servers[60];

    assert_int_equal(sk_net_open(&other, 64, SOON), SK_OK);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(sk_tcp_connect_wait(other, sk_net_loopback(PORT), SOON, &clients[i]),
                         SK_OK);
        servers[i] = accept_one();
    }
    for (int i = 0; i < 60; i++) {
        char text[3] = {(char)('0' + i / 10), (char)('0' + i % 10), 0};
        assert_int_equal(sk_tcp_write_all(clients[i], text, 2, SOON), SK_OK);
    }
    for (int i = 0; i < 60; i++) {
        char text[3] = {(char)('0' + i / 10), (char)('0' + i % 10), 0};
        expect_text(servers[i], text);
        sk_socket_close(servers[i]);
        expect_end(clients[i]);
    }
    sk_net_close(other);
}

static void exhaustion_is_an_error_and_recovers(void **state)
{
    struct sk_net *small;
    struct sk_socket *made[4], *more;

    assert_int_equal(sk_net_open(&small, 4, SOON), SK_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(sk_tcp_connect_wait(small, sk_net_loopback(PORT), SOON, &made[i]), SK_OK);
    }
    assert_int_equal(sk_tcp_connect(small, sk_net_loopback(PORT), SOON, &more), SK_BUSY);
    assert_int_equal(sk_udp_open(small, sk_net_any(0), SOON, &more), SK_BUSY);
    sk_socket_abort(made[2]);
    assert_int_equal(sk_tcp_connect_wait(small, sk_net_loopback(PORT), SOON, &more), SK_OK);
    sk_net_close(small);
}

/* A server that is out of sockets lets clients wait: they are connected, and nothing is lost. */
static void a_full_server_recovers(void **state)
{
    struct sk_net *small;
    struct sk_socket *door, *one, *two, *taken, *gone;

    assert_int_equal(sk_net_open(&small, 2, SOON), SK_OK);
    assert_int_equal(sk_tcp_listen(small, sk_net_any(PORT + 5), 8, SOON, &door), SK_OK);
    assert_int_equal(sk_tcp_connect_wait(net, sk_net_loopback(PORT + 5), SOON, &one), SK_OK);
    assert_int_equal(sk_socket_wait_for(door, SK_SOCKET_READABLE, SOON, NULL), SK_OK);
    assert_int_equal(sk_tcp_accept(door, &taken), SK_OK);
    assert_int_equal(sk_tcp_accept(door, &two), SK_PENDING);
    assert_int_equal(sk_tcp_connect(net, sk_net_loopback(PORT + 5), SOON, &two), SK_OK);
    fake_net_run(4);
    assert_int_equal(sk_socket_status(two), SK_OK);
    assert_int_equal(sk_tcp_write_all(two, "at last", 7, SOON), SK_OK);
    fake_net_run(4);
    assert_int_equal(sk_tcp_connect_wait(net, sk_net_loopback(PORT + 5), SOON, &gone), SK_OK);
    sk_socket_close(gone); /* one that does not wait is forgotten */
    fake_net_run(4);
    sk_socket_close(taken);
    expect_end(one);
    sk_socket_close(one);
    sk_net_flush(small);
    assert_int_equal(sk_socket_wait_for(door, SK_SOCKET_READABLE, SOON, NULL), SK_OK);
    assert_int_equal(sk_tcp_accept(door, &taken), SK_OK);
    expect_text(taken, "at last");
    assert_int_equal(sk_tcp_connect_wait(net, sk_net_loopback(PORT + 5), SOON, &one), SK_OK);
    sk_socket_close(door); /* resets who waits */
    sk_net_flush(small);
    uint32_t shown;
    assert_int_equal(sk_socket_wait_for(one, SK_SOCKET_READABLE, SOON, &shown), SK_OK);
    assert_true(shown & SK_SOCKET_FAILED);
    sk_socket_close(one);
    sk_socket_close(taken);
    sk_socket_close(two);
    sk_net_close(small);
}

static void listener_closed_with_live_connections(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one(), *late = connect_one();
    uint32_t shown;

    sk_socket_close(listener); /* `late` was never accepted */
    assert_int_equal(sk_socket_wait_for(late, SK_SOCKET_READABLE, SOON, &shown), SK_OK);
    assert_true(shown & SK_SOCKET_FAILED);
    sk_socket_close(late);
    assert_int_equal(sk_tcp_connect_wait(net, sk_net_loopback(PORT), SOON, &late),
                     SK_CONNECTION_REFUSED);
    assert_int_equal(sk_tcp_write_all(client, "still", 5, SOON), SK_OK);
    expect_text(server, "still");
    assert_int_equal(sk_tcp_listen(net, sk_net_any(PORT), 16, SOON, &listener), SK_OK);
    struct sk_socket *second = connect_one(), *second_server = accept_one();
    assert_int_equal(sk_tcp_write_all(second, "again", 5, SOON), SK_OK);
    expect_text(second_server, "again");
    sk_socket_close(client);
    sk_socket_close(server);
    sk_socket_close(second);
    sk_socket_close(second_server);
}

static void a_reader_that_stops_stops_only_its_connection(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one();
    struct sk_socket *other = connect_one(), *other_server = accept_one();
    static uint8_t body[4096];
    uint32_t written, total = 0;
    status_t status;

    while ((status = sk_tcp_write(client, body, sizeof body, &written)) == SK_OK || total == 0) {
        total += written;
        fake_net_run(4);
        assert_true(total <= SK_NET_TX_BYTES + SK_NET_RX_BYTES);
    }
    assert_int_equal(status, SK_PENDING);
    assert_int_equal(total, SK_NET_TX_BYTES + SK_NET_RX_BYTES);
    /* Most of it waits in the program's memory. */
    assert_true(lwip_stats.memp[MEMP_TCP_SEG]->used <= 3);
    assert_int_equal(sk_tcp_write_all(other, "fine", 4, SOON), SK_OK);
    expect_text(other_server, "fine");
    while (total > 0) {
        uint32_t length;
        assert_int_equal(sk_tcp_read_wait(server, body, sizeof body, SOON, &length), SK_OK);
        total -= length;
    }
    assert_int_equal(sk_socket_wait_for(client, SK_SOCKET_DRAINED, SOON, NULL), SK_OK);
    sk_socket_close(client);
    sk_socket_close(server);
    sk_socket_close(other);
    sk_socket_close(other_server);
}

static uint32_t fill(struct sk_socket *socket)
{
    static uint8_t body[5000];
    uint32_t written, total = 0;

    while (sk_tcp_write(socket, body, sizeof body, &written) == SK_OK) {
        total += written;
        fake_net_run(4);
    }
    return total;
}

static void drain(struct sk_socket *socket, uint32_t total)
{
    static uint8_t body[5000];
    uint32_t length;

    for (; total > 0; total -= length) {
        uint32_t size = total < sizeof body ? total : sizeof body;
        assert_int_equal(sk_tcp_read_wait(socket, body, size, SOON, &length), SK_OK);
        assert_in_range(length, 1, size);
    }
}

/* Neither end reads: their closed windows are no reason to answer each other without end. */
static void two_deaf_ends_are_quiet(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one();
    uint32_t sent = fill(client), returned = fill(server);

    fake_net_run(8);
    uint32_t before = lwip_stats.tcp.xmit;
    fake_net_run(240); /* a minute: some probes of the windows, and their answers */
    assert_true(lwip_stats.tcp.xmit - before <= 40);
    drain(server, 1); /* now what the probes were about lies just beyond the windows */
    drain(client, 1);
    before = lwip_stats.tcp.xmit;
    fake_net_run(240);
    assert_true(lwip_stats.tcp.xmit - before <= 60);
    drain(server, sent - 1);
    drain(client, returned - 1);
    sk_socket_close(client);
    sk_socket_close(server);
}

static void datagrams(void **state)
{
    struct sk_socket *one, *two;
    struct sk_net_address from;
    char buffer[64];
    uint32_t length;

    assert_int_equal(sk_udp_open(net, sk_net_any(7000), SOON, &one), SK_OK);
    assert_int_equal(sk_udp_open(net, sk_net_any(0), SOON, &two), SK_OK);
    assert_int_equal(sk_udp_receive(one, &from, buffer, sizeof buffer, &length), SK_PENDING);
    for (int i = 0; i < 5000; i++) {
        uint32_t size = (uint32_t)i % 60;
        memset(buffer, i, sizeof buffer);
        assert_int_equal(sk_udp_send(two, sk_net_loopback(7000), buffer, size), SK_OK);
        assert_int_equal(sk_socket_wait_for(one, SK_SOCKET_READABLE, SOON, NULL), SK_OK);
        memset(buffer, 0xaa, sizeof buffer);
        assert_int_equal(sk_udp_receive(one, &from, buffer, sizeof buffer, &length), SK_OK);
        assert_int_equal(length, size);
        assert_int_equal(from.port, sk_socket_local(two).port);
        for (uint32_t k = 0; k < size; k++) {
            assert_int_equal((uint8_t)buffer[k], (uint8_t)i);
        }
    }
    assert_int_equal(sk_udp_send(two, sk_net_loopback(7000), buffer, SK_UDP_BYTES_MAX + 1),
                     SK_TOO_BIG);
    sk_socket_close(one);
    sk_socket_close(two);
}

static void send_numbers(struct sk_socket *socket, uint8_t count)
{
    for (uint8_t i = 0; i < count; i++) {
        assert_int_equal(sk_udp_send(socket, sk_net_loopback(7000), &i, 1), SK_OK);
    }
}

static void expect_numbers(struct sk_socket *socket, uint8_t count)
{
    struct sk_net_address from;
    uint32_t length;

    for (uint8_t i = 0, got; i < count; i++) {
        assert_int_equal(sk_socket_wait_for(socket, SK_SOCKET_READABLE, SOON, NULL), SK_OK);
        assert_int_equal(sk_udp_receive(socket, &from, &got, 1, &length), SK_OK);
        assert_int_equal(got, i);
    }
}

/* More than go at once: in turns, in their order, also when the socket or its session is closed meanwhile. */
static void datagrams_behind(void **state)
{
    struct sk_net *other;
    struct sk_socket *reader, *closed, *gone, *third;

    assert_int_equal(sk_udp_open(net, sk_net_any(7000), SOON, &reader), SK_OK);
    assert_int_equal(sk_udp_open(net, sk_net_any(0), SOON, &closed), SK_OK);
    send_numbers(closed, 40);
    sk_socket_close(closed);
    expect_numbers(reader, 40);

    assert_int_equal(sk_net_open(&other, 4, SOON), SK_OK);
    assert_int_equal(sk_udp_open(other, sk_net_any(0), SOON, &gone), SK_OK);
    assert_int_equal(sk_udp_open(other, sk_net_any(7001), SOON, &third), SK_OK);
    send_numbers(gone, 60);
    sk_net_close(other);
    expect_numbers(reader, 60);
    assert_int_equal(sk_udp_open(net, sk_net_any(7001), SOON, &third), SK_OK); /* free again */
    sk_socket_close(third);
    sk_socket_close(reader);
}

static void closing_the_session_sends_the_rest(void **state)
{
    struct sk_net *other;
    struct sk_socket *client;

    assert_int_equal(sk_net_open(&other, 4, SOON), SK_OK);
    assert_int_equal(sk_tcp_connect_wait(other, sk_net_loopback(PORT), SOON, &client), SK_OK);
    struct sk_socket *server = accept_one();
    uint32_t written;
    assert_int_equal(sk_tcp_write(client, "last words", 10, &written), SK_OK);
    sk_net_close(other);
    expect_text(server, "last words");
    expect_end(server);
    sk_socket_close(server);
}

static void a_dead_service_fails_every_socket(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one(), *reported;
    struct sk_net *second;
    int count = 0;

    while (sk_net_next(net) != NULL) {
    }
    fake_net_is_dead = true;
    while (sk_net_wait(net, SOON, &reported) == SK_OK) {
        assert_int_equal(sk_socket_status(reported), SK_PEER_CLOSED);
        count++;
    }
    assert_int_equal(count, 3);
    assert_int_equal(sk_socket_status(client), SK_PEER_CLOSED);
    assert_int_equal(sk_socket_status(server), SK_PEER_CLOSED);
    assert_int_equal(sk_net_open(&second, 4, SOON), SK_SERVICE_DOWN);
    fake_net_is_dead = false;
}

static void a_wait_ends_at_its_deadline(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one(), *any;
    char byte;
    uint32_t length;

    while (sk_net_next(net) != NULL) {
    }
    assert_int_equal(sk_net_wait(net, 0, &any), SK_TIMED_OUT);
    assert_int_equal(sk_tcp_read_wait(client, &byte, 1, 0, &length), SK_TIMED_OUT);
    sk_socket_close(client);
    sk_socket_close(server);
}

/* Segments as large as the window makes useful, all at once: nobody waits for an acknowledgement. */
static void a_page_to_ourselves(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one();
    static uint8_t page[14000];
    uint32_t sent = lwip_stats.tcp.xmit, length = 0;

    assert_int_equal(sk_tcp_write_all(server, page, sizeof page, SOON), SK_OK);
    fake_net_run(0);
    assert_int_equal(sk_tcp_read_wait(client, page, sizeof page, 0, &length), SK_OK);
    assert_int_equal(length, sizeof page);
    assert_true(lwip_stats.tcp.xmit - sent <= 4);
    sk_socket_close(client);
    sk_socket_close(server);
}

/* A quiet pair of events for each request and answer: the shared rings need no more. */
static void few_wake_ups(void **state)
{
    struct sk_socket *client = connect_one(), *server = accept_one();

    uint32_t before = fake_net_signals;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sk_tcp_write_all(client, "ping", 4, SOON), SK_OK);
        expect_text(server, "ping");
        assert_int_equal(sk_tcp_write_all(server, "pong", 4, SOON), SK_OK);
        expect_text(client, "pong");
    }
    /* Request: program to net, net to program; answer: the same. */
    assert_true(fake_net_signals - before <= 420);
    sk_socket_close(client);
    sk_socket_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(text_both_ways),
        CASE(bulk_both_ways),
        CASE(half_close_lets_the_answer_through),
        CASE(fin_comes_after_the_data),
        CASE(reset_is_seen),
        CASE(refused),
        CASE(wrong_addresses),
        CASE(low_ports_need_the_grant),
        CASE(a_thousand_in_turn),
        CASE(many_at_once),
        CASE(exhaustion_is_an_error_and_recovers),
        CASE(a_full_server_recovers),
        CASE(listener_closed_with_live_connections),
        CASE(a_reader_that_stops_stops_only_its_connection),
        CASE(two_deaf_ends_are_quiet),
        CASE(datagrams),
        CASE(datagrams_behind),
        CASE(closing_the_session_sends_the_rest),
        CASE(a_dead_service_fails_every_socket),
        CASE(a_wait_ends_at_its_deadline),
        CASE(a_page_to_ourselves),
        CASE(few_wake_ups),
    };
    return cmocka_run_group_tests_name("sockets", tests, NULL, NULL);
}
