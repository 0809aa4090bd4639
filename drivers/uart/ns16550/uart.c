/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 16550-compatible serial ports, DesignWare's among them: reg-shift and reg-io-width as the device
 * tree says. The firmware has set speed and format, which stay. Serves "uartN" (<sk/protocol/uart.h>)
 * to one client at a time.
 *
 * Transmission goes by interrupt: a full FIFO's worth each time the holding register is empty.
 * Nothing waits for the device. One thread, no locks. Registers: National Semiconductor PC16550D,
 * section 8; the busy-detect interrupt: Synopsys DW_apb_uart databook.
 */
#include <sk/driver.h>
#include <sk/mmio.h>
#include <sk/protocol/uart.h>

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
/* Interrupt causes looked at in one interrupt; a device that always has one more gets another. */
#define CAUSES_MAX 32u

static struct {
    uintptr_t base;
    uint32_t shift, width;
    struct sk_client *client;
    uint8_t out[SK_UART_WINDOW]; /* ring */
    uint32_t out_first, out_count;
    uint64_t written; /* to the device, not yet told to the client */
    uint64_t lost;    /* input, not yet told */
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

static void tell_written(void)
{
    struct sk_uart_written message = {SK_UART_WRITTEN, uart.written};
    struct sk_out out = sk_out_bytes(&message, sizeof message);
    if (uart.client != NULL && uart.written > 0 &&
        sk_channel_send(uart.client->endpoint, &out) == SK_OK) {
        uart.written = 0;
    }
}

/* Fills the FIFO if it is empty, and asks for an interrupt while there is more. */
static void transmit(void)
{
    if (uart.out_count > 0 && (reg_read(REG_LSR) & LSR_SENT) != 0) {
        for (uint32_t i = 0; i < FIFO_BYTES && uart.out_count > 0; i++) {
            reg_write(REG_DATA, uart.out[uart.out_first]);
            uart.out_first = (uart.out_first + 1) % SK_UART_WINDOW;
            uart.out_count--;
            uart.written++;
        }
    }
    set_ier(uart.out_count > 0 ? IER_RECEIVED | IER_SENT : IER_RECEIVED);
    if (uart.out_count == 0 || uart.written >= SK_UART_WINDOW / 4) {
        tell_written();
    }
}

static void receive(void)
{
    _Alignas(8) uint8_t buffer[sizeof(struct sk_uart_input) + 4 * FIFO_BYTES];
    struct sk_uart_input *message = (struct sk_uart_input *)buffer;
    uint32_t count = 0, line;
    while (count < 4 * FIFO_BYTES && ((line = reg_read(REG_LSR)) & LSR_RECEIVED) != 0) {
        uart.lost += (line & LSR_OVERRUN) != 0;
        message->bytes[count++] = (uint8_t)reg_read(REG_DATA);
    }
    if (count == 0 || uart.client == NULL) {
        return;
    }
    message->operation = SK_UART_INPUT;
    message->lost = uart.lost;
    struct sk_out out = sk_out_bytes(message, sizeof *message + count);
    if (sk_channel_send(uart.client->endpoint, &out) == SK_OK) {
        uart.lost = 0;
    } else {
        uart.lost += count;
    }
}

static void uart_irq(struct sk_driver *driver, uint32_t index)
{
    for (uint32_t i = 0; i < CAUSES_MAX; i++) {
        uint32_t cause = reg_read(REG_IIR) & IIR_ID_MASK;
        if (cause & IIR_NONE && cause != IIR_BUSY) {
            break;
        }
        if (cause == IIR_BUSY) {
            reg_read(REG_USR);
        }
        receive();
        transmit();
    }
}

static status_t uart_init(struct sk_driver *driver)
{
    uart.shift = sk_driver_property(driver, "reg-shift", 0);
    uart.width = sk_driver_property(driver, "reg-io-width", 1);
    bool known = (uart.width == 1 || uart.width == 4) && uart.shift <= 2;
    if (driver->range_count != 1 || driver->interrupt_count != 1 || !known ||
        driver->ranges[0].size < (uint64_t)(REG_LSR + 1) << uart.shift) {
        return SK_NOT_SUPPORTED;
    }
    uart.base = driver->ranges[0].base;
    reg_write(REG_IER, 0);
    reg_write(REG_LCR, reg_read(REG_LCR) & ~(uint32_t)LCR_DIVISOR);
    reg_write(REG_FCR, FCR_ENABLE);
    reg_write(REG_MCR, MCR_READY);
    set_ier(IER_RECEIVED);
    return SK_OK;
}

static status_t uart_connect(struct sk_server *server, struct sk_client *client)
{
    if (uart.client != NULL) {
        return SK_BUSY;
    }
    uart.client = client;
    uart.written = 0;
    uart.lost = 0;
    return SK_OK;
}

/* What the client wrote still goes out. */
static void uart_disconnect(struct sk_server *server, struct sk_client *client)
{
    uart.client = NULL;
}

static status_t uart_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                             struct sk_reply *reply)
{
    const struct sk_uart_write *request = sk_request(in, struct sk_uart_write);
    if (request == NULL || request->operation != SK_UART_WRITE) {
        return SK_INVALID_ARGS;
    }
    size_t length = in->length - sizeof *request;
    for (size_t i = 0; i < length && uart.out_count < SK_UART_WINDOW; i++) {
        uart.out[(uart.out_first + uart.out_count) % SK_UART_WINDOW] = request->bytes[i];
        uart.out_count++;
    }
    transmit();
    return SK_OK;
}

static const struct sk_driver_ops ops = {
    .init = uart_init,
    .on_irq = uart_irq,
    .server = {.connect = uart_connect, .message = uart_message, .disconnect = uart_disconnect}};
static struct sk_driver driver;

int main(int argc, char **argv)
{
    return sk_driver_main(&driver, &ops, argc, argv);
}
