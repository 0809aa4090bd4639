/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Ethernet driver of the JH7110, from power-on to a link that is up, on both ports of both board
 * revisions: which registers of what it writes, in which order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sk/time.h>

#include "fixture.h"

static const uint16_t settings[] = {0xa001, 0xa003, 0xa010, 0xa012, 0x000c, 0x0027};

static void check_settings(const uint16_t expected[6])
{
    for (size_t i = 0; i < 6; i++) {
        if (model_phy.ext[settings[i]] != expected[i]) {
            fail_msg("PHY register %x is %x, not %x", settings[i], model_phy.ext[settings[i]],
                     expected[i]);
        }
    }
}

/* --- Starting --- */

/* Everything but the PHY's bus, in this order. */
static const char *without_bus(const char *writes)
{
    static char text[1u << 16];
    size_t length = 0;
    for (const char *line = writes; *line != '\0'; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "16040200", 8) != 0 && strncmp(line, "16040204", 8) != 0) {
            size_t size = (size_t)(strchr(line, '\n') + 1 - line);
            memcpy(text + length, line, size);
            length += size;
        }
    }
    text[length] = '\0';
    return text;
}

static void a_start_writes_this_in_this_order(void **state)
{
    prepare(V13B, 1);
    assert_int_equal(device_start(&device), SK_OK);
    assert_string_equal(without_bus(board_writes()),
                        /* clocks: AHB, AXI, PTP, TX, GTXC; the interface: RGMII */
                        "13020184=80000000\n13020188=80000000\n13020198=8000000a\n"
                        "130201a4=81000000\n130201ac=80000000\n13030090=00000004\n"
                        /* held, let go */
                        "13020300=ffffffff\n13020300=ffffffff\n"
                        "13020300=fffffffb\n13020300=fffffff3\n"
                        /* its own reset */
                        "16041000=00000001\n"
                        /* queues of 2 KiB: store and forward; one receive queue */
                        "16040d00=0007000a\n16040d30=00700020\n160400a0=00000002\n"
                        /* no interrupts of counters or the MAC */
                        "1604070c=ffffffff\n16040710=ffffffff\n16040800=ffffffff\n"
                        "160400b4=00000000\n"
                        /* address, filter of groups: none, flow control, nothing on the wire yet */
                        "16040300=0000755b\n16040304=0039cf6c\n"
                        "16040010=00000000\n16040014=00000000\n16040008=00000004\n"
                        "16040070=00000000\n16040090=00000000\n16040000=00300000\n"
                        /* the bus, the channel, bursts of 16 not times 8 */
                        "16041004=0002000e\n16041100=00000000\n16041104=00100010\n"
                        "16041108=00100c00\n"
                        /* rings, transmit behind receive, then interrupts of errors only */
                        "16041110=00000000\n16041114=80081000\n1604112c=0000007f\n"
                        "16041118=00000000\n1604111c=80080000\n16041130=000000ff\n"
                        "16041160=ffffffff\n16041134=00007102\n"
                        /* on; the tails last */
                        "16041104=00100011\n16041108=00100c01\n"
                        "16041120=80081000\n16041128=80080000\n");
    assert_memory_equal(device.mac, mac, 6);
    assert_int_equal(device.mtu, 1500);
    assert_int_equal(device.features, 0);
    assert_false(device.link_up);
    assert_false(model_line());
}

static void each_port_has_its_phy_settings(void **state)
{
    static const struct {
        const char *tree;
        uint32_t port;
        uint16_t expected[6]; /* of `settings` */
        uint32_t mode_register, mode;
    } ports[] = {
        {V13B, 0, {0x8031, 0x68fa, 0xcbff, 0x0088, 0x9044, 0xe812}, AON_SYSCON + 12, 1u << 18},
        {V13B, 1, {0x8031, 0x48f0, 0xcbff, 0x0088, 0x9044, 0xe812}, SYS_SYSCON + 0x90, 1u << 2},
        {V12A, 0, {0x8131, 0x40f9, 0x7bcf, 0x0088, 0x9044, 0xe812}, AON_SYSCON + 12, 1u << 18},
        {V12A, 1, {0x8031, 0x40f1, 0x7bcf, 0x00c8, 0x9044, 0xe812}, SYS_SYSCON + 0x90, 4u << 2},
    };
    for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        prepare(ports[i].tree, ports[i].port);
        assert_int_equal(device_start(&device), SK_OK);
        check_settings(ports[i].expected);
        assert_int_equal(board_read(ports[i].mode_register), ports[i].mode);
        assert_int_equal(model_phy.advertised & 0x1e1, 0x1e1);
    }
}

static void delays_by_the_binding(void **state)
{
    static const struct {
        const char *mode, *rx, *tx;
        uint16_t chip, rgmii;
    } cases[] = {
        {"rgmii-id", "1950", "1950", 0x8031, 0x74fd}, {"rgmii-id", "2250", "0", 0x8031, 0x7cf0},
        {"rgmii-id", "1900", "150", 0x8131, 0x40f1},  {"rgmii-id", "4150", "150", 0x8131, 0x7cf1},
        {"rgmii-id", "1", "4000", 0x8031, 0x74fd}, /* not to be had: the default */
        {"rgmii-rxid", "300", "300", 0x8031, 0x48f0}, {"rgmii-txid", "1900", "300", 0x8031, 0x40f2},
        {"rgmii", "1900", "300", 0x8031, 0x40f0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        prepare(V12A, 0);
        board_argument(driver, "phy-mode", cases[i].mode);
        board_argument(driver, "phy-handle/rx-internal-delay-ps", cases[i].rx);
        board_argument(driver, "phy-handle/tx-internal-delay-ps", cases[i].tx);
        assert_int_equal(device_allocate(&device), SK_OK);
        assert_int_equal(device_start(&device), SK_OK);
        assert_int_equal(model_phy.ext[0xa001], cases[i].chip);
        assert_int_equal(model_phy.ext[0xa003], cases[i].rgmii);
    }
}

static void a_phy_that_need_not_sleep_or_stop_its_clock(void **state)
{
    prepare(V13B, 0);
    board_argument(driver, "phy-handle/motorcomm,keep-pll-enabled", "1");
    board_argument(driver, "phy-handle/motorcomm,auto-sleep-disabled", "1");
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(model_phy.ext[0x000c], 0x8044);
    assert_int_equal(model_phy.ext[0x0027], 0x6812);
}

static void what_the_device_needs_must_be_there(void **state)
{
    prepare(V13B, 0);
    board_argument(driver, "phy-mode", "sgmii");
    assert_int_equal(device_allocate(&device), SK_NOT_SUPPORTED);
    prepare(V13B, 0);
    driver->interrupt_count = 0;
    assert_int_equal(device_allocate(&device), SK_INVALID_ARGS);
    driver->interrupt_count = 1;
    driver->ranges[0].size = 0x1000;
    assert_int_equal(device_allocate(&device), SK_INVALID_ARGS);
    driver->ranges[0].size = 0x10000;
    model_dma_base(0xfffff000); /* the rings cross 4 GiB, where tail registers end */
    assert_int_equal(device_allocate(&device), SK_NOT_SUPPORTED);
}

/* A clock's driver that has died takes this one with it: its next life has a line to the next. */
static void without_its_providers_it_ends(void **state)
{
    prepare(V13B, 0);
    board_cut_lines(true);
    if (setjmp(board_died) == 0) {
        device_start(&device);
        fail_msg("it goes on");
    }
    board_cut_lines(false);
    board_stick_resets(true);
    assert_int_equal(device_start(&device), SK_TIMED_OUT);
    board_stick_resets(false);
    assert_int_equal(device_start(&device), SK_OK);
    run(V12A, 1, 100);
    board_cut_lines(true);
    model_phy.mbps = 10;
    if (setjmp(board_died) == 0) {
        look();
        fail_msg("it goes on");
    }
}

static void the_address_is_the_firmwares(void **state)
{
    static const struct {
        const char *local, *other;
        uint8_t expected[6];
    } cases[] = {
        {"6c:cf:39:00:5b:75", "02:00:00:00:00:01", {0x6c, 0xcf, 0x39, 0, 0x5b, 0x75}},
        {"00:00:00:00:00:00", "02:00:00:00:00:01", {2, 0, 0, 0, 0, 1}},
        {"01:00:5e:00:00:01", "02:00:00:00:00:01", {2, 0, 0, 0, 0, 1}}, /* a group's */
        {"6c:cf:39:00:5b", "ff:ff:ff:ff:ff:ff", {2, 's', 'k', 'e', 'r', 'y'}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        prepare(V13B, 0);
        board_argument(driver, "local-mac-address", cases[i].local);
        board_argument(driver, "mac-address", cases[i].other);
        assert_int_equal(device_start(&device), SK_OK);
        assert_memory_equal(device.mac, cases[i].expected, 6);
    }
}

static void a_silent_bus_or_no_phy(void **state)
{
    prepare(V13B, 1);
    model_phy.answers = false;
    uint64_t before = board_now;
    assert_int_equal(device_start(&device), SK_TIMED_OUT);
    assert_true(board_now - before < 20 * SK_MS);
    prepare(V13B, 1);
    model_phy.address = 31; /* not where the tree says: it is found */
    assert_int_equal(device_start(&device), SK_OK);
    prepare(V13B, 1);
    model_phy.address = 32;
    assert_int_equal(device_start(&device), SK_NOT_FOUND);
}

/* Waiting for the PHY sleeps, and takes about as long as the transfers do. */
static void the_bus_is_slept_through(void **state)
{
    prepare(V13B, 1);
    uint64_t before = board_now;
    assert_int_equal(device_start(&device), SK_OK);
    assert_true(board_slept > (board_now - before) / 2);
    assert_true(board_now - before < 10 * SK_MS);
}

static void without_a_cable_it_waits_for_the_clock(void **state)
{
    prepare(V13B, 0);
    model_phy.clock = false;
    assert_int_equal(device_start(&device), SK_OK);
    assert_false(device.link_up);
    for (uint16_t i = 0; i < RX_BUFFERS; i++) {
        assert_int_equal(device_post_rx(&device, i), SK_OK);
    }
    device_show_rx(&device);
    device_interrupts_off(&device);
    assert_false(device_rx_interrupt_on(&device));
    uint64_t next, before = board_now;
    assert_int_equal(device_look(&device, &next), 0);
    assert_true(board_now - before < SK_SECOND / 2 && next - board_now <= SK_SECOND);
    model_phy.clock = model_phy.link = true;
    model_phy.mbps = 1000;
    assert_int_equal(look(), DEVICE_LINK_CHANGED);
    uint8_t packet[60] = {255, 255, 255, 255, 255, 255};
    struct sk_nic_descriptor d;
    assert_true(model_receive(packet, sizeof packet, MODEL_NO_ERROR)); /* what was posted then */
    assert_int_equal(device_take_rx(&device, &d), SK_OK);
    assert_int_equal(d.buffer, 0);
}

static void an_earlier_owner_has_switched_the_phy_off(void **state)
{
    static const uint16_t left[] = {0x1940, 0x1540}; /* powered down; isolated, and negotiated */
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        prepare(V13B, 0);
        model_phy.control = left[i];
        model_phy.link = left[i] == 0x1540;
        model_phy.mbps = 100;
        model_phy.advertised = 0x01e1;
        model_phy.control_1000 = 0x0200;
        assert_int_equal(device_start(&device), SK_OK);
        assert_int_equal(model_phy.control & (1 << 11 | 1 << 10), 0);
        model_phy.link = true;
        assert_int_equal(look(), DEVICE_LINK_CHANGED);
    }
}

static void a_given_up_device_is_reset_and_let_be(void **state)
{
    uint8_t packet[60] = {255, 255, 255, 255, 255, 255};
    run(V13B, 1, 1000);
    assert_true(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
    device_fail(&device);
    assert_string_equal(board_writes(), "13020300=fffffff7\n13020300=ffffffff\n"
                                        "13020300=fffffffb\n13020300=fffffff3\n");
    assert_false(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
    device_show_rx(&device);
    device_show_tx(&device);
    device_interrupts_off(&device);
    assert_string_equal(board_writes(), "");
}

/* --- The link --- */

static void the_link_sets_speeds_and_clocks(void **state)
{
    static const struct {
        const char *tree;
        uint32_t port, mbps, config;
        uint16_t inverted; /* bit 14 of a003; the model begins with it set */
        uint32_t clock, divisor;
    } links[] = {
        {V13B, 0, 1000, 0x00302003, 1, 0, 0},
        {V13B, 0, 100, 0x0030e003, 1, 0, 0},
        {V13B, 0, 10, 0x0030a003, 0, 0, 0},
        {V13B, 1, 1000, 0x00302003, 0, 0, 0},
        {V13B, 1, 100, 0x0030e003, 1, 0, 0},
        {V13B, 1, 10, 0x0030a003, 0, 0, 0},
        {V12A, 0, 1000, 0x00302003, 1, SYSCRG + 4 * 108, 0x80000008},
        {V12A, 1, 100, 0x0030e003, 1, SYSCRG + 4 * 101, 2},
        {V12A, 1, 10, 0x0030a003, 1, SYSCRG + 4 * 101, 20},
    };
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        run(links[i].tree, links[i].port, links[i].mbps);
        assert_int_equal(model_register(MAC_CONFIG), links[i].config);
        assert_int_equal(model_phy.ext[0xa003] >> 14 & 1, links[i].inverted);
        if (links[i].clock != 0) {
            assert_int_equal(board_read(links[i].clock), links[i].divisor);
        }
    }
}

static void a_speed_without_a_clock_is_no_link(void **state)
{
    prepare(V12A, 0);
    assert_int_equal(device_start(&device), SK_OK);
    model_phy.link = true;
    model_phy.mbps = 100; /* PLL0 through four bits does not become 25 MHz */
    assert_int_equal(look(), 0);
    assert_false(device.link_up);
    assert_int_equal(model_register(MAC_CONFIG) & 3, 0);
    model_phy.mbps = 1000;
    assert_int_equal(look(), DEVICE_LINK_CHANGED);
    assert_true(device.link_up);
}

static void a_cable_out_and_in_at_another_speed(void **state)
{
    run(V13B, 1, 1000);
    assert_int_equal(look(), 0);
    assert_string_equal(without_bus(board_writes()), "");
    model_phy.link = false;
    assert_int_equal(look(), DEVICE_LINK_CHANGED);
    assert_false(device.link_up);
    assert_int_equal(model_register(MAC_CONFIG) & 3, 0);
    model_phy.link = true;
    model_phy.mbps = 100;
    assert_int_equal(look(), DEVICE_LINK_CHANGED);
    assert_int_equal(model_register(MAC_CONFIG), 0x0030e003);
    board_writes();
    model_phy.mbps = 10; /* between two looks: off before it is on again */
    assert_int_equal(look(), 0);
    assert_true(device.link_up);
    assert_string_equal(without_bus(board_writes()), "16040000=00300000\n16040000=0030a003\n");
}

static void a_packet_that_is_not_sent_is_a_broken_device(void **state)
{
    struct sk_nic_descriptor d = {.buffer = 0, .offset = 16, .length = 60};
    uint8_t bytes[2048];
    run(V13B, 0, 1000);
    assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
    device_show_tx(&device);
    assert_int_equal(look(), 0);
    assert_int_equal(look(), DEVICE_BROKEN);
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
    device_show_tx(&device);
    assert_int_equal(look(), DEVICE_LINK_CHANGED); /* a new start, a new patience */
    assert_int_equal(model_send(bytes, sizeof bytes, false),
                     60); /* sent, though nobody has looked */
    assert_int_equal(look(), 0);
    assert_int_equal(look(), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_writes_this_in_this_order),
        cmocka_unit_test(each_port_has_its_phy_settings),
        cmocka_unit_test(delays_by_the_binding),
        cmocka_unit_test(a_phy_that_need_not_sleep_or_stop_its_clock),
        cmocka_unit_test(what_the_device_needs_must_be_there),
        cmocka_unit_test(without_its_providers_it_ends),
        cmocka_unit_test(the_address_is_the_firmwares),
        cmocka_unit_test(a_silent_bus_or_no_phy),
        cmocka_unit_test(the_bus_is_slept_through),
        cmocka_unit_test(without_a_cable_it_waits_for_the_clock),
        cmocka_unit_test(an_earlier_owner_has_switched_the_phy_off),
        cmocka_unit_test(a_given_up_device_is_reset_and_let_be),
        cmocka_unit_test(the_link_sets_speeds_and_clocks),
        cmocka_unit_test(a_speed_without_a_clock_is_no_link),
        cmocka_unit_test(a_cable_out_and_in_at_another_speed),
        cmocka_unit_test(a_packet_that_is_not_sent_is_a_broken_device),
    };
    if (argc != 3) {
        return 1;
    }
    board_folders(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
