/* SPDX-License-Identifier: BSD-2-Clause */
/* RISC-V: reading the clock. On SiFive cores this traps to the firmware. */
#ifndef ARCH_IMPL_IRQ_H
#define ARCH_IMPL_IRQ_H

static inline uint64_t clock_ticks(void)
{
    uint64_t ticks;
    __asm__ volatile("csrr %0, time" : "=r"(ticks));
    return ticks;
}

#endif
