/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to the driver of the JH7110's system registers (provider.c): whatever is asked, only bits change that a line
 * has got.
 */
#include <string.h>

#include "provider.h"

#define REGISTER_BYTES 0x40u

/* Fields as the device tree has them, and such that do not lie in one register. */
static const struct sk_platform_right rights[] = {
    {SK_PLATFORM_CLOCK, 0, 0, 0},     {SK_PLATFORM_CLOCK, 1, 0, 0},
    {SK_PLATFORM_FIELD, 0x0c, 2, 3},  {SK_PLATFORM_FIELD, 0x3c, 0, 32},
    {SK_PLATFORM_FIELD, 0x20, 31, 1}, {SK_PLATFORM_FIELD, 0x10, 0, 1},
    {SK_PLATFORM_FIELD, 0x40, 0, 8},  {SK_PLATFORM_FIELD, 0x16, 0, 8},
    {SK_PLATFORM_FIELD, 0x28, 30, 3}, {SK_PLATFORM_FIELD, 0x2c, 4, 0}};

static uint32_t allowed[REGISTER_BYTES / 4]; /* bits of each register, to any line */

static void granted(const struct sk_platform_right *right)
{
    if (right->kind != SK_PLATFORM_FIELD || right->id % 4 != 0 || right->id >= REGISTER_BYTES ||
        right->a > 32 || right->b > 32 - right->a) {
        return;
    }
    for (uint32_t bit = right->a; bit < right->a + right->b; bit++) {
        allowed[right->id / 4] |= UINT32_C(1) << bit;
    }
}

static void closed(void)
{
    memset(allowed, 0, sizeof allowed);
}

static void written(uint64_t offset, uint32_t old, uint32_t value)
{
    if (offset % 4 != 0 || offset >= REGISTER_BYTES ||
        ((old ^ value) & ~allowed[offset / 4]) != 0) {
        double_broke("register %#llx becomes %#x, from %#x", (unsigned long long)offset, value,
                     old);
    }
}

static const char *const arguments[] = {"mmio0=0,0x40", "compatible=starfive,jh7110-sys-syscon",
                                        NULL};

const struct provider provider = {
    .arguments = arguments,
    .register_bytes = SK_PAGE_SIZE,
    .noise_bytes = REGISTER_BYTES,
    .rights = rights,
    .right_count = sizeof rights / sizeof rights[0],
    .granted = granted,
    .closed = closed,
    .written = written,
};
