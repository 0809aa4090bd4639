/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PHY behind the controller: its management bus, and what a Motorcomm YT8531 wants beside clause 22
 * (net/common/mii.c), by the properties of its node.
 *
 * The bus has no interrupt that is proved to work, and one transfer takes 30 us: it is slept through,
 * with a limit, and only when the link is looked at. YT8531 datasheet, "Extended registers"; the
 * properties are those of motorcomm,yt8xxx.yaml. Tests: tests/host/drivers/dwmac.
 */
#include <string.h>

#include <sk/mmio.h>

#include "dwmac.h"

#define TRANSFER_PATIENCE (2 * SK_MS)
#define TRANSFER_PAUSE (40 * SK_US)

#define PHY_YT8531 UINT32_C(0x4f51e91b)

/* Registers behind those of clause 22. */
enum {
    YT_EXT_INDEX = 0x1e,
    YT_EXT_DATA = 0x1f,
};

/* Extended registers of the YT8531. */
enum yt_register {
    YT_CLOCK_GATING = 0x000c,
    YT_SLEEP = 0x0027,
    YT_CHIP = 0xa001,
    YT_RGMII = 0xa003,
    YT_DRIVE = 0xa010,
    YT_SYNCE = 0xa012,
};

enum {
    GATING_RXC = 1 << 12,
    SLEEP_AUTO = 1 << 15,
    CHIP_RXC_DELAY = 1 << 8, /* 1900 ps more */
    RGMII_TX_INVERTED = 1 << 14,
    RGMII_RX_DELAY_SHIFT = 10,
    RGMII_RX_DELAY = 0xf << 10,
    RGMII_TX_DELAY = 0xf,
    DRIVE_RXC_SHIFT = 13,
    DRIVE_RXC = 7 << 13,
    DRIVE_RXD = 1 << 12 | 3 << 4, /* the highest of its three bits stands alone */
    SYNCE_OUT = 1 << 6,
};

#define DELAY_STEP_PS 150u
#define DELAY_STEPS 15u
#define DELAY_DEFAULT_PS 1950u
#define RXC_DELAY_PS 1900u

/* --- The bus --- */

static uintptr_t bus; /* the controller's registers; one controller per process */

static status_t transfer(uint32_t address, uint32_t number, uint32_t what)
{
    uintptr_t at = bus + MAC_MDIO_ADDRESS;

    sk_mmio_write32(at, address << MDIO_PHY_SHIFT | number << MDIO_REGISTER_SHIFT |
                            MDIO_CLOCK_250_300 << MDIO_CLOCK_SHIFT | what | MDIO_BUSY);
    return register_wait(at, MDIO_BUSY, 0, TRANSFER_PATIENCE, TRANSFER_PAUSE);
}

status_t mdio_read(uint32_t phy, uint32_t number, uint32_t *value)
{
    status_t status = transfer(phy, number, MDIO_READ);

    if (status == SK_OK) {
        *value = sk_mmio_read32(bus + MAC_MDIO_DATA) & UINT16_MAX;
    }
    return status;
}

status_t mdio_write(uint32_t phy, uint32_t number, uint32_t value)
{
    sk_mmio_write32(bus + MAC_MDIO_DATA, value);
    return transfer(phy, number, MDIO_WRITE);
}

/* --- YT8531 --- */

static status_t yt_change(const struct phy *phy, uint32_t number, uint32_t mask, uint32_t value)
{
    uint32_t old;
    status_t status = mdio_write(phy->address, YT_EXT_INDEX, number);

    if (status == SK_OK) {
        status = mdio_read(phy->address, YT_EXT_DATA, &old);
    }
    if (status == SK_OK && (old & mask) != value) {
        status = mdio_write(phy->address, YT_EXT_DATA, (old & ~mask) | value);
    }
    return status;
}

static bool has(const struct phy *phy, const char *property)
{
    return sk_driver_property(phy->driver, property, 0) != 0;
}

/* Steps for a delay; the default's for one that cannot be made, as the binding has it. */
static uint32_t delay_steps(uint32_t ps, bool *more)
{
    if (more != NULL && ps >= RXC_DELAY_PS && (ps - RXC_DELAY_PS) % DELAY_STEP_PS == 0 &&
        (ps - RXC_DELAY_PS) / DELAY_STEP_PS <= DELAY_STEPS) {
        *more = true;
        return (ps - RXC_DELAY_PS) / DELAY_STEP_PS;
    }
    if (ps % DELAY_STEP_PS != 0 || ps / DELAY_STEP_PS > DELAY_STEPS) {
        ps = DELAY_DEFAULT_PS;
    }
    return ps / DELAY_STEP_PS;
}

static status_t yt_set_delays(const struct phy *phy)
{
    bool more = false;
    uint32_t rx = delay_steps(
        sk_driver_property(phy->driver, "phy-handle/rx-internal-delay-ps", DELAY_DEFAULT_PS),
        &more);
    uint32_t tx = delay_steps(
        sk_driver_property(phy->driver, "phy-handle/tx-internal-delay-ps", DELAY_DEFAULT_PS), NULL);

    if (phy->mode == PHY_RGMII || phy->mode == PHY_RGMII_TXID) {
        rx = 0;
        more = false;
    }
    if (phy->mode == PHY_RGMII || phy->mode == PHY_RGMII_RXID) {
        tx = 0;
    }
    status_t status = yt_change(phy, YT_CHIP, CHIP_RXC_DELAY, more ? CHIP_RXC_DELAY : 0);
    if (status == SK_OK) {
        status = yt_change(phy, YT_RGMII, RGMII_RX_DELAY | RGMII_TX_DELAY,
                           rx << RGMII_RX_DELAY_SHIFT | tx);
    }
    return status;
}

/* The currents of the eight strengths, at 1.8 V and at 3.3 V; none is in both. False: not one of them. */
static bool drive_strength(uint32_t microamp, uint32_t *strength)
{
    static const uint16_t currents[2][8] = {
        {1200, 2100, 2700, 2910, 3110, 3600, 3970, 4350},
        {3070, 4080, 4370, 4680, 5020, 5450, 5740, 6140},
    };

    for (uint32_t i = 0; i < 16; i++) {
        if (currents[i / 8][i % 8] == microamp) {
            *strength = i % 8;
            return true;
        }
    }
    return false;
}

static status_t yt_set_drive(const struct phy *phy)
{
    uint32_t mask = 0, value = 0, strength;

    if (drive_strength(
            sk_driver_property(phy->driver, "phy-handle/motorcomm,rx-clk-drv-microamp", 0),
            &strength)) {
        mask |= DRIVE_RXC;
        value |= strength << DRIVE_RXC_SHIFT;
    }
    if (drive_strength(
            sk_driver_property(phy->driver, "phy-handle/motorcomm,rx-data-drv-microamp", 0),
            &strength)) {
        mask |= DRIVE_RXD;
        value |= (strength & 3) << 4 | strength >> 2 << 12;
    }
    return mask == 0 ? SK_OK : yt_change(phy, YT_DRIVE, mask, value);
}

static status_t yt_start(const struct phy *phy)
{
    status_t status = yt_change(phy, YT_SYNCE, SYNCE_OUT, 0);

    if (status == SK_OK) {
        status = yt_set_delays(phy);
    }
    if (status == SK_OK && has(phy, "phy-handle/motorcomm,auto-sleep-disabled")) {
        status = yt_change(phy, YT_SLEEP, SLEEP_AUTO, 0);
    }
    if (status == SK_OK && has(phy, "phy-handle/motorcomm,keep-pll-enabled")) {
        status = yt_change(phy, YT_CLOCK_GATING, GATING_RXC, 0);
    }
    if (status == SK_OK) {
        status = yt_set_drive(phy);
    }
    return status;
}

/* --- Any PHY --- */

status_t phy_read_mode(struct phy *phy)
{
    static const struct {
        const char *name;
        enum phy_mode mode;
    } modes[] = {{"rgmii", PHY_RGMII},
                 {"rgmii-id", PHY_RGMII_ID},
                 {"rgmii-rxid", PHY_RGMII_RXID},
                 {"rgmii-txid", PHY_RGMII_TXID},
                 {"rmii", PHY_RMII}};
    const char *name = sk_driver_text(phy->driver, "phy-mode");

    for (size_t i = 0; name != NULL && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, name) == 0) {
            phy->mode = modes[i].mode;
            return SK_OK;
        }
    }
    return SK_NOT_SUPPORTED;
}

status_t phy_start(struct phy *phy)
{
    bus = phy->base;
    status_t status = mii_find(sk_driver_property(phy->driver, "phy-handle/reg", MII_NONE),
                               &phy->address);
    if (status == SK_OK) {
        status = mii_read_id(phy->address, &phy->id);
    }
    if (status == SK_OK) {
        status = mii_wake(
            phy->address); /* else the clock that the controller waits for may not come */
    }
    if (status == SK_OK && phy->id == PHY_YT8531 && phy->mode != PHY_RMII) {
        status = yt_start(phy);
    }
    return status == SK_OK ? mii_negotiate(phy->address) : status;
}

status_t phy_adjust(const struct phy *phy, uint32_t mbps)
{
    bool inverted;

    if (phy->id != PHY_YT8531 || phy->mode == PHY_RMII ||
        !has(phy, "phy-handle/motorcomm,tx-clk-adj-enabled")) {
        return SK_OK;
    }
    switch (mbps) {
    case 1000:
        inverted = has(phy, "phy-handle/motorcomm,tx-clk-1000-inverted");
        break;
    case 100:
        inverted = has(phy, "phy-handle/motorcomm,tx-clk-100-inverted");
        break;
    default:
        inverted = has(phy, "phy-handle/motorcomm,tx-clk-10-inverted");
        break;
    }
    return yt_change(phy, YT_RGMII, RGMII_TX_INVERTED, inverted ? RGMII_TX_INVERTED : 0);
}
