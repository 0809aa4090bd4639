/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SiFive serial ports: SiFive FU540-C000 manual v1p4, chapter 13. Two FIFOs of 8 bytes; the device
 * does not tell of overruns. Tests: tests/host/drivers/uart, tests/qemu/boards.
 */
#include <sk/mmio.h>
#include <uart/common/device.h>

enum uart_register {
    REG_TXDATA = 0x00,
    REG_RXDATA = 0x04,
    REG_TXCTRL = 0x08,
    REG_RXCTRL = 0x0c,
    REG_IE = 0x10,
    REG_IP = 0x14,
    REGISTERS_BYTES = 0x1c,
};

#define DATA_NONE (1u << 31) /* transmit: the FIFO is full; receive: it is empty */

enum {
    TXCTRL_ENABLE = 1u << 0,
    TXCTRL_STOP2 = 1u << 1,       /* the firmware's format */
    TXCTRL_WHEN_EMPTY = 1u << 16, /* watermark 1: pending while fewer bytes wait */
    RXCTRL_ENABLE = 1u << 0,      /* watermark 0: pending while there is a byte */
    INTERRUPT_TX = 1u << 0,
    INTERRUPT_RX = 1u << 1,
};

static struct {
    uintptr_t base;
    uint32_t enabled; /* as in REG_IE */
} uart;

static void set_enabled(uint32_t interrupts)
{
    if (interrupts != uart.enabled) {
        uart.enabled = interrupts;
        sk_mmio_write32(uart.base + REG_IE, interrupts);
    }
}

status_t device_init(const struct sk_driver *driver)
{
    if (driver->range_count != 1 || driver->interrupt_count != 1 ||
        driver->ranges[0].size < REGISTERS_BYTES) {
        return SK_NOT_SUPPORTED;
    }
    uart.base = driver->ranges[0].base;
    sk_mmio_write32(uart.base + REG_IE, 0);
    uint32_t format = sk_mmio_read32(uart.base + REG_TXCTRL) & TXCTRL_STOP2;
    sk_mmio_write32(uart.base + REG_TXCTRL, format | TXCTRL_ENABLE | TXCTRL_WHEN_EMPTY);
    sk_mmio_write32(uart.base + REG_RXCTRL, RXCTRL_ENABLE);
    set_enabled(INTERRUPT_RX);
    return SK_OK;
}

void device_want_room(bool wanted)
{
    set_enabled(wanted ? INTERRUPT_RX | INTERRUPT_TX : INTERRUPT_RX);
}

uint32_t device_transmit(const uint8_t *bytes, uint32_t count)
{
    uint32_t taken = 0;

    while (taken < count && (sk_mmio_read32(uart.base + REG_TXDATA) & DATA_NONE) == 0) {
        sk_mmio_write32(uart.base + REG_TXDATA, bytes[taken++]);
    }
    return taken;
}

uint32_t device_receive(uint8_t *bytes, uint32_t room, uint64_t *lost)
{
    uint32_t count = 0;

    while (count < room) {
        uint32_t data = sk_mmio_read32(uart.base + REG_RXDATA); /* takes the byte */
        if ((data & DATA_NONE) != 0) {
            break;
        }
        bytes[count++] = (uint8_t)data;
    }
    return count;
}

bool device_interrupt(void)
{
    return (sk_mmio_read32(uart.base + REG_IP) & uart.enabled) != 0;
}
