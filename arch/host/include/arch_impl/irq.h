/* SPDX-License-Identifier: BSD-2-Clause */
/* Host: a clock that tests move. */
#ifndef ARCH_IMPL_IRQ_H
#define ARCH_IMPL_IRQ_H

#include <stdatomic.h>
#include <stdint.h>

extern _Atomic uint64_t host_ticks;

static inline uint64_t clock_ticks(void)
{
    return atomic_load_explicit(&host_ticks, memory_order_relaxed);
}

#endif
