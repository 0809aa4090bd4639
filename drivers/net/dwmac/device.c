/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DesignWare Ethernet QoS controller of the JH7110, as a device of drivers/net/common: packets,
 * interrupts, and what follows the link. controller.c brings it up.
 *
 * A start holds it in reset and lets it go, so that it forgets whatever the firmware or a driver before
 * wanted of memory. Its own reset then ends only while the PHY sends it a clock, which a PHY without a
 * cable may not: until then it is "waiting", posted buffers lie in the rings, and device_look tries
 * again. No checksum offload, no segmentation: README.md says why.
 *
 * One thread, no lock. Tests: tests/host/drivers/dwmac, against a model. Never yet on the board.
 */
#include <stdio.h>
#include <string.h>

#include <sk/mmio.h>
#include <sk/print.h>

#include "dwmac.h"

#define RING_BYTES ((RX_RING + TX_RING) * sizeof(struct dwmac_descriptor))
#define RX_OFFSET 2u      /* so that the IP header is aligned; the device shifts */
#define PACKET_LEAST 14u  /* an Ethernet header */
#define PACKET_MOST 1518u /* with a VLAN tag; the FIFO that stores it has 2 KiB */

#define LOOK_DOWN (1 * SK_SECOND) /* the PHY's interrupt line is not wired on these boards */
#define LOOK_UP (3 * SK_SECOND)

struct dwmac dwmac;

status_t device_allocate(struct net_device *device)
{
    const struct sk_driver *driver = device->driver;
    uint64_t end = device->pool.physical + device->pool.size;

    if (driver->range_count != 1 || driver->ranges[0].size < DWMAC_BYTES ||
        driver->interrupt_count != 1) {
        return SK_INVALID_ARGS;
    }
    dwmac.base = driver->ranges[0].base;
    dwmac.phy = (struct phy){.base = dwmac.base, .driver = driver};
    status_t status = phy_read_mode(&dwmac.phy);
    if (status != SK_OK) {
        printf("phy-mode is missing, or one that this controller does not have\n");
        return status;
    }
    dwmac.needs_rate = sk_driver_property(driver, "starfive,tx-use-rgmii-clk", 0) == 0;
    status = sk_dma_create(driver, RING_BYTES, &dwmac.memory);
    if (status != SK_OK) {
        return status;
    }
    /* The tail registers have 32 bits. */
    if (end > UINT64_C(1) << 32 || dwmac.memory.physical + RING_BYTES > UINT64_C(1) << 32) {
        return SK_NOT_SUPPORTED;
    }
    return SK_OK;
}

/* --- Starting --- */

static bool is_usable(const uint8_t mac[6])
{
    static const uint8_t zero[6];
    return (mac[0] & 1) == 0 && memcmp(mac, zero, 6) != 0;
}

/* From the tree, where the firmware puts it. What stands in the registers does not outlive a reset. */
static void read_mac(struct net_device *device)
{
    static const char *const names[] = {"local-mac-address", "mac-address"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (sk_driver_bytes(device->driver, names[i], device->mac, 6) && is_usable(device->mac)) {
            return;
        }
    }
    memcpy(device->mac, "\x02skery", 6); /* locally administered */
    printf("the device tree names no MAC address: using 02:73:6b:65:72:79, the same on every "
           "machine\n");
}

/* A line that has closed stays closed: devmgr gives the next life of this driver new ones. */
static void need_provider(status_t status)
{
    if (status == SK_PEER_CLOSED) {
        sk_die("the driver of a clock, a reset or the interface's register has ended");
    }
}

status_t device_start(struct net_device *device)
{
    static bool told;
    bool first = device->mtu == 0;

    device->features = 0;
    device->mtu = MTU_MAX;
    device->link_up = false;
    device->rx_posted = device->tx_posted = 0;
    dwmac.link = (struct mii_link){0};
    dwmac.waited = false;
    struct dwmac_descriptor *descriptors = dwmac.memory.memory;
    status_t status = controller_power_up(); /* from here on the device leaves the rings alone */
    need_provider(status);
    if (status != SK_OK) {
        return status;
    }
    ring_reset(&dwmac.rx, descriptors, dwmac.memory.physical, RX_RING);
    ring_reset(&dwmac.tx, descriptors + RX_RING,
               dwmac.memory.physical + RX_RING * sizeof *descriptors, TX_RING);
    if (first) {
        read_mac(device);
    }
    status = phy_start(&dwmac.phy);
    if (status != SK_OK) {
        printf("controller version %x, no PHY: %s\n", (unsigned)(reg_read(MAC_VERSION) & 0xff),
               sk_status_words(status));
        return status;
    }
    if (first) {
        printf("controller version %x, PHY %x at %u\n", (unsigned)(reg_read(MAC_VERSION) & 0xff),
               (unsigned)dwmac.phy.id, (unsigned)dwmac.phy.address);
    }
    dwmac.waiting = controller_set_up(device) != SK_OK;
    if (dwmac.waiting && !told) {
        printf("no clock from the PHY yet (is the cable in?): trying again each second\n");
        told = true;
    }
    return SK_OK;
}

void device_set_groups(struct net_device *device)
{
    if (!dwmac.waiting) {
        controller_set_groups(device);
    }
}

void device_fail(struct net_device *device)
{
    dwmac.waiting = true; /* it is let be from now on */
    if (controller_reset() != SK_OK) {
        reg_write(DMA_RX_CONTROL, 0);
        reg_write(DMA_TX_CONTROL, 0);
    }
}

/* --- The link --- */

static status_t follow_speed(const struct mii_link *link)
{
    uint64_t wanted = link->mbps == 1000 ? 125000000 : link->mbps == 100 ? 25000000 : 2500000;
    uint64_t rate = wanted;
    status_t status = SK_OK;

    if (dwmac.needs_rate) {
        status = sk_clock_set_rate(dwmac.phy.driver, "tx", &rate);
        need_provider(status);
        if (status == SK_OK && rate < wanted - wanted / 1000) {
            status = SK_NOT_SUPPORTED;
        }
        if (status != SK_OK) {
            printf("no transmit clock for %u Mbit/s on this port: %s\n", (unsigned)link->mbps,
                   sk_status_words(status));
            return status;
        }
    }
    return phy_adjust(&dwmac.phy, link->mbps);
}

/* False: the link is not usable. */
static bool link_goes_up(const struct mii_link *link)
{
    if (follow_speed(link) != SK_OK) {
        return false;
    }
    uint32_t speed = link->mbps == 1000  ? 0
                     : link->mbps == 100 ? CONFIG_MII | CONFIG_100
                                         : CONFIG_MII;
    reg_write(MAC_CONFIG, CONFIG_STRIP | speed | (link->full_duplex ? CONFIG_FULL_DUPLEX : 0) |
                              CONFIG_RX | CONFIG_TX);
    printf("link up: %u Mbit/s, %s duplex\n", (unsigned)link->mbps,
           link->full_duplex ? "full" : "half");
    return true;
}

static void link_goes_down(void)
{
    reg_write(MAC_CONFIG, CONFIG_STRIP);
    printf("link down\n");
}

/* True: the packet that is next was next at the last look, and a link that is up takes any at once. */
static bool stands_still(const struct net_device *device)
{
    bool waits = device->link_up && ring_used(&dwmac.tx) > 0 && !tx_ring_has(&dwmac.tx);
    bool same = waits && dwmac.waited && dwmac.waited_for == dwmac.tx.oldest;

    dwmac.waited = waits;
    dwmac.waited_for = dwmac.tx.oldest;
    return same;
}

static bool is_same(const struct mii_link *a, const struct mii_link *b)
{
    return a->up == b->up && a->mbps == b->mbps && a->full_duplex == b->full_duplex;
}

static void read_missed(struct net_device *device)
{
    uint32_t missed = reg_read(MTL_RXQ_MISSED);

    device->rx_lost += (missed & 0x7ff) + (missed >> 16 & 0x7ff);
}

uint32_t device_look(struct net_device *device, uint64_t *next)
{
    struct mii_link link = {0};

    if (dwmac.waiting) {
        dwmac.waiting = controller_set_up(device) != SK_OK;
    }
    if (!dwmac.waiting) {
        read_missed(device);
        if (mii_read_link(dwmac.phy.address, &link) != SK_OK || !link.up) {
            link = (struct mii_link){0};
        }
    }
    bool was_up = device->link_up;
    if (!is_same(&link, &dwmac.link)) {
        dwmac.link = link;
        if (was_up) {
            link_goes_down();
        }
        device->link_up = link.up && link_goes_up(&link);
    }
    *next = sk_deadline_after(device->link_up ? LOOK_UP : LOOK_DOWN);
    uint32_t broken = stands_still(device) ? (uint32_t)DEVICE_BROKEN : 0;
    return broken | (was_up != device->link_up ? (uint32_t)DEVICE_LINK_CHANGED : 0);
}

/* --- Packets --- */

status_t device_post_rx(struct net_device *device, uint16_t buffer)
{
    status_t status = rx_ring_post(&dwmac.rx, buffer,
                                   device->pool.physical + rx_buffer_offset(buffer) + RX_OFFSET);
    device->rx_posted = ring_used(&dwmac.rx);
    return status;
}

void device_show_rx(struct net_device *device)
{
    if (!dwmac.waiting) {
        reg_write(DMA_RX_TAIL, ring_tail(&dwmac.rx));
    }
}

status_t device_take_rx(struct net_device *device, struct sk_nic_descriptor *d)
{
    uint16_t buffer;
    uint32_t length;
    bool posted = false;
    status_t status;

    while ((status = rx_ring_take(&dwmac.rx, &buffer, &length)) == SK_OK) {
        if (length >= PACKET_LEAST && length <= RX_BUFFER_SIZE) {
            *d = (struct sk_nic_descriptor){
                .buffer = buffer, .offset = RX_OFFSET, .length = length};
            break;
        }
        device->rx_lost++;
        device_post_rx(device, buffer); /* there is room: it was taken just now */
        posted = true;
    }
    device->rx_posted = ring_used(&dwmac.rx);
    if (posted) {
        device_show_rx(device);
    }
    return status;
}

bool device_tx_room(const struct net_device *device)
{
    return ring_used(&dwmac.tx) + CHAIN_MAX < TX_RING;
}

status_t device_post_tx(struct net_device *device, const struct sk_nic_descriptor *d,
                        uint32_t count)
{
    struct tx_part parts[CHAIN_MAX];
    uint32_t total = 0;

    if (count > CHAIN_MAX) {
        return SK_INVALID_ARGS;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = device->pool.physical + tx_buffer_offset(d[i].buffer) + d[i].offset;
        parts[i] = (struct tx_part){at, d[i].length, d[i].buffer};
        total += d[i].length;
    }
    /* It is stored whole before it is sent: one larger than the FIFO would stay there for ever. */
    if (total < PACKET_LEAST || total > PACKET_MOST) {
        return SK_INVALID_ARGS;
    }
    status_t status = tx_ring_post(&dwmac.tx, parts, count);
    device->tx_posted += status == SK_OK;
    return status;
}

void device_show_tx(struct net_device *device)
{
    if (!dwmac.waiting) {
        reg_write(DMA_TX_TAIL, ring_tail(&dwmac.tx));
    }
}

status_t device_take_tx(struct net_device *device, uint16_t *buffer)
{
    bool failed;
    status_t status = tx_ring_take(&dwmac.tx, buffer, &failed);

    if (status == SK_OK) {
        device->tx_posted--;
        device->tx_failed += failed;
    }
    return status;
}

/* --- Interrupts --- */

static void enable(uint32_t wanted)
{
    if (wanted != dwmac.enabled && !dwmac.waiting) {
        dwmac.enabled = wanted;
        reg_write(DMA_INT_ENABLE, wanted);
    }
}

void device_interrupts_off(struct net_device *device)
{
    enable(INT_FATAL | INT_ABNORMAL);
}

/*
 * From here on every packet interrupts. What was reported before is forgotten, which is told by the
 * caller's next look at the ring: so the register must have been written when that look is made, and
 * reading one behind it makes sure.
 */
static void ask(uint32_t what)
{
    if (!dwmac.waiting) {
        reg_write(DMA_STATUS, what | INT_NORMAL);
        enable(dwmac.enabled | what | INT_NORMAL);
        reg_read(DMA_STATUS);
    }
}

bool device_rx_interrupt_on(struct net_device *device)
{
    ask(INT_RECEIVED);
    return rx_ring_has(&dwmac.rx);
}

bool device_tx_interrupt_on(struct net_device *device)
{
    ask(INT_SENT);
    return tx_ring_has(&dwmac.tx);
}

uint32_t device_interrupt(struct net_device *device)
{
    uint32_t status = reg_read(DMA_STATUS);

    reg_write(DMA_STATUS, status);
    if ((status & INT_FATAL) == 0) {
        return 0;
    }
    printf("the controller has stopped: %s, status %x\n",
           (status & INT_BUS_ERROR) != 0 ? "bus error" : "descriptor error", (unsigned)status);
    return DEVICE_BROKEN;
}
