/* SPDX-License-Identifier: BSD-2-Clause */
/* See gem_model.h. */
#include "gem_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <sk/print.h>

#define BASE 0x10090000u
#define MANAGEMENT 0x100a0000u
#define STALE 0xdeadbeefu /* what is seen of a result before the read fence */

struct model model;
struct net_device device;

static struct sk_driver driver;
static _Alignas(4096) uint8_t pool[POOL_BYTES];
static _Alignas(4096) struct gem_memory rings;
static struct gem_memory at_fence; /* the rings as they were at the last write fence */
static struct model_write posted[8];
static uint32_t posted_count;
static uint32_t unseen_place, unseen_result; /* of receive descriptors, until the read fence */
static bool unseen;
static uint32_t mdio_word;

/* --- What the driver is linked with --- */

struct sk_result sk_syscall6(uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                             uint64_t e, uint64_t f)
{
    model.now += 1000; /* each look at the clock takes a microsecond */
    return (struct sk_result){SK_OK, {model.now, 0}};
}

const char *sk_status_words(status_t status)
{
    return "status";
}

uint32_t sk_driver_property(const struct sk_driver *given, const char *name, uint32_t missing)
{
    assert_string_equal(name, "phy-handle/reg");
    return model.phy_property == MII_NONE ? missing : model.phy_property;
}

bool sk_driver_bytes(const struct sk_driver *given, const char *name, uint8_t *bytes, size_t count)
{
    assert_string_equal(name, "local-mac-address");
    assert_int_equal(count, 6);
    if (model.has_mac_property) {
        memcpy(bytes, "\x52\x54\x00\x12\x34\x56", 6);
    }
    return model.has_mac_property;
}

status_t sk_dma_create(const struct sk_driver *given, uint64_t size, struct sk_dma *dma)
{
    assert_int_equal(size, sizeof rings);
    *dma = (struct sk_dma){&rings, model.ring_physical, sizeof rings, 1};
    return SK_OK;
}

/* --- Registers --- */

static uint32_t *reg(enum gem_register at)
{
    return &model.registers[(uint32_t)at / 4];
}

static bool running(uint32_t what)
{
    return (*reg(GEM_CONTROL) & what) != 0;
}

static void write_control(uint32_t value)
{
    bool sent_before = running(CONTROL_TX);

    *reg(GEM_CONTROL) = value & ~(CONTROL_TX_START | CONTROL_CLEAR_COUNTS);
    if ((value & CONTROL_CLEAR_COUNTS) != 0) {
        memset(reg(0x100), 0, 0xb4);
    }
    if (sent_before && !running(CONTROL_TX)) {
        model.tx_at = 0;
        *reg(GEM_TX_STATUS) &= model.never_stops ? UINT32_MAX : ~TX_GOING;
    }
    if (running(CONTROL_TX) && (value & CONTROL_TX_START) != 0 && !model.start_is_lost) {
        *reg(GEM_TX_STATUS) |= TX_GOING;
    }
    model.start_is_lost = model.start_is_lost && (value & CONTROL_TX_START) == 0;
}

static void mdio(uint32_t word)
{
    uint32_t number = word >> PHY_REGISTER_SHIFT & 31;
    bool there = (word >> PHY_ADDRESS_SHIFT & 31) == model.phy_address;

    assert_true(running(CONTROL_MANAGEMENT));
    assert_int_equal(*reg(GEM_CONFIG) >> 18 & 7, 4); /* at most 2.5 MHz */
    assert_int_equal(word & (PHY_CLAUSE_22 | 3u << 16), PHY_CLAUSE_22 | PHY_TURNAROUND);
    if ((word & PHY_WRITE) != 0 && there) {
        assert_int_equal(word & PHY_READ, 0);
        model.phy[number] = (uint16_t)word;
    }
    mdio_word = (word & ~0xffffu) | (there ? model.phy[number] : 0xffffu);
    if (!model.mdio_hangs) {
        *reg(GEM_STATUS) |= STATUS_PHY_IDLE;
    }
}

static void apply(struct model_write write)
{
    uint32_t at = write.at, value = write.value;

    switch (at) {
    case GEM_CONTROL:
        write_control(value);
        break;
    case GEM_INTERRUPTS_ON:
        model.mask &= ~value;
        break;
    case GEM_INTERRUPTS_OFF:
        model.mask |= value;
        break;
    case GEM_TX_STATUS:
        *reg(at) &= ~(value & ~TX_GOING);
        break;
    case GEM_RX_STATUS:
        *reg(at) &= ~value;
        break;
    case GEM_INTERRUPTS:
        assert_int_equal(model.design1 & DESIGN1_CLEAR_ON_READ, 0);
        *reg(at) &= ~value;
        break;
    case GEM_PHY:
        *reg(GEM_STATUS) &= ~STATUS_PHY_IDLE;
        mdio(value);
        break;
    case GEM_RX_QUEUE:
    case GEM_TX_QUEUE:
        *(at == GEM_RX_QUEUE ? &model.rx_at : &model.tx_at) = 0;
        /* fall through */
    case GEM_CONFIG:
    case GEM_DMA_CONFIG:
        assert_false(running(CONTROL_RX | CONTROL_TX)); /* UG585, 16.3.2: only when it stands */
        /* fall through */
    default:
        *reg(at) = value;
    }
}

void model_settle(void)
{
    for (uint32_t i = 0; i < posted_count; i++) {
        apply(posted[i]);
    }
    posted_count = 0;
}

void model_write(uintptr_t address, uint32_t value, unsigned width)
{
    bool management = address == MANAGEMENT;
    uint32_t at = management ? MODEL_MANAGEMENT : (uint32_t)(address - BASE);

    assert_int_equal(width, 4);
    assert_true(management || (at < GEM_BYTES && at % 4 == 0));
    assert_true(model.write_count < MODEL_WRITES_MAX);
    model_write_fence(); /* of the accessor */
    model.writes[model.write_count++] = (struct model_write){at, value};
    if (management) {
        return;
    }
    if (posted_count == sizeof posted / sizeof posted[0]) {
        model_settle();
    }
    posted[posted_count++] = (struct model_write){at, value};
}

uint32_t model_read(uintptr_t address, unsigned width)
{
    uint32_t at = (uint32_t)(address - BASE), value;

    assert_int_equal(width, 4);
    assert_true(at < GEM_BYTES && at % 4 == 0);
    model_settle();
    value = *reg(at);
    switch (at) {
    case GEM_INTERRUPTS:
        *reg(at) = (model.design1 & DESIGN1_CLEAR_ON_READ) != 0 ? 0 : value;
        return value;
    case GEM_INTERRUPTS_MASK:
        return model.mask;
    case GEM_PHY:
        assert_true((*reg(GEM_STATUS) & STATUS_PHY_IDLE) != 0);
        return mdio_word;
    case GEM_DESIGN1:
        return model.design1;
    case GEM_DESIGN2:
        return model.design2;
    case GEM_DESIGN6:
        return model.design6;
    default:
        *reg(at) = at >= 0x100 && at <= GEM_COUNT_RX_LAST ? 0 : value; /* counters */
        return value;
    }
}

/* --- Memory --- */

static void check_rx_fence(uint32_t i)
{
    const struct gem_descriptor *old = &at_fence.rx[i], *new = &rings.rx[i];

    if ((old->word[0] & RX0_USED) != 0 && (new->word[0] & RX0_USED) == 0) {
        assert_int_equal(old->word[1], 0); /* cleared, and at a fence before */
    }
    assert_int_equal((new->word[0] & RX0_WRAP) != 0, i == RX_RING - 1);
}

static void check_tx_fence(uint32_t i)
{
    const struct gem_descriptor *old = &at_fence.tx[i], *new = &rings.tx[i];

    if ((old->word[1] & TX1_USED) != 0 && (new->word[1] & TX1_USED) == 0) {
        assert_int_equal(old->word[0], new->word[0]);
    }
    assert_int_equal((new->word[1] & TX1_WRAP) != 0, i == TX_RING - 1);
}

/* From where the device is: whole packets, then one that stops it. */
static void check_packets(void)
{
    uint32_t count = 0;
    bool inside = false;

    for (uint32_t i = model.tx_at; (rings.tx[i].word[1] & TX1_USED) == 0; i = (i + 1) % TX_RING) {
        inside = (rings.tx[i].word[1] & TX1_LAST) == 0;
        assert_true(++count < TX_RING);
    }
    assert_false(inside);
}

void model_write_fence(void)
{
    if (!running(CONTROL_RX | CONTROL_TX)) {
        at_fence = rings;
        return;
    }
    for (uint32_t i = 0; i < RX_RING; i++) {
        check_rx_fence(i);
    }
    for (uint32_t i = 0; i < TX_RING; i++) {
        check_tx_fence(i);
    }
    check_packets();
    at_fence = rings;
}

void model_read_fence(void)
{
    if (unseen) {
        rings.rx[unseen_place].word[1] = unseen_result;
        unseen = false;
    }
}

static uint8_t *translate(uint32_t address, uint32_t length)
{
    uint64_t offset = address - model.pool_physical;

    assert_true(address >= model.pool_physical && offset + length <= sizeof pool);
    return pool + offset;
}

void model_raise(uint32_t events)
{
    *reg(GEM_INTERRUPTS) |= events & ~model.mask;
}

bool model_interrupts(void)
{
    return *reg(GEM_INTERRUPTS) != 0;
}

bool model_receive(const void *frame, uint32_t length, uint32_t result)
{
    struct gem_descriptor *descriptor = &rings.rx[model.rx_at];
    uint32_t offset = *reg(GEM_CONFIG) >> CONFIG_RX_OFFSET_SHIFT & 3;

    model_read_fence(); /* one unseen result at a time */
    assert_true(running(CONTROL_RX));
    if ((descriptor->word[0] & RX0_USED) != 0) {
        *reg(GEM_RX_STATUS) |= 1; /* no buffer */
        ++*reg(0x1a0);            /* resource errors */
        model_raise(1u << 2);
        return false;
    }
    uint32_t room = (*reg(GEM_DMA_CONFIG) >> DMA_RX_BYTES_SHIFT & 0xff) * 64;
    uint32_t copied = length < room - offset ? length : room - offset;
    memcpy(translate((descriptor->word[0] & ~3u) + offset, copied), frame, copied);
    unseen = true;
    unseen_place = model.rx_at;
    unseen_result = result | length;
    descriptor->word[1] = STALE;
    descriptor->word[0] |= RX0_USED;
    model.rx_at = (descriptor->word[0] & RX0_WRAP) != 0 ? 0 : model.rx_at + 1;
    model_raise(INTERRUPT_RECEIVED);
    return true;
}

static void send_one(void)
{
    struct gem_descriptor *first = &rings.tx[model.tx_at];
    uint32_t length = 0, word;

    assert_true(model.sent_count < 64);
    do {
        struct gem_descriptor *descriptor = &rings.tx[model.tx_at];
        word = descriptor->word[1];
        assert_int_equal(word & TX1_USED, 0);
        uint32_t part = word & 0x3fff;
        assert_true(part > 0 && length + part <= MODEL_FRAME_MAX);
        memcpy(model.sent[model.sent_count] + length, translate(descriptor->word[0], part), part);
        length += part;
        model.tx_at = (word & TX1_WRAP) != 0 ? 0 : model.tx_at + 1;
    } while ((word & TX1_LAST) == 0);
    model.sent_length[model.sent_count++] = length;
    first->word[1] |= TX1_USED;
    model_raise(INTERRUPT_SENT);
}

uint32_t model_transmit(void)
{
    uint32_t count = 0;

    model_settle();
    if (!running(CONTROL_TX) || (*reg(GEM_TX_STATUS) & TX_GOING) == 0) {
        return 0;
    }
    for (; (rings.tx[model.tx_at].word[1] & TX1_USED) == 0; count++) {
        if (model.sent_limit != 0 && count == model.sent_limit) {
            return count; /* it goes on another time */
        }
        send_one();
    }
    *reg(GEM_TX_STATUS) = (*reg(GEM_TX_STATUS) & ~TX_GOING) | 1;
    model_raise(INTERRUPT_TX_IDLE);
    return count;
}

uint32_t model_first_write(uint32_t at, uint32_t from)
{
    for (; from < model.write_count; from++) {
        if (model.writes[from].at == at) {
            break;
        }
    }
    return from;
}

/* --- Machines --- */

void model_reset(void)
{
    static const uint16_t phy[32] = {[0] = 0x1140, [1] = 0x796d, [2] = 0x0007, [3] = 0x0771,
                                     [4] = 0x01e1, [5] = 0xcde1, [9] = 0x0200, [10] = 0x7c00};
    memset(&model, 0, sizeof model);
    memset(&device, 0, sizeof device);
    gem = (struct gem){.phy = MII_NONE, .link = {.mbps = 1000, .full_duplex = true}};
    model.design1 = 2u << DESIGN1_BUS_WIDTH_SHIFT | DESIGN1_CLEAR_ON_READ;
    model.design2 = DESIGN2_RX_PACKET_MEMORY | DESIGN2_TX_PACKET_MEMORY;
    model.ring_physical = 0x80100000;
    model.pool_physical = 0xfff00000;
    model.has_mac_property = true;
    model.phy_property = 0;
    memcpy(model.phy, phy, sizeof phy);
    model.mask = UINT32_MAX;
    posted_count = 0;
    unseen = false;
    *reg(GEM_STATUS) = STATUS_PHY_IDLE;
    driver = (struct sk_driver){
        .range_count = 2, .ranges = {{BASE, 0x2000}, {MANAGEMENT, 0x1000}}, .interrupt_count = 1};
    device.driver = &driver;
}

status_t model_allocate(void)
{
    device.pool = (struct sk_dma){pool, model.pool_physical, sizeof pool, 2};
    return device_allocate(&device);
}

void model_start(uint32_t buffers)
{
    model_reset();
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    for (uint32_t i = 0; i < buffers; i++) {
        assert_int_equal(device_post_rx(&device, (uint16_t)i), SK_OK);
    }
    device_show_rx(&device);
    model_settle();
}
