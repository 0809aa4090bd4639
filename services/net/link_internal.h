/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network device between link.c (packets), link_attach.c (how one attaches to its driver) and
 * link_heal.c (what becomes of packets when the driver dies). One thread.
 */
#ifndef NET_LINK_INTERNAL_H
#define NET_LINK_INTERNAL_H

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include <sk/protocol/devmgr.h>
#include <sk/protocol/nic.h>
#include <sk/server.h>

struct link_pool;

struct rx_packet {
    struct pbuf_custom custom; /* first: pbuf -> rx_packet */
    struct link_pool *pool;
    uint16_t buffer;
};

/* A driver's packet buffers. It outlives the driver for as long as lwIP holds one of them. */
struct link_pool {
    uint8_t *memory; /* as in <sk/protocol/nic.h> */
    uint64_t bytes;
    uint32_t rx_buffer_bytes, tx_buffer_bytes, rx_buffers, tx_buffers;
    uint32_t held;             /* receive buffers that lwIP holds */
    bool retired;              /* its driver's time is over: freed when nothing is held */
    struct rx_packet *packets; /* one for each receive buffer */
    bool *rx_ours;             /* the receive buffer is with us */
    bool *tx_ours;             /* the transmit buffer is with us */
    uint16_t *tx_stack;        /* transmit buffers that are with us */
    uint32_t tx_count;
    uint32_t
        *tx_index; /* of each transmit buffer: where it was last submitted, an index of tx_submit */
    uint32_t tx_end;                /* of tx_submit, when the driver's time was over */
    struct sk_nic_descriptor *sent; /* what was submitted, as in tx_submit's entries but our own */
};

/* What was got from one driver by attaching to it. */
struct link_offer {
    handle_t endpoint, to_driver, to_client;
    struct sk_nic_attach_reply nic;
    struct link_pool *pool;
    struct sk_nic_rings *rings;
};

struct link {
    bool up;                  /* attached, and the driver behaves */
    const char *lost;         /* why it is up no more, until link_mourn */
    enum sk_init_cause blame; /* what devmgr is to be told of it; NONE: nothing */
    struct netif netif;       /* in lwIP's list from the first driver on */
    handle_t endpoint, to_driver, to_client;
    struct sk_nic_attach_reply nic; /* the last driver's */
    struct link_pool *pool;         /* its buffers; still there when it has died */
    struct sk_nic_rings *rings;     /* NULL when not up */
    struct sk_ring rx_free, tx_submit, rx_ready, tx_done;
    bool starved;        /* connections wait for transmit buffers, see tx_retry */
    bool retrying;       /* they have their turn */
    bool freed;          /* receive buffers for the driver since link_flush */
    bool submitted;      /* something for the driver since link_flush */
    bool groups_changed; /* since the driver was told of them */
    struct pbuf *chain;  /* first buffers of a packet that goes on */
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped;
};

extern struct link nic;

/* lwIP: sends a frame. ERR_MEM: no buffers now, TCP tries again. */
err_t link_output(struct netif *netif, struct pbuf *p);
/* lwIP: sends an IP packet. */
err_t link_ip_output(struct netif *netif, struct pbuf *p, const ip4_addr_t *to);
/* lwIP: a group is received from now on, or no more. */
err_t link_note_groups(struct netif *netif, const ip4_addr_t *group,
                       enum netif_mac_filter_action action);
/* The driver has gone, or must: nothing is sent or received until there is a new one. What lwIP holds of
 * its buffers stays valid memory. */
void link_lose(const char *why, enum sk_init_cause blame);
/* Takes in what a dead driver had still delivered. */
void link_drain(void);
/* Sends what waits for transmit buffers, as far as there are some. */
void link_retry(void);

/* --- link_attach.c --- */

/* Connects to "nic0" and attaches. From any thread; touches nothing of lwIP or `nic`. */
status_t link_attach(uint64_t deadline, struct link_offer *offer);
/* Gives back all of an offer, or of a driver that was taken into use. */
void link_offer_drop(struct link_offer *offer);
/* Takes what was got into use: rings, buffers, the netif's properties. `nic.pool` has been retired. */
void link_use(const struct link_offer *offer);

/* --- link_heal.c --- */

/* Hears of the end of the driver that is in use, and of its wake-ups. */
status_t link_watch_driver(struct sk_server *server);
/* Between two looks at the rings, if nic.lost: lets go of the driver and begins to look for the next. */
void link_mourn(void);
/* Ends a pool's use by the driver; it goes when lwIP holds nothing of it any more. */
void link_pool_retire(struct link_pool *pool);
void link_pool_free(struct link_pool *pool);

#endif
