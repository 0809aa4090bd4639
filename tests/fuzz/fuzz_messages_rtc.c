/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to a driver, by the loop that all drivers share: the real-time clock, whose registers are noise. */
#include <sk/protocol/rtc.h>

#include "double/registers.h"
#include "messages.h"

static uint8_t *registers;

static void prepare(void)
{
    registers = registers_give(SK_PAGE_SIZE);
}

static void special(void)
{
    input_fill(registers, 8);
}

static int run(void)
{
    static const char *const arguments[] = {"mmio0=0,0x1000", NULL};
    return driver_run(arguments);
}

const struct target target = {
    .service = "",
    .run = run,
    .operations = SK_RTC_READ,
    .prepare = prepare,
    .special = special,
};
