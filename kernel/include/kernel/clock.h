/* SPDX-License-Identifier: BSD-2-Clause */
/* Nanoseconds from the timebase. Conversions are exact to 1 ns over 580 years; ticks round up. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <kernel/types.h>

void clock_init(uint64_t timebase_hz);
uint64_t clock_now_ns(void);
/* The first tick at or after `ns`; ~0 for SK_DEADLINE_NEVER and what lies beyond. */
uint64_t clock_ns_to_ticks(uint64_t ns);

#endif
