/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network device as lwIP's netif: the client side of <sk/protocol/nic.h>. One thread, no lock.
 *
 * Received packets are custom pbufs over the driver's buffers, which go back to the driver when lwIP
 * frees them. Packets to send are copied into transmit buffers, as lwIP's lie in many pieces in memory
 * that the device does not see. Everything the driver wrote is validated; a driver that writes
 * nonsense, hangs or dies is replaced (link_heal.c), and connections do not notice more than a pause.
 * Tests: tests/host/services/net/test_parts.c (frames), tests/qemu/net.
 */
#include <stdio.h>
#include <string.h>

#include <lwip/etharp.h>
#include <lwip/igmp.h>
#include <lwip/ip4_frag.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>
#include <sk/protocol/nic.h>
#include <sk/service.h>

#include "frame.h"
#include "link_internal.h"
#include "net.h"
#include "session.h"

/* Free transmit buffers before a connection that found none tries again: some for one bundle. */
#define TX_RETRY_BUFFERS 5u
/* Frames up to this length (acknowledgements, ARP, DNS) do not wait behind connections that do. */
#define TX_PRIORITY_BYTES 256u
/* Packets taken in before others get their turn. */
#define RX_BATCH 64u

struct link nic;

struct netif *link_netif(void)
{
    return nic.netif.input != NULL ? &nic.netif : NULL;
}

void link_lose(const char *why, enum sk_init_cause blame)
{
    if (nic.up) {
        nic.up = false;
        nic.lost = why;
        nic.blame = blame;
    }
}

/* The driver wrote what cannot be. */
static void distrust(const char *why)
{
    link_lose(why, SK_CAUSE_NONSENSE);
}

/* --- Receiving --- */

/* lwIP is done with a received buffer: back to the driver, if it is still the same. */
static void rx_release(struct pbuf *p)
{
    struct rx_packet *packet = (struct rx_packet *)p;
    struct link_pool *pool = packet->pool;

    pool->held--;
    pool->rx_ours[packet->buffer] = false;
    if (pool->retired) {
        link_pool_free(pool);
        return;
    }
    if (!nic.up) {
        return;
    }
    if (sk_ring_room(&nic.rx_free) == 0) {
        distrust("receive ring");
        return;
    }
    nic.rings->rx_free_entries[sk_ring_slot(&nic.rx_free, nic.rx_free.own)] = packet->buffer;
    sk_ring_publish(&nic.rx_free, 1);
    nic.freed = true; /* the driver takes them when it is next awake, see link_flush */
}

/* A descriptor's bytes as a pbuf, with the two bytes of padding in front if it begins a packet. */
static struct pbuf *rx_pbuf(const struct sk_nic_descriptor *d, uint32_t pad)
{
    struct link_pool *pool = nic.pool;
    bool good = d->buffer < pool->rx_buffers && !pool->rx_ours[d->buffer] && d->offset >= pad &&
                (pad == 0 || d->offset % 4 == pad) && d->length > 0 &&
                (uint64_t)d->offset + d->length <= pool->rx_buffer_bytes;
    if (!good) {
        return NULL;
    }
    struct rx_packet *packet = &pool->packets[d->buffer];
    uint8_t *bytes = pool->memory + (uint64_t)d->buffer * pool->rx_buffer_bytes + d->offset;
    packet->custom.custom_free_function = rx_release;
    packet->pool = pool;
    packet->buffer = d->buffer;
    pool->rx_ours[d->buffer] = true;
    pool->held++;
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
    for (uint32_t i = 0; i < count && nic.up; i++) {
        uint32_t at = sk_ring_slot(&nic.rx_ready, nic.rx_ready.own);
        struct sk_nic_descriptor d = nic.rings->rx_ready_entries[at]; /* once: it may change */
        sk_ring_release(&nic.rx_ready, 1);
        if (!rx_take(&d)) {
            distrust("a received packet that cannot be");
            return false;
        }
    }
    if (nic.rx_ready.broken) {
        distrust("receive ring");
    }
    return count > 0;
}

/* --- Sending --- */

/* Takes back the transmit buffers that the driver is done with. */
static bool tx_reclaim(void)
{
    struct link_pool *pool = nic.pool;
    uint32_t count = sk_ring_available(&nic.tx_done);

    for (uint32_t i = 0; i < count; i++) {
        uint16_t buffer = nic.rings
                              ->tx_done_entries[sk_ring_slot(&nic.tx_done, nic.tx_done.own + i)];
        if (buffer >= pool->tx_buffers || pool->tx_ours[buffer]) {
            distrust("a transmit buffer that it does not have");
            return false;
        }
        pool->tx_ours[buffer] = true;
        pool->tx_stack[pool->tx_count++] = buffer;
    }
    if (count > 0) {
        sk_ring_release(&nic.tx_done, count);
    }
    return count > 0;
}

/* Asks to be told when transmit buffers come back. */
static void tx_ask(void)
{
    if (!nic.up) {
        return; /* they are asked for when there is a driver again */
    }
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

/* Takes a free transmit buffer for the piece of `d`, and submits it as the count-th of its packet. */
static uint8_t *tx_take(struct sk_nic_descriptor *d, uint32_t count)
{
    struct link_pool *pool = nic.pool;
    uint16_t buffer = pool->tx_stack[--pool->tx_count];

    pool->tx_ours[buffer] = false;
    pool->tx_index[buffer] = nic.tx_submit.own + count;
    d->buffer = buffer;
    return pool->memory + (uint64_t)pool->rx_buffers * pool->rx_buffer_bytes +
           (uint64_t)buffer * pool->tx_buffer_bytes;
}

err_t link_output(struct netif *netif, struct pbuf *p)
{
    struct link_pool *pool = nic.pool;
    uint32_t headroom = tx_start(p);
    uint32_t bytes = pool->tx_buffer_bytes;
    uint32_t left = p->tot_len; /* with the padding, which lies in the headroom's last bytes */
    uint32_t offset = 0;
    uint32_t buffers = (left + headroom + bytes - 1) / bytes;

    if (!nic.up) {
        return tx_starved(); /* until there is a driver again */
    }
    if (nic.starved && !nic.retrying && p->tot_len > TX_PRIORITY_BYTES) {
        return tx_starved(); /* others wait already: it is not the next one */
    }
    if (pool->tx_count < buffers && !(tx_reclaim() && pool->tx_count >= buffers)) {
        return tx_starved();
    }
    nic.tx_packets++;
    nic.tx_bytes += left;
    uint32_t total = left - ETH_PAD_SIZE;
    uint32_t skip = ETH_PAD_SIZE;
    uint32_t count = 0;
    for (const struct pbuf *q = p; left > 0; headroom = 0, skip = 0) {
        uint32_t slot = sk_ring_slot(&nic.tx_submit, nic.tx_submit.own + count);
        struct sk_nic_descriptor *d = &pool->sent[slot];
        uint8_t *to = tx_take(d, count) + headroom;
        uint32_t piece = bytes - headroom < left ? bytes - headroom : left;

        copy_from_chain(to, piece, &q, &offset);
        left -= piece;
        d->offset = (uint16_t)(headroom + skip);
        d->length = piece - skip;
        d->flags = left > 0 ? SK_NIC_MORE : 0;
        if (skip > 0) {
            tx_describe(d, to + skip, piece - skip, total);
        }
        nic.rings->tx_submit_entries[slot] = *d;
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
err_t link_ip_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
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
void link_retry(void)
{
    nic.retrying = true;
    while (nic.starved && nic.up && nic.pool->tx_count >= TX_RETRY_BUFFERS) {
        nic.starved = tcp_socket_retry_one();
    }
    nic.retrying = false;
    if (nic.starved) {
        tx_ask();
    }
}

/* --- Groups --- */

_Static_assert(MEMP_NUM_IGMP_GROUP <= SK_NIC_GROUPS_MAX, "all groups fit");

err_t link_note_groups(struct netif *netif, const ip4_addr_t *group,
                       enum netif_mac_filter_action action)
{
    nic.groups_changed = true; /* told when lwIP's list is as it shall be */
    return ERR_OK;
}

/* Tells the driver of all groups. RFC 1112, 6.4: of an address's low 23 bits. */
static void tell_groups(void)
{
    uint32_t count = 0;

    for (const struct igmp_group *g = netif_igmp_data(&nic.netif); g != NULL; g = g->next) {
        const uint8_t *ip = (const uint8_t *)&g->group_address.addr;
        const uint8_t mac[6] = {0x01, 0x00, 0x5e, ip[1] & 0x7f, ip[2], ip[3]};
        memcpy(nic.rings->groups[count++], mac, sizeof mac);
    }
    atomic_store_explicit(&nic.rings->group_count, count, memory_order_relaxed);
    atomic_store_explicit(&nic.rings->groups_changed, 1, memory_order_release);
    nic.groups_changed = false;
    nic.submitted = true;
}

/* --- The driver's state --- */

static void follow_carrier(void)
{
    bool carrier = atomic_load_explicit(&nic.rings->link_up, memory_order_relaxed) != 0;

    if (carrier == (bool)netif_is_link_up(&nic.netif)) {
        return;
    }
    printf("link %s\n", carrier ? "up" : "down");
    if (carrier) {
        netif_set_link_up(&nic.netif);
    } else {
        netif_set_link_down(&nic.netif);
    }
}

bool link_poll(void)
{
    bool any = false;

    if (nic.up) {
        any = rx_poll();
        any |= nic.up && tx_reclaim();
    }
    if (nic.up && nic.starved && nic.pool->tx_count >= TX_RETRY_BUFFERS) {
        any = true;
        link_retry();
    }
    if (nic.up) {
        follow_carrier();
    }
    if (nic.lost != NULL) {
        link_mourn();
        any = true; /* its last frames may have begun something */
    }
    return any;
}

void link_drain(void)
{
    uint32_t rounds = SK_NIC_RING_ENTRIES / RX_BATCH + 1; /* nobody adds to them any more */

    while (rounds-- > 0 && nic.up && rx_poll()) {
    }
    if (nic.up) {
        tx_reclaim();
    }
}

void link_flush(void)
{
    if (!nic.up) {
        return;
    }
    if (nic.freed && !nic.submitted) {
        atomic_thread_fence(memory_order_seq_cst); /* what was freed, before the look at the flag */
        nic.submitted = atomic_load_explicit(&nic.rings->rx_starved, memory_order_relaxed) != 0;
    }
    nic.freed = false;
    if (nic.groups_changed) {
        tell_groups();
    }
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
    if (link_netif() == NULL) {
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
