/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP sockets: between a slot's data rings and lwIP. One thread, no lock.
 *
 * Received bytes are copied into the ring at once, from the driver's buffers; the window lwIP
 * announces is never more than the ring's free room, because it grows only by what the program has
 * consumed. Bytes to send are not copied: lwIP's segments point into the ring, and the ring's tail
 * moves when they are acknowledged. FIN goes out after the last byte of the ring.
 * Tests: tests/host/services/net/test_sockets.c, tests/qemu/net.
 */
#include "session.h"

#include <string.h>

#include <lwip/memp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>

uint32_t tcp_socket_bundle = 1;
uint32_t tcp_socket_starved;

_Static_assert(TCP_WND == SK_NET_RX_BYTES, "the window is the ring");
_Static_assert(TCP_SND_BUF == SK_NET_TX_BYTES, "all of the ring may be on its way");

/* What may still be on its way is at most this when the peer announced that window. */
#define BUNDLES_IN_WINDOW 4u

/* Segments that a connection may have even while others hold half of all there are, so that peers
 * which take nothing cannot keep lwIP from sending to the rest. */
#define SEGMENTS_SURE 4u

/* Segments beyond the peer's window that lwIP has ready when it opens: of two, a peer acknowledges the
 * second at once. More would only be held for peers that take nothing. */
#define SEGMENTS_READY 2u

/* Bytes to a peer on this machine in one turn: a page of the web. */
#define LOCAL_AT_ONCE (10u * TCP_MSS)

static void set_starved(struct net_socket *socket, bool is_starved)
{
    tcp_socket_starved += (uint32_t)is_starved - (uint32_t)socket->is_starved;
    socket->is_starved = is_starved;
}

/* The program has taken the connection, or it has ended before. */
static void end_pending(struct net_socket *socket)
{
    if (socket->is_pending_accept) {
        socket->is_pending_accept = false;
        socket->listener->pending--;
    }
}

static void detach(struct net_socket *socket)
{
    struct tcp_pcb *pcb = socket->tcp;

    set_starved(socket, false);
    turn_forget(socket);
    tcp_arg(pcb, NULL);
    if (socket->kind == NET_LISTENER) {
        tcp_accept(pcb, NULL);
    } else {
        tcp_recv(pcb, NULL);
        tcp_sent(pcb, NULL);
        tcp_poll(pcb, NULL, 0);
        tcp_err(pcb, NULL);
    }
    socket->tcp = NULL;
}

void tcp_socket_abort(struct net_socket *socket)
{
    struct tcp_pcb *pcb = socket->tcp;

    end_pending(socket);
    if (socket->kind == NET_LISTENER) {
        tcp_listener_forget(socket);
    }
    if (pcb != NULL) {
        detach(socket);
        if (socket->kind == NET_LISTENER) {
            tcp_close(pcb);
        } else {
            tcp_abort(pcb);
        }
    }
    socket_free(socket);
}

/* The program has read: opens the window by as much. */
static void take_reading(struct net_socket *socket)
{
    sk_ring_room(&socket->rx);
    if (socket->rx.broken) {
        socket->session->broken = true;
        return;
    }
    uint32_t read = socket->rx.other - socket->consumed;
    if (read > SK_NET_RX_BYTES) {
        socket->session->broken = true; /* its index went backwards */
        return;
    }
    if (read > 0) {
        socket->consumed += read;
        tcp_recved(socket->tcp, (uint16_t)read);
    }
}

/* The peer is on this machine: its packets take no device (RFC 1122, 3.2.1.3). */
static bool is_local_peer(const struct tcp_pcb *pcb)
{
    return ip_addr_isloopback(&pcb->remote_ip) || ip_addr_eq(&pcb->local_ip, &pcb->remote_ip);
}

/* The most wire segments in one of lwIP's towards the peer. */
static uint32_t bundle_limit(const struct tcp_pcb *pcb)
{
    if (is_local_peer(pcb)) {
        return TCP_SOCKET_BUNDLE_MAX;
    }
    if (tcp_socket_bundle <= 1) {
        return 1;
    }
    const struct netif *netif = ip_route(&pcb->local_ip, &pcb->remote_ip);
    return netif != NULL && netif->mtu > TCP_MSS * 2 ? tcp_socket_bundle : 1;
}

/*
 * lwIP makes segments of several wire segments where nobody or the device (TSO) cuts them. Its segment
 * size and congestion window are in these units; the first window is 10 wire segments (RFC 6928), and
 * later never less than one bundle. A peer on this machine takes what its window lets through: there is
 * no path to be congested, and a peer that waits for a second segment before it acknowledges would
 * have the window stand still.
 */
static void use_bundles(struct tcp_pcb *pcb)
{
    if (pcb->mss != TCP_MSS) {
        return; /* done already; or a peer with small segments */
    }
    uint32_t bundle = pcb->snd_wnd_max / BUNDLES_IN_WINDOW / TCP_MSS;
    uint32_t limit = bundle_limit(pcb);
    bundle = bundle < limit ? bundle : limit;
    if (bundle <= 1) {
        return;
    }
    pcb->mss = (uint16_t)(bundle * TCP_MSS);
    tcpwnd_size_t least = is_local_peer(pcb) ? pcb->snd_wnd_max : pcb->mss;
    if (pcb->cwnd < least) {
        pcb->cwnd = least;
    }
}

/*
 * Once everything is sent and acknowledged, and nothing is to be received any more, the rest of the
 * ending is lwIP's own, which frees the pcb without telling. True: so it is.
 */
static bool let_go(struct net_socket *socket)
{
    struct tcp_pcb *pcb = socket->tcp;
    bool ended = atomic_load_explicit(&socket->shared->rx_end, memory_order_relaxed) != 0;

    if (!socket->is_finished || socket->given != socket->tx.own || !(ended || socket->is_closing)) {
        return false;
    }
    detach(socket);
    tcp_close(pcb);
    if (socket->is_closing) {
        socket_free(socket);
    } else {
        socket->has_ended = true;
    }
    return true;
}

/* Bytes that the connection may hand to lwIP now without taking more than its share of segments. */
static uint32_t fair_room(const struct tcp_pcb *pcb)
{
    if (lwip_stats.memp[MEMP_TCP_SEG]->used < MEMP_NUM_TCP_SEG / 2) {
        return UINT16_MAX;
    }
    uint32_t segments = pcb->snd_queuelen / 2u; /* each a header and a piece of the ring */
    return segments < SEGMENTS_SURE ? (SEGMENTS_SURE - segments) * pcb->mss : 0;
}

/* Bytes that the connection may hand to lwIP before the peer's window has taken more. */
static uint32_t window_room(const struct net_socket *socket)
{
    uint32_t in_flight = socket->given - socket->tx.own;
    uint32_t most = socket->tcp->snd_wnd + SEGMENTS_READY * socket->tcp->mss;
    return in_flight < most ? most - in_flight : 0;
}

/* Hands lwIP what the program has written, as far as it takes it; then FIN, when one is wanted. */
static void give(struct net_socket *socket)
{
    struct tcp_pcb *pcb = socket->tcp;
    uint32_t end = socket->tx.own + socket_pending(socket);
    uint8_t *data = socket->session->data + sk_net_tx_offset(socket->slot);
    uint32_t turn = is_local_peer(pcb) ? LOCAL_AT_ONCE : UINT32_MAX;
    bool is_starved = false;

    if (end != socket->given && end - socket->given > TCP_MSS) {
        use_bundles(pcb);
    }
    while (end != socket->given) {
        uint32_t length = sk_ring_contiguous(&socket->tx, socket->given, end - socket->given);
        uint32_t room = tcp_sndbuf(pcb), window = window_room(socket);
        if (turn == 0) {
            turn_wait(socket);
            break;
        }
        length = length < turn ? length : turn;
        room = room < window ? room : window;
        length = length < room ? length : room;
        if (length == 0) {
            break; /* on_sent goes on */
        }
        room = fair_room(pcb);
        length = length < room ? length : room;
        uint8_t more = length < end - socket->given ? TCP_WRITE_FLAG_MORE : 0;
        if (length == 0 || tcp_write(pcb, data + sk_ring_slot(&socket->tx, socket->given),
                                     (uint16_t)length, more) != ERR_OK) {
            is_starved = true; /* again when some are acknowledged, or from on_poll */
            break;
        }
        socket->given += length;
        turn -= length;
    }
    if (socket->is_shut && end == socket->given && !socket->is_finished) {
        socket->is_finished = tcp_shutdown(pcb, 0, 1) == ERR_OK;
    }
    tcp_output(pcb);
    set_starved(socket, is_starved);
}

bool tcp_socket_retry_one(void)
{
    static uint32_t turn;
    struct tcp_pcb *oldest = NULL;
    uint32_t oldest_age = 0;

    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        const struct net_socket *socket = pcb->callback_arg;
        if ((pcb->flags & TF_NAGLEMEMERR) == 0) {
            continue;
        }
        uint32_t age = socket != NULL ? turn - socket->turn : UINT32_MAX;
        if (oldest == NULL || age > oldest_age) {
            oldest = pcb;
            oldest_age = age;
        }
    }
    if (oldest == NULL) {
        return false;
    }
    if (oldest->callback_arg != NULL) {
        ((struct net_socket *)oldest->callback_arg)->turn = ++turn;
    }
    tcp_output(oldest);
    return true;
}

/* lwIP: `length` more bytes, or our FIN, were acknowledged. */
static err_t on_sent(void *arg, struct tcp_pcb *pcb, uint16_t length)
{
    struct net_socket *socket = arg;
    uint32_t in_flight = socket->given - socket->tx.own;

    sk_ring_release(&socket->tx, length < in_flight ? length : in_flight);
    if (let_go(socket)) {
        return ERR_OK;
    }
    if (!socket->is_closing) {
        socket_tell_room(socket);
    }
    if (socket_pending(socket) != socket->given - socket->tx.own ||
        (socket->is_shut && !socket->is_finished)) {
        if (is_local_peer(pcb)) {
            turn_wait(socket);
        } else {
            give(socket);
        }
    }
    return ERR_OK;
}

/*
 * lwIP: half a second has passed. A connection that was refused memory while nothing of its own was
 * in flight hears of no acknowledgement; others have given some back by now.
 */
static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    struct net_socket *socket = arg;

    if (socket->is_starved) {
        give(socket);
    }
    return ERR_OK;
}

/* lwIP: bytes came in order, or (p == NULL) the peer's FIN. */
static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error)
{
    struct net_socket *socket = arg;

    if (p == NULL) {
        atomic_store_explicit(&socket->shared->rx_end, 1, memory_order_release);
        socket_tell(socket);
        let_go(socket);
        return ERR_OK;
    }
    uint32_t length = p->tot_len;
    if (socket->is_closing) {
        tcp_recved(pcb, p->tot_len);
        pbuf_free(p);
        return ERR_OK;
    }
    /* Room by what lwIP was told of the reading: what the program says is checked elsewhere. */
    LWIP_ASSERT("the window is within the ring",
                length <= SK_NET_RX_BYTES - (socket->rx.own - socket->consumed));
    uint8_t *data = socket->session->data + sk_net_rx_offset(socket->slot);
    uint32_t at = socket->rx.own;
    for (struct pbuf *q = p; q != NULL; q = q->next) {
        uint32_t first = sk_ring_contiguous(&socket->rx, at, q->len);
        memcpy(data + sk_ring_slot(&socket->rx, at), q->payload, first);
        memcpy(data, (uint8_t *)q->payload + first, q->len - first);
        at += q->len;
    }
    pbuf_free(p);
    sk_ring_publish(&socket->rx, length);
    socket_tell(socket);
    return ERR_OK;
}

/* lwIP: the connection has ended by an error; its pcb is gone already. */
static void on_error(void *arg, err_t error)
{
    struct net_socket *socket = arg;
    uint32_t state = atomic_load_explicit(&socket->shared->state, memory_order_relaxed);
    status_t status = status_of(error);

    set_starved(socket, false);
    turn_forget(socket);
    end_pending(socket);
    if (error == ERR_CLSD) { /* both sides have ended in order */
        socket->tcp = NULL;
        socket->has_ended = true;
        if (socket->is_closing) {
            socket_free(socket);
        }
        return;
    }
    if (state == SK_NET_CONNECTING) {
        status = error == ERR_RST ? SK_CONNECTION_REFUSED : SK_TIMED_OUT;
    }
    socket_fail(socket, status);
}

static err_t on_connected(void *arg, struct tcp_pcb *pcb, err_t error)
{
    struct net_socket *socket = arg;

    socket_publish(socket, SK_NET_OPEN, &pcb->local_ip, pcb->local_port, &pcb->remote_ip,
                   pcb->remote_port);
    socket_tell(socket);
    return ERR_OK;
}

void tcp_socket_attach(struct net_socket *socket, struct tcp_pcb *pcb)
{
    socket->tcp = pcb;
    tcp_arg(pcb, socket);
    tcp_recv(pcb, on_received);
    tcp_sent(pcb, on_sent);
    tcp_poll(pcb, on_poll, 1);
    tcp_err(pcb, on_error);
    tcp_nagle_disable(pcb); /* the program decides: it commits what belongs together at once */
}

status_t tcp_socket_connect(struct net_session *session, const struct sk_net_address *address,
                            uint32_t *slot)
{
    ip_addr_t ip = address_to_lwip(address);

    if (address->port == 0 || ip_addr_isany_val(ip) || ip_addr_ismulticast(&ip)) {
        return SK_INVALID_ARGS;
    }
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL) {
        return SK_BUSY;
    }
    struct net_socket *socket = socket_alloc(session, NET_TCP);
    if (socket == NULL) {
        tcp_abort(pcb);
        return SK_BUSY;
    }
    tcp_socket_attach(socket, pcb);
    err_t error = tcp_connect(pcb, &ip, address->port, on_connected);
    if (error != ERR_OK) {
        tcp_socket_abort(socket);
        return error == ERR_BUF ? SK_BUSY : status_of(error);
    }
    socket_publish(socket, SK_NET_CONNECTING, &pcb->local_ip, pcb->local_port, &pcb->remote_ip,
                   pcb->remote_port);
    *slot = socket->slot;
    return SK_OK;
}

/* The program has closed it: what is received from now on, and was and is unread, is dropped. */
static void start_closing(struct net_socket *socket)
{
    uint32_t unread = socket->rx.own - socket->consumed;

    socket->is_closing = true;
    socket->is_shut = true;
    if (unread > 0) {
        socket->consumed += unread;
        tcp_recved(socket->tcp, (uint16_t)unread);
    }
}

void tcp_socket_go_on(struct net_socket *socket)
{
    if (!socket->is_closing) {
        take_reading(socket);
    }
    if (socket->tcp->state != SYN_SENT) {
        give(socket);
        let_go(socket);
    }
}

static void serve_listener(struct net_socket *listener, uint32_t requests)
{
    if ((requests & (SK_NET_REQUEST_CLOSE | SK_NET_REQUEST_ABORT)) != 0) {
        tcp_socket_abort(listener);
    }
}

void tcp_socket_serve(struct net_socket *socket, uint32_t requests)
{
    if (socket->kind == NET_LISTENER) {
        serve_listener(socket, requests);
        return;
    }
    bool ends = (requests & (SK_NET_REQUEST_CLOSE | SK_NET_REQUEST_ABORT)) != 0;
    if (socket->has_ended) {
        if (ends) {
            socket_free(socket);
        }
        return;
    }
    if (socket->is_closing) {
        return; /* the slot is ours until the last byte is acknowledged */
    }
    bool connecting = socket->tcp->state == SYN_SENT;
    if ((requests & SK_NET_REQUEST_ABORT) != 0 || (ends && connecting)) {
        tcp_socket_abort(socket);
        return;
    }
    end_pending(socket);
    if (ends) {
        start_closing(socket);
    } else if ((requests & SK_NET_REQUEST_SHUTDOWN) != 0) {
        socket->is_shut = true;
    }
    if (!is_local_peer(socket->tcp) || turn_at_once(socket)) {
        tcp_socket_go_on(socket);
    }
}
