/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests see and steer of the host machine, beside the contract.
 */
#ifndef ARCH_IMPL_HOST_H
#define ARCH_IMPL_HOST_H

#include <arch/irq.h>
#include <arch/mmu.h>
#include <kernel/thread.h>

#define HOST_IRQS 32u

/* Maps the RAM; once. */
void host_machine_start(void);

/* Runs when this POSIX thread's hart has nothing to do; it may leave by longjmp. */
extern _Thread_local void (*host_idle)(void);
/* Runs when a hart waits for another one, as at a lock; NULL: lets other POSIX threads run. */
extern void (*host_relaxing)(void);

/* Nanoseconds and ticks are the same here. */
void host_clock_set(uint64_t ticks);
/* What the hart asked its clock for; ~0 for nothing. */
uint64_t host_clock_armed(const struct hart *hart);

/* A device pulls its line: pending on the hart that the source is enabled for, if on any. */
void host_irq_raise(uint32_t source);
bool host_irq_is_enabled(uint32_t source);
uint32_t host_irq_completions(uint32_t source);
/* True if an interrupt is pending for the hart: a user program there would be left for the kernel. */
bool host_interrupt_pending(const struct hart *hart);

/* What went to the firmware's console. */
const char *host_console(void);

/* The physical address that a user access of this hart reaches, through its TLB: SK_OK, or BAD_ADDRESS
 * for a page fault. Never asks the kernel. */
status_t host_translate(struct arch_space *space, vaddr_t va, uint32_t prot, paddr_t *pa);
/* The same for the running thread, with page faults taken to the kernel as long as they help: false
 * when the kernel ended the process. The thread must be the current one of this hart. */
bool host_user_access(struct thread *thread, vaddr_t va, uint32_t prot, paddr_t *pa);
/* Copies as the running thread would; exactly one of `to` (a read) and `from` (a write) is set. No other
 * hart's flush returns in the midst of it. */
bool host_user_copy(struct thread *thread, vaddr_t va, void *to, const void *from, size_t size);
/* The word that this hart would execute at `va`, aligned: through TLB and instruction cache. */
bool host_user_fetch(struct thread *thread, vaddr_t va, uint32_t *word);
/* Entries that the hart's TLB holds for the space, absent ones not counted. */
uint32_t host_tlb_count(const struct hart *hart, const struct arch_space *space);

#endif
