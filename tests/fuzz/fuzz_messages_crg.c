/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages to the driver of the JH7110's clocks and resets: see provider.c. */
#include "provider.h"

static const struct sk_platform_right rights[] = {
    {SK_PLATFORM_CLOCK, 97, 0, 0},      {SK_PLATFORM_CLOCK, 99, 0, 0},
    {SK_PLATFORM_CLOCK, 102, 0, 0},     {SK_PLATFORM_CLOCK, 105, 0, 0},
    {SK_PLATFORM_RESET_LINE, 1, 0, 0},  {SK_PLATFORM_RESET_LINE, 125, 0, 0},
    {SK_PLATFORM_RESET_LINE, 99, 0, 0}, {SK_PLATFORM_PARENT, 105, 100, 0}};

/* The provider of its inputs, which answers as input_answer does. */
static void prepare(void)
{
    struct held ends[2];
    channel_make(ends);
    double_boot_handle("line0", ends[0]); /* the other end is kept for ever */
}

static const char *const arguments[] = {"mmio0=0,0x10000", "compatible=starfive,jh7110-syscrg",
                                        "clock:pll0_out=0,0",
                                        "clock:gmac1_rmii_refin=fixed,50000000", NULL};

const struct provider provider = {
    .arguments = arguments,
    .register_bytes = 0x10000,
    .noise_bytes = 0x400,
    .prepare = prepare,
    .rights = rights,
    .right_count = sizeof rights / sizeof rights[0],
};
