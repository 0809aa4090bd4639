/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PHYs by IEEE 802.3, clause 22 alone: finding one, autonegotiation, the link. For drivers whose device
 * has such a management bus: they supply the two functions below.
 */
#ifndef NET_MII_H
#define NET_MII_H

#include <stdbool.h>

#include <skerry/status.h>
#include <skerry/types.h>

#define MII_NONE UINT32_C(0xffffffff)

/* The bus, of the driver. A PHY that is not there reads as ones. TIMED_OUT: the bus does not answer. */
status_t mdio_read(uint32_t phy, uint32_t number, uint32_t *value);
status_t mdio_write(uint32_t phy, uint32_t number, uint32_t value);

struct mii_link {
    bool up, full_duplex;
    uint32_t mbps;
};

/*
 * The address of the PHY: `wanted`, or the first that answers if it is MII_NONE or does not. NOT_FOUND:
 * there is none. Errors of the bus.
 */
status_t mii_find(uint32_t wanted, uint32_t *phy);

/* Which kind of PHY it is: registers 2 and 3. Errors of the bus. */
status_t mii_read_id(uint32_t phy, uint32_t *id);

/* Ends power-down and isolation, which an earlier owner may have left. Errors of the bus. */
status_t mii_wake(uint32_t phy);

/*
 * Makes the PHY negotiate all speeds (no 1000 Mbit/s half duplex), unless it has already; what comes of
 * it, mii_read_link tells. Errors of the bus.
 */
status_t mii_negotiate(uint32_t phy);

/* The link as it is now. Errors of the bus. */
status_t mii_read_link(uint32_t phy, struct mii_link *link);

#endif
