/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System registers of the JH7110: a provider of single fields, and of the rates of the PLLs, whose
 * registers are among the system ones. The PLLs feed the processors and the memory: they are read,
 * never written. JH7110 Technical Reference Manual, "SYS SYSCON" and "PLL". One thread, no locks.
 * Tests: tests/host/drivers/jh7110.
 */
#include "syscon.h"

#include <sk/mmio.h>

#define OSCILLATOR_HZ 24000000u /* the chip needs this crystal */

/* PLL0 alone: the others feed nothing that a driver here asks for. */
enum pll0_register {
    PLL0_MODE = 0x18,     /* bit 24 DACPD, bit 25 DSMPD: both set, whole multiples only */
    PLL0_FACTOR = 0x1c,   /* [11:0] */
    PLL0_FRACTION = 0x20, /* [23:0], 2^-24; [29:28] log2 of the divisor behind */
    PLL0_DIVISOR = 0x24,  /* [5:0] in front */
};

static status_t clock_rate(void *context, uint32_t id, uint64_t *hz)
{
    const struct syscon *syscon = context;

    if (!syscon->has_plls) {
        return SK_NOT_SUPPORTED;
    }
    if (id != 0) {
        return SK_NOT_FOUND;
    }
    bool whole = (sk_mmio_read32(syscon->base + PLL0_MODE) >> 24 & 3) == 3;
    uint64_t factor = sk_mmio_read32(syscon->base + PLL0_FACTOR) & 0xfff;
    uint32_t fraction = sk_mmio_read32(syscon->base + PLL0_FRACTION);
    uint32_t divisor = sk_mmio_read32(syscon->base + PLL0_DIVISOR) & 0x3f;
    if (factor == 0 || divisor == 0) {
        return SK_IO_ERROR;
    }
    uint64_t scaled = factor << 24 | (whole ? 0 : fraction & 0xffffff);
    *hz = (OSCILLATOR_HZ * scaled / divisor >> (fraction >> 28 & 3)) >> 24;
    return SK_OK;
}

static status_t field_write(void *context, uint32_t offset, uint32_t shift, uint32_t bits,
                            uint32_t value)
{
    const struct syscon *syscon = context;
    uint32_t mask = (uint32_t)((UINT64_C(1) << bits) - 1) << shift;

    if (offset % 4 != 0 || offset > syscon->size - 4) {
        return SK_NOT_FOUND;
    }
    uint32_t old = sk_mmio_read32(syscon->base + offset);
    sk_mmio_write32(syscon->base + offset, (old & ~mask) | value << shift);
    return SK_OK;
}

const struct sk_provider_ops syscon_provider = {.clock_rate = clock_rate,
                                                .field_write = field_write};
