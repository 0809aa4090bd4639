/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the virtio network driver: the device (device.c) and its client (client.c). One thread.
 */
#ifndef VIRTIO_NET_H
#define VIRTIO_NET_H

#include <sk/driver.h>
#include <sk/protocol/nic.h>
#include <virtio/mmio.h>

#define QUEUE_SIZE 256u
#define RX_BUFFERS 128u
#define RX_BUFFER_BYTES 2048u
#define TX_BUFFERS 64u
#define TX_BUFFER_BYTES 4096u
#define POOL_BYTES (RX_BUFFERS * RX_BUFFER_BYTES + TX_BUFFERS * TX_BUFFER_BYTES)
/* Room before a packet to send for the device's header, at most 12 bytes, at an even place. */
#define TX_HEADROOM 16u
/* Received packets begin here, 2 mod 4, with the device's header before them. */
#define RX_PACKET_OFFSET 18u
#define PACKET_BYTES_MAX 65550u /* of IP, and the Ethernet header */
/* Buffers of one packet to send, and a descriptor for the header where it must lie alone. */
#define CHAIN_MAX (PACKET_BYTES_MAX / TX_BUFFER_BYTES + 3u)

/* --- device.c: the queues. Buffers are named by their numbers in the pool. --- */

struct net_device {
    struct virtio_mmio transport;
    struct virtq rx, tx;
    uint32_t header_bytes; /* 10 or 12 */
    bool splits_header;    /* an old device that wants its header in a descriptor of its own */
    bool merges;           /* a received packet may lie in several buffers */
    uint32_t features;     /* enum sk_nic_feature */
    uint16_t mtu;
    uint8_t mac[6];
    bool link_up;
    uint32_t rx_posted; /* buffers that the device has */
    uint32_t tx_posted;
};

/* Resets the device and brings it up, without any buffers. Errors of the transport. */
status_t device_start(struct net_device *device, uintptr_t base);

/* The memory that the queues and the pool lie in; made once, before device_start. */
status_t device_allocate(const struct sk_driver *driver);
uint8_t *device_pool(void);
handle_t device_pool_handle(void);

/* Reads the link's state. */
void device_read_link(struct net_device *device);

/* Gives the device a receive buffer; shown to it by device_show_rx. FULL, IO_ERROR. */
status_t device_post_rx(struct net_device *device, uint16_t buffer);
void device_show_rx(struct net_device *device);

/*
 * The next received buffer: *d describes its bytes, SK_NIC_MORE included. NOT_FOUND: none;
 * IO_ERROR: the device broke the rules and must be started anew.
 */
status_t device_take_rx(struct net_device *device, struct sk_nic_descriptor *d);

/*
 * Gives the device a packet to send, of `count` valid descriptors; shown to it by device_show_tx. FULL,
 * IO_ERROR. Later device_take_tx gives the first descriptor's buffer back.
 */
status_t device_post_tx(struct net_device *device, const struct sk_nic_descriptor *d,
                        uint32_t count);
void device_show_tx(struct net_device *device);
status_t device_take_tx(struct net_device *device, uint16_t *buffer);

#endif
