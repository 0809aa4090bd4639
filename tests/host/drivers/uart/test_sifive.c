/* SPDX-License-Identifier: BSD-2-Clause */
/* The sifive driver against a model of the port (SiFive FU540-C000 manual v1p4, chapter 13). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sk/mmio.h>
#include <uart/common/device.h>

#define BASE 0x10010000u
#define FIFO 8u
#define NONE (1u << 31)

static struct {
    uint32_t txctrl, rxctrl, ie, div;
    uint8_t in[64], out[64];
    uint32_t in_first, in_count, out_count, out_fifo;
} model;

uint32_t model_read(uintptr_t address, unsigned width)
{
    assert_int_equal(width, 4);
    switch (address - BASE) {
    case 0x00:
        return model.out_fifo == FIFO ? NONE : 0;
    case 0x04:
        if (model.in_count == 0) {
            return NONE;
        }
        model.in_count--;
        return model.in[model.in_first++];
    case 0x08:
        return model.txctrl;
    case 0x0c:
        return model.rxctrl;
    case 0x10:
        return model.ie;
    case 0x14: /* pending by the watermarks, whether enabled or not */
        return (model.out_fifo < (model.txctrl >> 16 & 7) ? 1u : 0) |
               (model.in_count > (model.rxctrl >> 16 & 7) ? 2u : 0);
    case 0x18:
        return model.div;
    default:
        fail_msg("read at %#lx", (unsigned long)address);
        return 0;
    }
}

void model_write(uintptr_t address, uint32_t value, unsigned width)
{
    assert_int_equal(width, 4);
    switch (address - BASE) {
    case 0x00:
        assert_true((model.txctrl & 1) != 0 && model.out_fifo < FIFO && value <= 0xff);
        model.out_fifo++;
        model.out[model.out_count++] = (uint8_t)value;
        break;
    case 0x08:
        model.txctrl = value;
        break;
    case 0x0c:
        model.rxctrl = value;
        break;
    case 0x10:
        model.ie = value;
        break;
    default: /* the divisor is the firmware's */
        fail_msg("write at %#lx", (unsigned long)address);
    }
}

static struct sk_driver given(uint64_t size)
{
    memset(&model, 0, sizeof model);
    model.txctrl = 3; /* the firmware has chosen two stop bits */
    model.ie = 3;
    return (struct sk_driver){.range_count = 1, .ranges = {{BASE, size}}, .interrupt_count = 1};
}

static void start(void)
{
    struct sk_driver driver = given(0x1000);
    assert_int_equal(device_init(&driver), SK_OK);
}

static void comes_up_and_keeps_the_firmwares_format(void **state)
{
    start();
    assert_int_equal(model.txctrl, 1 << 16 | 3);
    assert_int_equal(model.rxctrl, 1);
    assert_int_equal(model.ie, 2); /* received bytes only */
    assert_false(device_interrupt());
}

static void refuses_what_it_cannot_be(void **state)
{
    struct sk_driver driver = given(0x18);
    assert_int_equal(device_init(&driver), SK_NOT_SUPPORTED);
    driver = given(0x1000);
    driver.interrupt_count = 0;
    assert_int_equal(device_init(&driver), SK_NOT_SUPPORTED);
    driver = given(0x1000);
    driver.range_count = 0;
    assert_int_equal(device_init(&driver), SK_NOT_SUPPORTED);
}

static void sends_what_the_fifo_takes(void **state)
{
    static const uint8_t text[] = "0123456789ab";
    start();
    assert_int_equal(device_transmit(text, 12), 8);
    device_want_room(true);
    assert_int_equal(model.ie, 3);
    assert_false(device_interrupt());
    model.out_fifo = 1;
    assert_false(device_interrupt()); /* when it is empty, not for each byte */
    model.out_fifo = 0;
    assert_true(device_interrupt());
    assert_int_equal(device_transmit(text + 8, 4), 4);
    device_want_room(false);
    assert_int_equal(model.ie, 2);
    model.out_fifo = 0;
    assert_false(device_interrupt()); /* pending, but nobody wants room */
    assert_int_equal(model.out_count, 12);
    assert_memory_equal(model.out, text, 12);
}

static void receives_what_has_arrived(void **state)
{
    uint8_t bytes[8];
    uint64_t lost = 0;
    start();
    memcpy(model.in, "hello, you", 10);
    model.in_count = 10;
    assert_true(device_interrupt());
    assert_int_equal(device_receive(bytes, 8, &lost), 8);
    assert_memory_equal(bytes, "hello, y", 8);
    assert_int_equal(device_receive(bytes, 8, &lost), 2);
    assert_memory_equal(bytes, "ou", 2);
    assert_int_equal(lost, 0);
    assert_false(device_interrupt());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_up_and_keeps_the_firmwares_format),
        cmocka_unit_test(refuses_what_it_cannot_be),
        cmocka_unit_test(sends_what_the_fifo_takes),
        cmocka_unit_test(receives_what_has_arrived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
