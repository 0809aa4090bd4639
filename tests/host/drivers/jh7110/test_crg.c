/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks, resets and fields of the JH7110 as the Ethernet driver of each port asks for them, on both
 * revisions of the board: which registers change, in which order, and that nothing else can be
 * reached over a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sk/ipc.h>
#include <sk/protocol/platform.h>
#include <sk/service.h>
#include <sk/time.h>

#include "board.h"

#define GMAC "drivers/net/dwmac/net-dwmac.driver"

static void enable_all(struct sk_driver *driver)
{
    static const char *const names[] = {"pclk", "stmmaceth", "ptp_ref", "tx", "gtx"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(sk_clock_enable(driver, names[i]), SK_OK);
    }
}

/* gmac0 sends by the clock that it receives: the selector is set before the driver runs. */
static void port0_of_v13b(void **state)
{
    board_power_on(V13B);
    struct sk_driver *gmac = board_driver(GMAC, 0);
    assert_string_equal(board_writes(), "17000014=01000000\n"); /* TX from RMII_RTX */
    enable_all(gmac);
    assert_string_equal(board_writes(), "17000008=80000000\n"   /* AHB */
                                        "1700000c=80000000\n"   /* AXI */
                                        "130201b4=8000000a\n"   /* PTP, its divisor kept */
                                        "17000014=81000000\n"   /* TX, whose inverter has no gate */
                                        "130201b0=80000008\n"   /* GTXCLK before */
                                        "130201bc=80000000\n"); /* GTXC */
    assert_int_equal(sk_field_write(gmac, "starfive,syscon", 1), SK_OK);
    assert_string_equal(board_writes(), "1701000c=00040000\n");
    assert_int_equal(sk_reset_hold(gmac, "stmmaceth", false), SK_OK);
    assert_int_equal(sk_reset_hold(gmac, "ahb", false), SK_OK);
    assert_string_equal(board_writes(), "17000038=fffffffe\n17000038=fffffffc\n");
    assert_true(board_is_released(AONCRG, 0) && board_is_released(AONCRG, 1));
    assert_false(board_is_released(AONCRG, 2));
    assert_int_equal(sk_reset_hold(gmac, "ahb", true), SK_OK);
    assert_string_equal(board_writes(), "17000038=fffffffe\n");
}

static void port1_of_v13b(void **state)
{
    board_power_on(V13B);
    struct sk_driver *gmac = board_driver(GMAC, 1);
    assert_string_equal(board_writes(), "130201a4=01000000\n");
    enable_all(gmac);
    assert_string_equal(board_writes(), "13020184=80000000\n"
                                        "13020188=80000000\n"
                                        "13020198=8000000a\n"
                                        "130201a4=81000000\n"
                                        "130201ac=80000000\n");
    board_poke(SYS_SYSCON + 0x90, 0xffffffff);
    assert_int_equal(sk_field_write(gmac, "starfive,syscon", 1), SK_OK);
    assert_string_equal(board_writes(), "13030090=ffffffe7\n"); /* the neighbours stay */
    assert_int_equal(sk_reset_hold(gmac, "stmmaceth", false), SK_OK);
    assert_int_equal(sk_reset_hold(gmac, "ahb", false), SK_OK);
    assert_string_equal(board_writes(), "13020300=fffffffb\n13020300=fffffff3\n");
    assert_true(board_is_released(SYSCRG, 66) && board_is_released(SYSCRG, 67));
}

/* gmac0 of v1.2a: the clock is made from PLL0, by way of the other generator. */
static void port0_of_v12a_follows_the_speed(void **state)
{
    board_power_on(V12A);
    struct sk_driver *gmac = board_driver(GMAC, 0);
    assert_string_equal(board_writes(), "");
    assert_int_equal(sk_clock_enable(gmac, "tx"), SK_OK);
    assert_string_equal(board_writes(), "130201b0=80000008\n17000014=80000000\n");
    uint64_t hz = 0;
    assert_int_equal(sk_clock_rate(gmac, "tx", &hz), SK_OK);
    assert_int_equal(hz, 125000000);
    assert_int_equal(sk_clock_set_rate(gmac, "tx", &hz), SK_OK);
    assert_string_equal(board_writes(), ""); /* it is so already */
    board_poke(SYS_SYSCON + 0x24, 2);        /* PLL0 at 1.5 GHz, as Linux has it */
    assert_int_equal(sk_clock_set_rate(gmac, "tx", &hz), SK_OK);
    assert_string_equal(board_writes(), "130201b0=8000000c\n");
    assert_int_equal(hz, 125000000);
    hz = 25000000; /* the divisor has four bits */
    assert_int_equal(sk_clock_set_rate(gmac, "tx", &hz), SK_OUT_OF_RANGE);
    assert_string_equal(board_writes(), "");
    hz = 1ull << 62; /* no less than it can be */
    assert_int_equal(sk_clock_set_rate(gmac, "tx", &hz), SK_OK);
    assert_int_equal(hz, 1500000000);
    assert_string_equal(board_writes(), "130201b0=80000001\n");
}

/* gmac1 of v1.2a: RMII, from the 50 MHz that come in. */
static void port1_of_v12a_follows_the_speed(void **state)
{
    board_power_on(V12A);
    struct sk_driver *gmac = board_driver(GMAC, 1);
    assert_string_equal(board_writes(), "130201a4=01000000\n1302019c=01000000\n");
    uint64_t hz = 25000000;
    assert_int_equal(sk_clock_set_rate(gmac, "tx", &hz), SK_OK);
    assert_int_equal(hz, 25000000);
    assert_string_equal(board_writes(), "13020194=00000002\n");
    hz = 2500000;
    assert_int_equal(sk_clock_set_rate(gmac, "tx", &hz), SK_OK);
    assert_string_equal(board_writes(), "13020194=00000014\n");
    hz = 125000000; /* faster than what comes in: the whole of it */
    assert_int_equal(sk_clock_set_rate(gmac, "tx", &hz), SK_OK);
    assert_int_equal(hz, 50000000);
    assert_int_equal(sk_field_write(gmac, "starfive,syscon", 4), SK_OK);
    assert_int_equal(board_read(SYS_SYSCON + 0x90), 4u << 2);
}

static void the_pll_is_read(void **state)
{
    board_power_on(V12A);
    struct sk_driver *gmac = board_driver(GMAC, 0);
    uint64_t hz = 0;
    board_poke(SYS_SYSCON + 0x18, 0);                   /* fractions */
    board_poke(SYS_SYSCON + 0x20, 1u << 23 | 1u << 28); /* and a half; divided by two behind */
    assert_int_equal(sk_clock_rate(gmac, "tx", &hz), SK_OK);
    assert_int_equal(hz, 24000000ull * 251 / 2 / 3 / 2 / 8);
    board_poke(SYS_SYSCON + 0x24, 0); /* not set up */
    assert_int_equal(sk_clock_rate(gmac, "tx", &hz), SK_IO_ERROR);
}

static void a_reset_that_does_not_end_times_out(void **state)
{
    board_power_on(V13B);
    struct sk_driver *gmac = board_driver(GMAC, 1);
    board_stick_resets(true);
    uint64_t before = board_now;
    assert_int_equal(sk_reset_hold(gmac, "stmmaceth", false), SK_TIMED_OUT);
    assert_in_range(board_now - before, 10 * SK_MS, 11 * SK_MS);
    assert_true(board_slept > 9 * SK_MS); /* slept, not spun */
}

static void a_provider_that_is_gone_is_told(void **state)
{
    board_power_on(V13B);
    struct sk_driver *gmac = board_driver(GMAC, 1);
    board_cut_lines(true);
    assert_int_equal(sk_clock_enable(gmac, "tx"), SK_PEER_CLOSED);
    assert_int_equal(sk_clock_enable(gmac, "none"), SK_NOT_FOUND);
    assert_int_equal(sk_reset_hold(gmac, "tx", false), SK_NOT_FOUND);
    assert_int_equal(sk_field_write(gmac, "phy-mode", 1), SK_NOT_FOUND);
}

/* --- Hostile drivers: what goes over a line is theirs to write --- */

static int64_t ask(handle_t line, uint64_t operation, uint32_t id, uint64_t value)
{
    struct sk_platform_request request = {operation, id, 0, value};
    struct sk_platform_reply reply;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&reply, sizeof reply);
    assert_int_equal(sk_channel_call(line, &out, &in, board_now + SK_SECOND), SK_OK);
    return reply.status;
}

static void a_line_is_for_what_the_tree_names_only(void **state)
{
    board_power_on(V13B);
    board_driver(GMAC, 1);
    handle_t line = sk_boot_handle("line0"); /* to syscrg */
    handle_t syscon = sk_boot_handle("line1");
    assert_int_equal(sk_boot_handle("line2"), SK_HANDLE_NONE); /* nothing to the other domain */
    board_writes();
    for (uint32_t id = 0; id < 300; id++) {
        bool clock = id == 97 || id == 98 || id == 102 || id == 106 || id == 107;
        bool reset = id == 66 || id == 67;
        if (!clock) {
            assert_int_equal(ask(line, SK_PLATFORM_CLOCK_ENABLE, id, 0), SK_NOT_ALLOWED);
            assert_int_equal(ask(line, SK_PLATFORM_CLOCK_SET_RATE, id, 1000), SK_NOT_ALLOWED);
            assert_int_equal(ask(line, SK_PLATFORM_CLOCK_RATE, id, 0), SK_NOT_ALLOWED);
        }
        if (!reset) {
            assert_int_equal(ask(line, SK_PLATFORM_RESET, id, 1), SK_NOT_ALLOWED);
        }
        assert_int_equal(ask(line, SK_PLATFORM_FIELD_WRITE, id, 0), SK_NOT_ALLOWED);
        if (id != 0x90) {
            assert_int_equal(ask(syscon, SK_PLATFORM_FIELD_WRITE, id, 0), SK_NOT_ALLOWED);
        }
        assert_int_equal(ask(syscon, SK_PLATFORM_CLOCK_RATE, id, 0), SK_NOT_ALLOWED);
    }
    assert_int_equal(ask(syscon, SK_PLATFORM_FIELD_WRITE, 0x90, 8), SK_OUT_OF_RANGE);
    assert_int_equal(ask(syscon, SK_PLATFORM_FIELD_WRITE, 0x90, ~0ull), SK_OUT_OF_RANGE);
    assert_int_equal(ask(line, 0, 66, 0), SK_INVALID_ARGS);
    assert_int_equal(ask(line, SK_PLATFORM_LIMIT, 66, 0), SK_INVALID_ARGS);
    assert_int_equal(ask(line, ~0ull, 66, 0), SK_INVALID_ARGS);
    assert_string_equal(board_writes(), "");
}

/* A driver that sends a limit of its own, as devmgr does, gets nothing by it. */
static void a_limit_is_taken_once(void **state)
{
    struct sk_platform_limit wider = {.operation = SK_PLATFORM_LIMIT,
                                      .count = 1,
                                      .rights = {{.kind = SK_PLATFORM_RESET_LINE, .id = 5}}};
    struct sk_out out = sk_out_bytes(&wider, sizeof wider);
    board_power_on(V13B);
    board_driver(GMAC, 1);
    handle_t line = sk_boot_handle("line0");
    board_writes();
    assert_int_equal(sk_channel_send(line, &out), SK_OK);
    assert_int_equal(ask(line, SK_PLATFORM_RESET, 5, 1), SK_NOT_ALLOWED);
    wider.rights[0] = (struct sk_platform_right){.kind = SK_PLATFORM_PARENT, .id = 105, .a = 100};
    assert_int_equal(sk_channel_send(line, &out), SK_OK);
    assert_int_equal(ask(line, SK_PLATFORM_RESET, 5, 1), SK_NOT_ALLOWED);
    assert_string_equal(board_writes(), "");
    assert_int_equal(ask(line, SK_PLATFORM_RESET, 66, 0), SK_OK); /* what it had it has */
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(port0_of_v13b),
        cmocka_unit_test(port1_of_v13b),
        cmocka_unit_test(port0_of_v12a_follows_the_speed),
        cmocka_unit_test(port1_of_v12a_follows_the_speed),
        cmocka_unit_test(the_pll_is_read),
        cmocka_unit_test(a_reset_that_does_not_end_times_out),
        cmocka_unit_test(a_provider_that_is_gone_is_told),
        cmocka_unit_test(a_line_is_for_what_the_tree_names_only),
        cmocka_unit_test(a_limit_is_taken_once),
    };
    if (argc != 3) {
        return 1;
    }
    board_folders(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
