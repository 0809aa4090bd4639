/* SPDX-License-Identifier: BSD-2-Clause */
/* Nanoseconds from the timebase. Conversions are exact to 1 ns over 580 years; ticks round up. */
#ifndef KERNEL_CLOCK_H
#define KERNEL_CLOCK_H

#include <kernel/types.h>

extern uint64_t clock_period_ticks; /* [I] SCHED_PERIOD_NS */

void clock_init(uint64_t timebase_hz);
uint64_t clock_now_ns(void);
/* A span of ticks. */
uint64_t clock_ticks_to_ns(uint64_t ticks);
/* The time of a tick. */
uint64_t clock_tick_ns(uint64_t tick);
/* The first tick at or after `ns`; ~0 for SK_DEADLINE_NEVER and what lies beyond. */
uint64_t clock_ns_to_ticks(uint64_t ns);

#endif
