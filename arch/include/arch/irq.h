/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an architecture supplies: the interrupt controller and the clock.
 */
#ifndef ARCH_IRQ_H
#define ARCH_IRQ_H

#include <stdbool.h>

#include <kernel/types.h>

struct hart;

/* Number of the highest source, from the device tree. */
uint32_t irq_highest(void);
/* Lets the source interrupt `hart`, or the first hart that it can reach if it cannot reach this one.
 * Its priority is above the threshold afterwards. */
void irq_enable(uint32_t source, struct hart *hart);
void irq_disable(uint32_t source, struct hart *hart);
/* Completes a claim made on `hart`, from any hart. The source must still be enabled there. */
void irq_complete(uint32_t source, struct hart *hart);

/* The clock, in ticks of the timebase; the same on every hart. May be slow (it traps on some). */
static inline uint64_t clock_ticks(void);
/* Asks for a timer interrupt on this hart at `ticks`; ~0 for none. Replaces the earlier wish. */
void clock_arm(uint64_t ticks);

#include <arch_impl/irq.h>

#endif
