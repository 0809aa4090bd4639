/* SPDX-License-Identifier: BSD-2-Clause */
/* The Goldfish clock's driver against a clock that goes on between two register reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sk/driver.h>
#include <sk/mmio.h>
#include <sk/protocol/rtc.h>
#include <sk/syscalls.h>

#define BASE 0x101000u
#define STEP_NS 1000u /* between two accesses */

int driver_main(int argc, char **argv); /* the driver's main, renamed by the build */

static struct sk_driver *driver;
static const struct sk_driver_ops *ops;
static uint64_t time_ns, now_ns;
static uint32_t latched, reads;

/* As hw/rtc/goldfish_rtc.c: reading the low word keeps the high one that belongs to it. */
uint32_t model_read(uintptr_t address, unsigned width)
{
    assert_int_equal(width, 4);
    time_ns += STEP_NS;
    reads++;
    switch (address - BASE) {
    case 0:
        latched = (uint32_t)(time_ns >> 32);
        return (uint32_t)time_ns;
    case 4:
        return latched;
    default:
        fail_msg("no such register: %lx", (unsigned long)address);
        return 0;
    }
}

void model_write(uintptr_t address, uint32_t value, unsigned width)
{
    fail_msg("the clock is only read");
}

struct sk_result sk_syscall6(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
                             uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
    assert_int_equal(number, SK_SYS_clock_read);
    return (struct sk_result){SK_OK, {now_ns}};
}

int sk_driver_main(struct sk_driver *its_driver, const struct sk_driver_ops *its_ops, int argc,
                   char **argv)
{
    driver = its_driver;
    ops = its_ops;
    driver->server.context = driver;
    driver->ranges[0] = (struct sk_driver_range){BASE, 0x1000};
    driver->range_count = 1;
    return 0;
}

static status_t request(uint64_t operation, struct sk_reply *reply)
{
    struct sk_in in = {.bytes = &operation, .length = sizeof operation, .is_call = true};
    memset(reply, 0, sizeof *reply);
    return ops->server.message(&driver->server, NULL, &in, reply);
}

static void a_reading_is_whole_at_every_moment(void **state)
{
    static const uint64_t moments[] = {
        1,
        0xfffffffffffull,
        (7ull << 32) - STEP_NS,
        (7ull << 32) - 2 * STEP_NS,
        (7ull << 32) - 1,
        1764115200000000000ull,
    };
    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++) {
        static struct sk_reply reply;
        time_ns = moments[i];
        now_ns = 12345 + i;
        latched = 0xbad;
        reads = 0;
        assert_int_equal(request(SK_RTC_READ, &reply), SK_OK);
        const struct sk_rtc_time *time = (const void *)reply.bytes;
        assert_int_equal(reply.length, sizeof *time);
        assert_int_equal(time->unix_ns, moments[i] + STEP_NS); /* as it was at the first read */
        assert_int_equal(time->monotonic_ns, now_ns);
        assert_int_equal(reads, 2);
    }
}

static void anything_else_is_refused(void **state)
{
    static struct sk_reply reply;
    reads = 0;
    assert_int_equal(request(SK_RTC_READ + 1, &reply), SK_INVALID_ARGS);
    assert_int_equal(request(~0ull, &reply), SK_INVALID_ARGS);
    assert_int_equal(reads, 0);
}

static void the_device_must_have_its_registers(void **state)
{
    assert_int_equal(ops->init(driver), SK_OK);
    driver->ranges[0].size = 4;
    assert_int_equal(ops->init(driver), SK_INVALID_ARGS);
    driver->range_count = 0;
    assert_int_equal(ops->init(driver), SK_INVALID_ARGS);
    assert_null(ops->on_irq); /* its alarm is not used */
}

#undef main
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reading_is_whole_at_every_moment),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(the_device_must_have_its_registers),
    };
    driver_main(0, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
