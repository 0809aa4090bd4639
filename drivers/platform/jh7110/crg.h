/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clock and reset generators of the JH7110: what they can do to one clock or one reset (crg.c), and
 * what clocks there are (crg_map.c). JH7110 Technical Reference Manual, "System CRG", "AON CRG"; the
 * numbers of clocks and resets are those of the device tree (starfive,jh7110-crg.h).
 */
#ifndef CRG_H
#define CRG_H

#include <sk/provider.h>

#define CRG_PARENTS_MAX 2u

enum crg_feature {
    CRG_GATE = 1u << 0, /* bit 31 lets it run */
};

enum crg_source_kind {
    CRG_ROOT = 0,  /* runs since before the kernel did, at a rate that nobody has asked for */
    CRG_CLOCK = 1, /* of this generator */
    CRG_INPUT = 2, /* comes in from elsewhere: clock-names of the generator's node */
};

struct crg_source {
    enum crg_source_kind kind;
    uint32_t id;       /* CLOCK */
    const char *input; /* INPUT */
};

struct crg_clock {
    uint32_t id;
    uint32_t features;     /* enum crg_feature */
    uint32_t divisor_max;  /* 0: it does not divide */
    uint32_t source_count; /* more than one: bits [29:24] select */
    struct crg_source sources[CRG_PARENTS_MAX];
};

struct crg_map {
    const char *compatible;
    const struct crg_clock *clocks;
    uint32_t clock_count;
    uint32_t reset_count;
    uint32_t reset_offset;  /* words of bits: 1 holds */
    uint32_t status_offset; /* words of bits: 1 has let go */
};

extern const struct crg_map crg_maps[];
extern const uint32_t crg_map_count;

struct crg {
    const struct crg_map *map;
    const struct sk_driver *driver; /* for its inputs */
    uintptr_t base;
};

/*
 * The context of its functions is a struct crg. All: NOT_FOUND, the map has no such number. set_rate: OUT_OF_RANGE,
 * no divisor makes it that slow. set_parent: INVALID_ARGS, it cannot come from there. reset waits for the
 * status, 10 ms at most: TIMED_OUT, which a clock that does not run causes.
 */
extern const struct sk_provider_ops crg_provider;

#endif
