/* SPDX-License-Identifier: BSD-2-Clause */
/* The controller's registers and DMA, the PHY, and what both insist on (model.h). */
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sk/mmio.h>
#include <sk/time.h>

#include "dwmac.h"

#define MEMORY_BYTES (1u << 20)
#define TRANSFER_TIME (30 * SK_US)
#define RESET_TIME (100 * SK_US)

uint32_t model_read_fences;
uint32_t model_hash_size = 1;

static uint32_t base;      /* of the registers */
static uint32_t generator; /* of its clocks and resets */
static uint32_t words[DWMAC_BYTES / 4];
static bool bus_busy;
static uint64_t bus_until;
static bool resetting;
static uint64_t reset_until;
static uint32_t status, cleared; /* DMA_STATUS; bits whose clearing is on its way */
static bool address_valid;

static _Alignas(4096) uint8_t memory[MEMORY_BYTES];
static uint64_t memory_base;
static uint64_t memory_used;

/* One ring as the device sees it, and what the driver could be sure that it sees. */
struct side {
    bool tx;
    uint32_t at; /* place of the next descriptor */
    struct dwmac_descriptor seen[RX_RING];
};
static struct side rx = {.tx = false}, tx = {.tx = true};

/* --- DMA memory --- */

void model_dma_base(uint64_t physical)
{
    memory_base = physical;
    memory_used = 0;
}

status_t sk_dma_create(const struct sk_driver *driver, uint64_t size, struct sk_dma *dma)
{
    uint64_t whole = (size + SK_PAGE_SIZE - 1) & ~(uint64_t)(SK_PAGE_SIZE - 1);
    assert_true(memory_used + whole <= MEMORY_BYTES);
    *dma = (struct sk_dma){memory + memory_used, memory_base + memory_used, whole, 1};
    memory_used += whole;
    return SK_OK;
}

static uint8_t *at_physical(uint64_t physical, uint64_t length)
{
    assert_in_range(physical, memory_base, memory_base + memory_used - length);
    return memory + (physical - memory_base);
}

/* --- Rings --- */

static uint32_t reg(uint32_t offset)
{
    return words[offset / 4];
}

static uint32_t ring_size(const struct side *side)
{
    return reg(side->tx ? DMA_TX_LENGTH : DMA_RX_LENGTH) + 1;
}

static struct dwmac_descriptor *descriptor(const struct side *side, uint32_t place)
{
    uint64_t list = reg(side->tx ? DMA_TX_LIST : DMA_RX_LIST);
    uint64_t high = reg(side->tx ? DMA_TX_LIST_HIGH : DMA_RX_LIST_HIGH);
    return (void *)at_physical((high << 32 | list) + place % ring_size(side) * 16ull, 16);
}

static bool runs(const struct side *side)
{
    return (reg(side->tx ? DMA_TX_CONTROL : DMA_RX_CONTROL) & 1) != 0;
}

static bool is_own(const struct dwmac_descriptor *d)
{
    return (d->word[3] & DESC_OWN) != 0;
}

/* What lies behind a first descriptor must have been the device's before. */
static void check_packet(const struct side *side, uint32_t place)
{
    const struct dwmac_descriptor *d = descriptor(side, place);
    while ((d->word[3] & DESC_LAST) == 0) {
        place = (place + 1) % ring_size(side);
        d = descriptor(side, place);
        if (!is_own(&side->seen[place])) {
            fail_msg("the first descriptor of a packet was given before the one at %u", place);
        }
    }
}

/* The device may look now: everything written so far is visible, and in this order at least. */
static void look(struct side *side)
{
    for (uint32_t i = 0; runs(side) && i < ring_size(side); i++) {
        const struct dwmac_descriptor *d = descriptor(side, i);
        struct dwmac_descriptor *seen = &side->seen[i];
        bool same = memcmp(d->word, seen->word, 12) == 0;
        if (is_own(seen) && (!same || d->word[3] != seen->word[3])) {
            fail_msg("descriptor %u is the device's and was changed", i);
        }
        if (!is_own(seen) && is_own(d)) {
            if (!same) {
                fail_msg("descriptor %u was given before its other words were visible", i);
            }
            if (side->tx && (d->word[3] & DESC_FIRST) != 0) {
                check_packet(side, i);
            }
        }
    }
    for (uint32_t i = 0; runs(side) && i < ring_size(side); i++) {
        side->seen[i] = *descriptor(side, i);
    }
}

void model_fence(unsigned kinds)
{
    if ((kinds & MODEL_FENCE_WRITE) != 0) {
        look(&rx);
        look(&tx);
    }
    model_read_fences += (kinds & MODEL_FENCE_READ) != 0;
}

/* The device's turn at a ring: its next descriptor, NULL if it may not go on. */
static struct dwmac_descriptor *next_descriptor(const struct side *side)
{
    uint32_t tail = reg(side->tx ? DMA_TX_TAIL : DMA_RX_TAIL);
    uint32_t list = reg(side->tx ? DMA_TX_LIST : DMA_RX_LIST);
    uint32_t end = (tail - list) / 16 % ring_size(side);
    if (!runs(side) || side->at == end) {
        return NULL;
    }
    struct dwmac_descriptor *d = descriptor(side, side->at);
    return is_own(d) ? d : NULL;
}

/* Gives one back; only the last word is defined then. */
static void give_back(struct side *side, struct dwmac_descriptor *d, uint32_t flags)
{
    d->word[0] = d->word[1] = d->word[2] = 0xdeadbeef;
    d->word[3] = flags;
    side->seen[side->at] = *d;
    side->at = (side->at + 1) % ring_size(side);
}

/* The hash table of groups: the check sequence of the address, reflected, its highest bits. */
static bool hash_has(const uint8_t *to)
{
    uint32_t bits = 32u << (words[MAC_FEATURE1 / 4] >> 24 & 3), crc = UINT32_MAX, place = 0;

    for (uint32_t i = 0; i < 48; i++) {
        crc = crc >> 1 ^ (0xedb88320u & -((crc ^ to[i / 8] >> i % 8) & 1));
    }
    for (uint32_t bit = 1, from = ~crc; bit < bits; bit *= 2, from >>= 1) {
        place = place << 1 | (from & 1);
    }
    return bits >= 64 && (reg(MAC_HASH_TABLE + place / 32 * 4) >> place % 32 & 1) != 0;
}

static bool is_for_us(const uint8_t *to)
{
    static const uint8_t broadcast[] = {255, 255, 255, 255, 255, 255};
    uint32_t low = reg(MAC_ADDRESS_LOW), high = reg(MAC_ADDRESS_HIGH);
    uint8_t own[6];
    memcpy(own, &low, 4);
    memcpy(own + 4, &high, 2);
    if (memcmp(to, broadcast, 6) == 0) {
        return true;
    }
    if ((to[0] & 1) != 0) {
        return (reg(MAC_FILTER) & FILTER_ALL_GROUPS) != 0 ||
               ((reg(MAC_FILTER) & FILTER_HASH_GROUPS) != 0 && hash_has(to));
    }
    return address_valid && memcmp(to, own, 6) == 0;
}

bool model_receive(const uint8_t *bytes, uint32_t length, uint32_t errors)
{
    uint32_t room = reg(DMA_RX_CONTROL) >> 1 & 0x3fff, done = 0;
    if ((reg(MAC_CONFIG) & CONFIG_RX) == 0 || !is_for_us(bytes)) {
        return false;
    }
    assert_int_equal(reg(MAC_RXQ_CTRL0) & 3, 2);
    while (done < length || done == 0) {
        struct dwmac_descriptor *d = next_descriptor(&rx);
        if (d == NULL) {
            words[MTL_RXQ_MISSED / 4]++;
            return false;
        }
        assert_int_equal(d->word[3] & ~(uint32_t)RX3_INTERRUPT, DESC_OWN | RX3_BUFFER1);
        uint64_t to = (uint64_t)d->word[1] << 32 | d->word[0];
        uint32_t part = length - done < room ? length - done : room;
        bool first = done == 0;
        /* It writes whole bus words: what lies before the first byte in its word is lost. */
        memset(at_physical(to & ~7ull, to & 7), 0xee, to & 7);
        memcpy(at_physical(to, part), bytes + done, part);
        done += part;
        bool last = done == length;
        if ((d->word[3] & RX3_INTERRUPT) != 0) {
            status |= INT_RECEIVED | INT_NORMAL;
        }
        give_back(&rx, d,
                  (first ? DESC_FIRST : 0) | (last ? DESC_LAST | errors : 0) | (last ? length : 0));
    }
    return true;
}

uint32_t model_send(uint8_t *bytes, uint32_t room, bool fails)
{
    uint32_t length = 0, total = 0;
    if ((reg(MAC_CONFIG) & CONFIG_TX) == 0) {
        return 0;
    }
    assert_int_equal(reg(MTL_TXQ_MODE) & 0xa, TXQ_STORE_FORWARD | TXQ_ENABLE);
    for (;;) {
        struct dwmac_descriptor *d = next_descriptor(&tx);
        if (d == NULL) {
            assert_int_equal(length, 0); /* a packet is shown whole */
            return 0;
        }
        uint32_t part = d->word[2] & 0x3fff;
        uint64_t from = (uint64_t)d->word[1] << 32 | d->word[0];
        bool last = (d->word[3] & DESC_LAST) != 0;
        assert_int_equal((d->word[3] & DESC_FIRST) != 0, length == 0);
        assert_int_equal(d->word[3] & 0x0fff8000, 0); /* CRC and pad as usual, no checksum */
        total = length == 0 ? d->word[3] & DESC_LENGTH_MASK : total;
        assert_true(length + part <= room);
        memcpy(bytes + length, at_physical(from, part), part);
        length += part;
        if ((d->word[2] & TX2_INTERRUPT) != 0) {
            status |= INT_SENT | INT_NORMAL;
        }
        give_back(&tx, d, last ? DESC_LAST | (fails ? TX3_ERROR | 1u << 2 : 0) : 0);
        if (last) {
            assert_int_equal(length, total);
            assert_in_range(length, 14, 1518); /* the FIFO has to hold it */
            return length;
        }
    }
}

void model_bus_error(void)
{
    status |= INT_BUS_ERROR | INT_ABNORMAL;
}

bool model_line(void)
{
    uint32_t seen = status & reg(DMA_INT_ENABLE);
    uint32_t normal = INT_RECEIVED | INT_SENT;
    return ((seen & normal) != 0 && (seen & INT_NORMAL) != 0) ||
           ((seen & INT_FATAL) != 0 && (seen & INT_ABNORMAL) != 0) ||
           reg(MMC_RX_INT_MASK) != UINT32_MAX; /* the counters are half full by now */
}

/* --- The PHY's bus --- */

static bool phy_has_clock(void)
{
    return model_phy.clock && (model_phy.control & (1 << 11 | 1 << 10)) == 0;
}

static void bus_start(uint32_t value)
{
    uint32_t phy = value >> 21 & 31, number = value >> 16 & 31;
    assert_int_equal(value >> 8 & 15, 5); /* the divisor for this bus clock */
    assert_true(!bus_busy);
    bus_busy = true;
    bus_until = model_phy.answers ? board_now + TRANSFER_TIME : UINT64_MAX;
    if ((value & 0xc) == 0xc) {
        words[MAC_MDIO_DATA / 4] = phy == model_phy.address ? phy_read(number) : 0xffff;
    } else {
        assert_int_equal(value & 0xc, 4);
        assert_int_equal(phy, model_phy.address);
        phy_write(number, (uint16_t)words[MAC_MDIO_DATA / 4]);
    }
}

/* --- Registers --- */

static void reset_registers(void)
{
    memset(words, 0, sizeof words);
    words[MAC_VERSION / 4] = 0x4152;
    words[MAC_FEATURE1 / 4] = model_hash_size << 24 | 4 << 6 | 4; /* FIFOs of 2 KiB each */
    words[MAC_ADDRESS_HIGH / 4] = 0x8000ffff;
    words[MAC_ADDRESS_LOW / 4] = UINT32_MAX;
    status = cleared = 0;
    address_valid = false;
    rx.at = tx.at = 0;
    memset(rx.seen, 0, sizeof rx.seen);
    memset(tx.seen, 0, sizeof tx.seen);
}

/* Somebody has changed a reset; held, the controller forgets. */
void gmac_reset_changed(void)
{
    uint32_t reset = generator == AONCRG ? 0 : 66;
    if (!board_is_released(generator, reset) || !board_is_released(generator, reset + 1)) {
        bus_busy = resetting = false;
        reset_registers();
    }
}

/* The bus hangs, or reads nonsense, otherwise. */
static void check_alive(uint32_t offset)
{
    bool first = generator == AONCRG;
    uint32_t ahb = first ? 2 : 97, axi = first ? 3 : 98, reset = first ? 0 : 66;
    if (!board_clock_runs(generator, ahb) || !board_clock_runs(generator, axi)) {
        fail_msg("register %x without a clock", offset);
    }
    if (!board_is_released(generator, reset) || !board_is_released(generator, reset + 1)) {
        fail_msg("register %x while held in reset", offset);
    }
}

static void pass_time(void)
{
    bus_busy = bus_busy && board_now < bus_until;
    if (resetting && board_now >= reset_until && phy_has_clock()) {
        resetting = false;
        reset_registers();
    }
    status &= ~cleared;
    cleared = 0;
}

uint32_t gmac_read(uint32_t address)
{
    uint32_t offset = address - base;
    assert_true(offset < DWMAC_BYTES);
    check_alive(offset);
    pass_time();
    switch (offset) {
    case DMA_MODE:
        return resetting;
    case DMA_STATUS:
        return status;
    case MAC_MDIO_ADDRESS:
        return bus_busy;
    case MAC_MDIO_DATA:
        assert_true(!bus_busy);
        return reg(offset);
    case MTL_RXQ_MISSED: {
        uint32_t value = reg(offset);
        words[offset / 4] = 0;
        return value;
    }
    default:
        return reg(offset);
    }
}

/* What may be written only while the DMA stands. */
static void check_standing(uint32_t offset)
{
    bool of_tx = offset == DMA_TX_LIST || offset == DMA_TX_LIST_HIGH || offset == DMA_TX_LENGTH;
    bool of_rx = offset == DMA_RX_LIST || offset == DMA_RX_LIST_HIGH || offset == DMA_RX_LENGTH;
    bool of_both = offset == DMA_BUS_MODE || offset == DMA_CONTROL;
    if ((of_tx && runs(&tx)) || (of_rx && runs(&rx)) || (of_both && (runs(&tx) || runs(&rx)))) {
        fail_msg("register %x was written while the DMA runs", offset);
    }
}

/* A ring must be whole before its DMA starts. */
static void check_start(const struct side *side)
{
    assert_true(reg(side->tx ? DMA_TX_LIST : DMA_RX_LIST) != 0);
    assert_true(ring_size(side) > 1);
    assert_int_equal(reg(side->tx ? DMA_TX_CONTROL : DMA_RX_CONTROL) >> 16 & 0x3f, 16);
}

void gmac_write(uint32_t address, uint32_t value)
{
    uint32_t offset = address - base;
    assert_true(offset < DWMAC_BYTES);
    check_alive(offset);
    bus_busy = bus_busy && board_now < bus_until;
    look(&rx); /* a register write comes after all memory writes before it */
    look(&tx);
    bool again = offset == DMA_MODE && value == DMA_MODE_RESET;
    if (resetting && !again && offset != MAC_MDIO_ADDRESS && offset != MAC_MDIO_DATA) {
        fail_msg("register %x was written while the controller resets itself", offset);
    }
    check_standing(offset);
    switch (offset) {
    case DMA_MODE:
        assert_int_equal(value, DMA_MODE_RESET);
        resetting = true;
        reset_until = board_now + RESET_TIME;
        return;
    case DMA_STATUS:
        cleared |= value;
        return;
    case MAC_MDIO_ADDRESS:
        bus_start(value);
        return;
    case MAC_MDIO_DATA:
        assert_true(!bus_busy);
        break;
    case MAC_ADDRESS_LOW:
        address_valid = true; /* as it is in both registers now */
        break;
    case MAC_ADDRESS_HIGH:
        address_valid = false;
        break;
    default:
        break;
    }
    words[offset / 4] = value;
    if (offset == DMA_TX_CONTROL && (value & 1) != 0) {
        check_start(&tx);
    }
    if (offset == DMA_RX_CONTROL && (value & 1) != 0) {
        check_start(&rx);
    }
    if ((offset == DMA_TX_CONTROL || offset == DMA_RX_CONTROL) && (value & 1) != 0) {
        struct side *side = offset == DMA_TX_CONTROL ? &tx : &rx;
        for (uint32_t i = 0; i < ring_size(side); i++) { /* what was there before it ran */
            side->seen[i] = *descriptor(side, i);
        }
    }
}

uint32_t model_register(uint32_t offset)
{
    return reg(offset);
}

void model_start(uint32_t port, bool yt8531)
{
    base = port == 0 ? 0x16030000 : 0x16040000;
    generator = port == 0 ? AONCRG : SYSCRG;
    bus_busy = resetting = false;
    model_read_fences = 0;
    model_dma_base(0x80000000);
    memset(memory, 0x55, sizeof memory);
    phy_power_on(yt8531);
    reset_registers();
}
