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
    /* Counts flushes. A hart that comes back and has seen fewer flushes what it holds. */
    _Atomic uint32_t generation;
    uint32_t seen[HARTS_MAX]; /* each hart its own */
};

static inline void *phys_to_virt(paddr_t pa)
{
    return (void *)(pa + DIRECT_BASE);
}

static inline paddr_t virt_to_phys(const void *va)
{
    return (paddr_t)va - DIRECT_BASE;
}

/* This hart holds translations of the space that are out of date. */
void mmu_catch_up(struct arch_space *space, uint32_t generation);
void mmu_leave_user(void);

static inline void mmu_switch(struct arch_space *space)
{
    struct hart *hart = cpu_hart();
    if (hart->arch.space == space) {
        return;
    }
    if (space == NULL) {
        mmu_leave_user();
        return;
    }
    /* The old space's tables may go once it is no longer named here. Named before the generation is
     * read; a flush counts on before it reads who is here. */
    __asm__ volatile("csrw satp, %0" ::"r"(space->satp) : "memory");
    store_release(&hart->arch.space, space);
    __asm__ volatile("fence rw, rw" ::: "memory");
    uint32_t generation = atomic_load_explicit(&space->generation, memory_order_relaxed);
    if (space->seen[hart->number] != generation) {
        mmu_catch_up(space, generation);
    }
}

#endif
