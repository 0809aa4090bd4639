/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all serial port drivers share, which is all but the device: serves "uartN"
 * (<sk/protocol/uart.h>) to one client at a time, over the functions of device.h.
 *
 * Transmission goes by interrupt: as many bytes as the device takes, then an interrupt when it takes
 * more. Nothing waits for the device. One thread, no locks.
 */
#include <sk/protocol/uart.h>

#include "device.h"

/* Interrupt causes looked at in one interrupt; a device that always has one more gets another. */
#define CAUSES_MAX 32u
#define RECEIVE_BYTES 64u /* told to the client in one message */

static struct {
    struct sk_client *client;
    uint8_t out[SK_UART_WINDOW]; /* ring */
    uint32_t out_first, out_count;
    uint64_t written; /* to the device, not yet told to the client */
    uint64_t lost;    /* input, not yet told */
} uart;

static void tell_written(void)
{
    struct sk_uart_written message = {SK_UART_WRITTEN, uart.written};
    struct sk_out out = sk_out_bytes(&message, sizeof message);
    if (uart.client != NULL && uart.written > 0 &&
        sk_channel_send(uart.client->endpoint, &out) == SK_OK) {
        uart.written = 0;
    }
}

/* Gives the device what it takes, and asks for an interrupt while there is more. */
static void transmit(void)
{
    while (uart.out_count > 0) {
        uint32_t to_end = SK_UART_WINDOW - uart.out_first;
        uint32_t count = uart.out_count < to_end ? uart.out_count : to_end;
        uint32_t taken = device_transmit(uart.out + uart.out_first, count);
        uart.out_first = (uart.out_first + taken) % SK_UART_WINDOW;
        uart.out_count -= taken;
        uart.written += taken;
        if (taken < count) {
            break;
        }
    }
    device_want_room(uart.out_count > 0);
    if (uart.out_count == 0 || uart.written >= SK_UART_WINDOW / 4) {
        tell_written();
    }
}

static void receive(void)
{
    _Alignas(8) uint8_t buffer[sizeof(struct sk_uart_input) + RECEIVE_BYTES];
    struct sk_uart_input *message = (struct sk_uart_input *)buffer;
    uint32_t count = device_receive(message->bytes, RECEIVE_BYTES, &uart.lost);
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
    for (uint32_t i = 0; i < CAUSES_MAX && device_interrupt(); i++) {
        receive();
        transmit();
    }
}

static status_t uart_init(struct sk_driver *driver)
{
    return device_init(driver);
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
