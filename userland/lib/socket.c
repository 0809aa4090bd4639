/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions with the net service: the two rings of slot numbers, reports, waiting, calls.
 * A session belongs to one thread; there is no lock. Nothing the service wrote is trusted further
 * than this session: an impossible value ends it (`dead`).
 * Tests: tests/host/services/net/test_sockets.c, tests/qemu/net.
 */
#include "socket_internal.h"

#include <sk/ipc.h>
#include <sk/protocol/init.h>
#include <sk/service.h>

/* The service has gone, or broke the protocol: every socket of the session has failed. */
static void net_die(struct sk_net *net)
{
    if (net->dead) {
        return;
    }
    net->dead = true;
    for (uint32_t i = 0; i < net->slots; i++) {
        if (net->sockets[i].kind != SOCKET_UNUSED && !net->sockets[i].unaccepted) {
            socket_make_ready(&net->sockets[i]);
        }
    }
}

void socket_make_ready(struct sk_socket *socket)
{
    struct sk_net *net = socket->net;

    if (socket->is_ready) {
        return;
    }
    socket->is_ready = true;
    socket->next_ready = NULL;
    if (net->first_ready == NULL) {
        net->first_ready = socket;
    } else {
        net->last_ready->next_ready = socket;
    }
    net->last_ready = socket;
}

void socket_name(struct sk_socket *socket)
{
    struct sk_net *net = socket->net;

    socket->unreported = 0;
    atomic_thread_fence(memory_order_seq_cst); /* what changed, before the flag */
    if (atomic_exchange_explicit(&socket->shared->named_to_net, 1, memory_order_relaxed) != 0) {
        return;
    }
    if (sk_ring_room(&net->to_net) == 0) {
        net_die(net); /* a slot is in it at most once, so there is always room */
        return;
    }
    net->control->to_net_slots[sk_ring_slot(&net->to_net, net->to_net.own)] = socket->slot;
    sk_ring_publish(&net->to_net, 1);
    net->unflushed = true;
}

uint32_t sk_net_capacity(const struct sk_net *net)
{
    return net->slots;
}

void sk_net_flush(struct sk_net *net)
{
    if (!net->unflushed) {
        return;
    }
    net->unflushed = false;
    if (sk_wake_needed(&net->control->net_sleeps)) {
        sk_event_signal(net->event_to_net);
    }
}

/* Takes a slot's present socket into use. */
static struct sk_socket *socket_start(struct sk_net *net, uint32_t slot, uint8_t kind)
{
    struct sk_socket *socket = &net->sockets[slot];
    struct sk_net_slot *shared = &net->control->slots[slot];
    bool is_ready = socket->is_ready; /* it may still be in the list for its predecessor */
    struct sk_socket *next_ready = socket->next_ready;

    *socket = (struct sk_socket){
        .net = net,
        .shared = shared,
        .rx_data = net->data + sk_net_rx_offset(slot),
        .tx_data = net->data + sk_net_tx_offset(slot),
        .generation = shared->generation,
        .slot = (uint16_t)slot,
        .kind = kind,
        .is_ready = is_ready,
        .next_ready = next_ready,
    };
    sk_ring_init(&socket->rx, &shared->rx, SK_NET_RX_BYTES);
    sk_ring_init(&socket->tx, &shared->tx, SK_NET_TX_BYTES);
    return socket;
}

/* A slot we do not have in use was named: a connection that came in for a listener, or old news. */
static void slot_arrived(struct sk_net *net, uint32_t slot)
{
    struct sk_net_slot *shared = &net->control->slots[slot];
    uint32_t state = atomic_load_explicit(&shared->state, memory_order_acquire);
    uint32_t parent = shared->parent;

    if (state == SK_NET_FREE || shared->generation == net->sockets[slot].generation) {
        return;
    }
    struct sk_socket *socket = socket_start(net, slot, SOCKET_CONNECTION);
    if (parent >= net->slots || net->sockets[parent].kind != SOCKET_LISTENER) {
        sk_socket_abort(socket); /* its listener was closed meanwhile */
        return;
    }
    struct sk_socket *listener = &net->sockets[parent];
    socket->unaccepted = true;
    if (listener->first_accept == NULL) {
        listener->first_accept = socket;
    } else {
        listener->last_accept->next_accept = socket;
    }
    listener->last_accept = socket;
    socket_make_ready(listener);
}

/* Empties the ring of slots that the service named. False: there were none. */
static bool net_take(struct sk_net *net)
{
    uint32_t count = sk_ring_available(&net->to_program);

    if (count == 0) {
        if (net->to_program.broken) {
            net_die(net);
        }
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = sk_ring_slot(&net->to_program, net->to_program.own + i);
        uint32_t slot = net->control->to_program_slots[at];
        if (slot >= net->slots) {
            net_die(net);
            return false;
        }
        atomic_store_explicit(&net->control->slots[slot].named_to_program, 0, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); /* the flag, before what it is about */
        if (net->sockets[slot].kind == SOCKET_UNUSED) {
            slot_arrived(net, slot);
        } else if (!net->sockets[slot].unaccepted) {
            socket_make_ready(&net->sockets[slot]);
        }
    }
    sk_ring_release(&net->to_program, count);
    return true;
}

/* The next socket in the ready list that is still in use. */
static struct sk_socket *net_pop_ready(struct sk_net *net)
{
    while (net->first_ready != NULL) {
        struct sk_socket *socket = net->first_ready;
        net->first_ready = socket->next_ready;
        socket->is_ready = false;
        if (socket->kind != SOCKET_UNUSED && !socket->unaccepted) {
            return socket;
        }
    }
    return NULL;
}

struct sk_socket *sk_net_next(struct sk_net *net)
{
    sk_sleep_end(&net->control->program_sleeps);
    for (;;) {
        struct sk_socket *socket = net_pop_ready(net);
        if (socket != NULL) {
            return socket;
        }
        if (net->dead) {
            return NULL;
        }
        if (net_take(net)) {
            continue;
        }
        sk_net_flush(net);
        sk_sleep_begin(&net->control->program_sleeps);
        if (!net_take(net) && net->first_ready == NULL) {
            return NULL;
        }
        sk_sleep_end(&net->control->program_sleeps);
    }
}

/* Waits for the service, which has been told that we sleep and had nothing for us since. */
static status_t net_receive(struct sk_net *net, uint64_t deadline)
{
    struct sk_init_new_client message; /* only init sends any */
    handle_t client;
    struct sk_in in = {
        .bytes = &message, .capacity = sizeof message, .handles = &client, .handle_capacity = 1};
    status_t status = sk_channel_receive(net->waitset, &in, deadline);

    sk_sleep_end(&net->control->program_sleeps);
    if (status != SK_OK) {
        return status;
    }
    if (in.key == SOCKET_KEY_WATCHED && in.signals != 0) {
        return SK_PENDING;
    }
    if (in.key == SOCKET_KEY_WATCHED) {
        sk_control_accept(net->watched, &in);
    }
    if (in.key == SOCKET_KEY_ENDPOINT) {
        net_die(net);
    }
    net_take(net);
    return net->dead ? SK_PEER_CLOSED : SK_OK;
}

status_t socket_net_sleep(struct sk_net *net, uint64_t deadline)
{
    sk_net_flush(net);
    sk_sleep_begin(&net->control->program_sleeps);
    if (net_take(net) || net->dead) {
        sk_sleep_end(&net->control->program_sleeps);
        return net->dead ? SK_PEER_CLOSED : SK_OK;
    }
    return net_receive(net, deadline);
}

status_t sk_net_wait(struct sk_net *net, uint64_t deadline, struct sk_socket **socket)
{
    for (;;) {
        struct sk_socket *next = sk_net_next(net);
        if (next != NULL) {
            *socket = next;
            return SK_OK;
        }
        status_t status = net->dead ? SK_PEER_CLOSED : net_receive(net, deadline);
        if (status != SK_OK && net->first_ready == NULL) {
            return status;
        }
    }
}

status_t socket_net_call(struct sk_net *net, const void *request, size_t request_length,
                         void *reply, size_t reply_length, uint64_t deadline)
{
    struct sk_out out = sk_out_bytes(request, request_length);
    struct sk_in in = sk_in_bytes(reply, reply_length);

    if (net->dead) {
        return SK_PEER_CLOSED;
    }
    status_t status = sk_channel_call(net->endpoint, &out, &in, deadline);
    if (status == SK_PEER_CLOSED) {
        net_die(net);
    }
    if (status != SK_OK) {
        return status;
    }
    int64_t answer;
    if (in.length < sizeof answer) {
        return SK_BAD_FORMAT;
    }
    memcpy(&answer, reply, sizeof answer);
    if (answer == SK_OK && in.length != reply_length) {
        return SK_BAD_FORMAT;
    }
    return (status_t)answer;
}

status_t socket_request(struct sk_net *net, uint64_t op, struct sk_net_address address,
                        uint32_t backlog, uint8_t kind, uint64_t deadline,
                        struct sk_socket **socket)
{
    struct sk_net_socket_request request = {.op = op, .address = address, .backlog = backlog};
    struct sk_net_socket_reply reply;
    status_t status = socket_net_call(net, &request, sizeof request, &reply, sizeof reply,
                                      deadline);

    if (status != SK_OK) {
        return status;
    }
    if (reply.slot >= net->slots || net->sockets[reply.slot].kind != SOCKET_UNUSED) {
        net_die(net);
        return SK_PEER_CLOSED;
    }
    *socket = socket_start(net, reply.slot, kind);
    return SK_OK;
}

status_t sk_net_resolve(struct sk_net *net, const char *name, uint64_t deadline, uint8_t ip[4])
{
    struct sk_net_resolve_request request = {.op = SK_NET_OP_RESOLVE};
    struct sk_net_resolve_reply reply;
    size_t length = strlen(name);

    if (sk_net_parse_ip(name, ip) == SK_OK) {
        return SK_OK;
    }
    if (length == 0 || length > SK_NET_NAME_MAX) {
        return SK_INVALID_ARGS;
    }
    request.length = (uint32_t)length;
    memcpy(request.name, name, length);
    status_t status = socket_net_call(net, &request, sizeof request, &reply, sizeof reply,
                                      deadline);
    if (status == SK_OK) {
        memcpy(ip, reply.ip, 4);
    }
    return status;
}

status_t sk_net_info(struct sk_net *net, uint64_t deadline, struct sk_net_info_reply *info)
{
    struct sk_net_request request = {.op = SK_NET_OP_INFO};

    return socket_net_call(net, &request, sizeof request, info, sizeof *info, deadline);
}

status_t sk_net_time(struct sk_net *net, uint64_t deadline, struct sk_net_time_reply *time)
{
    struct sk_net_request request = {.op = SK_NET_OP_TIME};

    return socket_net_call(net, &request, sizeof request, time, sizeof *time, deadline);
}

status_t sk_net_parse_ip(const char *text, uint8_t ip[4])
{
    uint8_t parsed[4];

    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        int digits = 0;
        while (*text >= '0' && *text <= '9' && digits < 3) {
            value = value * 10 + (unsigned)(*text++ - '0');
            digits++;
        }
        if (digits == 0 || value > 255 || *text != (i < 3 ? '.' : '\0')) {
            return SK_INVALID_ARGS;
        }
        parsed[i] = (uint8_t)value;
        text++;
    }
    memcpy(ip, parsed, sizeof parsed);
    return SK_OK;
}
