/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to a driver that provides clocks and resets to others, over lines: limits that devmgr could not
 * have meant, requests within and beyond them. It is the JH7110's; its registers are noise. See messages.h.
 */
#include <stdlib.h>
#include <string.h>

#include <sk/protocol/platform.h>

#include "double/registers.h"
#include "messages.h"

#define REGISTER_BYTES 0x10000u

int service_main(int argc, char **argv);

static uint8_t *registers;

/* A limit is a count and rights: kind, number, and what they are about. Kinds and numbers are small. */
static const char *const shapes[] = {
    [SK_PLATFORM_CLOCK_ENABLE - 1] = "iiw",   [SK_PLATFORM_CLOCK_RATE - 1] = "iiw",
    [SK_PLATFORM_CLOCK_SET_RATE - 1] = "iiw", [SK_PLATFORM_RESET - 1] = "iiw",
    [SK_PLATFORM_FIELD_WRITE - 1] = "iiw",    [SK_PLATFORM_LIMIT - 1] = "iiiiiiiiiiiiiiiifff"};

static void prepare(void)
{
    registers = registers_give(REGISTER_BYTES);
}

static void special(void)
{
    size_t at = (size_t)input_byte() * 4;
    input_fill(registers + at, 16);
}

/* Half of the lines come with a limit, as devmgr makes them; the others get none, or one from their client. */
static struct held connect_line(uint8_t how)
{
    static const struct sk_platform_right rights[] = {
        {SK_PLATFORM_CLOCK, 97, 0, 0},      {SK_PLATFORM_CLOCK, 99, 0, 0},
        {SK_PLATFORM_CLOCK, 102, 0, 0},     {SK_PLATFORM_CLOCK, 105, 0, 0},
        {SK_PLATFORM_RESET_LINE, 1, 0, 0},  {SK_PLATFORM_RESET_LINE, 125, 0, 0},
        {SK_PLATFORM_RESET_LINE, 99, 0, 0}, {SK_PLATFORM_PARENT, 105, 100, 0}};
    struct sk_platform_limit limit = {.operation = SK_PLATFORM_LIMIT,
                                      .count = sizeof rights / sizeof rights[0]};
    struct held line = connect_by_control(how);
    memcpy(limit.rights, rights, sizeof rights);
    if (how / 4 % 2 == 0) {
        outside_send(line.object, &limit, sizeof limit, NULL, 0);
    }
    return line;
}

static int run(void)
{
    static char name[] = "crg", range[] = "mmio0=0,0x10000",
                kind[] = "compatible=starfive,jh7110-syscrg";
    char *arguments[] = {name, range, kind, NULL};
    return service_main(3, arguments);
}

const struct target target = {
    .service = "",
    .run = run,
    .operations = SK_PLATFORM_LIMIT,
    .shapes = shapes,
    .connect = connect_line,
    .prepare = prepare,
    .special = special,
};
