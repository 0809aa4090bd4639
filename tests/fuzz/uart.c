/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to the driver of a serial port, whose registers are noise and interrupt at any time. See messages.h.
 */
#include <sk/protocol/uart.h>

#include "double/registers.h"
#include "messages.h"
#include "uart.h"

static const char *const shapes[] = {"f"};

static uint8_t *registers;

static void prepare(void)
{
    registers = registers_give(SK_PAGE_SIZE);
    interrupt_give();
}

static void special(void)
{
    uint8_t how = input_byte();
    input_fill(registers + how % uart_noise_bytes, how % 8);
    if (how % 4 != 0) {
        interrupt_raise();
    }
}

static int run(void)
{
    static const char *const arguments[] = {"mmio0=0,0x100", NULL};
    return driver_run(arguments);
}

const struct target target = {
    .service = "",
    .run = run,
    .operations = SK_UART_WRITE,
    .shapes = shapes,
    .prepare = prepare,
    .special = special,
};
