/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sockets: whole datagrams between a slot's data rings and lwIP. One thread, no lock. A datagram
 * that finds no room in the ring is dropped, as UDP may. A few go at once; for more a socket waits its turn.
 * Tests: tests/host/services/net/test_sockets.c, tests/qemu/net.
 */
#include "session.h"

#include <string.h>

#include <lwip/igmp.h>
#include <sk/socket.h>

#define RECORD_ALIGN 16u
#define DATAGRAMS_AT_ONCE 4u
#define DATAGRAMS_AT_END 64u /* of a program that has gone; the rest is lost */

static uint32_t record_bytes(uint32_t length)
{
    return (uint32_t)sizeof(struct sk_net_datagram) +
           ((length + RECORD_ALIGN - 1) & ~(RECORD_ALIGN - 1));
}

static void copy_in(struct sk_ring *ring, uint8_t *data, uint32_t index, const void *from,
                    uint32_t length)
{
    uint32_t first = sk_ring_contiguous(ring, index, length);
    memcpy(data + sk_ring_slot(ring, index), from, first);
    memcpy(data, (const uint8_t *)from + first, length - first);
}

static void on_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from,
                        uint16_t port)
{
    struct net_socket *socket = arg;
    uint8_t *data = socket->session->data + sk_net_rx_offset(socket->slot);
    struct sk_net_datagram header = {.address.port = port, .length = p->tot_len};
    uint32_t raw = ip_addr_get_ip4_u32(from);
    uint32_t bytes = record_bytes(p->tot_len);

    memcpy(header.address.ip, &raw, sizeof header.address.ip);
    if (sk_ring_room(&socket->rx) >= bytes) {
        uint32_t at = socket->rx.own;
        copy_in(&socket->rx, data, at, &header, sizeof header);
        at += (uint32_t)sizeof header;
        for (struct pbuf *q = p; q != NULL; q = q->next) {
            copy_in(&socket->rx, data, at, q->payload, q->len);
            at += q->len;
        }
        sk_ring_publish(&socket->rx, bytes);
        socket_tell(socket);
    }
    pbuf_free(p);
}

status_t udp_socket_open(struct net_session *session, const struct sk_net_address *address,
                         uint32_t *slot)
{
    ip_addr_t ip = address_to_lwip(address);
    struct udp_pcb *pcb = udp_new();

    if (pcb == NULL) {
        return SK_BUSY;
    }
    err_t error = udp_bind(pcb, &ip, address->port);
    struct net_socket *socket = error == ERR_OK ? socket_alloc(session, NET_UDP) : NULL;
    if (socket == NULL) {
        udp_remove(pcb);
        return error == ERR_OK ? SK_BUSY : status_of(error);
    }
    socket->udp = pcb;
    udp_set_multicast_ttl(pcb, 1); /* RFC 1112, 6.1: not beyond this network */
    udp_recv(pcb, on_datagram, socket);
    socket_publish(socket, SK_NET_OPEN, &ip, pcb->local_port, IP4_ADDR_ANY, 0);
    *slot = socket->slot;
    return SK_OK;
}

/* --- Groups --- */

/* The membership of a socket (NULL: a free place) in a group (NULL: in any); NULL: there is none. */
static struct net_member *find_member(struct net_session *session, const struct net_socket *socket,
                                      const ip4_addr_t *group)
{
    for (size_t i = 0; i < SK_NET_GROUPS_MAX; i++) {
        struct net_member *member = &session->members[i];
        if (member->socket == socket && (group == NULL || ip4_addr_eq(&member->group, group))) {
            return member;
        }
    }
    return NULL;
}

static void leave(struct net_member *member)
{
    igmp_leavegroup(IP4_ADDR_ANY4, &member->group);
    member->socket = NULL;
}

/* The socket and the group that a request names. */
static status_t read_request(struct net_session *session,
                             const struct sk_net_group_request *request, struct net_socket **socket,
                             ip4_addr_t *group)
{
    ip4_addr_t all_hosts;

    if (request->slot >= session->slots) {
        return SK_INVALID_ARGS;
    }
    *socket = &session->sockets[request->slot];
    memcpy(&group->addr, request->ip, sizeof request->ip);
    IP4_ADDR(&all_hosts, 224, 0, 0, 1);
    bool good = (*socket)->kind == NET_UDP && (*socket)->generation == request->generation &&
                ip4_addr_ismulticast(group) && !ip4_addr_eq(group, &all_hosts);
    return good ? SK_OK : SK_INVALID_ARGS;
}

status_t udp_socket_join(struct net_session *session, const struct sk_net_group_request *request)
{
    struct net_socket *socket;
    ip4_addr_t group;
    status_t status = read_request(session, request, &socket, &group);

    if (status != SK_OK) {
        return status;
    }
    if (find_member(session, socket, &group) != NULL) {
        return SK_EXISTS;
    }
    struct net_member *member = find_member(session, NULL, NULL);
    if (member == NULL) {
        return SK_BUSY;
    }
    err_t error = igmp_joingroup(IP4_ADDR_ANY4, &group); /* counts how often */
    if (error != ERR_OK) {
        return error == ERR_MEM ? SK_BUSY : SK_UNREACHABLE; /* no interface that has groups */
    }
    *member = (struct net_member){socket, group};
    return SK_OK;
}

status_t udp_socket_leave(struct net_session *session, const struct sk_net_group_request *request)
{
    struct net_socket *socket;
    ip4_addr_t group;
    status_t status = read_request(session, request, &socket, &group);
    struct net_member *member = status == SK_OK ? find_member(session, socket, &group) : NULL;

    if (member == NULL) {
        return status == SK_OK ? SK_NOT_FOUND : status;
    }
    leave(member);
    return SK_OK;
}

/* --- Sockets --- */

void udp_socket_close(struct net_socket *socket)
{
    struct net_member *member;

    while ((member = find_member(socket->session, socket, NULL)) != NULL) {
        leave(member);
    }
    turn_forget(socket);
    udp_remove(socket->udp);
    socket->udp = NULL;
    socket_free(socket);
}

static void copy_out(struct sk_ring *ring, const uint8_t *data, uint32_t index, void *to,
                     uint32_t length)
{
    uint32_t first = sk_ring_contiguous(ring, index, length);
    memcpy(to, data + sk_ring_slot(ring, index), first);
    memcpy((uint8_t *)to + first, data, length - first);
}

/* Sends the datagram at the ring's tail, of which `pending` bytes are there. False: nonsense. */
static bool send_one(struct net_socket *socket, uint32_t pending)
{
    struct sk_ring *tx = &socket->tx;
    uint8_t *data = socket->session->data + sk_net_tx_offset(socket->slot);
    struct sk_net_datagram header;

    if (pending < sizeof header) {
        return false;
    }
    copy_out(tx, data, tx->own, &header, sizeof header);
    if (header.length > SK_UDP_BYTES_MAX || record_bytes(header.length) > pending) {
        return false;
    }
    /* Copied: the ring's place is free again at once, while the packet may wait for an address. */
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (uint16_t)header.length, PBUF_RAM);
    if (p != NULL) {
        ip_addr_t to = address_to_lwip(&header.address);
        copy_out(tx, data, tx->own + (uint32_t)sizeof header, p->payload, header.length);
        udp_sendto(socket->udp, p, &to, header.address.port);
        pbuf_free(p);
    }
    sk_ring_release(tx, record_bytes(header.length));
    return true;
}

/* Sends at most so many. True: there are more. */
static bool send_some(struct net_socket *socket, uint32_t most)
{
    uint32_t pending;

    socket->given = socket->tx.own;
    while ((pending = socket_pending(socket)) > 0 && most > 0) {
        if (!send_one(socket, pending)) {
            socket->session->broken = true;
            return false;
        }
        socket->given = socket->tx.own;
        most--;
    }
    socket_tell_room(socket);
    return pending > 0;
}

void udp_socket_go_on(struct net_socket *socket)
{
    if (send_some(socket, DATAGRAMS_AT_ONCE)) {
        turn_wait(socket);
    } else if (socket->is_closing && !socket->session->broken) {
        udp_socket_close(socket);
    }
}

void udp_socket_serve(struct net_socket *socket, uint32_t requests)
{
    socket->is_closing |= (requests & (SK_NET_REQUEST_CLOSE | SK_NET_REQUEST_ABORT)) != 0;
    if (turn_at_once(socket)) {
        udp_socket_go_on(socket);
    }
}

void udp_socket_end(struct net_socket *socket)
{
    send_some(socket, DATAGRAMS_AT_END);
    udp_socket_close(socket);
}
