/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions and slots: the shared control memory, slot numbers in both rings, socket states.
 * One thread, no lock. Everything read from shared memory is validated; a program that breaks the
 * protocol makes its session `broken`, and the service drops it.
 * Tests: tests/host/services/net/{test_sockets,test_hostile}.c.
 */
#include "session.h"

#include <string.h>

#define SOCKETS_AT_ONCE 1u /* of those that take turns, see turns.c */

size_t session_bytes(uint32_t slots)
{
    return sizeof(struct net_session) + slots * sizeof(struct net_socket);
}

void session_init(struct net_session *session, uint32_t slots, struct sk_net_control *control,
                  uint8_t *data)
{
    session->control = control;
    session->data = data;
    session->slots = slots;
    sk_ring_init(&session->to_net, &control->to_net, SK_NET_SLOTS_MAX);
    sk_ring_init(&session->to_program, &control->to_program, SK_NET_SLOTS_MAX);
    for (uint32_t i = 0; i < slots; i++) {
        struct net_socket *socket = &session->sockets[i];
        socket->session = session;
        socket->shared = &control->slots[i];
        socket->slot = (uint16_t)i;
        socket->next_free = i + 1 < slots ? (uint16_t)(i + 1) : NET_NO_SLOT;
    }
    session->first_free = 0;
    sk_sleep_begin(&control->net_sleeps); /* until the first look, every naming wakes us */
}

struct net_socket *socket_alloc(struct net_session *session, uint8_t kind)
{
    if (session->first_free == NET_NO_SLOT || session->orphaned || session->broken) {
        return NULL;
    }
    struct net_socket *socket = &session->sockets[session->first_free];
    struct sk_net_slot *shared = socket->shared;
    session->first_free = socket->next_free;
    session->in_use++;

    *socket = (struct net_socket){
        .session = session,
        .shared = shared,
        .generation = socket->generation + 1,
        .slot = socket->slot,
        .kind = kind,
    };
    /* Rings begin at 0 again, so that short connections touch their first pages only. */
    atomic_store_explicit(&shared->rx.head, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->rx.tail, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->tx.head, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->tx.tail, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->rx_end, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->requests, 0, memory_order_relaxed);
    atomic_store_explicit(&shared->wants, 0, memory_order_relaxed);
    sk_ring_init(&socket->rx, &shared->rx, SK_NET_RX_BYTES);
    sk_ring_init(&socket->tx, &shared->tx, SK_NET_TX_BYTES);
    shared->generation = socket->generation;
    shared->parent = socket->slot;
    shared->status = SK_OK;
    return socket;
}

static struct sk_net_address address_from_lwip(const ip_addr_t *ip, uint16_t port)
{
    struct sk_net_address address = {.port = port};
    uint32_t raw = ip_addr_get_ip4_u32(ip);
    memcpy(address.ip, &raw, sizeof address.ip);
    return address;
}

ip_addr_t address_to_lwip(const struct sk_net_address *address)
{
    ip_addr_t ip;
    uint32_t raw;
    memcpy(&raw, address->ip, sizeof raw);
    ip_addr_set_ip4_u32_val(ip, raw);
    return ip;
}

void socket_publish(struct net_socket *socket, uint32_t state, const ip_addr_t *local,
                    uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port)
{
    socket->shared->local = address_from_lwip(local, local_port);
    socket->shared->remote = address_from_lwip(remote, remote_port);
    atomic_store_explicit(&socket->shared->state, state, memory_order_release);
}

void socket_free(struct net_socket *socket)
{
    struct net_session *session = socket->session;

    atomic_store_explicit(&socket->shared->state, SK_NET_FREE, memory_order_release);
    socket->kind = NET_UNUSED;
    socket->next_free = session->first_free;
    session->first_free = socket->slot;
    session->in_use--;
}

void socket_tell(struct net_socket *socket)
{
    struct net_session *session = socket->session;

    if (session->orphaned || session->broken) {
        return;
    }
    atomic_thread_fence(memory_order_seq_cst); /* what changed, before the flag */
    if (atomic_exchange_explicit(&socket->shared->named_to_program, 1, memory_order_relaxed)) {
        return;
    }
    if (sk_ring_room(&session->to_program) == 0) {
        session->broken = true; /* only a program that clears flags it did not take gets here */
        return;
    }
    uint32_t at = sk_ring_slot(&session->to_program, session->to_program.own);
    session->control->to_program_slots[at] = socket->slot;
    sk_ring_publish(&session->to_program, 1);
    session->wanted = true;
}

bool session_must_wake(struct net_session *session)
{
    if (!session->wanted) {
        return false;
    }
    session->wanted = false;
    return sk_wake_needed(&session->control->program_sleeps);
}

void socket_fail(struct net_socket *socket, status_t status)
{
    socket->has_ended = true;
    socket->tcp = NULL;
    if (socket->is_closing) {
        socket_free(socket);
        return;
    }
    socket->shared->status = status;
    atomic_store_explicit(&socket->shared->state, SK_NET_FAILED, memory_order_release);
    socket_tell(socket);
}

uint32_t socket_pending(struct net_socket *socket)
{
    uint32_t pending = sk_ring_available(&socket->tx);

    /* The head may not step back over what lwIP has been given. */
    if (socket->tx.broken || pending < socket->given - socket->tx.own) {
        socket->tx.broken = true;
        socket->session->broken = true;
        return socket->given - socket->tx.own;
    }
    return pending;
}

void socket_tell_room(struct net_socket *socket)
{
    uint32_t used = socket->tx.other - socket->tx.own;
    uint32_t ready = (used <= SK_NET_TX_BYTES / 2 ? (uint32_t)SK_NET_WANT_ROOM : 0u) |
                     (used == 0 ? (uint32_t)SK_NET_WANT_DRAINED : 0u);

    atomic_thread_fence(memory_order_seq_cst); /* the new tail, before the look at the wish */
    uint32_t wants = atomic_load_explicit(&socket->shared->wants, memory_order_relaxed);
    if ((wants & ready) != 0) {
        atomic_fetch_and_explicit(&socket->shared->wants, ~ready, memory_order_relaxed);
        socket_tell(socket);
    }
}

static void socket_serve(struct net_socket *socket)
{
    uint32_t requests = atomic_load_explicit(&socket->shared->requests, memory_order_acquire);

    switch (socket->kind) {
    case NET_LISTENER:
    case NET_TCP:
        tcp_socket_serve(socket, requests);
        break;
    case NET_UDP:
        udp_socket_serve(socket, requests);
        break;
    default:
        break; /* named after it was freed: nothing to see */
    }
}

bool session_poll(struct net_session *session)
{
    uint32_t count = sk_ring_available(&session->to_net);

    if (count == 0) {
        session->broken |= session->to_net.broken;
        return false;
    }
    session->at_once = SOCKETS_AT_ONCE;
    for (uint32_t i = 0; i < count && !session->broken; i++) {
        uint32_t at = sk_ring_slot(&session->to_net, session->to_net.own);
        uint32_t slot = session->control->to_net_slots[at];
        if (slot >= session->slots) {
            session->broken = true;
            break;
        }
        struct net_socket *socket = &session->sockets[slot];
        /* The place before the flag: each slot is in the ring once at most. */
        sk_ring_release(&session->to_net, 1);
        atomic_store_explicit(&socket->shared->named_to_net, 0, memory_order_relaxed);
        atomic_thread_fence(memory_order_seq_cst); /* the flag, before what it is about */
        socket_serve(socket);
    }
    return true;
}

static void socket_reset(struct net_socket *socket)
{
    if (socket->kind == NET_UDP) {
        udp_socket_close(socket);
    } else if (socket->kind != NET_UNUSED) {
        tcp_socket_abort(socket);
    }
}

void session_reset(struct net_session *session)
{
    session->orphaned = true;
    for (uint32_t i = 0; i < session->slots; i++) {
        socket_reset(&session->sockets[i]);
    }
}

void session_orphan(struct net_session *session)
{
    if (session->broken) {
        session_reset(session);
        return;
    }
    session_poll(session); /* its last requests */
    session->orphaned = true;
    for (uint32_t i = 0; i < session->slots; i++) {
        struct net_socket *socket = &session->sockets[i];
        if (session->broken) {
            socket_reset(socket);
        } else if (socket->kind == NET_UDP) {
            udp_socket_end(socket);
        } else if (socket->kind != NET_UNUSED) {
            tcp_socket_serve(socket, SK_NET_REQUEST_CLOSE);
        }
    }
}

/* An address that this machine has, or any of them. */
static bool is_local(const struct sk_net_address *address)
{
    ip_addr_t ip = address_to_lwip(address);
    struct netif *netif;

    if (ip_addr_isany_val(ip) || address->ip[0] == 127) {
        return true;
    }
    NETIF_FOREACH(netif)
    {
        if (ip4_addr_eq(netif_ip4_addr(netif), ip_2_ip4(&ip))) {
            return true;
        }
    }
    return false;
}

status_t session_socket(struct net_session *session, const struct sk_net_socket_request *request,
                        uint32_t *slot)
{
    uint16_t port = request->address.port;
    bool binds = request->op != SK_NET_OP_CONNECT;

    if (binds && port != 0 && port < SK_NET_LOW_PORT && !session->may_use_low_ports) {
        return SK_NOT_ALLOWED;
    }
    if (binds && !is_local(&request->address)) {
        return SK_UNREACHABLE;
    }
    switch (request->op) {
    case SK_NET_OP_LISTEN:
        return tcp_socket_listen(session, &request->address, request->backlog, slot);
    case SK_NET_OP_CONNECT:
        return tcp_socket_connect(session, &request->address, slot);
    case SK_NET_OP_UDP:
        return udp_socket_open(session, &request->address, slot);
    default:
        return SK_INVALID_ARGS;
    }
}

status_t status_of(err_t error)
{
    switch (error) {
    case ERR_OK:
        return SK_OK;
    case ERR_MEM:
    case ERR_BUF:
        return SK_BUSY;
    case ERR_TIMEOUT:
        return SK_TIMED_OUT;
    case ERR_RTE:
        return SK_UNREACHABLE;
    case ERR_USE:
        return SK_ADDRESS_IN_USE;
    case ERR_ABRT:
    case ERR_RST:
    case ERR_CLSD:
    case ERR_CONN:
        return SK_CONNECTION_RESET;
    default:
        return SK_INVALID_ARGS;
    }
}
