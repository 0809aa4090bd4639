/* SPDX-License-Identifier: BSD-2-Clause */
/* Inside what network drivers share: the client and its rings (client.c), the packets (packets.c). One thread. */
#ifndef NET_CLIENT_H
#define NET_CLIENT_H

#include "device.h"

struct net_client {
    struct sk_driver driver;
    struct net_device device;
    struct sk_client *client; /* attached; NULL: nobody */
    struct sk_nic_rings *rings;
    handle_t to_driver, to_client;
    struct sk_ring rx_free, tx_submit, rx_ready, tx_done;
    bool rx_ours[RX_BUFFERS];        /* not with the client */
    bool tx_ours[TX_BUFFERS];        /* not with the client */
    uint16_t tx_next[TX_BUFFERS];    /* next buffer of the same packet */
    uint16_t tx_chained[TX_BUFFERS]; /* buffers of the packet, at its first */
    bool failed;
    bool to_wake; /* the client should hear of what was done */
    struct sk_nic_info_reply counters;
};

extern struct net_client nic; /* client.c */

/* --- packets.c --- */

/* Starts the device anew. The client keeps its buffers, all others are posted again; without a client it has
 * none, and stays silent. On an error nic.failed is set. */
void packets_restart(void);
/* The device broke the rules: says so, and starts it anew. */
void packets_misbehaved(void);
/* before_wait of the server: takes what the device has for the client and the client for the device. */
bool packets_before_wait(struct sk_server *server);

#endif
