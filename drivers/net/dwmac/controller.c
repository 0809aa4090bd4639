/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bringing the controller up: its clocks, its resets and the choice of its interface at their providers,
 * then its own reset and everything that is written once. The order is the databook's ("Programming
 * Guidelines", initialization of DMA, MTL, MAC); tests/host/drivers/dwmac checks it.
 */
#include <stdio.h>

#include <sk/mmio.h>
#include <sk/print.h>

#include "dwmac.h"

#define BURST_DEFAULT 8u /* snps,pbl's */
#define RESET_PATIENCE (100 * SK_MS)
#define RESET_PAUSE (SK_MS)
#define HASH_WORDS_MAX 8u

static const char *const clocks[] = {"pclk", "stmmaceth", "ptp_ref", "tx", "gtx"};
static const char *const resets[] = {"stmmaceth", "ahb"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

status_t register_wait(uintptr_t at, uint32_t mask, uint32_t value, uint64_t patience,
                       uint64_t pause)
{
    uint64_t deadline = sk_deadline_after(patience);

    for (;;) {
        bool late = sk_now() >= deadline; /* before the look: the last one counts */
        if ((sk_mmio_read32(at) & mask) == value) {
            return SK_OK;
        }
        if (late) {
            return SK_TIMED_OUT;
        }
        sk_sleep(pause);
    }
}

status_t controller_reset(void)
{
    const struct sk_driver *driver = dwmac.phy.driver;
    status_t status = SK_OK;

    for (size_t i = 0; i < COUNT(resets) && status == SK_OK; i++) {
        status = sk_reset_hold(driver, resets[i], true);
    }
    for (size_t i = 0; i < COUNT(resets) && status == SK_OK; i++) {
        status = sk_reset_hold(driver, resets[i], false);
    }
    return status;
}

status_t controller_power_up(void)
{
    const struct sk_driver *driver = dwmac.phy.driver;
    const char *step = "";
    status_t status = SK_OK;

    for (size_t i = 0; i < COUNT(clocks) && status == SK_OK; i++) {
        step = clocks[i];
        status = sk_clock_enable(driver, step);
    }
    if (status == SK_OK) {
        step = "starfive,syscon"; /* 1 RGMII, 4 RMII: JH7110 TRM, "SYS SYSCON", phy_intf_sel */
        status = sk_field_write(driver, step, dwmac.phy.mode == PHY_RMII ? 4 : 1);
    }
    if (status == SK_OK) {
        step = "resets";
        status = controller_reset();
    }
    if (status != SK_OK) {
        printf("clocks and resets: %s: %s\n", step, sk_status_words(status));
    }
    return status;
}

static void set_up_queues(void)
{
    uint32_t feature = reg_read(MAC_FEATURE1);
    uint32_t tx_units = 128u << FEATURE1_TX_FIFO(feature) >> 8;
    uint32_t rx_units = 128u << FEATURE1_RX_FIFO(feature) >> 8;

    reg_write(MTL_TXQ_MODE,
              TXQ_STORE_FORWARD | TXQ_ENABLE | (tx_units > 0 ? tx_units - 1 : 0) << TXQ_SIZE_SHIFT);
    reg_write(MTL_RXQ_MODE, RXQ_STORE_FORWARD | (rx_units > 0 ? rx_units - 1 : 0)
                                                    << RXQ_SIZE_SHIFT);
    reg_write(MAC_RXQ_CTRL0, RXQ0_ENABLE_GENERIC);
}

/* IEEE 802.3, 3.2.9: the check sequence of these six bytes alone, its first bit on the wire the highest. */
static uint32_t address_crc(const uint8_t address[6])
{
    uint32_t crc = UINT32_MAX;

    for (uint32_t bit = 0; bit < 48; bit++) {
        uint32_t in = address[bit / 8] >> bit % 8 & 1;
        crc = crc << 1 ^ ((crc >> 31 ^ in) != 0 ? UINT32_C(0x04c11db7) : 0);
    }
    return ~crc;
}

/* A group's place in the table is given by as many of the highest bits as it takes to count its bits. */
void controller_set_groups(const struct net_device *device)
{
    uint32_t words = FEATURE1_HASH_WORDS(reg_read(MAC_FEATURE1));
    uint32_t table[HASH_WORDS_MAX] = {0};

    if (words == 0) {
        reg_write(MAC_FILTER, device->group_count > 0 ? FILTER_ALL_GROUPS : 0);
        return;
    }
    for (uint32_t i = 0; i < device->group_count; i++) {
        uint32_t place = (uint32_t)((uint64_t)address_crc(device->groups[i]) * words * 32 >> 32);
        table[place / 32] |= UINT32_C(1) << place % 32;
    }
    for (uint32_t i = 0; i < words; i++) {
        reg_write(MAC_HASH_TABLE + i * 4, table[i]);
    }
    reg_write(MAC_FILTER, FILTER_HASH_GROUPS);
}

static void set_up_mac(const struct net_device *device)
{
    const uint8_t *mac = device->mac;

    /* The counters interrupt when they are half full, unless told not to. */
    reg_write(MMC_RX_INT_MASK, UINT32_MAX);
    reg_write(MMC_TX_INT_MASK, UINT32_MAX);
    reg_write(MMC_IPC_INT_MASK, UINT32_MAX);
    reg_write(MAC_INT_ENABLE, 0);
    /* The low word last: writing it makes the address valid. */
    reg_write(MAC_ADDRESS_HIGH, (uint32_t)mac[5] << 8 | mac[4]);
    reg_write(MAC_ADDRESS_LOW,
              (uint32_t)mac[3] << 24 | (uint32_t)mac[2] << 16 | (uint32_t)mac[1] << 8 | mac[0]);
    controller_set_groups(device);
    reg_write(MAC_TX_FLOW, 0);
    reg_write(MAC_RX_FLOW, 0);
    reg_write(MAC_CONFIG, CONFIG_STRIP);
}

static void set_up_dma(const struct sk_driver *driver)
{
    bool times_8 = sk_driver_property(driver, "snps,no-pbl-x8", 0) == 0;
    uint32_t tx_burst = sk_driver_property(driver, "snps,txpbl", BURST_DEFAULT) & 0x3f;
    uint32_t rx_burst = sk_driver_property(driver, "snps,rxpbl", BURST_DEFAULT) & 0x3f;

    reg_write(DMA_BUS_MODE, BUS_BURSTS_TO_16 | BUS_READS_OUTSTANDING);
    reg_write(DMA_CONTROL, times_8 ? CONTROL_BURST_X8 : 0);
    reg_write(DMA_TX_CONTROL, tx_burst << BURST_SHIFT | TX_SECOND_PACKET);
    reg_write(DMA_RX_CONTROL, rx_burst << BURST_SHIFT | RX_BUFFER_SIZE << RX_BUFFER_SHIFT);
    reg_write(DMA_TX_LIST_HIGH, 0);
    reg_write(DMA_TX_LIST, (uint32_t)dwmac.tx.physical);
    reg_write(DMA_TX_LENGTH, TX_RING - 1);
    reg_write(DMA_RX_LIST_HIGH, 0);
    reg_write(DMA_RX_LIST, (uint32_t)dwmac.rx.physical);
    reg_write(DMA_RX_LENGTH, RX_RING - 1);
    reg_write(DMA_STATUS, UINT32_MAX);
    dwmac.enabled = INT_FATAL | INT_ABNORMAL;
    reg_write(DMA_INT_ENABLE, dwmac.enabled);
    reg_write(DMA_TX_CONTROL, tx_burst << BURST_SHIFT | TX_SECOND_PACKET | TX_START);
    reg_write(DMA_RX_CONTROL,
              rx_burst << BURST_SHIFT | RX_BUFFER_SIZE << RX_BUFFER_SHIFT | RX_START);
    /* What was posted while it waited. */
    reg_write(DMA_TX_TAIL, ring_tail(&dwmac.tx));
    reg_write(DMA_RX_TAIL, ring_tail(&dwmac.rx));
}

status_t controller_set_up(const struct net_device *device)
{
    reg_write(DMA_MODE, DMA_MODE_RESET);
    status_t status = register_wait(dwmac.base + DMA_MODE, DMA_MODE_RESET, 0, RESET_PATIENCE,
                                    RESET_PAUSE);
    if (status == SK_OK) {
        set_up_queues();
        set_up_mac(device);
        set_up_dma(device->driver);
    }
    return status;
}
