/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the GEM driver: the device and its state (device.c), the rings (rings.c), the bus to the PHY
 * (mdio.c). One thread.
 */
#ifndef GEM_H
#define GEM_H

#include <sk/mmio.h>

#include <net/common/device.h>
#include <net/common/mii.h>

#include "registers.h"

#define RX_RING RX_BUFFERS
/* More than there are buffers, so that there is always one that stops the device. */
#define TX_RING 128u
_Static_assert(TX_RING > TX_BUFFERS, "the transmit ring is never full");

/* Received packets begin here in their buffers: the device can leave 0 to 3 bytes free. */
#define RX_PACKET_OFFSET 2u
/* What the device may write: with the offset still inside, and longer than any frame that it takes. */
#define RX_DMA_BYTES (RX_BUFFER_BYTES - 64u)
/* An Ethernet frame without its check sequence. */
#define FRAME_BYTES_MAX (MTU_MAX + 14u)

/* In the DMA memory of the rings. */
struct gem_memory {
    struct gem_descriptor rx[RX_RING];
    struct gem_descriptor tx[TX_RING];
    struct gem_descriptor stop[2]; /* RX and TX, never the device's: for the queues not in use */
};

struct gem {
    uintptr_t base;
    uintptr_t management;
    struct sk_dma rings;
    struct gem_memory *memory;
    uint32_t control;     /* GEM_CONTROL as written last, without what acts once */
    uint32_t interrupts;  /* those that are on */
    bool clear_by_write;  /* interrupts */
    bool negotiated;      /* the PHY has been told what we can */
    uint32_t phy;         /* its address, MII_NONE */
    struct mii_link link; /* as the device is set to */
    /* Rings: counters that go on, and what lies at a place. */
    uint32_t rx_head, rx_tail;
    uint16_t rx_buffer[RX_RING];
    uint32_t tx_head, tx_tail;
    uint16_t tx_buffer[TX_RING]; /* at a packet's first descriptor */
    uint8_t tx_count[TX_RING];   /* likewise: how many they are */
    /* For the look at a device that stands still. */
    uint32_t tx_tail_seen;
    uint32_t looks_without;
};

extern struct gem gem;

static inline uint32_t gem_read(enum gem_register at)
{
    return sk_mmio_read32(gem.base + (uintptr_t)at);
}

static inline void gem_write(enum gem_register at, uint32_t value)
{
    sk_mmio_write32(gem.base + (uintptr_t)at, value);
}

/* rings.c: all descriptors ours, and the device told where they are. */
void rings_reset(void);
/* Where they lie for the device. */
uint32_t rings_address(const void *descriptor);

#endif
