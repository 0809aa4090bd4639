/* SPDX-License-Identifier: BSD-2-Clause */
/* The GEM's start, its PHY, its errors and its counters. */
#include "gem_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <sk/time.h>

enum { ADVERTISED = 4, PARTNER = 5, CONTROL_1000 = 9, STATUS_1000 = 10 };
#define LINK (1u << 2)
#define NEGOTIATED (1u << 5)

static uint32_t last_write(uint32_t at)
{
    uint32_t value = 0;
    uint32_t i = model_first_write(at, 0);
    assert_true(i < model.write_count);
    for (; i < model.write_count; i = model_first_write(at, i + 1)) {
        value = model.writes[i].value;
    }
    return value;
}

static void check_before(uint32_t first, uint32_t second)
{
    assert_true(model_first_write(first, 0) < model_first_write(second, 0));
    assert_true(model_first_write(second, 0) < model.write_count);
}

/* --- Starting --- */

static void starts_in_the_manuals_order(void **state)
{
    model_start(0);
    assert_int_equal(model.writes[0].at, GEM_CONTROL);
    assert_int_equal(model.writes[0].value, 0);
    assert_int_equal(model.writes[1].at, GEM_INTERRUPTS_OFF);
    assert_int_equal(model.writes[1].value, UINT32_MAX);
    check_before(GEM_ADDRESS_LOW, GEM_ADDRESS_HIGH); /* the second turns the filter on */
    check_before(MODEL_MANAGEMENT, GEM_RX_QUEUE);
    /* The model asserts that it stands while it is configured. Receiving and sending come last. */
    uint32_t on = 0;
    for (uint32_t i = 0; i < model.write_count; i++) {
        bool enables = model.writes[i].at == GEM_CONTROL &&
                       (model.writes[i].value & (CONTROL_RX | CONTROL_TX)) != 0;
        on = on == 0 && enables ? i : on;
    }
    for (uint32_t i = on + 1; i < model.write_count; i++) {
        assert_true(model.writes[i].at == GEM_CONTROL || model.writes[i].at == GEM_INTERRUPTS_ON);
    }
    assert_int_equal(last_write(GEM_RX_QUEUE), model.ring_physical);
    assert_int_equal(last_write(GEM_TX_QUEUE),
                     model.ring_physical + offsetof(struct gem_memory, tx));
    assert_int_equal(~model.mask, INTERRUPT_ERRORS);
    assert_int_equal(device.mtu, 1500);
    assert_true(device.link_up);
}

static void configures_what_is_there(void **state)
{
    model_start(0);
    assert_int_equal(device.features, SK_NIC_TX_CHECKSUM | SK_NIC_RX_CHECKSUM);
    /* Gigabit, full duplex, hash, 1536, pause, offset 2, /64, 64 bits wide, sums. */
    assert_int_equal(last_write(GEM_CONFIG), 0x1000000 | 1 << 21 | 4 << 18 | 1 << 17 | 1 << 16 |
                                                 2 << 14 | 1 << 13 | 1 << 10 | 1 << 8 | 1 << 6 |
                                                 1 << 1);
    assert_int_equal(last_write(GEM_DMA_CONFIG), 31 << 16 | 1 << 11 | 1 << 10 | 3 << 8 | 16);
    assert_int_equal(last_write(GEM_HASH_LOW), 0);
    assert_int_equal(last_write(GEM_HASH_HIGH), 0);
    model_reset();
    model.design2 = 0;
    model.design1 = 4u << DESIGN1_BUS_WIDTH_SHIFT; /* 128 bits, interrupts cleared by writing */
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(device.features, 0);
    assert_int_equal(last_write(GEM_CONFIG) & (CONFIG_RX_CHECKSUM | 3u << 21), 2u << 21);
    assert_int_equal(last_write(GEM_DMA_CONFIG) & DMA_TX_CHECKSUM, 0);
}

/* What the firmware did with it is over. */
static void forgets_what_was_before(void **state)
{
    model_reset();
    model.registers[GEM_CONTROL / 4] = CONTROL_RX | CONTROL_TX;
    model.registers[GEM_TX_STATUS / 4] = TX_UNDERRUN | TX_BUS_ERROR;
    model.registers[GEM_RX_STATUS / 4] = RX_RESPONSE_ERROR;
    model.registers[GEM_INTERRUPTS / 4] = UINT32_MAX;
    model.registers[0x1a4 / 4] = 7;
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    model_settle();
    assert_int_equal(model.registers[GEM_TX_STATUS / 4], 0);
    assert_int_equal(model.registers[GEM_RX_STATUS / 4], 0);
    assert_int_equal(model.registers[0x1a4 / 4], 0);
    assert_false(model_interrupts());
}

static void queues_not_in_use_are_stopped(void **state)
{
    model_reset();
    model.design6 = 1u << 1 | 1u << 3;
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(last_write(GEM_RX_QUEUE1), last_write(GEM_RX_QUEUE1 + 8));
    assert_int_equal(last_write(GEM_TX_QUEUE1), last_write(GEM_TX_QUEUE1 + 8));
    assert_int_equal(model_first_write(GEM_TX_QUEUE1 + 4, 0), model.write_count);
    assert_true((gem.memory->stop[0].word[0] & RX0_USED) != 0);
    assert_true((gem.memory->stop[1].word[1] & TX1_USED) != 0);
}

static void has_the_trees_address_or_the_firmwares(void **state)
{
    model_start(0);
    assert_memory_equal(device.mac, "\x52\x54\x00\x12\x34\x56", 6);
    assert_int_equal(last_write(GEM_ADDRESS_LOW), 0x12005452);
    assert_int_equal(last_write(GEM_ADDRESS_HIGH), 0x5634);
    model_reset();
    model.has_mac_property = false;
    model.registers[GEM_ADDRESS_LOW / 4] = 0x44332210;
    model.registers[GEM_ADDRESS_HIGH / 4] = 0x6655;
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    assert_memory_equal(device.mac, "\x10\x22\x33\x44\x55\x66", 6);
    model.registers[GEM_ADDRESS_LOW / 4] |= 1; /* a group's */
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(device.mac[0], 2);
}

static void refuses_what_it_cannot_use(void **state)
{
    model_reset();
    device.driver->range_count = 0;
    assert_int_equal(model_allocate(), SK_INVALID_ARGS);
    model_reset();
    device.driver->interrupt_count = 0;
    assert_int_equal(model_allocate(), SK_INVALID_ARGS);
    model_reset();
    device.driver->ranges[0].size = 0x400;
    assert_int_equal(model_allocate(), SK_INVALID_ARGS);
    model_reset();
    model.ring_physical = UINT64_C(0x100000000); /* descriptors hold 32 bits */
    assert_int_equal(model_allocate(), SK_NOT_SUPPORTED);
    model_reset();
    model.pool_physical = UINT64_C(0x480000000);
    assert_int_equal(model_allocate(), SK_NOT_SUPPORTED);
    model_reset();
    model.pool_physical = UINT64_C(0x100000000) - POOL_BYTES + 4096; /* its end */
    assert_int_equal(model_allocate(), SK_NOT_SUPPORTED);
}

static void a_device_that_never_stops_is_given_up(void **state)
{
    model_start(0);
    model.never_stops = true;
    model.registers[GEM_TX_STATUS / 4] |= TX_GOING;
    assert_int_equal(device_start(&device), SK_TIMED_OUT);
    device_fail(&device);
    model_settle();
    assert_int_equal(model.registers[GEM_CONTROL / 4], 0);
    assert_int_equal(model.mask, UINT32_MAX);
}

/* --- The PHY --- */

static void the_phy_is_found(void **state)
{
    model_reset();
    model.phy_property = 9; /* the tree errs */
    model.phy_address = 7;
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(gem.phy, 7);
    model_reset();
    model.phy_property = model.phy_address = 31;
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(gem.phy, 31);
    model_reset();
    model.phy_address = MII_NONE;
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_NOT_FOUND);
    model_reset();
    model.mdio_hangs = true;
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_TIMED_OUT);
    assert_int_equal(model.registers[GEM_CONTROL / 4] & (CONTROL_RX | CONTROL_TX), 0);
}

static void negotiates_only_what_is_new(void **state)
{
    model_start(0);
    assert_int_equal(model.phy[0], 0x1140); /* it had negotiated the same before */
    model_reset();
    model.phy[CONTROL_1000] = 0x0300; /* half duplex at 1000, which the device cannot */
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(model.phy[CONTROL_1000], 0x0200);
    assert_int_equal(model.phy[0], 0x1200);
    model.phy[0] = 0;
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(model.phy[0], 0); /* once in the driver's life */
    model_reset();
    model.phy[1] &= (uint16_t) ~(LINK | NEGOTIATED);
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(model.phy[0], 0x1200);
    assert_false(device.link_up);
}

static void takes_the_best_that_both_can(void **state)
{
    static const struct {
        uint16_t partner, partner_1000;
        uint32_t config;     /* gigabit, full duplex, 100 */
        uint32_t management; /* the clock: ours or the PHY's */
    } kinds[] = {
        {0xcde1, 0x0800, 0x402, 0}, {0xcde1, 0x0400, 0x003, 1}, {0x0081, 0, 0x001, 1},
        {0x0061, 0, 0x002, 1},      {0x0021, 0, 0x000, 1},      {0x00e1, 0, 0x001, 1},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        model_reset();
        model.phy[PARTNER] = kinds[i].partner;
        model.phy[STATUS_1000] = kinds[i].partner_1000;
        assert_int_equal(model_allocate(), SK_OK);
        assert_int_equal(device_start(&device), SK_OK);
        assert_true(device.link_up);
        assert_int_equal(last_write(GEM_CONFIG) & 0x403, kinds[i].config);
        assert_int_equal(last_write(MODEL_MANAGEMENT), kinds[i].management);
    }
}

static void links_come_and_go(void **state)
{
    uint64_t next = 0;
    model_start(0);
    assert_int_equal(device_look(&device, &next), 0);
    assert_true(next > model.now && next <= model.now + SK_SECOND);
    model.phy[1] &= (uint16_t)~LINK;
    assert_int_equal(device_look(&device, &next), DEVICE_LINK_CHANGED);
    assert_false(device.link_up);
    assert_true(next <= model.now + SK_SECOND / 2); /* looks more often */
    assert_int_equal(device_look(&device, &next), 0);
    model.phy[1] |= LINK;
    assert_int_equal(device_look(&device, &next), DEVICE_LINK_CHANGED);
    assert_true(device.link_up);
    model.phy[STATUS_1000] = 0; /* another partner */
    assert_int_equal(device_look(&device, &next), DEVICE_RESTART);
    assert_int_equal(last_write(GEM_CONFIG) & 0x403, 0x402); /* not while it runs */
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(last_write(GEM_CONFIG) & 0x403, 0x003);
    assert_int_equal(device_look(&device, &next), 0);
    model.mdio_hangs = true;
    assert_int_equal(device_look(&device, &next), DEVICE_BROKEN);
}

/* --- Errors and counters --- */

static void errors_of_sending_start_it_anew(void **state)
{
    static const struct {
        uint32_t interrupt, status;
    } kinds[] = {
        {INTERRUPT_TX_UNDERRUN, TX_UNDERRUN},          {INTERRUPT_TX_RETRIES, TX_RETRIES},
        {INTERRUPT_TX_RETRIES, TX_LATE_COLLISION},     {INTERRUPT_TX_BUS_ERROR, TX_BUS_ERROR},
        {INTERRUPT_RESPONSE_ERROR, TX_RESPONSE_ERROR},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sk_nic_descriptor d = {.offset = TX_HEADROOM, .length = 60};
        uint16_t buffer;
        model_start(1);
        assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
        device_show_tx(&device);
        model_settle();
        model.registers[GEM_TX_STATUS / 4] = kinds[i].status;
        model_raise(kinds[i].interrupt);
        assert_true(model_interrupts());
        assert_int_equal(device_interrupt(&device), DEVICE_RESTART);
        assert_int_equal(device.tx_failed, 1);
        assert_false(model_interrupts());
        /* Nothing of before is left. */
        assert_int_equal(device_start(&device), SK_OK);
        model_settle();
        assert_int_equal(model.registers[GEM_TX_STATUS / 4], 0);
        assert_int_equal(device_take_tx(&device, &buffer), SK_NOT_FOUND);
        assert_int_equal(model_transmit(), 0);
        assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
        device_show_tx(&device);
        assert_int_equal(model_transmit(), 1);
    }
}

static void an_error_of_receiving_from_memory_too(void **state)
{
    model_start(1);
    model.registers[GEM_RX_STATUS / 4] = RX_RESPONSE_ERROR;
    model_raise(INTERRUPT_RESPONSE_ERROR);
    assert_int_equal(device_interrupt(&device), DEVICE_RESTART);
    assert_int_equal(device.tx_failed, 0);
}

/* QEMU tells so of a frame that is too long: whoever sends us those must not stop us. */
static void an_error_that_is_none_changes_nothing(void **state)
{
    model_start(1);
    model_raise(INTERRUPT_TX_BUS_ERROR);
    assert_int_equal(device_interrupt(&device), 0);
    assert_true(model_receive("frame", 5, RX1_FIRST | RX1_LAST));
}

static void interrupts_are_cleared_as_the_device_wants(void **state)
{
    model_reset();
    model.design1 = 1u << DESIGN1_BUS_WIDTH_SHIFT; /* by writing ones */
    assert_int_equal(model_allocate(), SK_OK);
    assert_int_equal(device_start(&device), SK_OK);
    device_post_rx(&device, 0);
    device_show_rx(&device);
    assert_false(device_rx_interrupt_on(&device));
    assert_true(model_receive("frame", 5, RX1_FIRST | RX1_LAST));
    assert_true(model_interrupts());
    assert_int_equal(device_interrupt(&device), 0);
    model_settle();
    assert_false(model_interrupts());
}

static void losses_are_counted_once(void **state)
{
    uint64_t next;
    model_start(1);
    model.registers[0x190 / 4] = 3;  /* check sequence */
    model.registers[0x1a4 / 4] = 4;  /* overruns */
    model.registers[0x1b0 / 4] = 5;  /* wrong UDP sums */
    model.registers[0x158 / 4] = 99; /* frames received well */
    device_look(&device, &next);
    device_look(&device, &next);
    assert_int_equal(device.rx_lost, 12);
}

static void a_device_that_stands_still_is_started_anew(void **state)
{
    struct sk_nic_descriptor d = {.offset = TX_HEADROOM, .length = 60};
    uint16_t buffer;
    uint64_t next;
    model_start(1);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(device_look(&device, &next), 0); /* nothing to send */
    }
    assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(device_look(&device, &next), 0);
    }
    device_show_tx(&device);
    assert_int_equal(model_transmit(), 1);
    assert_int_equal(device_take_tx(&device, &buffer), SK_OK);
    assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
    assert_int_equal(device_look(&device, &next), 0); /* it has moved */
    model.phy[1] &= (uint16_t)~LINK;
    device_look(&device, &next);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(device_look(&device, &next), 0); /* no link: no wonder */
    }
    model.phy[1] |= LINK;
    assert_int_equal(device_look(&device, &next), DEVICE_LINK_CHANGED);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(device_look(&device, &next), 0);
    }
    assert_int_equal(device_look(&device, &next), DEVICE_BROKEN);
}

/* --- Groups --- */

static void groups_are_hashed_as_the_manual_says(void **state)
{
    /* hash_index[i] = da[i] ^ da[i + 6] ^ ... ^ da[i + 42], da[0] being the first bit on the wire: */
    static const struct {
        uint8_t group[6];
        uint32_t index;
    } cases[] = {
        {{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}, 15}, {{0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb}, 56},
        {{0x01, 0x00, 0x5e, 0x4d, 0x58, 0x63}, 55}, {{0x33, 0x33, 0x00, 0x00, 0x00, 0x01}, 44},
        {{0x01, 0x00, 0x5e, 0x00, 0x00, 0x01}, 38}, {{0x01, 0x00, 0x00, 0x00, 0x00, 0x00}, 1}};
    uint64_t all = 0;

    model_start(0);
    assert_int_equal(last_write(GEM_HASH_LOW) | last_write(GEM_HASH_HIGH), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t wanted = UINT64_C(1) << cases[i].index;
        memcpy(device.groups[0], cases[i].group, 6);
        device.group_count = 1;
        device_set_groups(&device);
        assert_int_equal(last_write(GEM_HASH_LOW), (uint32_t)wanted);
        assert_int_equal(last_write(GEM_HASH_HIGH), wanted >> 32);
        memcpy(device.groups[1 + i], cases[i].group, 6);
        all |= wanted;
    }
    device.group_count = 1 + sizeof cases / sizeof cases[0];
    device_set_groups(&device);
    assert_int_equal(last_write(GEM_HASH_LOW), (uint32_t)all);
    assert_int_equal(last_write(GEM_HASH_HIGH), all >> 32);
    assert_true((last_write(GEM_CONFIG) & CONFIG_MULTICAST_HASH) != 0);
}

static void a_new_start_keeps_the_groups(void **state)
{
    model_start(0);
    memcpy(device.groups[0], "\x01\x00\x5e\x01\x02\x03", 6);
    device.group_count = 1;
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(last_write(GEM_HASH_LOW), 1u << 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_in_the_manuals_order),
        cmocka_unit_test(configures_what_is_there),
        cmocka_unit_test(forgets_what_was_before),
        cmocka_unit_test(queues_not_in_use_are_stopped),
        cmocka_unit_test(has_the_trees_address_or_the_firmwares),
        cmocka_unit_test(refuses_what_it_cannot_use),
        cmocka_unit_test(a_device_that_never_stops_is_given_up),
        cmocka_unit_test(the_phy_is_found),
        cmocka_unit_test(negotiates_only_what_is_new),
        cmocka_unit_test(takes_the_best_that_both_can),
        cmocka_unit_test(links_come_and_go),
        cmocka_unit_test(errors_of_sending_start_it_anew),
        cmocka_unit_test(an_error_of_receiving_from_memory_too),
        cmocka_unit_test(an_error_that_is_none_changes_nothing),
        cmocka_unit_test(interrupts_are_cleared_as_the_device_wants),
        cmocka_unit_test(losses_are_counted_once),
        cmocka_unit_test(a_device_that_stands_still_is_started_anew),
        cmocka_unit_test(groups_are_hashed_as_the_manual_says),
        cmocka_unit_test(a_new_start_keeps_the_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
