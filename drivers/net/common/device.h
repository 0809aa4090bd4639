/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a network driver supplies: its device, by the functions below. The rest of the program is
 * client.c and packets.c beside this page, main() included, which serves "nicN" (<sk/protocol/nic.h>). One thread;
 * no function waits, but for the time a register access or a reset takes.
 *
 * Buffers are named by their numbers in the pool, which client.c owns and the device can reach.
 */
#ifndef NET_DEVICE_H
#define NET_DEVICE_H

#include <sk/driver.h>
#include <sk/protocol/nic.h>

#define RX_BUFFERS 128u
#define RX_BUFFER_BYTES 2048u
#define TX_BUFFERS 64u
#define TX_BUFFER_BYTES 4096u
#define POOL_BYTES (RX_BUFFERS * RX_BUFFER_BYTES + TX_BUFFERS * TX_BUFFER_BYTES)
/* Room before a packet to send for the device's header, at an even place. */
#define TX_HEADROOM 16u
#define PACKET_BYTES_MAX 65550u /* of IP, and the Ethernet header */
/* Buffers of one packet to send, and one more for a device whose header must lie alone. */
#define CHAIN_MAX (PACKET_BYTES_MAX / TX_BUFFER_BYTES + 3u)
#define MTU_MAX 1500u /* what fits a receive buffer */

/* [D] written by the device's functions, [C] by client.c before device_allocate. */
struct net_device {
    struct sk_driver *driver; /* [C] registers, interrupts, properties */
    struct sk_dma pool;       /* [C] receive buffers, then transmit buffers */
    uint32_t features;        /* [D] enum sk_nic_feature */
    uint16_t mtu;             /* [D] at most MTU_MAX */
    uint8_t mac[6];           /* [D] */
    bool link_up;             /* [D] */
    uint32_t rx_posted;       /* [D] buffers that the device has */
    uint32_t tx_posted;       /* [D] packets that the device has */
    uint64_t rx_lost;         /* [D] packets that the device dropped or damaged, ever */
    uint64_t tx_failed;       /* [D] packets that the device could not send, ever */
    uint32_t group_count;     /* [C] at any time, see device_set_groups */
    uint8_t groups[SK_NIC_GROUPS_MAX][6];
};

/* Where a buffer of the pool begins, for us and for the device. */
static inline uint64_t rx_buffer_offset(uint16_t buffer)
{
    return (uint64_t)buffer * RX_BUFFER_BYTES;
}

static inline uint64_t tx_buffer_offset(uint16_t buffer)
{
    return RX_BUFFERS * RX_BUFFER_BYTES + (uint64_t)buffer * TX_BUFFER_BYTES;
}

/*
 * Once, before everything else: looks at what the driver was given (INVALID_ARGS if it is not what the
 * device needs) and makes the memory of the queues. Errors of sk_dma_create.
 */
status_t device_allocate(struct net_device *device);

/*
 * Resets the device and brings it up, whatever it did before, without any buffers and without
 * interrupts of packets; fills every [D] field. It receives frames to its address, to all and to `groups`.
 * An error: it does not come up, see device_fail.
 */
status_t device_start(struct net_device *device);

/* `groups` has changed: all of them pass, others only as far as the filter does not tell them apart. */
void device_set_groups(struct net_device *device);

/* The device is given up: it must not touch memory any more. */
void device_fail(struct net_device *device);

/* Gives the device a receive buffer; shown to it by device_show_rx. FULL, IO_ERROR. */
status_t device_post_rx(struct net_device *device, uint16_t buffer);
void device_show_rx(struct net_device *device);

/*
 * The next received buffer: *d describes its bytes, SK_NIC_MORE included. NOT_FOUND: none;
 * IO_ERROR: the device broke the rules and must be started anew.
 */
status_t device_take_rx(struct net_device *device, struct sk_nic_descriptor *d);

/* True: a packet of any shape that the protocol allows can be posted now. */
bool device_tx_room(const struct net_device *device);

/*
 * Gives the device a packet to send, of `count` valid descriptors; shown to it by device_show_tx. FULL,
 * IO_ERROR. Later device_take_tx gives the first descriptor's buffer back (NOT_FOUND: none is sent;
 * IO_ERROR as above).
 */
status_t device_post_tx(struct net_device *device, const struct sk_nic_descriptor *d,
                        uint32_t count);
void device_show_tx(struct net_device *device);
status_t device_take_tx(struct net_device *device, uint16_t *buffer);

/* Asks for no interrupts of packets: a hint, which the device may ignore. */
void device_interrupts_off(struct net_device *device);
/* Ask for an interrupt at the next received, sent packet. True: there is one already, look again. */
bool device_rx_interrupt_on(struct net_device *device);
bool device_tx_interrupt_on(struct net_device *device);

/*
 * The device interrupted: makes it take its line back. Returns what happened beside packets; link_up
 * is up to date then.
 */
enum device_event {
    DEVICE_LINK_CHANGED = 1u << 0,
    DEVICE_BROKEN = 1u << 1,  /* must be started anew */
    DEVICE_RESTART = 1u << 2, /* likewise, though it broke no rule */
};
uint32_t device_interrupt(struct net_device *device);

/*
 * Looks at what the device does not interrupt for, a PHY without an interrupt line above all: called
 * after device_start, and then at the time that it wrote last to *next, SK_DEADLINE_NEVER for never.
 * Returns events as device_interrupt does.
 */
uint32_t device_look(struct net_device *device, uint64_t *next);

#endif
