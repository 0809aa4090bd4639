/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP sockets of programs: reading and writing the data rings, accepting, connecting.
 * No lock: a session belongs to one thread. Tests: tests/host/services/net/test_sockets.c, tests/qemu/net.
 */
#include "socket_internal.h"

/* Consumed bytes that the service must hear of at once, so that the window opens again. */
#define REPORT_BYTES (SK_NET_RX_BYTES / 4)

status_t sk_tcp_listen(struct sk_net *net, struct sk_net_address local, uint32_t backlog,
                       uint64_t deadline, struct sk_socket **listener)
{
    return socket_request(net, SK_NET_OP_LISTEN, local, backlog, SOCKET_LISTENER, deadline,
                          listener);
}

status_t sk_tcp_accept(struct sk_socket *listener, struct sk_socket **connection)
{
    struct sk_socket *first = listener->first_accept;

    if (first == NULL) {
        status_t state = socket_state(listener);
        return state == SK_OK ? SK_PENDING : state;
    }
    listener->first_accept = first->next_accept;
    first->unaccepted = false;
    if ((sk_socket_events(first) & (SK_SOCKET_READABLE | SK_SOCKET_END | SK_SOCKET_FAILED)) != 0) {
        socket_make_ready(first); /* what was named while nobody knew the connection */
    }
    socket_name(first); /* there is room in the backlog again */
    *connection = first;
    return SK_OK;
}

status_t sk_tcp_connect(struct sk_net *net, struct sk_net_address remote, uint64_t deadline,
                        struct sk_socket **connection)
{
    return socket_request(net, SK_NET_OP_CONNECT, remote, 0, SOCKET_CONNECTION, deadline,
                          connection);
}

status_t sk_tcp_connect_wait(struct sk_net *net, struct sk_net_address remote, uint64_t deadline,
                             struct sk_socket **connection)
{
    struct sk_socket *made;
    status_t status = sk_tcp_connect(net, remote, deadline, &made);

    if (status != SK_OK) {
        return status;
    }
    status = sk_socket_wait_for(made, SK_SOCKET_CONNECTED, deadline, NULL);
    if (status == SK_OK) {
        status = socket_state(made);
    }
    if (status != SK_OK) {
        sk_socket_abort(made);
        return status;
    }
    *connection = made;
    return SK_OK;
}

/* Nothing can be read: the reason. OK: it is the end, *length is 0. */
static status_t nothing_to_read(struct sk_socket *connection, uint32_t *length)
{
    /* The end first, then the ring once more: bytes before the end are never missed. */
    bool end = atomic_load_explicit(&connection->shared->rx_end, memory_order_acquire) != 0;
    status_t state = socket_state(connection);

    if (sk_ring_available(&connection->rx) > 0) {
        return SK_PENDING; /* they came this moment, and a report with them */
    }
    if (end) {
        *length = 0;
        return SK_OK;
    }
    return state == SK_OK ? SK_PENDING : state;
}

uint32_t sk_tcp_available(struct sk_socket *connection)
{
    return sk_ring_available(&connection->rx);
}

status_t sk_tcp_peek(struct sk_socket *connection, const void **data, uint32_t *length)
{
    struct sk_ring *rx = &connection->rx;
    uint32_t available = sk_ring_available(rx);

    if (available == 0) {
        return nothing_to_read(connection, length);
    }
    *data = connection->rx_data + sk_ring_slot(rx, rx->own);
    *length = sk_ring_contiguous(rx, rx->own, available);
    return SK_OK;
}

void sk_tcp_consume(struct sk_socket *connection, uint32_t length)
{
    sk_ring_release(&connection->rx, length);
    connection->unreported += length;
    if (connection->unreported >= REPORT_BYTES) {
        socket_name(connection);
    }
}

status_t sk_tcp_read(struct sk_socket *connection, void *buffer, uint32_t size, uint32_t *length)
{
    struct sk_ring *rx = &connection->rx;
    uint32_t available = sk_ring_available(rx);

    if (available == 0) {
        return nothing_to_read(connection, length);
    }
    uint32_t take = available < size ? available : size;
    socket_copy_out(rx, connection->rx_data, rx->own, buffer, take);
    sk_tcp_consume(connection, take);
    *length = take;
    return SK_OK;
}

/* Room to write. When there is none asks for a report, and looks again. */
static status_t writable_room(struct sk_socket *connection, uint32_t *room)
{
    status_t state = socket_state(connection);

    if (state != SK_OK) {
        return state;
    }
    if (connection->is_shut) {
        return SK_BAD_STATE;
    }
    *room = sk_ring_room(&connection->tx);
    if (*room == 0) {
        socket_ask_for(connection, SK_SOCKET_WRITABLE);
        *room = sk_ring_room(&connection->tx);
    }
    return *room == 0 ? SK_PENDING : SK_OK;
}

status_t sk_tcp_reserve(struct sk_socket *connection, void **space, uint32_t *room)
{
    struct sk_ring *tx = &connection->tx;
    uint32_t free_bytes;
    status_t status = writable_room(connection, &free_bytes);

    if (status == SK_OK) {
        *space = connection->tx_data + sk_ring_slot(tx, tx->own);
        *room = sk_ring_contiguous(tx, tx->own, free_bytes);
    }
    return status;
}

void sk_tcp_commit(struct sk_socket *connection, uint32_t length)
{
    if (length > 0) {
        sk_ring_publish(&connection->tx, length);
        socket_name(connection);
    }
}

status_t sk_tcp_write(struct sk_socket *connection, const void *data, uint32_t length,
                      uint32_t *written)
{
    struct sk_ring *tx = &connection->tx;
    uint32_t room;
    status_t status = writable_room(connection, &room);

    if (status == SK_OK) {
        uint32_t put = length < room ? length : room;
        socket_copy_in(tx, connection->tx_data, tx->own, data, put);
        sk_tcp_commit(connection, put);
        *written = put;
    }
    return status;
}

status_t sk_tcp_shutdown(struct sk_socket *connection)
{
    status_t state = socket_state(connection);

    if (state != SK_OK || connection->is_shut) {
        return state == SK_OK ? SK_BAD_STATE : state;
    }
    connection->is_shut = true;
    atomic_fetch_or_explicit(&connection->shared->requests, SK_NET_REQUEST_SHUTDOWN,
                             memory_order_relaxed);
    socket_name(connection);
    return SK_OK;
}

status_t sk_tcp_read_wait(struct sk_socket *connection, void *buffer, uint32_t size,
                          uint64_t deadline, uint32_t *length)
{
    for (;;) {
        status_t status = sk_tcp_read(connection, buffer, size, length);
        if (status != SK_PENDING) {
            return status;
        }
        status = sk_socket_wait_for(connection, SK_SOCKET_READABLE, deadline, NULL);
        if (status != SK_OK) {
            return status;
        }
    }
}

status_t sk_tcp_write_all(struct sk_socket *connection, const void *data, uint32_t length,
                          uint64_t deadline)
{
    const uint8_t *from = data;

    while (length > 0) {
        uint32_t written;
        status_t status = sk_tcp_write(connection, from, length, &written);
        if (status == SK_PENDING) {
            /* Room only: the peer's end does not stop us from writing. */
            status = socket_net_sleep(connection->net, deadline);
            if (status != SK_OK) {
                return status;
            }
            continue;
        }
        if (status != SK_OK) {
            return status;
        }
        from += written;
        length -= written;
    }
    sk_net_flush(connection->net);
    return SK_OK;
}
