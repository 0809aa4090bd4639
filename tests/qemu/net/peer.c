/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-net-peer: what a host-driven test talks to over the network card. Port 7 sends back what comes,
 * over TCP and UDP; port 13 tells the time that net knows; whoever connects to port 9 ends it. Its exit code is 0 if nothing failed.
 */
#include <stdio.h>

#include <sk/print.h>
#include <sk/socket.h>
#include <sk/time.h>

#define ECHO_PORT 7
#define TIME_PORT 13
#define END_PORT 9

static void serve_stream(struct sk_socket *connection)
{
    const void *data;
    uint32_t length, written;
    status_t status;

    while ((status = sk_tcp_peek(connection, &data, &length)) == SK_OK && length > 0) {
        status = sk_tcp_write(connection, data, length, &written);
        if (status != SK_OK) {
            break;
        }
        sk_tcp_consume(connection, written);
    }
    if (status != SK_PENDING) {
        sk_socket_close(connection);
    }
}

static void serve_datagrams(struct sk_socket *socket)
{
    static uint8_t buffer[SK_UDP_BYTES_MAX];
    struct sk_net_address from;
    uint32_t length;

    while (sk_udp_receive(socket, &from, buffer, sizeof buffer, &length) == SK_OK) {
        sk_udp_send(socket, from, buffer, length);
    }
}

static void tell_time(struct sk_net *net, struct sk_socket *connection)
{
    struct sk_net_time_reply time;
    char text[64];
    uint32_t written;
    status_t status = sk_net_time(net, sk_deadline_after(SK_SECOND), &time);
    int length = status == SK_OK
                     ? snprintf(text, sizeof text, "%llu\n", (unsigned long long)time.unix_ns)
                     : snprintf(text, sizeof text, "%s\n", sk_status_words(status));

    sk_tcp_write(connection, text, (uint32_t)length, &written);
    sk_socket_close(connection);
}

static status_t serve(struct sk_net *net)
{
    struct sk_socket *echo, *end, *clock, *datagrams, *socket, *made;
    uint64_t deadline = sk_deadline_after(10 * SK_SECOND);
    status_t status = sk_tcp_listen(net, sk_net_any(ECHO_PORT), 64, deadline, &echo);

    if (status == SK_OK) {
        status = sk_tcp_listen(net, sk_net_any(END_PORT), 1, deadline, &end);
    }
    if (status == SK_OK) {
        status = sk_tcp_listen(net, sk_net_any(TIME_PORT), 8, deadline, &clock);
    }
    if (status == SK_OK) {
        status = sk_udp_open(net, sk_net_any(ECHO_PORT), deadline, &datagrams);
    }
    if (status != SK_OK) {
        return status;
    }
    printf("ready\n");
    while ((status = sk_net_wait(net, SK_DEADLINE_NEVER, &socket)) == SK_OK && socket != end) {
        if (socket == datagrams) {
            serve_datagrams(socket);
        } else if (socket == clock) {
            while (sk_tcp_accept(clock, &made) == SK_OK) {
                tell_time(net, made);
            }
        } else if (socket != echo) {
            serve_stream(socket);
        } else {
            while (sk_tcp_accept(echo, &made) == SK_OK) {
            }
        }
    }
    if (status == SK_OK) {
        sk_tcp_accept(end, &made); /* closed with the session, in order */
    }
    return status;
}

int main(void)
{
    struct sk_net *net;
    status_t status = sk_net_open(&net, 128, sk_deadline_after(20 * SK_SECOND));

    if (status == SK_OK) {
        status = serve(net);
        sk_net_close(net);
    }
    if (status != SK_OK) {
        printf("ended: %s\n", sk_status_words(status));
    }
    return status != SK_OK;
}
