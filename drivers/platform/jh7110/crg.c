/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One register per clock, at 4 times its number: bit 31 gate, bit 30 invert, [29:24] source, [23:0]
 * divisor. Resets are bits. No state: the registers are it, and the firmware wrote to them before.
 * Tests: tests/host/drivers/jh7110.
 */
#include "crg.h"

#include <sk/mmio.h>
#include <sk/time.h>

#define CLOCK_RUNS (UINT32_C(1) << 31)
#define SOURCE_SHIFT 24u
#define SOURCE_MASK (UINT32_C(0x3f) << SOURCE_SHIFT)
#define DIVISOR_MASK UINT32_C(0xffffff)

#define RESET_TIME (10 * SK_MS)
#define RESET_PAUSE (20 * SK_US)

static const struct crg_clock *find(const struct crg *crg, uint32_t id)
{
    for (uint32_t i = 0; i < crg->map->clock_count; i++) {
        if (crg->map->clocks[i].id == id) {
            return &crg->map->clocks[i];
        }
    }
    return NULL;
}

static uintptr_t clock_register(const struct crg *crg, const struct crg_clock *clock)
{
    return crg->base + 4 * (uintptr_t)clock->id;
}

/* Where the clock comes from now; ROOT when the register selects what is not known. */
static const struct crg_source *source(const struct crg *crg, const struct crg_clock *clock)
{
    static const struct crg_source unknown = {.kind = CRG_ROOT};
    uint32_t selected = 0;

    if (clock->source_count > 1) {
        uint32_t value = sk_mmio_read32(clock_register(crg, clock));
        selected = (value & SOURCE_MASK) >> SOURCE_SHIFT;
    }
    return selected < clock->source_count ? &clock->sources[selected] : &unknown;
}

/* The gate opens after those that the clock comes from. */
static status_t clock_enable(void *context, uint32_t id)
{
    const struct crg *crg = context;
    const struct crg_clock *clock = find(crg, id);

    if (clock == NULL) {
        return SK_NOT_FOUND;
    }
    const struct crg_source *from = source(crg, clock);
    status_t status = SK_OK;
    if (from->kind == CRG_CLOCK) {
        status = clock_enable(context, from->id);
    } else if (from->kind == CRG_INPUT) {
        status = sk_clock_enable(crg->driver, from->input);
        /* An input that the tree or the manifest does not name is nobody's to start: a PLL, a pin. */
        status = status == SK_NOT_FOUND || status == SK_NOT_SUPPORTED ? SK_OK : status;
    }
    if (status == SK_OK && (clock->features & CRG_GATE) != 0) {
        uintptr_t at = clock_register(crg, clock);
        sk_mmio_write32(at, sk_mmio_read32(at) | CLOCK_RUNS);
    }
    return status;
}

static status_t clock_rate(void *context, uint32_t id, uint64_t *hz);

static status_t source_rate(struct crg *crg, const struct crg_clock *clock, uint64_t *hz)
{
    const struct crg_source *from = source(crg, clock);

    switch (from->kind) {
    case CRG_CLOCK:
        return clock_rate(crg, from->id, hz);
    case CRG_INPUT:
        return sk_clock_rate(crg->driver, from->input, hz);
    default:
        return SK_NOT_FOUND;
    }
}

static status_t clock_rate(void *context, uint32_t id, uint64_t *hz)
{
    struct crg *crg = context;
    const struct crg_clock *clock = find(crg, id);
    uint64_t rate;

    if (clock == NULL) {
        return SK_NOT_FOUND;
    }
    status_t status = source_rate(crg, clock, &rate);
    if (status != SK_OK) {
        return status;
    }
    if (clock->divisor_max != 0) {
        uint32_t divisor = sk_mmio_read32(clock_register(crg, clock)) & DIVISOR_MASK;
        rate = divisor == 0 ? 0 : rate / divisor;
    }
    *hz = rate;
    return SK_OK;
}

static status_t set_divisor(struct crg *crg, const struct crg_clock *clock, uint64_t *hz)
{
    uint64_t rate;
    status_t status = source_rate(crg, clock, &rate);

    if (status != SK_OK) {
        return status;
    }
    if (*hz == 0) {
        return SK_OUT_OF_RANGE;
    }
    uint64_t divisor = rate <= *hz ? 1 : (rate - 1) / *hz + 1;
    if (divisor > clock->divisor_max) {
        return SK_OUT_OF_RANGE;
    }
    uintptr_t at = clock_register(crg, clock);
    uint32_t value = sk_mmio_read32(at);
    if ((value & DIVISOR_MASK) != divisor) {
        sk_mmio_write32(at, (value & ~DIVISOR_MASK) | (uint32_t)divisor);
    }
    *hz = rate / divisor;
    return SK_OK;
}

/* Goes through what only selects or gates to the nearest divisor before it. */
static status_t clock_set_rate(void *context, uint32_t id, uint64_t *hz)
{
    struct crg *crg = context;
    const struct crg_clock *clock = find(crg, id);

    if (clock == NULL) {
        return SK_NOT_FOUND;
    }
    if (clock->divisor_max != 0) {
        return set_divisor(crg, clock, hz);
    }
    const struct crg_source *from = source(crg, clock);
    switch (from->kind) {
    case CRG_CLOCK:
        return clock_set_rate(context, from->id, hz);
    case CRG_INPUT:
        return sk_clock_set_rate(crg->driver, from->input, hz);
    default:
        return SK_NOT_FOUND;
    }
}

static status_t clock_set_parent(void *context, uint32_t id, uint32_t parent)
{
    const struct crg *crg = context;
    const struct crg_clock *clock = find(crg, id);

    if (clock == NULL) {
        return SK_NOT_FOUND;
    }
    for (uint32_t i = 0; clock->source_count > 1 && i < clock->source_count; i++) {
        if (clock->sources[i].kind == CRG_CLOCK && clock->sources[i].id == parent) {
            uintptr_t at = clock_register(crg, clock);
            uint32_t value = sk_mmio_read32(at) & ~SOURCE_MASK;
            sk_mmio_write32(at, value | i << SOURCE_SHIFT);
            return SK_OK;
        }
    }
    return SK_INVALID_ARGS;
}

static status_t reset(void *context, uint32_t id, bool hold)
{
    const struct crg *crg = context;

    if (id >= crg->map->reset_count) {
        return SK_NOT_FOUND;
    }
    uintptr_t word = 4 * (uintptr_t)(id / 32);
    uintptr_t at = crg->base + crg->map->reset_offset + word;
    uint32_t bit = UINT32_C(1) << id % 32;
    uint32_t value = sk_mmio_read32(at);
    sk_mmio_write32(at, hold ? value | bit : value & ~bit);

    uint64_t deadline = sk_deadline_after(RESET_TIME);
    for (;;) {
        bool late = sk_now() >= deadline; /* before the look: the last one counts */
        bool released = (sk_mmio_read32(crg->base + crg->map->status_offset + word) & bit) != 0;
        if (released == !hold) {
            return SK_OK;
        }
        if (late) {
            return SK_TIMED_OUT;
        }
        sk_sleep(RESET_PAUSE);
    }
}

const struct sk_provider_ops crg_provider = {.clock_enable = clock_enable,
                                             .clock_rate = clock_rate,
                                             .clock_set_rate = clock_set_rate,
                                             .clock_set_parent = clock_set_parent,
                                             .reset = reset};
