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

#include <arch_impl/pte.h>
#include <kernel/hart.h>

#define DIRECT_BASE 0xffffffc000000000ull
#define DIRECT_SIZE ((uint64_t)192 << 30)

struct arch_space {
    uint64_t satp; /* [I] mode, ASID and root table */
    paddr_t root;  /* [I] */
    uint32_t asid; /* [I] 0: shared by all spaces without one of their own */
    /* The last-level table that was used last, and what it is for: address / MEGAPAGE. Tables are given
     * up with the space only. [lock] */
    uint64_t near;
    pte_t *near_table;
    struct job *job;    /* [I] pays for tables; borrowed */
    uint32_t destroyed; /* at the end: how far a middle table has been looked through */
    /* Harts, as arch.bit, that may hold translations which are out of date: each flushes when it comes. */
    _Atomic uint64_t stale;
};

static inline void *phys_to_virt(paddr_t pa)
{
    return (void *)(pa + DIRECT_BASE);
}

static inline paddr_t virt_to_phys(const void *va)
{
    return (paddr_t)va - DIRECT_BASE;
}

static inline pte_t *mmu_table(pte_t pte)
{
    return phys_to_virt(pte_address(pte));
}

static inline bool mmu_is_user(vaddr_t va)
{
    return va < GIGAPAGE * ROOT_USER_ENTRIES;
}

/* The last-level table of a user address, and makes it the near one; NULL if it is absent. */
RARELY pte_t *mmu_walk(struct arch_space *space, vaddr_t va);

/* The lowest-level entry of a user address; NULL if its table is absent. */
ALWAYS_INLINE pte_t *mmu_entry(struct arch_space *space, vaddr_t va)
{
    pte_t *table = space->near_table;
    if (unlikely(va / MEGAPAGE != space->near)) {
        table = mmu_walk(space, va);
        if (table == NULL) {
            return NULL;
        }
    }
    return &table[pte_index(va, 0)];
}

ALWAYS_INLINE bool mmu_lookup(struct arch_space *space, vaddr_t va, uint32_t prot, paddr_t *pa)
{
    const pte_t *entry = mmu_is_user(va) ? mmu_entry(space, va) : NULL;
    uint64_t needed = PTE_V | PTE_U;
    needed |= (prot & SK_PROT_READ) != 0 ? PTE_R : 0;
    needed |= (prot & SK_PROT_WRITE) != 0 ? PTE_W : 0;
    needed |= (prot & SK_PROT_EXECUTE) != 0 ? PTE_X : 0;
    uint64_t looked_at = needed | ((prot & MMU_MEMORY) != 0 ? PTE_DEVICE : 0);
    if (entry == NULL || (*entry & looked_at) != needed) {
        return false;
    }
    *pa = pte_address(*entry) | (va & PAGE_MASK);
    return true;
}

/* This hart may hold translations of the space that are out of date. */
RARELY void mmu_catch_up(struct arch_space *space);

ALWAYS_INLINE void mmu_switch_begin(struct arch_space *space)
{
    struct hart *hart = cpu_hart();
    if (hart->arch.space != space) {
        /* The old space's tables may go once it is no longer named here. */
        __asm__ volatile("csrw satp, %0" ::"r"(space->satp) : "memory");
        store_relaxed(&hart->arch.space, space);
    }
}

ALWAYS_INLINE void mmu_switch_end(struct arch_space *space)
{
    /* Named before this is read; a flush marks harts before it reads who is named. */
    if (unlikely(atomic_load_explicit(&space->stale, memory_order_relaxed) &
                 cpu_hart()->arch.bit)) {
        mmu_catch_up(space);
    }
}

#endif
