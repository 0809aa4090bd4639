/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attaching to the network driver: its answer is checked, its memory mapped, the netif made. Once, at
 * the service's start; one thread, no lock. Tests: tests/qemu/net.
 */
#include <stdlib.h>
#include <string.h>

#include <lwip/etharp.h>
#include <sk/service.h>

#include "link_internal.h"
#include "net.h"
#include "session.h"

/* With TSO: segments of the wire that lwIP hands down as one, RFC 6928's initial window. */
#define BUNDLE_SEGMENTS 10u

enum { HANDLE_POOL, HANDLE_RINGS, HANDLE_TO_DRIVER, HANDLE_TO_CLIENT, HANDLE_COUNT };

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
    netif->output = link_ip_output;
    netif->linkoutput = link_output;
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
