/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 16550-compatible serial ports, DesignWare's among them: reg-shift and reg-io-width as the device
 * tree says. Sends a full FIFO's worth each time the holding register is empty. Registers: National
 * Semiconductor PC16550D, section 8; busy detection: Synopsys DW_apb_uart databook (LCR, IIR, USR).
 * Tests: tests/host/drivers/uart.
 */
#include <sk/mmio.h>
#include <uart/common/device.h>

enum uart_register {
    REG_DATA = 0, /* RBR, THR */
    REG_IER = 1,
    REG_IIR = 2, /* read */
    REG_FCR = 2, /* write */
    REG_LCR = 3,
    REG_MCR = 4,
    REG_LSR = 5,
    REG_USR = 31, /* DesignWare: reading it ends a busy-detect interrupt */
};

enum {
    IER_RECEIVED = 1u << 0,
    IER_SENT = 1u << 1,
    IIR_NONE = 1,
    IIR_BUSY = 7,
    IIR_TIMEOUT = 12, /* bytes wait in the FIFO, fewer than its threshold */
    IIR_ID_MASK = 0xf,
    FCR_ENABLE = 1u << 0,
    FCR_CLEAR = 3u << 1,
    LCR_DIVISOR = 1u << 7,
    MCR_READY = 0xb, /* DTR, RTS, OUT2 (lets interrupts through on a PC) */
    LSR_RECEIVED = 1u << 0,
    LSR_OVERRUN = 1u << 1,
    LSR_SENT = 1u << 5,
};

#define FIFO_BYTES 16u
/* Four accesses each: more than the 90 us for which the byte in the shift register goes on. */
#define LATCH_TRIES 1000u

static struct {
    uintptr_t base;
    uint32_t shift, width;
    bool has_usr; /* the registers reach as far as DesignWare's */
    uint8_t ier;
} uart;

static uint32_t reg_read(enum uart_register reg)
{
    uintptr_t address = uart.base + ((uintptr_t)reg << uart.shift);
    return uart.width == 4 ? sk_mmio_read32(address) : sk_mmio_read8(address);
}

static void reg_write(enum uart_register reg, uint32_t value)
{
    uintptr_t address = uart.base + ((uintptr_t)reg << uart.shift);
    if (uart.width == 4) {
        sk_mmio_write32(address, value);
    } else {
        sk_mmio_write8(address, (uint8_t)value);
    }
}

static void set_ier(uint8_t ier)
{
    if (ier != uart.ier) {
        uart.ier = ier;
        reg_write(REG_IER, ier);
    }
}

void device_want_room(bool wanted)
{
    set_ier(wanted ? IER_RECEIVED | IER_SENT : IER_RECEIVED);
}

uint32_t device_transmit(const uint8_t *bytes, uint32_t count)
{
    uint32_t room = (reg_read(REG_LSR) & LSR_SENT) != 0 ? FIFO_BYTES : 0;
    uint32_t taken = count < room ? count : room;

    for (uint32_t i = 0; i < taken; i++) {
        reg_write(REG_DATA, bytes[i]);
    }
    return taken;
}

uint32_t device_receive(uint8_t *bytes, uint32_t room, uint64_t *lost)
{
    uint32_t count = 0, line;

    while (count < room && ((line = reg_read(REG_LSR)) & LSR_RECEIVED) != 0) {
        *lost += (line & LSR_OVERRUN) != 0;
        bytes[count++] = (uint8_t)reg_read(REG_DATA);
    }
    return count;
}

/* DesignWare's own causes: what ends them is not sending or receiving. */
bool device_interrupt(void)
{
    uint32_t cause = reg_read(REG_IIR) & IIR_ID_MASK;

    if (cause == IIR_BUSY && uart.has_usr) {
        reg_read(REG_USR);
        return true;
    }
    if (cause == IIR_TIMEOUT && (reg_read(REG_LSR) & LSR_RECEIVED) == 0) {
        reg_read(REG_DATA); /* a time-out over nothing is seen on some, and ends so */
    }
    return (cause & IIR_NONE) == 0;
}

/*
 * While the latch is open, DATA and IER are the divisor. Firmware mostly leaves it closed, and then
 * nothing is written: DesignWare ignores a write to LCR while it sends or receives, and raises a
 * busy-detect interrupt instead. Without anything left to send it is idle soon.
 */
static bool close_divisor_latch(void)
{
    for (uint32_t i = 0; i < LATCH_TRIES; i++) {
        uint32_t line = reg_read(REG_LCR);
        if ((line & LCR_DIVISOR) == 0) {
            return true;
        }
        reg_write(REG_FCR, FCR_ENABLE | FCR_CLEAR);
        reg_write(REG_LCR, line & ~(uint32_t)LCR_DIVISOR);
        if (uart.has_usr) {
            reg_read(REG_USR);
        }
    }
    return false;
}

status_t device_init(const struct sk_driver *driver)
{
    uart.shift = sk_driver_property(driver, "reg-shift", 0);
    uart.width = sk_driver_property(driver, "reg-io-width", 1);
    bool known = (uart.width == 1 || uart.width == 4) && uart.shift <= 2;
    if (driver->range_count != 1 || driver->interrupt_count != 1 || !known ||
        driver->ranges[0].size < (uint64_t)(REG_LSR + 1) << uart.shift) {
        return SK_NOT_SUPPORTED;
    }
    uart.base = driver->ranges[0].base;
    uart.has_usr = driver->ranges[0].size >= (uint64_t)(REG_USR + 1) << uart.shift;
    if (!close_divisor_latch()) {
        return SK_TIMED_OUT;
    }
    reg_write(REG_IER, 0);
    reg_write(REG_FCR, FCR_ENABLE);
    reg_write(REG_MCR, MCR_READY);
    uart.ier = 0;
    set_ier(IER_RECEIVED);
    return SK_OK;
}
