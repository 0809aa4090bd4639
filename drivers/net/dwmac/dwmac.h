/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside the DesignWare Ethernet driver: the PHY and its bus (phy.c), the rings (rings.c), bringing
 * the controller up (controller.c), and the functions of <net/common/device.h> (device.c). One thread.
 */
#ifndef DWMAC_H
#define DWMAC_H

#include <net/common/device.h>
#include <net/common/mii.h>
#include <sk/mmio.h>
#include <sk/time.h>

#include "regs.h"

#define TX_RING 128u
#define RX_RING                                                                                    \
    256u /* twice the buffers: the tail never meets the device's place while it has any */

#define RX_BUFFER_SIZE 1536u /* what the device may fill of a buffer */

/* Waits, at most `patience` ns, until the bits of a register in `mask` are `value`; TIMED_OUT. It sleeps
 * for `pause` ns between two looks: for what no interrupt tells. */
status_t register_wait(uintptr_t at, uint32_t mask, uint32_t value, uint64_t patience,
                       uint64_t pause);

/* --- phy.c --- */

enum phy_mode { PHY_RGMII, PHY_RGMII_ID, PHY_RGMII_RXID, PHY_RGMII_TXID, PHY_RMII };

struct phy {
    uintptr_t base;                 /* of the controller */
    const struct sk_driver *driver; /* its properties */
    enum phy_mode mode;
    uint32_t address;
    uint32_t id;
};

/* Reads phy-mode; NOT_SUPPORTED for what the controller has no interface for. */
status_t phy_read_mode(struct phy *phy);
/* Finds the PHY, sets it up by its properties, and lets it negotiate if it has not. NOT_FOUND: none
 * answers. TIMED_OUT: the bus does not. */
status_t phy_start(struct phy *phy);
/* After the speed has changed. */
status_t phy_adjust(const struct phy *phy, uint32_t mbps);

/* --- rings.c: descriptors. Errors and meanings as in <net/common/device.h>. --- */

struct ring {
    struct dwmac_descriptor *descriptors;
    uint64_t physical;
    uint32_t size;   /* power of two */
    uint32_t next;   /* where the next is posted; counts on, as do all here */
    uint32_t oldest; /* of those the device has, or has had and we have not taken */
    uint16_t buffer[RX_RING > TX_RING ? RX_RING : TX_RING]; /* by place */
    uint8_t count[TX_RING]; /* TX, at a packet's first place: its descriptors */
};

/* Empty, and nothing the device's. */
void ring_reset(struct ring *ring, struct dwmac_descriptor *descriptors, uint64_t physical,
                uint32_t size);
static inline uint32_t ring_used(const struct ring *ring)
{
    return ring->next - ring->oldest;
}
/* The address that a tail register is given: one behind the last that is posted. */
uint32_t ring_tail(const struct ring *ring);

status_t rx_ring_post(struct ring *ring, uint16_t buffer, uint64_t address);
/* *length 0: the device received nothing usable into it (an error, a part of a giant). */
status_t rx_ring_take(struct ring *ring, uint16_t *buffer, uint32_t *length);
bool rx_ring_has(const struct ring *ring);

struct tx_part {
    uint64_t address;
    uint32_t length;
    uint16_t buffer;
};
status_t tx_ring_post(struct ring *ring, const struct tx_part *parts, uint32_t count);
/* *buffer: of the packet's first part. *failed: the device could not send it. */
status_t tx_ring_take(struct ring *ring, uint16_t *buffer, bool *failed);
bool tx_ring_has(const struct ring *ring);

/* --- controller.c --- */

struct dwmac {
    uintptr_t base;
    struct sk_dma memory; /* both rings */
    struct ring rx, tx;
    struct phy phy;
    struct mii_link link;
    bool waiting;        /* for the PHY's clock: only the bus to the PHY works */
    bool needs_rate;     /* the transmit clock is made here and follows the speed */
    uint32_t enabled;    /* DMA_INT_ENABLE */
    bool waited;         /* at the last look a packet was not sent yet: */
    uint32_t waited_for; /* that at this place */
};

extern struct dwmac dwmac; /* device.c */

static inline uint32_t reg_read(enum dwmac_register reg)
{
    return sk_mmio_read32(dwmac.base + reg);
}

static inline void reg_write(enum dwmac_register reg, uint32_t value)
{
    sk_mmio_write32(dwmac.base + reg, value);
}

/* Held in reset and let go: from here on it reads and writes nothing, and has forgotten everything. It
 * is never left held, because devmgr looks at its registers when this driver has died. */
status_t controller_reset(void);
/* Clocks on, interface chosen, controller_reset. */
status_t controller_power_up(void);
/* The filter of groups; at any time when the controller is set up. */
void controller_set_groups(const struct net_device *device);
/* Its own reset, and all registers; then it runs. TIMED_OUT: no clock from the PHY. */
status_t controller_set_up(const struct net_device *device);

#endif
