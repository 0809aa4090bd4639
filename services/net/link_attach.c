/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching to a network driver: its answer is checked, its memory mapped (link_attach, which may run on a
 * thread of its own), then the netif is made to fit (link_use). Owns what an offer holds until it is used.
 * Tests: tests/qemu/net, tests/qemu/heal.
 */
#include <stdlib.h>
#include <string.h>

#include <lwip/etharp.h>
#include <sk/service.h>
#include <sk/time.h>

#include "link_internal.h"
#include "net.h"
#include "session.h"

#define ATTACH_PAUSE (20 * SK_MS)

enum { HANDLE_POOL, HANDLE_RINGS, HANDLE_TO_DRIVER, HANDLE_TO_CLIENT, HANDLE_COUNT };

/* Address, MTU and who makes which checksum, as this driver's device has it. */
static void fit_netif(struct netif *netif)
{
    bool tso = (nic.nic.features & SK_NIC_TSO4) != 0 &&
               (nic.nic.features & SK_NIC_TX_CHECKSUM) != 0;
    uint16_t generate = NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_CHECK_IP;

    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, nic.nic.mac, ETH_HWADDR_LEN);
    netif->mtu = nic.nic.mtu;
    tcp_socket_bundle = 1;
    if (tso && nic.nic.segment_max > TCP_SOCKET_BUNDLE_MAX * TCP_MSS + 128) {
        netif->mtu = (uint16_t)(nic.nic.segment_max - SIZEOF_ETH_HDR);
        tcp_socket_bundle = TCP_SOCKET_BUNDLE_MAX;
    }
    if ((nic.nic.features & SK_NIC_TX_CHECKSUM) == 0) {
        generate |= NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP;
    }
    /* Checks of received packets are switched for each packet, see rx_deliver. */
    NETIF_SET_CHECKSUM_CTRL(netif, generate | NETIF_CHECKSUM_GEN_ICMP);
}

static err_t netif_start(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP;
    netif->output = link_ip_output;
    netif->linkoutput = link_output;
    netif->igmp_mac_filter = link_note_groups;
    fit_netif(netif);
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

static status_t attach_call(uint64_t deadline, struct link_offer *offer,
                            handle_t handles[HANDLE_COUNT])
{
    struct sk_nic_request request = {.op = SK_NIC_OP_ATTACH};
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&offer->nic, sizeof offer->nic);

    in.handles = handles;
    in.handle_capacity = HANDLE_COUNT;
    status_t status = sk_channel_call(offer->endpoint, &out, &in, deadline);
    if (status != SK_OK) {
        return status;
    }
    status = in.length >= sizeof(int64_t) ? (status_t)offer->nic.status : SK_BAD_FORMAT;
    bool good = in.length == sizeof offer->nic && in.handle_count == HANDLE_COUNT &&
                attach_reply_is_sane(&offer->nic);
    if (status != SK_OK || !good) {
        for (size_t i = 0; i < in.handle_count; i++) {
            sk_handle_close(handles[i]);
        }
        return status != SK_OK ? status : SK_BAD_FORMAT;
    }
    return SK_OK;
}

/* Maps a memory object and closes its handle: the mapping keeps it. */
static status_t map(handle_t memory, uint64_t size, void **at)
{
    uint64_t address;
    status_t status = sk_memory_map(sk_self_process, memory, 0, size, 0,
                                    SK_PROT_READ | SK_PROT_WRITE, &address);
    sk_handle_close(memory);
    if (status == SK_OK) {
        *at = (void *)(uintptr_t)address;
    }
    return status;
}

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + SK_PAGE_SIZE - 1) & ~(uint64_t)(SK_PAGE_SIZE - 1);
}

/* Private tables for the driver's buffers. */
static struct link_pool *make_pool(const struct sk_nic_attach_reply *nic)
{
    struct link_pool *pool = calloc(1, sizeof *pool);

    if (pool == NULL) {
        return NULL;
    }
    pool->rx_buffer_bytes = nic->rx_buffer_bytes;
    pool->tx_buffer_bytes = nic->tx_buffer_bytes;
    pool->rx_buffers = nic->rx_buffers;
    pool->tx_buffers = nic->tx_buffers;
    pool->bytes = whole_pages((uint64_t)nic->rx_buffers * nic->rx_buffer_bytes +
                              (uint64_t)nic->tx_buffers * nic->tx_buffer_bytes);
    pool->packets = calloc(nic->rx_buffers, sizeof *pool->packets);
    pool->rx_ours = calloc(nic->rx_buffers, sizeof *pool->rx_ours);
    pool->tx_ours = calloc(nic->tx_buffers, sizeof *pool->tx_ours);
    pool->tx_stack = calloc(nic->tx_buffers, sizeof *pool->tx_stack);
    pool->tx_index = calloc(nic->tx_buffers, sizeof *pool->tx_index);
    pool->sent = calloc(SK_NIC_RING_ENTRIES, sizeof *pool->sent);
    if (pool->packets == NULL || pool->rx_ours == NULL || pool->tx_ours == NULL ||
        pool->tx_stack == NULL || pool->tx_index == NULL || pool->sent == NULL) {
        link_pool_free(pool);
        return NULL;
    }
    for (uint32_t i = 0; i < nic->tx_buffers; i++) {
        pool->tx_ours[i] = true;
        pool->tx_stack[pool->tx_count++] = (uint16_t)(nic->tx_buffers - 1 - i);
    }
    return pool;
}

void link_offer_drop(struct link_offer *offer)
{
    handle_t *handles[] = {&offer->endpoint, &offer->to_driver, &offer->to_client};

    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        if (*handles[i] != SK_HANDLE_NONE) {
            sk_handle_close(*handles[i]);
            *handles[i] = SK_HANDLE_NONE;
        }
    }
    if (offer->rings != NULL) {
        sk_memory_unmap(sk_self_process, (uintptr_t)offer->rings,
                        whole_pages(sizeof *offer->rings));
        offer->rings = NULL;
    }
    if (offer->pool != NULL) {
        link_pool_free(offer->pool);
        offer->pool = NULL;
    }
}

/* Takes what came with the driver's answer; the handles are gone in any case. */
static status_t unpack(struct link_offer *offer, const handle_t handles[HANDLE_COUNT])
{
    void *pool = NULL, *rings = NULL;

    offer->to_driver = handles[HANDLE_TO_DRIVER];
    offer->to_client = handles[HANDLE_TO_CLIENT];
    offer->pool = make_pool(&offer->nic);
    status_t status = map(handles[HANDLE_RINGS], whole_pages(sizeof *offer->rings), &rings);
    offer->rings = rings;
    if (offer->pool == NULL) {
        sk_handle_close(handles[HANDLE_POOL]);
        return SK_NO_MEMORY;
    }
    status_t mapped = map(handles[HANDLE_POOL], offer->pool->bytes, &pool);
    offer->pool->memory = pool;
    return status != SK_OK ? status : mapped;
}

status_t link_attach(uint64_t deadline, struct link_offer *offer)
{
    handle_t handles[HANDLE_COUNT];

    *offer = (struct link_offer){0};
    status_t status = sk_connect("nic0", deadline, &offer->endpoint);
    if (status == SK_OK) {
        status = attach_call(deadline, offer, handles);
    }
    if (status == SK_OK) {
        status = unpack(offer, handles);
    }
    if (status != SK_OK) {
        link_offer_drop(offer);
    }
    return status;
}

void link_use(const struct link_offer *offer)
{
    nic.endpoint = offer->endpoint;
    nic.to_driver = offer->to_driver;
    nic.to_client = offer->to_client;
    nic.nic = offer->nic;
    nic.pool = offer->pool;
    nic.rings = offer->rings;
    sk_ring_init(&nic.rx_free, &nic.rings->rx_free, SK_NIC_RING_ENTRIES);
    sk_ring_init(&nic.tx_submit, &nic.rings->tx_submit, SK_NIC_RING_ENTRIES);
    sk_ring_init(&nic.rx_ready, &nic.rings->rx_ready, SK_NIC_RING_ENTRIES);
    sk_ring_init(&nic.tx_done, &nic.rings->tx_done, SK_NIC_RING_ENTRIES);
    nic.freed = nic.submitted = false;
    nic.groups_changed = true; /* a new driver knows of none */
    fit_netif(&nic.netif);
    nic.up = true;
}

status_t link_open(struct sk_server *server, uint64_t deadline)
{
    struct link_offer offer;
    status_t status;

    /* A driver that dies just now comes back; one that has not noticed yet that its last client died, will. */
    while ((status = link_attach(deadline, &offer)) == SK_PEER_CLOSED || status == SK_BUSY) {
        if (sk_now() > deadline) {
            return status;
        }
        sk_sleep(ATTACH_PAUSE);
    }
    if (status != SK_OK) {
        return status;
    }
    link_use(&offer);
    status = link_watch_driver(server);
    if (status == SK_OK && netif_add_noaddr(&nic.netif, NULL, netif_start, netif_input) == NULL) {
        status = SK_NO_MEMORY;
    }
    nic.up = status == SK_OK;
    if (status == SK_OK && atomic_load_explicit(&nic.rings->link_up, memory_order_relaxed) != 0) {
        netif_set_link_up(&nic.netif);
    }
    return status;
}
