/* SPDX-License-Identifier: BSD-2-Clause */
/* A Cadence GEM (UG585, 16.3) and its PHY, that use their rings and registers as they like. See nic.h. */
#include <string.h>

#include <net/gem/gem.h>

#include "nic.h"

#define PHY_REGISTERS 32u

static const uint16_t phy_good[PHY_REGISTERS] = {
    [0] = 0x1140, [1] = 0x796d, [2] = 0x0007, [3] = 0x0771,
    [4] = 0x01e1, [5] = 0xcde1, [9] = 0x0200, [10] = 0x7c00};
static uint16_t phy[PHY_REGISTERS];
static uint32_t rx_at, tx_at;
static bool lied; /* about what is its own: what it finds then is nobody's fault */

static struct gem_descriptor *ring(uint64_t queue, uint32_t place)
{
    return dma_at(register_get(queue) + place * sizeof(struct gem_descriptor),
                  sizeof(struct gem_descriptor));
}

static void transfer(uint32_t word)
{
    uint32_t number = word >> PHY_REGISTER_SHIFT & 31;
    if ((word & PHY_READ) == 0) {
        phy[number] = (uint16_t)word;
    }
    register_set(GEM_PHY, (word & ~0xffffu) | phy[number]);
}

static void on_write(uint64_t offset, uint32_t value)
{
    switch (offset) {
    case GEM_PHY:
        transfer(value);
        break;
    case GEM_TX_STATUS:
    case GEM_RX_STATUS:
    case GEM_INTERRUPTS: /* cleared by writing ones; it writes all that it has read */
        register_set(offset, 0);
        break;
    case GEM_RX_QUEUE:
        rx_at = 0;
        lied = false;
        break;
    case GEM_TX_QUEUE:
        tx_at = 0;
        lied = false;
        break;
    default:
        break;
    }
}

static bool runs(uint32_t what)
{
    return (register_get(GEM_CONTROL) & what) != 0;
}

/* A frame, or what cannot be one, into the next buffer. */
static void receive(void)
{
    uint8_t how = input_byte();
    struct gem_descriptor *d = runs(CONTROL_RX) ? ring(GEM_RX_QUEUE, rx_at) : NULL;
    if (d == NULL || (d->word[0] & RX0_USED) != 0) {
        return;
    }
    if (!lied) {
        nic_packet(d->word[0] & ~3u, RX_DMA_BYTES);
    }
    rx_at = (d->word[0] & RX0_WRAP) != 0 ? 0 : (rx_at + 1) % RX_RING;
    d->word[1] = how % 8 == 1 ? (uint32_t)input_word() << 8
                              : RX1_FIRST | RX1_LAST | (60u + how) | how << RX1_CHECKED_SHIFT;
    d->word[0] |= RX0_USED;
}

/* The next packet: every piece of it is there. */
static void send(void)
{
    struct gem_descriptor *first = runs(CONTROL_TX) ? ring(GEM_TX_QUEUE, tx_at) : NULL;
    uint32_t word = first != NULL ? first->word[1] : TX1_USED;
    if ((word & TX1_USED) != 0) {
        return;
    }
    for (uint32_t pieces = 0; !lied; tx_at = (tx_at + 1) % TX_RING) {
        struct gem_descriptor *d = ring(GEM_TX_QUEUE, tx_at);
        if ((d->word[1] & TX1_USED) != 0 || pieces++ == TX_RING) {
            double_broke("a packet to send has no end");
        }
        nic_packet(d->word[0], d->word[1] & 0x3fff);
        if ((d->word[1] & TX1_LAST) != 0) {
            break;
        }
    }
    tx_at = (tx_at + 1) % TX_RING;
    first->word[1] |= TX1_USED;
}

static void scribble(void)
{
    uint8_t how = input_byte();
    lied = true;
    ring(how % 2 == 0 ? GEM_RX_QUEUE : GEM_TX_QUEUE, how / 2 % RX_RING)
        ->word[how % 2] = (uint32_t)input_word() << how % 32;
}

static void act(void)
{
    uint8_t how = input_byte();
    switch (how % 8) {
    case 0:
        scribble();
        break;
    case 1:
        input_fill(&phy[input_byte() % PHY_REGISTERS], 2);
        break;
    case 2:
        register_set(GEM_TX_STATUS, (uint32_t)input_word() & ~TX_GOING);
        register_set(GEM_RX_STATUS, (uint32_t)input_word());
        break;
    case 3:
        register_set(GEM_DESIGN1, (uint32_t)input_word() << 20);
        register_set(GEM_DESIGN2, (uint32_t)input_word() << 20);
        register_set(GEM_DESIGN6, (uint32_t)input_word());
        break;
    case 4:
        send();
        break;
    default:
        for (uint32_t count = how % 8; count > 4; count--) {
            receive();
        }
    }
    if (how >= 64) {
        register_set(GEM_INTERRUPTS, how >= 192 ? (uint32_t)input_word() : INTERRUPT_PACKETS);
        interrupt_raise();
    }
}

static void settle(void)
{
    for (uint32_t i = 0; runs(CONTROL_TX) && !lied && i < TX_RING; i++) {
        const struct gem_descriptor *tx = ring(GEM_TX_QUEUE, (tx_at + i) % TX_RING);
        if ((tx->word[1] & TX1_USED) != 0) {
            break;
        }
        nic_packet(tx->word[0], tx->word[1] & 0x3fff);
    }
    for (uint32_t i = 0; runs(CONTROL_RX) && !lied && i < RX_RING; i++) {
        const struct gem_descriptor *rx = ring(GEM_RX_QUEUE, (rx_at + i) % RX_RING);
        if ((rx->word[0] & RX0_USED) != 0) {
            break;
        }
        nic_packet(rx->word[0] & ~3u, RX_DMA_BYTES);
    }
    memcpy(phy, phy_good, sizeof phy);
}

static void prepare(uint8_t *registers)
{
    register_set(GEM_STATUS, STATUS_PHY_IDLE);
    register_set(GEM_DESIGN1, 2u << DESIGN1_BUS_WIDTH_SHIFT);
    register_set(GEM_DESIGN2, DESIGN2_RX_PACKET_MEMORY | DESIGN2_TX_PACKET_MEMORY);
    memcpy(phy, phy_good, sizeof phy);
    registers_written = on_write;
}

static const char *const arguments[] = {"mmio0=0,0x1000", "local-mac-address=52:54:00:12:34:56",
                                        "phy-handle/reg=0", NULL};

const struct nic_device nic_device = {
    .arguments = arguments,
    .register_bytes = SK_PAGE_SIZE,
    .prepare = prepare,
    .act = act,
    .settle = settle,
};
