/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Cadence Gigabit Ethernet MAC (GEM), as SiFive's FU540 and FU740 have it and QEMU's sifive_u: the
 * functions of <net/common/device.h>, but for the rings (rings.c). UG585, 16.3, has the order of a
 * start.
 *
 * Addresses: descriptors hold 32 bits, and devmgr's grants of DMA memory lie below 4 GiB. The clock of
 * the device is the firmware's. The PHY interrupts nobody on these boards: it is looked at once a
 * second. One thread, no lock. Tests: tests/host/drivers/gem, tests/qemu/boards.
 */
#include <stdio.h>
#include <string.h>

#include <sk/print.h>
#include <sk/time.h>

#include "gem.h"

#define STOP_PATIENCE (5 * SK_MS) /* many times what one frame takes */
#define LOOK_UP SK_SECOND
#define LOOK_DOWN (250 * SK_MS)
/* Looks in which nothing was sent, though there was something and the link is up: it stands still. */
#define LOOKS_WITHOUT_MAX 5u

struct gem gem = {.phy = MII_NONE, .link = {.mbps = 1000, .full_duplex = true}};

status_t device_allocate(struct net_device *device)
{
    const struct sk_driver *driver = device->driver;
    const uint64_t limit = UINT64_C(1) << 32;

    if (driver->range_count < 1 || driver->ranges[0].size < GEM_BYTES ||
        (driver->range_count > 1 && driver->ranges[1].size < sizeof(uint32_t)) ||
        driver->interrupt_count != 1) {
        return SK_INVALID_ARGS;
    }
    gem.base = driver->ranges[0].base;
    gem.management = driver->range_count > 1 ? driver->ranges[1].base : 0;
    status_t status = sk_dma_create(driver, sizeof *gem.memory, &gem.rings);
    if (status == SK_OK && (gem.rings.physical + gem.rings.size > limit ||
                            device->pool.physical + device->pool.size > limit)) {
        status = SK_NOT_SUPPORTED;
    }
    gem.memory = gem.rings.memory;
    return status;
}

/* Nothing is read or written any more, nothing interrupts. TIMED_OUT: it goes on sending. */
static status_t stop(void)
{
    uint64_t end = sk_now() + STOP_PATIENCE;

    gem.control = 0;
    gem.interrupts = 0;
    gem_write(GEM_CONTROL, 0);
    gem_write(GEM_INTERRUPTS_OFF, UINT32_MAX);
    while ((gem_read(GEM_TX_STATUS) & TX_GOING) != 0) {
        if (sk_now() > end) {
            return SK_TIMED_OUT;
        }
    }
    return SK_OK;
}

/* Statistics and everything that the device remembers. */
static void forget(void)
{
    gem_write(GEM_CONTROL, CONTROL_CLEAR_COUNTS);
    gem_write(GEM_CONTROL, 0);
    gem_write(GEM_TX_STATUS, UINT32_MAX);
    gem_write(GEM_RX_STATUS, UINT32_MAX);
    gem.clear_by_write = (gem_read(GEM_DESIGN1) & DESIGN1_CLEAR_ON_READ) == 0;
    gem_read(GEM_INTERRUPTS);
    if (gem.clear_by_write) {
        gem_write(GEM_INTERRUPTS, UINT32_MAX);
    }
}

static bool address_is_good(const uint8_t mac[6])
{
    static const uint8_t none[6];
    return (mac[0] & 1) == 0 && memcmp(mac, none, sizeof none) != 0;
}

/* The tree's, or what the firmware has left in the device. */
static void read_address(struct net_device *device)
{
    uint32_t low = gem_read(GEM_ADDRESS_LOW), high = gem_read(GEM_ADDRESS_HIGH);

    if (sk_driver_bytes(device->driver, "local-mac-address", device->mac, sizeof device->mac) &&
        address_is_good(device->mac)) {
        return;
    }
    memcpy(device->mac, &low, 4);
    memcpy(device->mac + 4, &high, 2);
    if (!address_is_good(device->mac)) {
        /* Locally administered; there is one such device on its network, or somebody names it. */
        memcpy(device->mac, "\x02skery", sizeof device->mac);
    }
}

/* A group's bit of the 64: six bits, of which each is the parity of every sixth bit of the address. */
static uint32_t hash(const uint8_t group[6])
{
    uint64_t address = 0;
    uint32_t folded = 0;

    for (int i = 5; i >= 0; i--) {
        address = address << 8 | group[i]; /* the first bit on the wire is the lowest */
    }
    for (; address != 0; address >>= 6) {
        folded ^= (uint32_t)address & 63;
    }
    return folded;
}

void device_set_groups(struct net_device *device)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < device->group_count; i++) {
        bits |= UINT64_C(1) << hash(device->groups[i]);
    }
    gem_write(GEM_HASH_LOW, (uint32_t)bits);
    gem_write(GEM_HASH_HIGH, (uint32_t)(bits >> 32));
}

static void set_filter(struct net_device *device)
{
    uint32_t low, high = 0;

    memcpy(&low, device->mac, 4);
    memcpy(&high, device->mac + 4, 2);
    device_set_groups(device);
    gem_write(GEM_ADDRESS_LOW, low);
    gem_write(GEM_ADDRESS_HIGH, high);
}

/* Everything that does not change while the device runs; gem.link is the speed. */
static void configure(struct net_device *device)
{
    uint32_t memory = gem_read(GEM_DESIGN2);
    bool rx_sums = (memory & DESIGN2_RX_PACKET_MEMORY) != 0;
    bool tx_sums = (memory & DESIGN2_TX_PACKET_MEMORY) != 0;
    /* 1, 2, 4 for 32, 64, 128 bits; to be written as 0, 1, 2. */
    uint32_t width = (gem_read(GEM_DESIGN1) >> DESIGN1_BUS_WIDTH_SHIFT & 7) / 2;

    device->features = (tx_sums ? (uint32_t)SK_NIC_TX_CHECKSUM : 0u) |
                       (rx_sums ? (uint32_t)SK_NIC_RX_CHECKSUM : 0u);
    device->mtu = MTU_MAX;
    if (gem.management != 0) {
        sk_mmio_write32(gem.management,
                        gem.link.mbps == 1000 ? MANAGEMENT_TX_GMII : MANAGEMENT_TX_MII);
    }
    gem_write(GEM_CONFIG, (gem.link.mbps == 1000  ? CONFIG_GIGABIT
                           : gem.link.mbps == 100 ? CONFIG_100
                                                  : 0u) |
                              (gem.link.full_duplex ? CONFIG_FULL_DUPLEX | CONFIG_PAUSE : 0u) |
                              (rx_sums ? CONFIG_RX_CHECKSUM : 0u) | CONFIG_MULTICAST_HASH |
                              CONFIG_1536 | CONFIG_DISCARD_LENGTH | CONFIG_STRIP_FCS |
                              CONFIG_PHY_CLOCK_64 | RX_PACKET_OFFSET << CONFIG_RX_OFFSET_SHIFT |
                              width << CONFIG_BUS_WIDTH_SHIFT);
    gem_write(GEM_DMA_CONFIG, DMA_BURST_16 | DMA_RX_MEMORY | DMA_TX_MEMORY |
                                  (tx_sums ? DMA_TX_CHECKSUM : 0u) |
                                  RX_DMA_BYTES / 64 << DMA_RX_BYTES_SHIFT);
}

/* What the PHY says; the first time it is found and told what to negotiate. */
static status_t start_link(struct net_device *device)
{
    struct mii_link now = {0};
    uint32_t wanted = sk_driver_property(device->driver, "phy-handle/reg", MII_NONE);
    status_t status = gem.phy == MII_NONE ? mii_find(wanted, &gem.phy) : SK_OK;

    if (status == SK_OK && !gem.negotiated) {
        status = mii_negotiate(gem.phy);
        gem.negotiated = status == SK_OK;
    }
    if (status == SK_OK) {
        status = mii_read_link(gem.phy, &now);
    }
    if (status != SK_OK) {
        printf("the PHY does not answer: %s\n", sk_status_words(status));
        return status;
    }
    device->link_up = now.up;
    if (now.up) {
        gem.link = now;
    }
    return SK_OK;
}

status_t device_start(struct net_device *device)
{
    status_t status = stop();

    device->rx_posted = device->tx_posted = 0;
    gem.looks_without = 0;
    if (status != SK_OK) {
        return status;
    }
    read_address(device);
    forget();
    gem_write(GEM_CONFIG, CONFIG_PHY_CLOCK_64);
    gem.control = CONTROL_MANAGEMENT;
    gem_write(GEM_CONTROL, gem.control);
    status = start_link(device);
    if (status != SK_OK) {
        return status;
    }
    configure(device);
    set_filter(device);
    rings_reset();
    gem.control |= CONTROL_RX | CONTROL_TX;
    gem_write(GEM_CONTROL, gem.control);
    gem.interrupts = INTERRUPT_ERRORS;
    gem_write(GEM_INTERRUPTS_ON, INTERRUPT_ERRORS);
    return SK_OK;
}

void device_fail(struct net_device *device)
{
    stop();
}

/* An interrupt that tells of errors: only those after which the device stands still are ones. */
static uint32_t take_errors(struct net_device *device)
{
    uint32_t sent = gem_read(GEM_TX_STATUS), received = gem_read(GEM_RX_STATUS);

    gem_write(GEM_TX_STATUS, sent);
    gem_write(GEM_RX_STATUS, received);
    device->tx_failed += (sent & TX_ERRORS) != 0; /* at least one */
    return (sent & TX_ERRORS) != 0 || (received & RX_RESPONSE_ERROR) != 0 ? (uint32_t)DEVICE_RESTART
                                                                          : 0u;
}

uint32_t device_interrupt(struct net_device *device)
{
    device_interrupts_off(device); /* first, so that none comes between the look and before_wait */
    uint32_t why = gem_read(GEM_INTERRUPTS);
    if (gem.clear_by_write) {
        gem_write(GEM_INTERRUPTS, why);
    }
    return (why & INTERRUPT_ERRORS) != 0 ? take_errors(device) : 0;
}

static void count_lost(struct net_device *device)
{
    for (uint32_t at = GEM_COUNT_RX_FIRST; at <= GEM_COUNT_RX_LAST; at += sizeof(uint32_t)) {
        device->rx_lost += gem_read(at); /* which clears it */
    }
}

static bool stands_still(const struct net_device *device)
{
    bool moved = device->tx_posted == 0 || gem.tx_tail != gem.tx_tail_seen || !device->link_up;

    gem.tx_tail_seen = gem.tx_tail;
    gem.looks_without = moved ? 0 : gem.looks_without + 1;
    return gem.looks_without >= LOOKS_WITHOUT_MAX;
}

uint32_t device_look(struct net_device *device, uint64_t *next)
{
    struct mii_link now;
    uint32_t events = 0;

    count_lost(device);
    if (mii_read_link(gem.phy, &now) != SK_OK) {
        return DEVICE_BROKEN;
    }
    *next = sk_now() + (now.up ? LOOK_UP : LOOK_DOWN);
    if (now.up != device->link_up) {
        device->link_up = now.up;
        events |= DEVICE_LINK_CHANGED;
    }
    if (now.up && (now.mbps != gem.link.mbps || now.full_duplex != gem.link.full_duplex)) {
        events |= DEVICE_RESTART; /* which sets the speed: never while frames are under way */
    }
    return events | (stands_still(device) ? (uint32_t)DEVICE_BROKEN : 0u);
}
