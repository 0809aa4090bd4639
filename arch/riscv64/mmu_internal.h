/* SPDX-License-Identifier: BSD-2-Clause */
/* Parts of mmu.c that only the boot code of this architecture calls. */
#ifndef ARCH_RISCV64_MMU_INTERNAL_H
#define ARCH_RISCV64_MMU_INTERNAL_H

#include <kernel/types.h>

/* Finds out how many ASIDs the hardware has; without `wanted` none is used. */
void mmu_boot_asids(bool wanted);
uint32_t mmu_asid_count(void);

#endif
