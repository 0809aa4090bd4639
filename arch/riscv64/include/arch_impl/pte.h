/* SPDX-License-Identifier: BSD-2-Clause */
/* Page table entries of Sv39 (RISC-V privileged specification, 10.4). */
#ifndef ARCH_IMPL_PTE_H
#define ARCH_IMPL_PTE_H

#include <kernel/types.h>

typedef uint64_t pte_t;

#define PTE_V (1ull << 0)
#define PTE_R (1ull << 1)
#define PTE_W (1ull << 2)
#define PTE_X (1ull << 3)
#define PTE_U (1ull << 4)
#define PTE_G (1ull << 5)
#define PTE_A (1ull << 6)
#define PTE_D (1ull << 7)
#define PTE_DEVICE (1ull << 8) /* RSW, which the hardware ignores (10.4.1): registers */
#define PTE_LEAF (PTE_R | PTE_W | PTE_X)
#define PTE_ADDRESS_MASK (((1ull << 44) - 1) << 10)

#define TABLE_ENTRIES 512u
#define ROOT_USER_ENTRIES 256u
#define MEGAPAGE (1ull << 21)
#define GIGAPAGE (1ull << 30)

static inline pte_t pte_make(paddr_t pa, uint64_t flags)
{
    return pa >> 2 | flags | PTE_V;
}

static inline paddr_t pte_address(pte_t pte)
{
    return (pte & PTE_ADDRESS_MASK) << 2;
}

/* The place of an address in the table of a level: 2 is the root. */
static inline uint32_t pte_index(uint64_t va, uint32_t level)
{
    return (uint32_t)(va >> (12 + 9 * level)) & (TABLE_ENTRIES - 1);
}

#endif
