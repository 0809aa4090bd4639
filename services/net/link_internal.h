/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network device between link.c (packets) and link_attach.c (how it is made). One thread.
 */
#ifndef NET_LINK_INTERNAL_H
#define NET_LINK_INTERNAL_H

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include <sk/protocol/nic.h>

struct rx_packet {
    struct pbuf_custom custom; /* first: pbuf -> rx_packet */
    uint16_t buffer;
};

struct link {
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
};

extern struct link nic;

/* lwIP: sends a frame. ERR_MEM: no buffers now, TCP tries again. */
err_t link_output(struct netif *netif, struct pbuf *p);
/* lwIP: sends an IP packet. */
err_t link_ip_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to);
/* The driver broke the protocol or has gone. What lwIP holds of its buffers stays valid memory. */
void link_die(const char *why);

#endif
