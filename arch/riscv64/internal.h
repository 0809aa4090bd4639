/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this architecture share among themselves. */
#ifndef ARCH_RISCV64_INTERNAL_H
#define ARCH_RISCV64_INTERNAL_H

#include <stdatomic.h>

#include <kernel/types.h>

struct arch_fpu;
struct hart;
struct thread;

/* Registers of the kernel at a trap of its own. */
struct kernel_trap {
    uint64_t pc;
    uint64_t x[31]; /* x1..x31 */
};

/* trap.S */
void secondary_start(void);
uint64_t csr_probe_stimecmp(void);
/* The unit is off and is turned on, its registers loaded unless they are there still. fpu.S */
void fpu_turn_on(struct arch_fpu *fpu);

/* trap.c */
extern const struct kernel_trap *kernel_trap_reported; /* NULL: no such trap yet */
void trap_from_user(struct thread *thread, uint64_t cause, uint64_t value);
_Noreturn void trap_from_kernel(const struct kernel_trap *trap, uint64_t cause, uint64_t value);

/* cpu.c */
extern _Atomic bool cpu_stopping; /* a panic elsewhere: halt at the next interrupt */
/* Gives this hart's FPU to a thread; false if it had it already. */
bool fpu_enable(struct arch_fpu *fpu);

/* entry.c */
_Noreturn void boot_hart_entry(uint64_t hart_id, paddr_t tree_pa, paddr_t load_pa);
_Noreturn void secondary_hart_entry(struct hart *hart);

/* Where a hart claims and completes interrupts; they happen often, so no function is between.
 * A claimed source is written to `hold` (NULL: it need not), so that it waits for its completion. */
struct irq_port {
    volatile uint32_t *claim, *complete, *hold;
    uint32_t shift; /* of the source in what `claim` says */
};

/* A kind of interrupt controller. A context is what it delivers to: a hart's supervisor mode.
 * boot_context comes from the context's own hart, and it gets what is enabled afterwards; the rest
 * comes from any. */
struct irq_controller {
    void (*boot)(volatile unsigned char *registers, uint32_t sources);
    void (*boot_context)(uint32_t context, uint32_t sources);
    struct irq_port (*port)(uint32_t context);
    void (*enable)(uint32_t source, uint32_t context);
    void (*disable)(uint32_t source, uint32_t context);
};
extern const struct irq_controller plic, aplic;

/* irq.c */
void irq_boot(void);
void irq_boot_hart(struct hart *hart);
/* Claims what is pending on this hart and hands it to trap_device; false if there was nothing. */
bool irq_take(void);

/* clock.c */
void clock_boot_hart(struct hart *hart);

#endif
