/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host: page tables of three levels in charged frames, as RISC-V has them, in one arena of memory that
 * stands for RAM.
 */
#ifndef ARCH_IMPL_MMU_H
#define ARCH_IMPL_MMU_H

#include <stdatomic.h>

#include <kernel/hart.h>

#define HOST_RAM_BASE 0x80000000ull
#define HOST_RAM_BYTES (64ull << 20)

struct arch_space {
    paddr_t root;                /* [I] */
    uint32_t asid;               /* [I] 0: shared by all spaces without one of their own */
    struct job *job;             /* [I] pays for tables; borrowed */
    _Atomic uint32_t generation; /* counts flushes */
    uint32_t seen[HARTS_MAX];    /* each hart its own */
};

extern char *host_ram;

static inline void *phys_to_virt(paddr_t pa)
{
    return host_ram + (pa - HOST_RAM_BASE);
}

static inline paddr_t virt_to_phys(const void *va)
{
    return (paddr_t)((const char *)va - host_ram) + HOST_RAM_BASE;
}

bool host_mmu_lookup(const struct arch_space *space, vaddr_t va, uint32_t prot, paddr_t *pa);

ALWAYS_INLINE bool mmu_lookup(struct arch_space *space, vaddr_t va, uint32_t prot, paddr_t *pa)
{
    return host_mmu_lookup(space, va, prot, pa);
}

void host_mmu_switch(struct arch_space *space);

ALWAYS_INLINE void mmu_switch_begin(struct arch_space *space)
{
    host_mmu_switch(space);
}

ALWAYS_INLINE void mmu_switch_end(struct arch_space *space) {}

#endif
