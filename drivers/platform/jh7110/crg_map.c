/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clocks of the Ethernet ports, and all that they come from. Others are added with the drivers
 * that need them. Largest divisors: JH7110 Technical Reference Manual, clock divider coefficients.
 */
#include "crg.h"

#define ROOT                                                                                       \
    {                                                                                              \
        .kind = CRG_ROOT                                                                           \
    }
#define CLOCK(number)                                                                              \
    {                                                                                              \
        .kind = CRG_CLOCK, .id = (number)                                                          \
    }
#define INPUT(name)                                                                                \
    {                                                                                              \
        .kind = CRG_INPUT, .input = (name)                                                         \
    }

enum sys_clock {
    SYS_GMAC1_AHB = 97,
    SYS_GMAC1_AXI,
    SYS_GMAC_SRC,
    SYS_GMAC1_GTXCLK,
    SYS_GMAC1_RMII_RTX,
    SYS_GMAC1_PTP,
    SYS_GMAC1_RX,
    SYS_GMAC1_RX_INV,
    SYS_GMAC1_TX,
    SYS_GMAC1_TX_INV,
    SYS_GMAC1_GTXC,
    SYS_GMAC0_GTXCLK,
    SYS_GMAC0_PTP,
    SYS_GMAC_PHY,
    SYS_GMAC0_GTXC,
};

static const struct crg_clock sys_clocks[] = {
    {SYS_GMAC1_AHB, CRG_GATE, 0, 1, {ROOT}},
    {SYS_GMAC1_AXI, CRG_GATE, 0, 1, {ROOT}},
    {SYS_GMAC_SRC, 0, 7, 1, {INPUT("pll0_out")}},
    {SYS_GMAC1_GTXCLK, 0, 15, 1, {INPUT("pll0_out")}},
    {SYS_GMAC1_RMII_RTX, 0, 30, 1, {INPUT("gmac1_rmii_refin")}},
    {SYS_GMAC1_PTP, CRG_GATE, 31, 1, {CLOCK(SYS_GMAC_SRC)}},
    {SYS_GMAC1_RX, 0, 0, 2, {INPUT("gmac1_rgmii_rxin"), CLOCK(SYS_GMAC1_RMII_RTX)}},
    {SYS_GMAC1_RX_INV, 0, 0, 1, {CLOCK(SYS_GMAC1_RX)}},
    {SYS_GMAC1_TX, CRG_GATE, 0, 2, {CLOCK(SYS_GMAC1_GTXCLK), CLOCK(SYS_GMAC1_RMII_RTX)}},
    {SYS_GMAC1_TX_INV, 0, 0, 1, {CLOCK(SYS_GMAC1_TX)}},
    {SYS_GMAC1_GTXC, CRG_GATE, 0, 1, {CLOCK(SYS_GMAC1_GTXCLK)}},
    {SYS_GMAC0_GTXCLK, CRG_GATE, 15, 1, {INPUT("pll0_out")}},
    {SYS_GMAC0_PTP, CRG_GATE, 31, 1, {CLOCK(SYS_GMAC_SRC)}},
    {SYS_GMAC_PHY, CRG_GATE, 31, 1, {CLOCK(SYS_GMAC_SRC)}},
    {SYS_GMAC0_GTXC, CRG_GATE, 0, 1, {CLOCK(SYS_GMAC0_GTXCLK)}},
};

enum aon_clock {
    AON_GMAC0_AHB = 2,
    AON_GMAC0_AXI,
    AON_GMAC0_RMII_RTX,
    AON_GMAC0_TX,
    AON_GMAC0_TX_INV,
    AON_GMAC0_RX,
    AON_GMAC0_RX_INV,
};

static const struct crg_clock aon_clocks[] = {
    {AON_GMAC0_AHB, CRG_GATE, 0, 1, {ROOT}},
    {AON_GMAC0_AXI, CRG_GATE, 0, 1, {ROOT}},
    {AON_GMAC0_RMII_RTX, 0, 30, 1, {INPUT("gmac0_rmii_refin")}},
    {AON_GMAC0_TX, CRG_GATE, 0, 2, {INPUT("gmac0_gtxclk"), CLOCK(AON_GMAC0_RMII_RTX)}},
    {AON_GMAC0_TX_INV, 0, 0, 1, {CLOCK(AON_GMAC0_TX)}},
    {AON_GMAC0_RX, 0, 0, 2, {INPUT("gmac0_rgmii_rxin"), CLOCK(AON_GMAC0_RMII_RTX)}},
    {AON_GMAC0_RX_INV, 0, 0, 1, {CLOCK(AON_GMAC0_RX)}},
};

#define COUNT(array) (uint32_t)(sizeof(array) / sizeof(array)[0])

const struct crg_map crg_maps[] = {
    {"starfive,jh7110-syscrg", sys_clocks, COUNT(sys_clocks), 126, 0x2f8, 0x308},
    {"starfive,jh7110-aoncrg", aon_clocks, COUNT(aon_clocks), 8, 0x38, 0x3c},
};
const uint32_t crg_map_count = COUNT(crg_maps);
