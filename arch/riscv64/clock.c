/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The timer interrupt: by stimecmp where the hart has it, else through the firmware. Owns nothing
 * but this hart's registers.
 */
#include <arch/irq.h>

#include "csr.h"
#include "internal.h"
#include "sbi.h"

#include <kernel/hart.h>

void clock_boot_hart(struct hart *hart)
{
    hart->arch.has_sstc = csr_probe_stimecmp() != 0;
    clock_arm(~(uint64_t)0);
}

void clock_arm(uint64_t ticks)
{
    if (ticks == ~(uint64_t)0) {
        /* A late one stays pending and disabled: nothing to tell the firmware. */
        csr_clear(sie, INTERRUPT_TIMER);
        return;
    }
    if (cpu_hart()->arch.has_sstc) {
        csr_write(0x14d, ticks);
    } else {
        sbi_set_timer(ticks);
    }
    csr_set(sie, INTERRUPT_TIMER);
}
