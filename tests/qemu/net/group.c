/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test-net-group: joins a multicast group and says what it receives, and how many frames the net service had
 * received by then. groups.py is at the other end of the wire and sends it commands: "restart" ends the driver,
 * "leave" leaves the group, "end" ends it. Its exit code is 0 if nothing failed.
 */
#include <stdio.h>
#include <string.h>

#include <sk/ipc.h>
#include <sk/print.h>
#include <sk/protocol/devmgr.h>
#include <sk/service.h>
#include <sk/socket.h>
#include <sk/time.h>

#define PORT 5000
#define PATIENCE (20 * SK_SECOND)

static const uint8_t group[4] = {239, 1, 2, 3};

static status_t restart_driver(void)
{
    struct sk_devmgr_restart request = {
        .operation = SK_DEVMGR_RESTART, .cause = SK_CAUSE_KILLED, .service = "nic0"};
    int64_t answer = SK_BAD_FORMAT;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&answer, sizeof answer);
    handle_t devmgr;
    status_t status = sk_connect("devmgr", sk_deadline_after(PATIENCE), &devmgr);

    if (status == SK_OK) {
        status = sk_channel_call(devmgr, &out, &in, sk_deadline_after(PATIENCE));
        sk_handle_close(devmgr);
    }
    return status == SK_OK ? (status_t)answer : status;
}

/* What the library and the service answer to nonsense; one socket in one group is there. */
static bool refusals_are_right(struct sk_net *net, struct sk_socket *socket)
{
    static const uint8_t host[4] = {10, 0, 2, 2}, all_hosts[4] = {224, 0, 0, 1},
                         unknown[4] = {239, 9, 9, 9};
    uint64_t deadline = sk_deadline_after(PATIENCE);
    struct sk_socket *stream;
    bool good = sk_udp_join(socket, host, deadline) == SK_INVALID_ARGS &&
                sk_udp_join(socket, all_hosts, deadline) == SK_INVALID_ARGS &&
                sk_udp_join(socket, group, deadline) == SK_EXISTS &&
                sk_udp_leave(socket, unknown, deadline) == SK_NOT_FOUND;

    if (good && sk_tcp_listen(net, sk_net_any(PORT), 1, deadline, &stream) == SK_OK) {
        good = sk_udp_join(stream, unknown, deadline) == SK_INVALID_ARGS;
        sk_socket_close(stream);
    }
    for (uint8_t i = 1; i < SK_NET_GROUPS_MAX; i++) {
        const uint8_t further[4] = {239, 9, 0, i};
        good = good && sk_udp_join(socket, further, deadline) == SK_OK;
    }
    good = good && sk_udp_join(socket, unknown, deadline) == SK_BUSY;
    for (uint8_t i = 1; i < SK_NET_GROUPS_MAX; i++) {
        const uint8_t further[4] = {239, 9, 0, i};
        good = good && sk_udp_leave(socket, further, deadline) == SK_OK;
    }
    return good;
}

/* False: it is the last. */
static bool take_datagram(struct sk_net *net, struct sk_socket *socket)
{
    char text[64];
    struct sk_net_address from;
    struct sk_net_info_reply info;
    uint32_t length;

    while (sk_udp_receive(socket, &from, text, sizeof text - 1, &length) == SK_OK) {
        text[length < sizeof text ? length : sizeof text - 1] = '\0';
        if (strcmp(text, "end") == 0) {
            return false;
        }
        if (strcmp(text, "restart") == 0) {
            printf("restart: %s\n", sk_status_words(restart_driver()));
        } else if (strcmp(text, "leave") == 0) {
            status_t status = sk_udp_leave(socket, group, sk_deadline_after(PATIENCE));
            printf("leave: %s\n", sk_status_words(status));
        }
        if (sk_net_info(net, sk_deadline_after(PATIENCE), &info) == SK_OK) {
            printf("got %s, %llu frames\n", text, (unsigned long long)info.rx_packets);
        }
    }
    return true;
}

int main(void)
{
    struct sk_net *net;
    struct sk_socket *socket, *ready;
    uint64_t deadline = sk_deadline_after(PATIENCE);
    status_t status = sk_net_open(&net, 4, deadline);

    if (status == SK_OK) {
        status = sk_udp_open(net, sk_net_any(PORT), deadline, &socket);
    }
    if (status == SK_OK) {
        status = sk_udp_join(socket, group, deadline);
    }
    if (status == SK_OK && !refusals_are_right(net, socket)) {
        printf("a wrong answer\n");
        return 1;
    }
    if (status == SK_OK) {
        printf("joined\n");
    }
    while (status == SK_OK && take_datagram(net, socket)) {
        status = sk_net_wait(net, SK_DEADLINE_NEVER, &ready);
    }
    if (status != SK_OK) {
        printf("ended: %s\n", sk_status_words(status));
    }
    return status != SK_OK;
}
