/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP listeners: connections that come in get a socket of the listener's session, or are parked until
 * there is one. One thread, no lock. Invariant: listener->parked is the number of lwIP's connections
 * whose argument is the listener. Tests: tests/host/services/net/test_sockets.c, tests/qemu/net.
 */
#include "session.h"

#include <lwip/priv/tcp_priv.h>

/* Connections that wait without a socket, over all listeners. Each may pin one receive buffer. */
#define PARKED_MAX 48u

static uint32_t parked_total;

/* --- Parked connections: lwIP's only, their argument is the listener --- */

static void parked_error(void *arg, err_t error)
{
    struct net_socket *listener = arg;

    listener->parked--;
    parked_total--;
}

/* Bytes stay with lwIP, which offers them again; who ends before it had its turn is forgotten. */
static err_t parked_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    if (p == NULL) {
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    return ERR_MEM;
}

/* One that has waited long: lwIP puts new and busy connections in front. */
static struct tcp_pcb *parked_of(const struct net_socket *listener)
{
    struct tcp_pcb *found = NULL;

    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->callback_arg == listener && pcb->recv == parked_received) {
            found = pcb;
        }
    }
    LWIP_ASSERT("parked connections are counted", found != NULL);
    return found;
}

static err_t park(struct net_socket *listener, struct tcp_pcb *pcb)
{
    if (parked_total == PARKED_MAX) {
        return ERR_MEM; /* lwIP resets it */
    }
    listener->parked++;
    parked_total++;
    tcp_arg(pcb, listener);
    tcp_recv(pcb, parked_received);
    tcp_err(pcb, parked_error);
    return ERR_OK;
}

void tcp_listener_forget(struct net_socket *listener)
{
    struct net_session *session = listener->session;
    struct net_socket **link = &session->listeners;

    while (*link != listener) {
        link = &(*link)->next_listener;
    }
    *link = listener->next_listener;
    for (uint32_t i = 0; i < session->slots; i++) {
        if (session->sockets[i].listener == listener) {
            session->sockets[i].is_pending_accept = false;
        }
    }
    while (listener->parked > 0) {
        tcp_abort(parked_of(listener)); /* parked_error counts it */
    }
}

/* Gives a connection a socket of the listener's session. False: there is none, or no backlog left. */
static bool admit(struct net_socket *listener, struct tcp_pcb *pcb)
{
    struct net_socket *socket = NULL;

    if (listener->pending < listener->backlog) {
        socket = socket_alloc(listener->session, NET_TCP);
    }
    if (socket == NULL) {
        return false;
    }
    tcp_socket_attach(socket, pcb);
    socket->is_pending_accept = true;
    socket->listener = listener;
    listener->pending++;
    socket->shared->parent = listener->slot;
    socket_publish(socket, SK_NET_OPEN, &pcb->local_ip, pcb->local_port, &pcb->remote_ip,
                   pcb->remote_port);
    socket_tell(socket);
    return true;
}

/* lwIP: a connection was made to a listener. */
static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct net_socket *listener = arg;

    if (pcb == NULL || error != ERR_OK) {
        return ERR_VAL; /* lwIP was out of memory, and has dropped it */
    }
    if (!admit(listener, pcb)) {
        return park(listener, pcb);
    }
    return ERR_OK;
}

void tcp_socket_admit(struct net_session *session)
{
    for (struct net_socket *l = session->listeners; l != NULL; l = l->next_listener) {
        while (l->parked > 0) {
            struct tcp_pcb *pcb = parked_of(l);
            if (!admit(l, pcb)) {
                break;
            }
            l->parked--;
            parked_total--;
            if (pcb->refused_data != NULL) {
                tcp_process_refused_data(pcb);
            }
        }
    }
}

status_t tcp_socket_listen(struct net_session *session, const struct sk_net_address *address,
                           uint32_t backlog, uint32_t *slot)
{
    ip_addr_t ip = address_to_lwip(address);

    if (backlog < 1 || backlog > TCP_DEFAULT_LISTEN_BACKLOG) {
        return SK_INVALID_ARGS;
    }
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL) {
        return SK_BUSY;
    }
    ip_set_option(pcb,
                  SOF_REUSEADDR); /* connections of an earlier listener do not stand in the way */
    err_t error = tcp_bind(pcb, &ip, address->port);
    if (error != ERR_OK) {
        tcp_abort(pcb);
        return status_of(error);
    }
    struct tcp_pcb *listening = tcp_listen_with_backlog_and_err(pcb, TCP_DEFAULT_LISTEN_BACKLOG,
                                                                &error);
    if (listening == NULL) {
        tcp_abort(pcb);
        return status_of(error);
    }
    struct net_socket *socket = socket_alloc(session, NET_LISTENER);
    if (socket == NULL) {
        tcp_close(listening);
        return SK_BUSY;
    }
    socket->tcp = listening;
    tcp_arg(listening, socket);
    tcp_accept(listening, on_accept);
    socket->backlog = (uint16_t)backlog;
    socket->next_listener = session->listeners;
    session->listeners = socket;
    socket_publish(socket, SK_NET_LISTENING, &ip, listening->local_port, IP4_ADDR_ANY, 0);
    *slot = socket->slot;
    return SK_OK;
}
