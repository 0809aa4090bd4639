/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to a driver, by the loop that all drivers share: the real-time clock, whose registers are noise. */
#include <stdlib.h>

#include <sk/protocol/rtc.h>

#include "double/registers.h"
#include "messages.h"

int service_main(int argc, char **argv);

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
    static char name[] = "rtc", range[] = "mmio0=0,0x1000";
    char *arguments[] = {name, range, NULL};
    return service_main(2, arguments);
}

const struct target target = {
    .service = "",
    .run = run,
    .operations = SK_RTC_READ,
    .prepare = prepare,
    .special = special,
};
