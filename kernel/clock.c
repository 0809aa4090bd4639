/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nanoseconds from the timebase. Owns: the timebase and the tick of boot, immutable after clock_init.
 * Any context. Tests: tests/host/kernel/test_clock.c.
 */
#include <kernel/clock.h>

#include <arch/irq.h>
#include <kernel/sched.h>

#define NS_PER_SECOND 1000000000ull

static uint64_t timebase; /* [I] ticks per second */
static uint64_t zero;     /* [I] the tick that counts as 0 ns */
uint64_t clock_period_ticks;

void clock_init(uint64_t timebase_hz)
{
    timebase = timebase_hz;
    clock_period_ticks = timebase_hz * (SCHED_PERIOD_NS / 1000) / 1000000;
    zero = clock_ticks();
}

/* The remainder times a billion fits 64 bits for every timebase below 18 GHz. */
uint64_t clock_ticks_to_ns(uint64_t ticks)
{
    return ticks / timebase * NS_PER_SECOND + ticks % timebase * NS_PER_SECOND / timebase;
}

uint64_t clock_now_ns(void)
{
    return clock_ticks_to_ns(clock_ticks() - zero);
}

uint64_t clock_tick_ns(uint64_t tick)
{
    return clock_ticks_to_ns(tick - zero);
}

uint64_t clock_ns_to_ticks(uint64_t ns)
{
    uint64_t seconds = ns / NS_PER_SECOND;
    if (seconds >= (~(uint64_t)0 - zero) / timebase - 1) {
        return ~(uint64_t)0;
    }
    uint64_t rest = ns % NS_PER_SECOND * timebase;
    return zero + seconds * timebase + (rest + NS_PER_SECOND - 1) / NS_PER_SECOND;
}
