/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V, Sv39. The kernel's half, the same in every space:
 *
 *   DIRECT_BASE  all RAM from physical address 0 on, by the largest pages that fit; not executable
 *   IMAGE_BASE   the kernel where it was linked: text RX, constants R, data RW
 *   STACKS_BASE  one stack per hart, with unmapped pages below each
 *   DEVICE_BASE  registers that the kernel itself uses
 */
#ifndef ARCH_IMPL_MMU_H
#define ARCH_IMPL_MMU_H

#include <stdatomic.h>

#include <kernel/hart.h>

#define DIRECT_BASE 0xffffffc000000000ull
#define DIRECT_SIZE ((uint64_t)192 << 30)

struct arch_space {
    uint64_t satp;   /* [I] mode, ASID and root table */
    paddr_t root;    /* [I] */
    uint32_t asid;   /* [I] 0: shared by all spaces without one of their own */
    struct job *job; /* [I] pays for tables; borrowed */
    /* Bits 0..31: harts that run in the space; bits 32..63: harts that may hold translations of it. */
    _Atomic uint64_t harts;
};

static inline void *phys_to_virt(paddr_t pa)
{
    return (void *)(pa + DIRECT_BASE);
}

static inline paddr_t virt_to_phys(const void *va)
{
    return (paddr_t)va - DIRECT_BASE;
}

void mmu_switch_slow(struct arch_space *space);

static inline void mmu_switch(struct arch_space *space)
{
    if (cpu_hart()->arch.space != space) {
        mmu_switch_slow(space);
    }
}

#endif
