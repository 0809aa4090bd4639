/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to the service "console", and from its serial port: what is typed. See messages.h. */
#include <stdlib.h>
#include <string.h>

#include <sk/protocol/console.h>
#include <sk/protocol/uart.h>

#include "messages.h"

int service_main(void);

static const char *const words[] = {"text\n",   "uart0", "half a line", "\x04",
                                    "\x03\x15", "\n\n",  NULL};

static const char *const shapes[] = {"s", "w", ""};

static void prepare(void)
{
    double_boot_handle("log", object_make(SK_TYPE_RESOURCE));
}

/* The port confirms, or more than it was given; or something is typed; or it sends what it must not. */
static void special(void)
{
    static uint8_t bytes[SK_MESSAGE_BYTES_MAX];
    struct object *port = connected("uart0");
    uint8_t kind = input_byte();
    size_t length = input_message(bytes, sizeof bytes,
                                  kind % 4 == 0   ? 0
                                  : kind % 4 == 1 ? SK_UART_WRITTEN
                                                  : SK_UART_INPUT);
    if (kind % 4 == 2) { /* typed, and nothing lost */
        memset(bytes + 8, 0, 8);
        length = length < 16 ? 16 : length;
    }
    outside_send(port, bytes, length, NULL, 0);
}

/* All that was written leaves the machine. */
static void rest(void)
{
    struct object *port = connected("uart0");
    struct outside_message message;
    while (outside_receive(port, &message)) {
        uint64_t bytes = message.length - sizeof(struct sk_uart_write);
        if (message.length < sizeof(struct sk_uart_write) || bytes > SK_UART_BYTES_MAX) {
            double_broke("the port was sent %zu bytes", message.length);
        }
        struct sk_uart_written written = {SK_UART_WRITTEN, bytes};
        outside_send(port, &written, sizeof written, NULL, 0);
        double_run();
    }
}

const struct target target = {
    .service = "console",
    .run = service_main,
    .shapes = shapes,
    .operations = SK_CONSOLE_DRAIN,
    .waits = 1u << SK_CONSOLE_WRITE | 1u << SK_CONSOLE_READ | 1u << SK_CONSOLE_DRAIN,
    .words = words,
    .prepare = prepare,
    .special = special,
    .rest = rest,
};
