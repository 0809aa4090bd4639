/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls to the firmware (RISC-V SBI specification 2.0, and the legacy calls of 0.1). */
#ifndef ARCH_RISCV64_SBI_H
#define ARCH_RISCV64_SBI_H

#include <kernel/types.h>

struct hart;

/* Finds out which extensions there are. Before it, only the console works. */
void sbi_init(void);
/* For tests, `sbi-hide=time,ipi` on the command line: does without those extensions, by the legacy calls. */
void sbi_hide(const char *names);
/* `text` is kernel memory, mapped by the kernel's tables. */
void sbi_console_write(const char *text, size_t length);
void sbi_set_timer(uint64_t ticks);
/* Masks are of dense hart numbers. */
void sbi_send_ipi(uint64_t mask);
void sbi_remote_fence_code(uint64_t mask);
/* Flushes every translation of an address space on those harts; done when it returns. */
void sbi_remote_flush(uint64_t mask, uint32_t asid);
status_t sbi_hart_start(uint64_t id, paddr_t entry, uint64_t argument);
status_t sbi_power(uint32_t operation, uint32_t reason);

#endif
