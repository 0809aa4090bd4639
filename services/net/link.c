/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network device as lwIP's netif: the client side of <sk/protocol/nic.h>. One thread, no lock.
 *
 * Received packets are custom pbufs over the driver's buffers, which go back to the driver when lwIP
 * frees them. Packets to send are copied into transmit buffers, as lwIP's lie in many pieces in memory
 * that the device does not see. Everything the driver wrote is validated; a driver that writes
 * nonsense loses its client, and the machine its network, until the service restarts.
 * Tests: tests/host/services/net/test_parts.c (frames), tests/qemu/net.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/ip4_frag.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>
#include <sk/protocol/nic.h>
#include <sk/service.h>

#include "frame.h"
#include "net.h"
#include "session.h"

/* With TSO: segments of the wire that lwIP hands down as one, RFC 6928's initial window. */
#define BUNDLE_SEGMENTS 10u
/* Free transmit buffers before a connection that found none tries again: some for one bundle. */
#define TX_RETRY_BUFFERS 5u
/* Frames up to this length (acknowledgements, ARP, DNS) do not wait behind connections that do. */
#define TX_PRIORITY_BYTES 256u
/* Packets taken in before others get their turn. */
#define RX_BATCH 64u

enum { HANDLE_POOL, HANDLE_RINGS, HANDLE_TO_DRIVER, HANDLE_TO_CLIENT, HANDLE_COUNT };

struct rx_packet {
    struct pbuf_custom custom; /* first: pbuf -> rx_packet */
    uint16_t buffer;
};

static struct {
    bool up; /* attached, and the driver behaves */
    struct netif netif;
    handle_t endpoint, to_driver, to_client;
    struct sk_nic_attach_reply nic;
    uint8_t *pool;
    uint8_t *tx_pool;
    struct sk_nic_rings *rings;
    struct sk_ring rx_free, tx_submit, rx_ready, tx_done;
    struct rx_packet *packets; /* one for each receive buffer */
    bool *rx_ours;             /* the receive buffer is with us */
    bool *tx_ours;             /* the transmit buffer is with us */
    uint16_t *tx_stack;        /* transmit buffers that are with us */
    uint32_t tx_count;
    bool starved;       /* connections wait for transmit buffers, see tx_retry */
    bool retrying;      /* they have their turn */
    bool freed;         /* receive buffers for the driver since link_flush */
    bool submitted;     /* something for the driver since link_flush */
    struct pbuf *chain; /* first buffers of a packet that goes on */
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped;
} nic;

struct netif *link_netif(void)
{
    return nic.rings != NULL ? &nic.netif : NULL;
}

/* The driver broke the protocol or has gone. What lwIP holds of its buffers stays valid memory. */
static void link_die(const char *why)
{
    if (nic.up) {
        nic.up = false;
        printf("network device lost: %s\n", why);
        netif_set_link_down(&nic.netif);
        netif_set_down(&nic.netif);
    }
}

/* --- Receiving --- */

/* lwIP is done with a received buffer: back to the driver. */
static void rx_release(struct pbuf *p)
{
    struct rx_packet *packet = (struct rx_packet *)p;

    if (sk_ring_room(&nic.rx_free) == 0) {
        link_die("receive ring");
        return;
    }
    nic.rx_ours[packet->buffer] = false;
    nic.rings->rx_free_entries[sk_ring_slot(&nic.rx_free, nic.rx_free.own)] = packet->buffer;
    sk_ring_publish(&nic.rx_free, 1);
    nic.freed = true; /* the driver takes them when it is next awake, see link_flush */
}

/* A descriptor's bytes as a pbuf, with the two bytes of padding in front if it begins a packet. */
static struct pbuf *rx_pbuf(const struct sk_nic_descriptor *d, uint32_t pad)
{
    bool good = d->buffer < nic.nic.rx_buffers && !nic.rx_ours[d->buffer] && d->offset >= pad &&
                d->length > 0 && (uint64_t)d->offset + d->length <= nic.nic.rx_buffer_bytes;
    if (!good) {
        return NULL;
    }
    struct rx_packet *packet = &nic.packets[d->buffer];
    uint8_t *bytes = nic.pool + (uint64_t)d->buffer * nic.nic.rx_buffer_bytes + d->offset;
    packet->custom.custom_free_function = rx_release;
    packet->buffer = d->buffer;
    nic.rx_ours[d->buffer] = true;
    uint16_t length = (uint16_t)(d->length + pad);
    return pbuf_alloced_custom(PBUF_RAW, length, PBUF_REF, &packet->custom, bytes - pad, length);
}

/* Hands a whole packet to lwIP, which checks its checksum unless the device has. */
static void rx_deliver(struct pbuf *p, uint16_t flags)
{
    struct netif *netif = &nic.netif;
    bool checked = (flags & (SK_NIC_CHECKSUM_VALID | SK_NIC_NEEDS_CHECKSUM)) != 0;
    uint16_t generates = netif->chksum_flags;

    nic.rx_packets++;
    nic.rx_bytes += p->tot_len;
    if (!checked) {
        NETIF_SET_CHECKSUM_CTRL(netif, generates | NETIF_CHECKSUM_CHECK_UDP |
                                           NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_ICMP);
    }
    if (netif->input(p, netif) != ERR_OK) {
        nic.rx_dropped++;
        pbuf_free(p);
    }
    NETIF_SET_CHECKSUM_CTRL(netif, generates);
}

/* False: the descriptor is nonsense. */
static bool rx_take(const struct sk_nic_descriptor *d)
{
    struct pbuf *p = rx_pbuf(d, nic.chain == NULL ? ETH_PAD_SIZE : 0);

    if (p == NULL) {
        return false;
    }
    if (nic.chain != NULL && (uint32_t)nic.chain->tot_len + p->tot_len > UINT16_MAX) {
        pbuf_free(p); /* longer than lwIP can name: cut, and so dropped by its length */
    } else if (nic.chain != NULL) {
        pbuf_cat(nic.chain, p);
    } else {
        nic.chain = p;
    }
    if ((d->flags & SK_NIC_MORE) == 0) {
        p = nic.chain;
        nic.chain = NULL;
        rx_deliver(p, d->flags);
    }
    return true;
}

static bool rx_poll(void)
{
    uint32_t count = sk_ring_available(&nic.rx_ready);

    count = count < RX_BATCH ? count : RX_BATCH;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = sk_ring_slot(&nic.rx_ready, nic.rx_ready.own);
        struct sk_nic_descriptor d = nic.rings->rx_ready_entries[at]; /* once: it may change */
        sk_ring_release(&nic.rx_ready, 1);
        if (!rx_take(&d)) {
            link_die("a received packet that cannot be");
            return false;
        }
    }
    if (nic.rx_ready.broken) {
        link_die("receive ring");
    }
    return count > 0;
}

/* --- Sending --- */

/* Takes back the transmit buffers that the driver is done with. */
static bool tx_reclaim(void)
{
    uint32_t count = sk_ring_available(&nic.tx_done);

    for (uint32_t i = 0; i < count; i++) {
        uint16_t buffer = nic.rings
                              ->tx_done_entries[sk_ring_slot(&nic.tx_done, nic.tx_done.own + i)];
        if (buffer >= nic.nic.tx_buffers || nic.tx_ours[buffer]) {
            link_die("a transmit buffer that it does not have");
            return false;
        }
        nic.tx_ours[buffer] = true;
        nic.tx_stack[nic.tx_count++] = buffer;
    }
    if (count > 0) {
        sk_ring_release(&nic.tx_done, count);
    }
    return count > 0;
}

/* Asks to be told when transmit buffers come back. */
static void tx_ask(void)
{
    atomic_store_explicit(&nic.rings->tx_starved, 1, memory_order_seq_cst);
    nic.submitted = true;
}

/* Remembers that connections wait for transmit buffers. */
static err_t tx_starved(void)
{
    nic.starved = true;
    nic.tx_dropped++;
    tx_ask();
    return ERR_MEM;
}

/* Copies `length` bytes of the chain at *p, *offset to `to`, and moves them on. */
static void copy_from_chain(uint8_t *to, uint32_t length, const struct pbuf **p, uint32_t *offset)
{
    while (length > 0) {
        uint32_t left = (*p)->len - *offset;
        uint32_t piece = left < length ? left : length;
        memcpy(to, (const uint8_t *)(*p)->payload + *offset, piece);
        to += piece;
        length -= piece;
        *offset += piece;
        if (*offset == (*p)->len) {
            *p = (*p)->next;
            *offset = 0;
        }
    }
}

static void tx_describe(struct sk_nic_descriptor *d, uint8_t *frame, uint32_t length,
                        uint32_t total)
{
    struct frame_offload offload;
    uint32_t segment = nic.netif.mtu > nic.nic.mtu ? (uint32_t)TCP_MSS : 0;

    d->checksum_start = d->checksum_offset = d->segment_bytes = 0;
    if ((nic.nic.features & SK_NIC_TX_CHECKSUM) != 0 &&
        frame_prepare_offload(frame, length, total, segment, &offload)) {
        d->flags |= SK_NIC_NEEDS_CHECKSUM;
        d->checksum_start = offload.checksum_start;
        d->checksum_offset = offload.checksum_offset;
        d->segment_bytes = offload.segment_bytes;
    }
}

/* Where a frame begins in its buffer: so that its payload is copied between equally aligned places. */
static uint32_t tx_start(const struct pbuf *p)
{
    uint32_t start = nic.nic.headroom;

    if (p->next != NULL) {
        start += ((uint32_t)(uintptr_t)p->next->payload - start - p->len) % 8;
    }
    return start;
}

/* lwIP: sends a frame. ERR_MEM: no buffers now, TCP tries again. */
static err_t tx_output(struct netif *netif, struct pbuf *p)
{
    uint32_t headroom = tx_start(p);
    uint32_t bytes = nic.nic.tx_buffer_bytes;
    uint32_t left = p->tot_len; /* with the padding, which lies in the headroom's last bytes */
    uint32_t offset = 0;

    if (!nic.up) {
        return ERR_IF;
    }
    uint32_t buffers = (left + headroom + bytes - 1) / bytes;
    if (nic.starved && !nic.retrying && p->tot_len > TX_PRIORITY_BYTES) {
        return tx_starved(); /* others wait already: it is not the next one */
    }
    if (nic.tx_count < buffers && !(tx_reclaim() && nic.tx_count >= buffers)) {
        return tx_starved();
    }
    nic.tx_packets++;
    nic.tx_bytes += left;
    uint32_t total = left - ETH_PAD_SIZE;
    uint32_t skip = ETH_PAD_SIZE;
    uint32_t count = 0;
    for (const struct pbuf *q = p; left > 0; headroom = 0, skip = 0) {
        uint16_t buffer = nic.tx_stack[--nic.tx_count];
        uint8_t *to = nic.tx_pool + (uint64_t)buffer * bytes + headroom;
        uint32_t piece = bytes - headroom < left ? bytes - headroom : left;
        struct sk_nic_descriptor *d =
            &nic.rings->tx_submit_entries[sk_ring_slot(&nic.tx_submit, nic.tx_submit.own + count)];

        copy_from_chain(to, piece, &q, &offset);
        left -= piece;
        nic.tx_ours[buffer] = false;
        d->buffer = buffer;
        d->offset = (uint16_t)(headroom + skip);
        d->length = piece - skip;
        d->flags = left > 0 ? SK_NIC_MORE : 0;
        if (skip > 0) {
            tx_describe(d, to + skip, piece - skip, total);
        }
        count++;
    }
    sk_ring_publish(&nic.tx_submit, count); /* never full: no more buffers than entries */
    nic.submitted = true;
    return ERR_OK;
}

/*
 * lwIP: sends an IP packet. With TSO the netif's MTU is larger than the wire's; what is not TCP is cut
 * into fragments here. ARP's timer is needed after a request.
 */
static err_t ip_output_cut(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    uint16_t mtu = netif->mtu;

    if (p->tot_len > nic.nic.mtu && IPH_PROTO((struct ip_hdr *)p->payload) != IP_PROTO_TCP) {
        netif->mtu = nic.nic.mtu;
        err_t error = ip4_frag(p, netif, to);
        netif->mtu = mtu;
        return error;
    }
    uint32_t requests = lwip_stats.etharp.xmit;
    err_t error = etharp_output(netif, p, to);
    if (lwip_stats.etharp.xmit != requests) {
        timers_note_arp();
    }
    return error;
}

/* What TCP could not send for want of buffers, in turn, while there are enough for one to get on. */
static void tx_retry(void)
{
    nic.retrying = true;
    while (nic.starved && nic.tx_count >= TX_RETRY_BUFFERS) {
        nic.starved = tcp_socket_retry_one();
    }
    nic.retrying = false;
    if (nic.starved) {
        tx_ask();
    }
}

/* --- The driver's state --- */

bool link_poll(void)
{
    if (!nic.up) {
        return false;
    }
    bool any = rx_poll();
    any |= nic.up && tx_reclaim();
    if (nic.starved && nic.tx_count >= TX_RETRY_BUFFERS) {
        any = true;
        tx_retry();
    }
    bool carrier = atomic_load_explicit(&nic.rings->link_up, memory_order_relaxed) != 0;
    if (nic.up && carrier != (bool)netif_is_link_up(&nic.netif)) {
        printf("link %s\n", carrier ? "up" : "down");
        if (carrier) {
            netif_set_link_up(&nic.netif);
        } else {
            netif_set_link_down(&nic.netif);
        }
    }
    return any;
}

void link_flush(void)
{
    if (nic.freed && !nic.submitted) {
        atomic_thread_fence(memory_order_seq_cst); /* what was freed, before the look at the flag */
        nic.submitted = atomic_load_explicit(&nic.rings->rx_starved, memory_order_relaxed) != 0;
    }
    nic.freed = false;
    if (nic.submitted) {
        nic.submitted = false;
        if (sk_wake_needed(&nic.rings->driver_sleeps)) {
            sk_event_signal(nic.to_driver);
        }
    }
}

void link_sleep_begin(void)
{
    if (nic.rings != NULL) {
        sk_sleep_begin(&nic.rings->client_sleeps);
    }
}

void link_sleep_end(void)
{
    if (nic.rings != NULL) {
        sk_sleep_end(&nic.rings->client_sleeps);
    }
}

void link_info(struct sk_net_info_reply *info)
{
    if (nic.rings == NULL) {
        return;
    }
    memcpy(info->mac, nic.nic.mac, sizeof info->mac);
    info->mtu = nic.nic.mtu;
    info->link_up = nic.up && netif_is_link_up(&nic.netif);
    info->rx_packets = nic.rx_packets;
    info->tx_packets = nic.tx_packets;
    info->rx_bytes = nic.rx_bytes;
    info->tx_bytes = nic.tx_bytes;
    info->rx_dropped = nic.rx_dropped;
    info->tx_dropped = nic.tx_dropped;
}

/* --- Attaching --- */

static err_t netif_start(struct netif *netif)
{
    bool tso = (nic.nic.features & SK_NIC_TSO4) != 0 &&
               (nic.nic.features & SK_NIC_TX_CHECKSUM) != 0;
    uint16_t generate = NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_CHECK_IP;

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, nic.nic.mac, ETH_HWADDR_LEN);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = ip_output_cut;
    netif->linkoutput = tx_output;
    netif->mtu = nic.nic.mtu;
    if (tso && nic.nic.segment_max > BUNDLE_SEGMENTS * TCP_MSS + 128) {
        netif->mtu = (uint16_t)(nic.nic.segment_max - SIZEOF_ETH_HDR);
        tcp_socket_bundle = BUNDLE_SEGMENTS;
    }
    if ((nic.nic.features & SK_NIC_TX_CHECKSUM) == 0) {
        generate |= NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP;
    }
    /* Checks of received packets are switched for each packet, see rx_deliver. */
    NETIF_SET_CHECKSUM_CTRL(netif, generate | NETIF_CHECKSUM_GEN_ICMP);
    return ERR_OK;
}

static bool attach_reply_is_sane(const struct sk_nic_attach_reply *r)
{
    return r->mtu >= 576 && r->mtu <= 9000 && r->rx_buffer_bytes >= 256 &&
           r->rx_buffer_bytes <= 65536 && r->tx_buffer_bytes >= 256 &&
           r->tx_buffer_bytes <= 65536 && r->rx_buffers >= 2 && r->tx_buffers >= 2 &&
           r->rx_buffers <= SK_NIC_RING_ENTRIES && r->tx_buffers <= SK_NIC_RING_ENTRIES &&
           r->headroom <= 128 && r->segment_max <= UINT16_MAX;
}

static status_t attach_call(uint64_t deadline, handle_t handles[HANDLE_COUNT])
{
    struct sk_nic_request request = {.op = SK_NIC_OP_ATTACH};
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&nic.nic, sizeof nic.nic);

    in.handles = handles;
    in.handle_capacity = HANDLE_COUNT;
    status_t status = sk_channel_call(nic.endpoint, &out, &in, deadline);
    if (status != SK_OK) {
        return status;
    }
    if (in.length >= sizeof(int64_t) && nic.nic.status != SK_OK) {
        return (status_t)nic.nic.status;
    }
    bool good = in.length == sizeof nic.nic && in.handle_count == HANDLE_COUNT &&
                attach_reply_is_sane(&nic.nic);
    return good ? SK_OK : SK_BAD_FORMAT;
}

static status_t map(handle_t memory, uint64_t size, void **at)
{
    uint64_t address;
    status_t status = sk_memory_map(sk_self_process, memory, 0, size, 0,
                                    SK_PROT_READ | SK_PROT_WRITE, &address);
    if (status == SK_OK) {
        *at = (void *)(uintptr_t)address;
    }
    return status;
}

/* Private tables for the buffers. NO_MEMORY ends the service's start, so nothing is unwound. */
static status_t make_tables(void)
{
    nic.packets = calloc(nic.nic.rx_buffers, sizeof *nic.packets);
    nic.rx_ours = calloc(nic.nic.rx_buffers, sizeof *nic.rx_ours);
    nic.tx_ours = calloc(nic.nic.tx_buffers, sizeof *nic.tx_ours);
    nic.tx_stack = calloc(nic.nic.tx_buffers, sizeof *nic.tx_stack);
    if (nic.packets == NULL || nic.rx_ours == NULL || nic.tx_ours == NULL || nic.tx_stack == NULL) {
        return SK_NO_MEMORY;
    }
    for (uint32_t i = 0; i < nic.nic.tx_buffers; i++) {
        nic.tx_ours[i] = true;
        nic.tx_stack[nic.tx_count++] = (uint16_t)(nic.nic.tx_buffers - 1 - i);
    }
    sk_ring_init(&nic.rx_free, &nic.rings->rx_free, SK_NIC_RING_ENTRIES);
    sk_ring_init(&nic.tx_submit, &nic.rings->tx_submit, SK_NIC_RING_ENTRIES);
    sk_ring_init(&nic.rx_ready, &nic.rings->rx_ready, SK_NIC_RING_ENTRIES);
    sk_ring_init(&nic.tx_done, &nic.rings->tx_done, SK_NIC_RING_ENTRIES);
    return SK_OK;
}

static void on_event(struct sk_server *server, handle_t handle, uint32_t signals, void *context)
{
    /* The loop looks at the rings before each wait. */
}

static void on_driver_gone(struct sk_server *server, handle_t handle, uint32_t signals,
                           void *context)
{
    sk_server_unwatch(server, handle);
    link_die("its driver has ended");
}

status_t link_open(struct sk_server *server, uint64_t deadline)
{
    handle_t handles[HANDLE_COUNT];
    void *pool = NULL, *rings = NULL;
    status_t status = sk_connect("nic0", deadline, &nic.endpoint);

    if (status == SK_OK) {
        status = attach_call(deadline, handles);
    }
    if (status != SK_OK) {
        return status;
    }
    uint64_t rx_bytes = (uint64_t)nic.nic.rx_buffers * nic.nic.rx_buffer_bytes;
    uint64_t tx_bytes = (uint64_t)nic.nic.tx_buffers * nic.nic.tx_buffer_bytes;
    nic.to_driver = handles[HANDLE_TO_DRIVER];
    nic.to_client = handles[HANDLE_TO_CLIENT];
    uint64_t pool_bytes = (rx_bytes + tx_bytes + SK_PAGE_SIZE - 1) & ~(uint64_t)(SK_PAGE_SIZE - 1);
    status = map(handles[HANDLE_POOL], pool_bytes, &pool);
    if (status == SK_OK) {
        uint64_t ring_bytes = (sizeof *nic.rings + SK_PAGE_SIZE - 1) & ~(SK_PAGE_SIZE - 1ull);
        status = map(handles[HANDLE_RINGS], ring_bytes, &rings);
    }
    if (status != SK_OK) {
        return status;
    }
    nic.pool = pool;
    nic.tx_pool = nic.pool + rx_bytes;
    nic.rings = rings;
    status = make_tables();
    if (status == SK_OK) {
        status = sk_server_watch(server, nic.to_client, SK_SIGNAL_EVENT, on_event, NULL);
    }
    if (status == SK_OK) {
        status = sk_server_watch(server, nic.endpoint, SK_SIGNAL_PEER_CLOSED, on_driver_gone, NULL);
    }
    if (status != SK_OK || netif_add_noaddr(&nic.netif, NULL, netif_start, netif_input) == NULL) {
        nic.rings = NULL;
        return status == SK_OK ? SK_NO_MEMORY : status;
    }
    nic.up = true;
    if (atomic_load_explicit(&nic.rings->link_up, memory_order_relaxed) != 0) {
        netif_set_link_up(&nic.netif);
    }
    return SK_OK;
}
