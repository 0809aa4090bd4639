/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PHYs by IEEE 802.3-2018, 22.2.4 (registers) and annex 28B (which result of a negotiation wins). No
 * state but the PHY's. Tests: tests/host/drivers/gem.
 */
#include "mii.h"

#define ADDRESSES 32u

enum mii_register {
    MII_CONTROL = 0,
    MII_STATUS = 1,
    MII_ID1 = 2,
    MII_ID2 = 3,
    MII_ADVERTISED = 4,
    MII_PARTNER = 5,
    MII_CONTROL_1000 = 9,
    MII_STATUS_1000 = 10,
};

enum {
    CONTROL_NEGOTIATE = 1u << 12,
    CONTROL_POWER_DOWN = 1u << 11,
    CONTROL_ISOLATE = 1u << 10,
    CONTROL_RESTART = 1u << 9,
    STATUS_NEGOTIATED = 1u << 5,
    STATUS_LINK = 1u << 2,
    STATUS_EXTENDED = 1u << 8, /* there are the registers for 1000 Mbit/s */
    ABILITY_100_FULL = 1u << 8,
    ABILITY_100 = 1u << 7,
    ABILITY_10_FULL = 1u << 6,
    ABILITY_10 = 1u << 5,
    ABILITY_802_3 = 1u << 0,
    ABILITIES = ABILITY_100_FULL | ABILITY_100 | ABILITY_10_FULL | ABILITY_10,
    CONTROL_1000_FULL = 1u << 9,
    CONTROL_1000_HALF = 1u << 8,
    STATUS_1000_FULL = 1u << 11,
};

static status_t is_there(uint32_t phy, bool *there)
{
    uint32_t id = 0;
    status_t status = mdio_read(phy, MII_ID1, &id);

    *there = id != 0 && id != UINT16_MAX;
    return status;
}

status_t mii_find(uint32_t wanted, uint32_t *phy)
{
    bool there = false;
    status_t status = wanted < ADDRESSES ? is_there(wanted, &there) : SK_OK;
    uint32_t address = wanted;

    for (uint32_t i = 0; i < ADDRESSES && status == SK_OK && !there; i++) {
        address = i;
        status = is_there(i, &there);
    }
    if (status == SK_OK && !there) {
        status = SK_NOT_FOUND;
    }
    if (status == SK_OK) {
        *phy = address;
    }
    return status;
}

status_t mii_read_id(uint32_t phy, uint32_t *id)
{
    uint32_t high = 0, low = 0;
    status_t status = mdio_read(phy, MII_ID1, &high);

    if (status == SK_OK) {
        status = mdio_read(phy, MII_ID2, &low);
    }
    *id = high << 16 | low;
    return status;
}

/* Changes a register, where it is not like that. *changed is set, never cleared. */
static status_t set(uint32_t phy, uint32_t number, uint32_t mask, uint32_t bits, bool *changed)
{
    uint32_t old;
    status_t status = mdio_read(phy, number, &old);

    if (status == SK_OK && (old & mask) != bits) {
        *changed = true;
        status = mdio_write(phy, number, (old & ~mask) | bits);
    }
    return status;
}

status_t mii_wake(uint32_t phy)
{
    bool changed;
    return set(phy, MII_CONTROL, CONTROL_POWER_DOWN | CONTROL_ISOLATE, 0, &changed);
}

status_t mii_negotiate(uint32_t phy)
{
    uint32_t abilities = 0, state = 0;
    bool changed = false;
    status_t status = mdio_read(phy, MII_STATUS, &abilities);

    if (status == SK_OK) {
        status = set(phy, MII_ADVERTISED, ABILITIES | ABILITY_802_3, ABILITIES | ABILITY_802_3,
                     &changed);
    }
    if (status == SK_OK && (abilities & STATUS_EXTENDED) != 0) {
        status = set(phy, MII_CONTROL_1000, CONTROL_1000_FULL | CONTROL_1000_HALF,
                     CONTROL_1000_FULL, &changed);
    }
    if (status == SK_OK) {
        status = mdio_read(phy, MII_STATUS, &state);
    }
    if (status == SK_OK && (changed || (state & STATUS_NEGOTIATED) == 0)) {
        /* Ends power-down, isolation and loopback too. */
        status = mdio_write(phy, MII_CONTROL, CONTROL_NEGOTIATE | CONTROL_RESTART);
    }
    return status;
}

/* The best that both can. */
static status_t resolve(uint32_t phy, bool extended, struct mii_link *link)
{
    uint32_t ours = 0, theirs = 0, ours_1000 = 0, theirs_1000 = 0;
    status_t status = mdio_read(phy, MII_ADVERTISED, &ours);

    if (status == SK_OK) {
        status = mdio_read(phy, MII_PARTNER, &theirs);
    }
    if (status == SK_OK && extended) {
        status = mdio_read(phy, MII_CONTROL_1000, &ours_1000);
    }
    if (status == SK_OK && extended) {
        status = mdio_read(phy, MII_STATUS_1000, &theirs_1000);
    }
    uint32_t both = ours & theirs;
    if ((ours_1000 & CONTROL_1000_FULL) != 0 && (theirs_1000 & STATUS_1000_FULL) != 0) {
        link->mbps = 1000;
        link->full_duplex = true;
    } else {
        link->mbps = (both & (ABILITY_100_FULL | ABILITY_100)) != 0 ? 100 : 10;
        link->full_duplex = (both & ABILITY_100_FULL) != 0 ||
                            ((both & ABILITY_100) == 0 && (both & ABILITY_10_FULL) != 0);
    }
    return status;
}

status_t mii_read_link(uint32_t phy, struct mii_link *link)
{
    struct mii_link now = {0};
    uint32_t state = 0;
    /* Twice: a link that was lost in between shows once as down. */
    status_t status = mdio_read(phy, MII_STATUS, &state);

    if (status == SK_OK) {
        status = mdio_read(phy, MII_STATUS, &state);
    }
    now.up = (state & (STATUS_LINK | STATUS_NEGOTIATED)) == (STATUS_LINK | STATUS_NEGOTIATED);
    if (status == SK_OK && now.up) {
        status = resolve(phy, (state & STATUS_EXTENDED) != 0, &now);
    }
    if (status == SK_OK) {
        *link = now;
    }
    return status;
}
