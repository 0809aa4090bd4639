/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that misuse the network: peers of the web server that are slow, that storm it, and a
 * session with the net service whose shared memory is full of noise.
 */
#include <stdlib.h>

#include <sk/socket.h>

#include "hostile.h"

static struct sk_net *session(uint32_t sockets)
{
    struct sk_net *net;
    status_t status = sk_net_open(&net, sockets, test_deadline());
    insist(status == SK_OK || status == SK_BUSY);
    return status == SK_OK ? net : NULL;
}

/* A byte of a request every millisecond on many connections; what the server says is never read. */
int mode_slow(int argc, char **argv)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static struct sk_socket *sockets[48];
    uint32_t at[48] = {0};
    struct sk_net *net = session(COUNT(sockets));
    while (net != NULL) {
        for (uint32_t i = 0; i < COUNT(sockets); i++) {
            if (sockets[i] == NULL) {
                at[i] = 0;
                sk_tcp_connect(net, sk_net_loopback(HTTP_PORT), test_deadline(), &sockets[i]);
            } else if (sk_tcp_write_all(sockets[i], text + at[i] % (sizeof text - 1), 1,
                                        sk_deadline_after(SK_MS)) == SK_OK) {
                at[i]++;
            } else if (sk_socket_events(sockets[i]) & SK_SOCKET_FAILED) {
                sk_socket_close(sockets[i]);
                sockets[i] = NULL;
            }
        }
        sk_sleep(SK_MS);
    }
    return 0;
}

static void write_all_that_goes(struct sk_socket *socket)
{
    static const char text[4096];
    uint32_t written;
    status_t status;
    while ((status = sk_tcp_write(socket, text, sizeof text, &written)) == SK_OK) {
    }
    insist(status == SK_PENDING || status == SK_CONNECTION_RESET);
}

/* Connections of a new session to itself: both ends of each. NULL: the service had no room. */
static struct sk_net *pairs(struct sk_socket **ends, uint32_t count)
{
    struct sk_net *net = session(count + 1);
    struct sk_socket *listener;
    if (net == NULL) {
        return NULL;
    }
    must(sk_tcp_listen(net, sk_net_loopback(0), count / 2, test_deadline(), &listener));
    struct sk_net_address address = sk_net_loopback(sk_socket_local(listener).port);
    for (uint32_t i = 0; i < count; i += 2) {
        must(sk_tcp_connect_wait(net, address, test_deadline(), &ends[i]));
        must(sk_socket_wait_for(listener, SK_SOCKET_READABLE, test_deadline(), NULL));
        must(sk_tcp_accept(listener, &ends[i + 1]));
    }
    return net;
}

/* Connections to ourselves, full both ways, that neither end reads. */
int mode_unread(int argc, char **argv)
{
    static struct sk_socket *ends[8];
    struct sk_socket *ready;
    struct sk_net *net = pairs(ends, COUNT(ends));
    while (net != NULL) {
        for (uint32_t i = 0; i < COUNT(ends); i++) {
            write_all_that_goes(ends[i]);
        }
        sk_net_wait(net, sk_deadline_after(SK_MS), &ready);
    }
    return 0;
}

static void commit_all_that_goes(struct sk_socket *socket)
{
    void *space;
    uint32_t room;
    while (sk_tcp_reserve(socket, &space, &room) == SK_OK) {
        sk_tcp_commit(socket, room);
    }
}

static void consume_all_that_came(struct sk_socket *socket)
{
    const void *data;
    uint32_t length;
    while (sk_tcp_peek(socket, &data, &length) == SK_OK && length > 0) {
        sk_tcp_consume(socket, length);
    }
}

/* Bytes to ourselves on many connections, as many as go, that we have neither written nor read: they cost us nothing. */
int mode_bulk(int argc, char **argv)
{
    static struct sk_socket *ends[24];
    struct sk_socket *ready;
    struct sk_net *net = pairs(ends, COUNT(ends));
    while (net != NULL) {
        for (uint32_t i = 0; i < COUNT(ends); i++) {
            consume_all_that_came(ends[i]);
            commit_all_that_goes(ends[i]);
        }
        sk_net_wait(net, sk_deadline_after(SK_MS), &ready);
    }
    return 0;
}

/* Datagrams to ourselves, each of a byte, as fast as they go; nobody reads them. */
int mode_datagrams(int argc, char **argv)
{
    struct sk_net *net = session(4);
    struct sk_socket *sockets[4];
    if (net == NULL) {
        return 0;
    }
    for (uint32_t i = 0; i < COUNT(sockets); i++) {
        must(sk_udp_open(net, sk_net_loopback(0), test_deadline(), &sockets[i]));
    }
    uint16_t port = sk_socket_local(sockets[0]).port;
    for (uint32_t i = 0;; i++) {
        status_t status = sk_udp_send(sockets[i % COUNT(sockets)], sk_net_loopback(port), "", 1);
        insist(status == SK_OK || status == SK_PENDING);
        if (status == SK_PENDING) {
            sk_net_flush(net);
        }
    }
}

/* Connections as fast as they can be made, ended in one of three ways at once. */
int mode_storm(int argc, char **argv)
{
    struct sk_net *net = session(32);
    if (net == NULL) {
        return 0;
    }
    for (uint32_t i = 0;; i++) {
        struct sk_socket *socket;
        if (sk_tcp_connect(net, sk_net_loopback(HTTP_PORT), test_deadline(), &socket) != SK_OK) {
            sk_sleep(SK_US * 100);
            continue;
        }
        if (i % 3 == 1) {
            sk_socket_wait_for(socket, SK_SOCKET_CONNECTED, sk_deadline_after(5 * SK_MS), NULL);
            sk_tcp_write_all(socket, "GET", 3, sk_deadline_after(SK_MS));
        }
        if (i % 3 == 2) {
            sk_socket_close(socket);
        } else {
            sk_socket_abort(socket);
        }
        sk_net_flush(net);
    }
}

/* One life of a session: opened by hand, its control page filled with noise while it is in use. */
static void noisy_session(uint64_t *state)
{
    enum { SLOTS = 8 };
    struct sk_net_open_request request = {.op = SK_NET_OP_OPEN, .slots = SLOTS};
    struct sk_net_open_reply reply;
    handle_t endpoint, handles[4];
    uint64_t address = 0;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = {&reply, sizeof reply, handles, 4};
    if (sk_connect("net", test_deadline(), &endpoint) != SK_OK) {
        return;
    }
    status_t status = sk_channel_call(endpoint, &out, &in, test_deadline());
    insist(status == SK_OK || status == SK_PEER_CLOSED);
    if (status == SK_OK && in.handle_count == 4) {
        uint64_t bytes = sk_net_control_bytes(reply.slots);
        must(sk_memory_map(sk_self_process, handles[0], 0, bytes, 0, SK_PROT_READ | SK_PROT_WRITE,
                           &address));
        volatile uint32_t *words = (volatile uint32_t *)address;
        for (uint32_t i = 0; i < 400; i++) {
            struct sk_net_socket_request open = {.op = 1 + random_next(state) % SK_NET_OP_LOST,
                                                 .address = {{127, 0, 0, 1}, 1024, 0},
                                                 .backlog = random_next(state) % 300};
            uint8_t answer[512];
            struct sk_out ask = sk_out_bytes(&open, sizeof open);
            struct sk_in told = sk_in_bytes(answer, sizeof answer);
            words[random_next(state) % (bytes / 4)] = random_next(state) % 2 == 0
                                                          ? random_next(state) * 2
                                                          : random_next(state) % 512;
            sk_event_signal(handles[2]);
            if (i % 16 == 0 && open.op != SK_NET_OP_RESOLVE) {
                status = sk_channel_call(endpoint, &ask, &told, test_deadline());
                insist(status == SK_OK || status == SK_PEER_CLOSED);
            }
        }
        sk_memory_unmap(sk_self_process, address, bytes);
        close_all(handles, 4);
    }
    sk_handle_close(endpoint);
}

int mode_ring(int argc, char **argv)
{
    for (uint64_t state = (uint64_t)atoi(argv[1]);;) {
        noisy_session(&state);
    }
}
