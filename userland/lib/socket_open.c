/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening and closing a session with the net service, and what every kind of socket has in common.
 * No lock: a session belongs to one thread. Tests: tests/qemu/net.
 */
#include "socket_internal.h"

#include <stdlib.h>

#include <sk/ipc.h>
#include <sk/service.h>
#include <sk/thread.h>

/* A session is asked for again when the service dies before it has given it. */
#define OPEN_ATTEMPTS 4

/* What one page table maps, or less. */
#define TABLE_REACH (2u << 20)

enum { HANDLE_CONTROL, HANDLE_DATA, HANDLE_TO_NET, HANDLE_TO_PROGRAM, HANDLE_COUNT };

static status_t map_whole(handle_t memory, uint64_t size, void **at)
{
    uint64_t address;
    status_t status = sk_memory_map(sk_self_process, memory, 0, size, 0,
                                    SK_PROT_READ | SK_PROT_WRITE, &address);
    if (status == SK_OK) {
        *at = (void *)(uintptr_t)address;
    }
    return status;
}

/* Page tables are paid at the first touch. Who cannot pay ends by it: better now than in the middle of serving. */
static void touch_tables(const uint8_t *data, uint64_t size)
{
    const _Atomic uint8_t *bytes = (const _Atomic uint8_t *)data; /* a load that stays */
    for (uint64_t at = 0; at < size; at += TABLE_REACH) {
        atomic_load_explicit(&bytes[at], memory_order_relaxed);
    }
    atomic_load_explicit(&bytes[size - 1], memory_order_relaxed);
}

/* Maps the memory that OPEN gave and makes the wait set. What it made is in *net, also on error. */
static status_t session_map(struct sk_net *net, const handle_t *handles)
{
    void *control = NULL, *data = NULL;
    status_t status = map_whole(handles[HANDLE_CONTROL], sk_net_control_bytes(net->slots),
                                &control);
    net->control = control;
    if (status == SK_OK) {
        status = map_whole(handles[HANDLE_DATA], sk_net_data_bytes(net->slots), &data);
        net->data = data;
    }
    if (status == SK_OK) {
        touch_tables(data, sk_net_data_bytes(net->slots));
    }
    if (status == SK_OK) {
        status = sk_waitset_create(sk_self_job, &net->waitset);
    }
    if (status == SK_OK) {
        status = sk_waitset_add(net->waitset, net->event_to_program, SK_SIGNAL_EVENT,
                                SOCKET_KEY_EVENT);
    }
    if (status == SK_OK) {
        status = sk_waitset_add(net->waitset, net->endpoint, SK_SIGNAL_PEER_CLOSED,
                                SOCKET_KEY_ENDPOINT);
    }
    if (status != SK_OK) {
        return status;
    }
    sk_ring_init(&net->to_net, &net->control->to_net, SK_NET_SLOTS_MAX);
    sk_ring_init(&net->to_program, &net->control->to_program, SK_NET_SLOTS_MAX);
    for (uint32_t i = 0; i < net->slots; i++) {
        net->sockets[i].net = net;
    }
    return SK_OK;
}

/* The OPEN call: *slots wanted, then granted. On success the handles are the caller's. */
static status_t session_request(handle_t endpoint, uint32_t *slots, uint64_t deadline,
                                handle_t handles[HANDLE_COUNT])
{
    struct sk_net_open_request request = {.op = SK_NET_OP_OPEN, .slots = *slots};
    struct sk_net_open_reply reply;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&reply, sizeof reply);

    in.handles = handles;
    in.handle_capacity = HANDLE_COUNT;
    status_t status = sk_channel_call(endpoint, &out, &in, deadline);
    if (status != SK_OK) {
        return status == SK_PEER_CLOSED ? sk_connect_refusal(endpoint) : status;
    }
    if (in.length < sizeof reply.status) {
        status = SK_BAD_FORMAT;
    } else if (reply.status != SK_OK) {
        status = (status_t)reply.status;
    } else if (in.length != sizeof reply || in.handle_count != HANDLE_COUNT || reply.slots == 0 ||
               reply.slots > *slots) {
        status = SK_BAD_FORMAT;
    }
    for (size_t i = 0; status != SK_OK && i < in.handle_count; i++) {
        sk_handle_close(handles[i]);
    }
    if (status == SK_OK) {
        *slots = reply.slots;
    }
    return status;
}

/*
 * Connections that ended with a dead service, of all sessions of this process. A new session tells the
 * new service of them. Those for which there is no room are forgotten: their peers find out themselves.
 */
static struct {
    struct sk_net_lost_request request;
    struct sk_net_pair pairs[SK_NET_LOST_MAX];
} lost = {.request = {.op = SK_NET_OP_LOST}};
static struct sk_mutex lost_lock; /* guards `lost` */

static void lost_note(const struct sk_socket *socket)
{
    if (!socket->net->dead || socket->kind != SOCKET_CONNECTION) {
        return;
    }
    sk_mutex_lock(&lost_lock);
    if (lost.request.count < SK_NET_LOST_MAX) {
        lost.pairs[lost.request.count++] = (struct sk_net_pair){socket->shared->local,
                                                                socket->shared->remote};
    }
    sk_mutex_unlock(&lost_lock);
}

static void lost_tell(handle_t endpoint)
{
    sk_mutex_lock(&lost_lock);
    if (lost.request.count != 0) {
        struct sk_out out = sk_out_bytes(&lost, sizeof lost.request +
                                                    lost.request.count * sizeof lost.pairs[0]);
        sk_channel_send(endpoint, &out);
        lost.request.count = 0;
    }
    sk_mutex_unlock(&lost_lock);
}

static void close_handle(handle_t handle)
{
    if (handle != SK_HANDLE_NONE) {
        sk_handle_close(handle);
    }
}

/* Gives back everything of the session; the service sends on what was written. */
static void session_free(struct sk_net *net)
{
    close_handle(net->waitset);
    close_handle(net->endpoint);
    close_handle(net->event_to_net);
    close_handle(net->event_to_program);
    if (net->control != NULL) {
        sk_memory_unmap(sk_self_process, (uintptr_t)net->control, sk_net_control_bytes(net->slots));
    }
    if (net->data != NULL) {
        sk_memory_unmap(sk_self_process, (uintptr_t)net->data, sk_net_data_bytes(net->slots));
    }
    free(net);
}

/* One attempt; PEER_CLOSED: the service died meanwhile. */
static status_t session_open(struct sk_net *made, uint64_t deadline)
{
    handle_t handles[HANDLE_COUNT];
    status_t status = sk_connect("net", deadline, &made->endpoint);
    if (status == SK_OK) {
        status = session_request(made->endpoint, &made->slots, deadline, handles);
    }
    if (status == SK_OK) {
        made->event_to_net = handles[HANDLE_TO_NET];
        made->event_to_program = handles[HANDLE_TO_PROGRAM];
        status = session_map(made, handles);
        sk_handle_close(handles[HANDLE_CONTROL]);
        sk_handle_close(handles[HANDLE_DATA]);
    }
    if (status == SK_OK) {
        lost_tell(made->endpoint);
    }
    return status;
}

status_t sk_net_open(struct sk_net **net, uint32_t sockets, uint64_t deadline)
{
    if (sockets == 0 || sockets > SK_NET_SLOTS_MAX) {
        return SK_INVALID_ARGS;
    }
    status_t status = SK_PEER_CLOSED;
    for (int attempt = 0; attempt < OPEN_ATTEMPTS && status == SK_PEER_CLOSED; attempt++) {
        struct sk_net *made = calloc(1, sizeof *made + sockets * sizeof made->sockets[0]);
        if (made == NULL) {
            return SK_NO_MEMORY;
        }
        made->slots = sockets;
        status = session_open(made, deadline);
        if (status == SK_OK) {
            *net = made;
        } else {
            session_free(made);
        }
    }
    if (status == SK_TIMED_OUT) {
        sk_complain("net");
    }
    return status;
}

void sk_net_close(struct sk_net *net)
{
    if (net == NULL) {
        return;
    }
    for (uint32_t i = 0; i < net->slots; i++) {
        if (net->sockets[i].kind != SOCKET_UNUSED) {
            sk_socket_close(&net->sockets[i]);
        }
    }
    sk_net_flush(net);
    session_free(net);
}

status_t sk_net_watch(struct sk_net *net, handle_t control)
{
    net->watched = control;
    return sk_waitset_add(net->waitset, control, SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED,
                          SOCKET_KEY_WATCHED);
}

handle_t sk_net_event(const struct sk_net *net)
{
    return net->event_to_program;
}

handle_t sk_net_endpoint(const struct sk_net *net)
{
    return net->endpoint;
}

/* --- Any socket --- */

status_t socket_state(const struct sk_socket *socket)
{
    uint32_t state = atomic_load_explicit(&socket->shared->state, memory_order_acquire);

    if (socket->net->dead) {
        return SK_PEER_CLOSED;
    }
    if (state == SK_NET_CONNECTING) {
        return SK_PENDING;
    }
    if (state == SK_NET_FAILED) {
        int32_t status = socket->shared->status;
        return status < 0 && status != SK_PENDING ? status : SK_IO_ERROR;
    }
    return SK_OK;
}

status_t sk_socket_status(struct sk_socket *socket)
{
    return socket_state(socket);
}

uint32_t sk_socket_events(struct sk_socket *socket)
{
    status_t state = socket_state(socket);
    uint32_t events = 0;

    if (state != SK_OK && state != SK_PENDING) {
        events |= SK_SOCKET_FAILED;
    }
    if (socket->kind == SOCKET_LISTENER) {
        return events | (socket->first_accept != NULL ? (uint32_t)SK_SOCKET_READABLE : 0u);
    }
    /* The end first: bytes that came before it are then seen, too. */
    if (atomic_load_explicit(&socket->shared->rx_end, memory_order_acquire) != 0) {
        events |= SK_SOCKET_END;
    }
    if (sk_ring_available(&socket->rx) > 0) {
        events |= SK_SOCKET_READABLE;
    }
    if (state == SK_OK) {
        uint32_t room = sk_ring_room(&socket->tx);
        events |= SK_SOCKET_CONNECTED;
        events |= room > 0 && !socket->is_shut ? (uint32_t)SK_SOCKET_WRITABLE : 0u;
        events |= room == SK_NET_TX_BYTES ? (uint32_t)SK_SOCKET_DRAINED : 0u;
    }
    return events;
}

void socket_ask_for(struct sk_socket *socket, uint32_t events)
{
    uint32_t wants = (events & SK_SOCKET_WRITABLE ? (uint32_t)SK_NET_WANT_ROOM : 0u) |
                     (events & SK_SOCKET_DRAINED ? (uint32_t)SK_NET_WANT_DRAINED : 0u);
    if (wants != 0) {
        atomic_fetch_or_explicit(&socket->shared->wants, wants, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); /* the wish, before the look at the ring */
    }
}

status_t sk_socket_wait_for(struct sk_socket *socket, uint32_t events, uint64_t deadline,
                            uint32_t *shown)
{
    uint32_t enough = events | (uint32_t)SK_SOCKET_FAILED |
                      (events & SK_SOCKET_READABLE ? (uint32_t)SK_SOCKET_END : 0u);
    for (;;) {
        socket_ask_for(socket, events);
        uint32_t now = sk_socket_events(socket);
        if ((now & enough) != 0) {
            if (shown != NULL) {
                *shown = now;
            }
            return SK_OK;
        }
        status_t status = socket_net_sleep(socket->net, deadline);
        if (status != SK_OK) {
            return status;
        }
    }
}

void sk_socket_set_context(struct sk_socket *socket, void *context)
{
    socket->context = context;
}

void *sk_socket_context(const struct sk_socket *socket)
{
    return socket->context;
}

struct sk_net_address sk_socket_local(const struct sk_socket *socket)
{
    return socket->shared->local;
}

struct sk_net_address sk_socket_remote(const struct sk_socket *socket)
{
    return socket->shared->remote;
}

/* The socket ends for us; the service goes on with the request. */
static void socket_end(struct sk_socket *socket, uint32_t request)
{
    lost_note(socket);
    socket->kind = SOCKET_UNUSED;
    atomic_fetch_or_explicit(&socket->shared->requests, request, memory_order_relaxed);
    socket_name(socket);
}

static void abort_unaccepted(struct sk_socket *listener)
{
    while (listener->first_accept != NULL) {
        struct sk_socket *connection = listener->first_accept;
        listener->first_accept = connection->next_accept;
        connection->unaccepted = false;
        socket_end(connection, SK_NET_REQUEST_ABORT);
    }
}

void sk_socket_close(struct sk_socket *socket)
{
    if (socket->kind == SOCKET_LISTENER) {
        abort_unaccepted(socket);
    }
    socket_end(socket, SK_NET_REQUEST_CLOSE);
}

void sk_socket_abort(struct sk_socket *socket)
{
    if (socket->kind == SOCKET_LISTENER) {
        abort_unaccepted(socket);
    }
    socket_end(socket, SK_NET_REQUEST_ABORT);
}
