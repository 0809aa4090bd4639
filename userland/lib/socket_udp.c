/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sockets of programs: datagrams in the data rings, each a struct sk_net_datagram and its bytes,
 * padded to 16. No lock: a session belongs to one thread. Tests: tests/qemu/net.
 */
#include "socket_internal.h"

#define RECORD_ALIGN 16u

static uint32_t record_bytes(uint32_t length)
{
    return (uint32_t)sizeof(struct sk_net_datagram) +
           ((length + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1));
}

status_t sk_udp_open(struct sk_net *net, struct sk_net_address local, uint64_t deadline,
                     struct sk_socket **socket)
{
    return socket_request(net, SK_NET_OP_UDP, local, 0, SOCKET_DATAGRAM, deadline, socket);
}

static status_t group_call(struct sk_socket *socket, uint64_t op, const uint8_t group[4],
                           uint64_t deadline)
{
    struct sk_net_group_request request = {
        .op = op, .slot = socket->slot, .generation = socket->generation};
    int64_t status;

    memcpy(request.ip, group, sizeof request.ip);
    return socket_net_call(socket->net, &request, sizeof request, &status, sizeof status, deadline);
}

status_t sk_udp_join(struct sk_socket *socket, const uint8_t group[4], uint64_t deadline)
{
    return group_call(socket, SK_NET_OP_JOIN, group, deadline);
}

status_t sk_udp_leave(struct sk_socket *socket, const uint8_t group[4], uint64_t deadline)
{
    return group_call(socket, SK_NET_OP_LEAVE, group, deadline);
}

status_t sk_udp_send(struct sk_socket *socket, struct sk_net_address to, const void *data,
                     uint32_t length)
{
    struct sk_net_datagram header = {.address = to, .length = length};
    struct sk_ring *tx = &socket->tx;
    status_t state = socket_state(socket);

    if (length > SK_UDP_BYTES_MAX) {
        return SK_TOO_BIG;
    }
    if (state != SK_OK) {
        return state;
    }
    if (sk_ring_room(tx) < record_bytes(length)) {
        socket_ask_for(socket, SK_SOCKET_WRITABLE);
        if (sk_ring_room(tx) < record_bytes(length)) {
            return SK_PENDING;
        }
    }
    socket_copy_in(tx, socket->tx_data, tx->own, &header, sizeof header);
    socket_copy_in(tx, socket->tx_data, tx->own + sizeof header, data, length);
    sk_ring_publish(tx, record_bytes(length));
    socket_name(socket);
    return SK_OK;
}

status_t sk_udp_receive(struct sk_socket *socket, struct sk_net_address *from, void *buffer,
                        uint32_t size, uint32_t *length)
{
    struct sk_ring *rx = &socket->rx;
    uint32_t available = sk_ring_available(rx);
    struct sk_net_datagram header;

    if (available < sizeof header) {
        status_t state = socket_state(socket);
        return state == SK_OK ? SK_PENDING : state;
    }
    socket_copy_out(rx, socket->rx_data, rx->own, &header, sizeof header);
    if (header.length > available || record_bytes(header.length) > available) {
        rx->broken = true; /* the service never writes half a datagram */
        return SK_BAD_FORMAT;
    }
    uint32_t take = header.length < size ? header.length : size;
    socket_copy_out(rx, socket->rx_data, rx->own + sizeof header, buffer, take);
    sk_ring_release(rx, record_bytes(header.length));
    *from = header.address;
    *length = header.length;
    return SK_OK;
}
