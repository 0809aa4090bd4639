/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ns16550 driver against a model of the port: National's (PC16550D, section 8) and DesignWare's
 * with its busy detection. The model refuses every access that is not of the width and at the place
 * that reg-io-width and reg-shift say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sk/mmio.h>
#include <uart/common/device.h>

#define BASE 0x5000000u
#define FIFO 16u

static struct {
    uint32_t shift, width, size; /* what the device tree says, and where the registers end */
    bool designware, idle_never;
    uint32_t busy; /* accesses for which a byte is still in the shift register */
    uint8_t ier, lcr, mcr, fcr, divisor[2];
    uint8_t in[64], out[256];
    uint32_t in_first, in_count, out_count, in_fifo;
    bool overrun, busy_detected, timeout;
    uint32_t lcr_writes, usr_reads;
} model;

uint32_t sk_driver_property(const struct sk_driver *driver, const char *name, uint32_t missing)
{
    if (strcmp(name, "reg-shift") == 0) {
        return model.shift != 0 ? model.shift : missing;
    }
    assert_string_equal(name, "reg-io-width");
    return model.width != 1 ? model.width : missing;
}

static uint32_t which(uintptr_t address, unsigned width)
{
    assert_int_equal(width, model.width);
    assert_true(address >= BASE && address + width <= BASE + model.size);
    assert_int_equal((address - BASE) & ((1u << model.shift) - 1), 0);
    model.busy -= model.busy > 0 && !model.idle_never;
    return (uint32_t)(address - BASE) >> model.shift;
}

static uint32_t interrupt_cause(void)
{
    if ((model.ier & 1) != 0 && model.in_count > 0) {
        return 4;
    }
    if (model.timeout) {
        return 12;
    }
    if ((model.ier & 2) != 0 && model.in_fifo == 0) {
        return 2;
    }
    return model.busy_detected ? 7 : 1; /* the lowest of all (databook, IIR) */
}

static uint32_t read_data(void)
{
    model.timeout = false;
    if (model.in_count == 0) {
        return 0;
    }
    model.in_count--;
    return model.in[model.in_first++];
}

static uint32_t read_line_status(void)
{
    uint32_t status = (model.in_count > 0) | (model.overrun ? 2u : 0) |
                      (model.in_fifo == 0 ? 0x20u : 0);
    model.overrun = false;
    return status;
}

uint32_t model_read(uintptr_t address, unsigned width)
{
    bool latch = (model.lcr & 0x80) != 0;
    switch (which(address, width)) {
    case 0:
        return latch ? model.divisor[0] : read_data();
    case 1:
        return latch ? model.divisor[1] : model.ier;
    case 2:
        return interrupt_cause() | ((model.fcr & 1) != 0 ? 0xc0u : 0);
    case 3:
        return model.lcr;
    case 5:
        return read_line_status();
    case 31:
        assert_true(model.designware);
        model.usr_reads++;
        model.busy_detected = false;
        return model.busy > 0;
    default:
        fail_msg("read at %#lx", (unsigned long)address);
        return 0;
    }
}

static void write_line_control(uint8_t value)
{
    model.lcr_writes++;
    if (model.designware && model.busy > 0) {
        model.busy_detected = true;
    } else {
        model.lcr = value;
    }
}

static void write_data(uint8_t value)
{
    assert_true(model.in_fifo < FIFO); /* or it would be lost */
    model.in_fifo++;
    model.out[model.out_count++] = value;
}

void model_write(uintptr_t address, uint32_t value, unsigned width)
{
    bool latch = (model.lcr & 0x80) != 0;
    uint32_t reg = which(address, width);
    assert_true(value <= 0xff);
    if (reg < 2 && latch) {
        model.divisor[reg] = (uint8_t)value;
        return;
    }
    switch (reg) {
    case 0:
        write_data((uint8_t)value);
        break;
    case 1:
        model.ier = (uint8_t)value;
        break;
    case 2:
        model.fcr = (uint8_t)value;
        model.in_fifo = (value & 4) != 0 ? 0 : model.in_fifo;
        break;
    case 3:
        write_line_control((uint8_t)value);
        break;
    case 4:
        model.mcr = (uint8_t)value;
        break;
    default:
        fail_msg("write at %#lx", (unsigned long)address);
    }
}

static struct sk_driver given(uint32_t shift, uint32_t width, uint32_t size)
{
    memset(&model, 0, sizeof model);
    model.shift = shift;
    model.width = width;
    model.size = size;
    model.lcr = 3;
    model.divisor[0] = 13;
    return (struct sk_driver){.range_count = 1, .ranges = {{BASE, size}}, .interrupt_count = 1};
}

/* As QEMU's virt has it, and as the JH7110 does. */
static void start_plain(void)
{
    struct sk_driver driver = given(0, 1, 0x100);
    assert_int_equal(device_init(&driver), SK_OK);
}

static void start_designware(void)
{
    struct sk_driver driver = given(2, 4, 0x10000);
    model.designware = true;
    assert_int_equal(device_init(&driver), SK_OK);
}

static void check_ready(void)
{
    assert_int_equal(model.ier, 1); /* of received bytes only */
    assert_int_equal(model.fcr & 1, 1);
    assert_int_equal(model.mcr, 0xb);
    assert_int_equal(model.lcr, 3); /* the firmware's format */
    assert_int_equal(model.divisor[0], 13);
    assert_int_equal(model.divisor[1], 0);
}

static void comes_up_and_keeps_the_firmwares_settings(void **state)
{
    start_plain();
    check_ready();
    start_designware();
    check_ready();
    assert_int_equal(model.lcr_writes, 0);
}

static void starts_while_the_firmware_still_sends(void **state)
{
    struct sk_driver driver = given(2, 4, 0x10000);
    model.designware = true;
    model.busy = 1000;
    assert_int_equal(device_init(&driver), SK_OK);
    check_ready();
    assert_false(model.busy_detected);
}

static void closes_an_open_divisor_latch_on_a_busy_port(void **state)
{
    struct sk_driver driver = given(2, 4, 0x10000);
    model.designware = true;
    model.lcr = 0x83;
    model.busy = 50;
    assert_int_equal(device_init(&driver), SK_OK);
    check_ready();
    assert_true(model.lcr_writes > 1);
    assert_false(model.busy_detected);
    driver = given(0, 1, 8); /* a plain port has no USR */
    model.lcr = 0x83;
    assert_int_equal(device_init(&driver), SK_OK);
    check_ready();
}

static void gives_up_on_a_port_that_is_busy_for_ever(void **state)
{
    struct sk_driver driver = given(2, 4, 0x10000);
    model.designware = model.idle_never = true;
    model.lcr = 0x83;
    model.busy = 1;
    assert_int_equal(device_init(&driver), SK_TIMED_OUT);
    assert_int_equal(model.divisor[0], 13); /* nothing was written to the wrong register */
    assert_int_equal(model.divisor[1], 0);
}

static void refuses_what_it_cannot_be(void **state)
{
    static const uint32_t bad[][3] = {{0, 2, 0x100}, {3, 4, 0x100}, {2, 4, 20}, {0, 1, 5}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sk_driver driver = given(bad[i][0], bad[i][1], bad[i][2]);
        assert_int_equal(device_init(&driver), SK_NOT_SUPPORTED);
    }
    struct sk_driver driver = given(0, 1, 0x100);
    driver.interrupt_count = 0;
    assert_int_equal(device_init(&driver), SK_NOT_SUPPORTED);
    driver = given(0, 1, 0x100);
    driver.range_count = 0;
    assert_int_equal(device_init(&driver), SK_NOT_SUPPORTED);
}

static void sends_a_fifo_at_a_time(void **state)
{
    static const uint8_t text[] = "0123456789abcdefghijk";
    start_designware();
    assert_int_equal(device_transmit(text, 21), 16);
    assert_int_equal(device_transmit(text + 16, 5), 0); /* not empty yet */
    device_want_room(true);
    assert_int_equal(model.ier, 3);
    assert_false(device_interrupt());
    model.in_fifo = 0;
    assert_true(device_interrupt());
    assert_int_equal(device_transmit(text + 16, 5), 5);
    device_want_room(false);
    assert_int_equal(model.ier, 1);
    assert_int_equal(model.out_count, 21);
    assert_memory_equal(model.out, text, 21);
    model.in_fifo = 0;
    assert_false(device_interrupt()); /* nobody wants room */
}

static void receives_what_has_arrived(void **state)
{
    uint8_t bytes[8];
    uint64_t lost = 0;
    start_designware();
    memcpy(model.in, "hello, you", 10);
    model.in_count = 10;
    model.overrun = true;
    assert_true(device_interrupt());
    assert_int_equal(device_receive(bytes, 8, &lost), 8);
    assert_memory_equal(bytes, "hello, y", 8);
    assert_int_equal(lost, 1);
    assert_int_equal(device_receive(bytes, 8, &lost), 2);
    assert_int_equal(lost, 1);
    assert_false(device_interrupt());
}

/* Each of them would come again and again. */
static void ends_interrupts_that_are_designwares_own(void **state)
{
    start_designware();
    model.busy_detected = true;
    assert_true(device_interrupt());
    assert_int_equal(model.usr_reads, 1);
    assert_false(device_interrupt());
    model.timeout = true; /* over an empty FIFO */
    assert_true(device_interrupt());
    assert_false(device_interrupt());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_up_and_keeps_the_firmwares_settings),
        cmocka_unit_test(starts_while_the_firmware_still_sends),
        cmocka_unit_test(closes_an_open_divisor_latch_on_a_busy_port),
        cmocka_unit_test(gives_up_on_a_port_that_is_busy_for_ever),
        cmocka_unit_test(refuses_what_it_cannot_be),
        cmocka_unit_test(sends_a_fifo_at_a_time),
        cmocka_unit_test(receives_what_has_arrived),
        cmocka_unit_test(ends_interrupts_that_are_designwares_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
