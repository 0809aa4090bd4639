/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sorts traps by their cause. System calls never come here: trap.S passes them on by itself.
 * Context: interrupts off, no lock held.
 */
#include <kernel/trap.h>

#include "csr.h"
#include "internal.h"

#include <arch/irq.h>
#include <arch_impl/offsets.h>
#include <kernel/hart.h>
#include <kernel/log.h>
#include <kernel/panic.h>

#define CAUSE_ILLEGAL_INSTRUCTION 2
#define CAUSE_FETCH_PAGE_FAULT 12
#define CAUSE_LOAD_PAGE_FAULT 13
#define CAUSE_STORE_PAGE_FAULT 15

static const char *const cause_words[] = {
    "misaligned jump",
    "fetch from bad physical address",
    "illegal instruction",
    "breakpoint",
    "misaligned load",
    "load from bad physical address",
    "misaligned store",
    "store to bad physical address",
    "system call",
    "call of the firmware",
    "trap 10",
    "trap 11",
    "fetch page fault",
    "load page fault",
    "trap 14",
    "store page fault",
};

const struct kernel_trap *kernel_trap_reported;

static const char *words_of(uint64_t cause)
{
    return cause < sizeof cause_words / sizeof cause_words[0] ? cause_words[cause] : "unknown trap";
}

void cpu_poll_interrupts(void)
{
    for (;;) {
        uint64_t pending = csr_read(sip) & csr_read(sie);
        if ((pending & INTERRUPT_SOFTWARE) != 0) {
            csr_clear(sip, INTERRUPT_SOFTWARE);
            if (atomic_load(&cpu_stopping)) {
                cpu_halt();
            }
            trap_hart_interrupt();
        } else if ((pending & INTERRUPT_EXTERNAL) != 0 && irq_take()) {
            continue;
        } else if ((pending & INTERRUPT_TIMER) != 0) {
            trap_timer();
        } else {
            return;
        }
    }
}

void trap_from_user(struct thread *thread, uint64_t cause, uint64_t value)
{
    if ((cause & SCAUSE_INTERRUPT) != 0) {
        cpu_poll_interrupts();
        return;
    }
    switch (cause) {
    case CAUSE_FETCH_PAGE_FAULT:
        trap_page_fault(thread, value, SK_PROT_EXECUTE);
        return;
    case CAUSE_LOAD_PAGE_FAULT:
        trap_page_fault(thread, value, SK_PROT_READ);
        return;
    case CAUSE_STORE_PAGE_FAULT:
        trap_page_fault(thread, value, SK_PROT_WRITE);
        return;
    case CAUSE_ILLEGAL_INSTRUCTION:
        /* The FPU is off until it is used. Whatever else was wrong traps again. */
        if (fpu_enable(&thread->fpu)) {
            return;
        }
        break;
    default:
        break;
    }
    trap_user_fault(thread, words_of(cause), value);
}

/* The unmapped lower half of this hart's slot: a store there comes from a stack that was too small. */
static bool is_stack_overflow(uint64_t va)
{
    uint64_t top = cpu_hart()->stack_top;
    return va - (top - STACK_SLOT_BYTES) < STACK_SLOT_BYTES - STACK_BYTES;
}

_Noreturn void trap_from_kernel(const struct kernel_trap *trap, uint64_t cause, uint64_t value)
{
    static const char names[31][4] = {
        "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "s0", "s1", "a0", "a1",
        "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5", "s6",
        "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6",
    };
    kernel_trap_reported = trap;
    log_panic_mode();
    for (uint32_t i = 0; i < 31; i++) {
        log_printf("%3s %016lx%s", names[i], trap->x[i], i % 4 == 3 || i == 30 ? "\n" : "  ");
    }
    bool overflow = cause == CAUSE_STORE_PAGE_FAULT && is_stack_overflow(value);
    panic("%s in the kernel: pc %lx, value %lx", overflow ? "stack overflow" : words_of(cause),
          trap->pc, value);
}
