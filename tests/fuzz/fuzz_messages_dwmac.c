/* SPDX-License-Identifier: BSD-2-Clause */
/* A DesignWare Ethernet QoS controller and its PHY, that use their rings and registers as they like. See nic.h. */
#include <string.h>

#include <sk/protocol/platform.h>

#include <net/dwmac/dwmac.h>

#include "nic.h"

#define PHY_REGISTERS 32u

static const uint16_t phy_good[PHY_REGISTERS] = {
    [0] = 0x1140, [1] = 0x796d, [2] = 0x4f51, [3] = 0xe91b,
    [4] = 0x01e1, [5] = 0xcde1, [9] = 0x0200, [10] = 0x7c00};
static uint16_t phy[PHY_REGISTERS];
static uint32_t rx_at, tx_at;
static bool lied;     /* about what is its own: what it finds then is nobody's fault */
static bool no_clock; /* its reset does not end */

static struct dwmac_descriptor *ring(uint64_t list, uint32_t place)
{
    return dma_at(register_get(list) + place * sizeof(struct dwmac_descriptor),
                  sizeof(struct dwmac_descriptor));
}

static void transfer(uint32_t word)
{
    uint32_t number = word >> MDIO_REGISTER_SHIFT & 31;
    if ((word & MDIO_READ) == MDIO_READ) {
        register_set(MAC_MDIO_DATA, phy[number]);
    } else {
        phy[number] = (uint16_t)register_get(MAC_MDIO_DATA);
    }
    register_set(MAC_MDIO_ADDRESS, word & ~(uint32_t)MDIO_BUSY);
}

static void on_write(uint64_t offset, uint32_t value)
{
    switch (offset) {
    case MAC_MDIO_ADDRESS:
        transfer(value);
        break;
    case DMA_MODE:
        register_set(DMA_TX_CONTROL, 0);
        register_set(DMA_RX_CONTROL, 0);
        register_set(DMA_MODE, no_clock ? value : 0);
        break;
    case DMA_STATUS: /* cleared by writing ones; it writes all that it has read */
        register_set(offset, 0);
        break;
    case DMA_RX_LIST:
        rx_at = 0;
        lied = false;
        break;
    case DMA_TX_LIST:
        tx_at = 0;
        lied = false;
        break;
    default:
        break;
    }
}

static bool runs(uint64_t control)
{
    return (register_get(control) & RX_START) != 0;
}

static uint64_t address_of(const struct dwmac_descriptor *d)
{
    return d->word[0] | (uint64_t)d->word[1] << 32;
}

/* A frame, or what cannot be one, into the next buffer. */
static void receive(void)
{
    uint8_t how = input_byte();
    struct dwmac_descriptor *d = runs(DMA_RX_CONTROL) ? ring(DMA_RX_LIST, rx_at) : NULL;
    if (d == NULL || (d->word[3] & DESC_OWN) == 0) {
        return;
    }
    if (!lied) {
        nic_packet(address_of(d), RX_BUFFER_SIZE);
    }
    rx_at = (rx_at + 1) % RX_RING;
    d->word[3] = how % 8 == 1 ? (uint32_t)input_word() << how / 8 & ~DESC_OWN
                              : DESC_FIRST | DESC_LAST | (60u + how);
}

/* The next packet: every piece of it is there. Then all of it is given back, or only its end. */
static void send(void)
{
    bool only_end = input_byte() % 16 == 1;
    uint32_t flags;
    if (!runs(DMA_TX_CONTROL) || (ring(DMA_TX_LIST, tx_at)->word[3] & DESC_OWN) == 0) {
        return;
    }
    do {
        struct dwmac_descriptor *d = ring(DMA_TX_LIST, tx_at);
        flags = d->word[3];
        if (!lied && (flags & DESC_OWN) == 0) {
            double_broke("a packet to send has no end");
        }
        if (!lied) {
            nic_packet(address_of(d), d->word[2] & 0x3fff);
        }
        d->word[3] = only_end && (flags & DESC_LAST) == 0 ? flags : flags & ~DESC_OWN;
        tx_at = (tx_at + 1) % TX_RING;
    } while ((flags & DESC_LAST) == 0 && tx_at != 0);
    lied = lied || only_end || (flags & DESC_LAST) == 0;
}

static void scribble(void)
{
    uint8_t how = input_byte();
    uint8_t place = input_byte();
    lied = true;
    ring(how % 2 == 0 ? DMA_RX_LIST : DMA_TX_LIST, how % 2 == 0 ? place : place % TX_RING)
        ->word[3] = (uint32_t)input_word() << how % 32;
}

static void act(void)
{
    uint8_t how = input_byte();
    switch (how % 8) {
    case 0:
        if (register_get(DMA_RX_LIST) != 0) {
            scribble();
        }
        break;
    case 1:
        input_fill(&phy[4 + input_byte() % (PHY_REGISTERS - 4)], 2);
        break;
    case 2:
        register_set(MTL_RXQ_MISSED, (uint32_t)input_word());
        register_set(MAC_FEATURE1, (uint32_t)input_word() << how / 8);
        break;
    case 3:
        no_clock = how >= 128;
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
        register_set(DMA_STATUS, how >= 192 ? (uint32_t)input_word() : INT_SENT | INT_RECEIVED);
        interrupt_raise();
    }
}

static void look(uint64_t control, uint64_t list, uint32_t at, uint32_t size)
{
    for (uint32_t i = 0; runs(control) && !lied && i < size; i++) {
        const struct dwmac_descriptor *d = ring(list, (at + i) % size);
        if ((d->word[3] & DESC_OWN) == 0) {
            break;
        }
        nic_packet(address_of(d), list == DMA_TX_LIST ? d->word[2] & 0x3fff : RX_BUFFER_SIZE);
    }
}

static void settle(void)
{
    look(DMA_TX_CONTROL, DMA_TX_LIST, tx_at, TX_RING);
    look(DMA_RX_CONTROL, DMA_RX_LIST, rx_at, RX_RING);
    memcpy(phy, phy_good, sizeof phy);
    no_clock = false;
}

/* Its clocks, resets and system registers are another driver's, which says OK. */
static status_t answer(struct object *endpoint, const struct sk_out *out, struct sk_in *in)
{
    struct sk_platform_reply reply = {.status = SK_OK, .value = 125000000};
    memcpy(in->bytes, &reply, sizeof reply);
    in->length = sizeof reply;
    return SK_OK;
}

static void prepare(uint8_t *registers)
{
    struct held line[2];
    channel_make(line);
    double_boot_handle("line0", line[0]);
    double_answer = answer;
    memcpy(phy, phy_good, sizeof phy);
    register_set(MAC_FEATURE1, 1u << 24 | 4u << 6 | 4u);
    registers_written = on_write;
}

static const char *const arguments[] = {"mmio0=0,0x2000",
                                        "phy-mode=rgmii-id",
                                        "clock:pclk=0,1",
                                        "clock:stmmaceth=0,2",
                                        "clock:ptp_ref=0,3",
                                        "clock:tx=0,4",
                                        "clock:gtx=0,5",
                                        "field:starfive,syscon=0,6",
                                        "reset:stmmaceth=0,7",
                                        "reset:ahb=0,8",
                                        "local-mac-address=52:54:00:12:34:56",
                                        NULL};

const struct nic_device nic_device = {
    .arguments = arguments,
    .register_bytes = 2 * SK_PAGE_SIZE,
    .prepare = prepare,
    .act = act,
    .settle = settle,
};
