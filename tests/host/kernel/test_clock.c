/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/clock.c: conversions are exact, round the right way, and never wrap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arch/irq.h>
#include <kernel/clock.h>

#define NS_PER_SECOND 1000000000ull
#define YEAR_SECONDS (365ull * 24 * 3600)

_Atomic uint64_t host_ticks; /* what arch/host's clock_ticks reads */

/* Timebases of real boards, and ones that do not divide a second. */
static const uint64_t timebases[] = {1000000,  3000000, 4000000,   6250000,   10000000,
                                     24000000, 32768,   999999937, 3000000000};

static void start(uint64_t hz, uint64_t first_tick)
{
    host_ticks = first_tick;
    clock_init(hz);
}

static void counts_from_boot(void **state)
{
    start(10000000, 123456789);
    assert_int_equal(clock_now_ns(), 0);
    host_ticks += 1;
    assert_int_equal(clock_now_ns(), 100);
    host_ticks += 10000000ull * 3600;
    assert_int_equal(clock_now_ns(), 3600 * NS_PER_SECOND + 100);
}

static void is_exact_for_centuries(void **state)
{
    for (size_t i = 0; i < sizeof(timebases) / sizeof(timebases[0]); i++) {
        uint64_t hz = timebases[i];
        start(hz, 0);
        host_ticks = hz * YEAR_SECONDS * 100 + hz / 3;
        unsigned __int128 expected = (unsigned __int128)host_ticks * NS_PER_SECOND / hz;
        assert_true(clock_now_ns() == (uint64_t)expected);
    }
}

static void a_deadline_is_the_first_tick_at_or_after(void **state)
{
    static const uint64_t moments[] = {0, 1, 99, 100, 101, 999999999, 1000000001, 123456789012345};
    for (size_t i = 0; i < sizeof(timebases) / sizeof(timebases[0]); i++) {
        start(timebases[i], 77777);
        for (size_t j = 0; j < sizeof(moments) / sizeof(moments[0]); j++) {
            uint64_t tick = clock_ns_to_ticks(moments[j]);
            host_ticks = tick;
            assert_true(clock_now_ns() >= moments[j] || timebases[i] > NS_PER_SECOND);
            unsigned __int128 product = (unsigned __int128)(tick - 77777) * NS_PER_SECOND;
            assert_true(product >= (unsigned __int128)moments[j] * timebases[i]);
            assert_true(product < (unsigned __int128)moments[j] * timebases[i] + NS_PER_SECOND);
        }
    }
}

static void never_is_never(void **state)
{
    for (size_t i = 0; i < sizeof(timebases) / sizeof(timebases[0]); i++) {
        start(timebases[i], 1ull << 40);
        assert_true(clock_ns_to_ticks(SK_DEADLINE_NEVER) >
                    host_ticks + timebases[i] * YEAR_SECONDS);
        assert_true(clock_ns_to_ticks(SK_DEADLINE_NEVER - 1) > host_ticks);
    }
    start(3000000000, 1ull << 40);
    assert_true(clock_ns_to_ticks(SK_DEADLINE_NEVER) == ~(uint64_t)0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_from_boot),
        cmocka_unit_test(is_exact_for_centuries),
        cmocka_unit_test(a_deadline_is_the_first_tick_at_or_after),
        cmocka_unit_test(never_is_never),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
