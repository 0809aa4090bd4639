/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an architecture supplies: page tables. The kernel half is the same in every space; a space
 * holds user pages only. All functions on a space: its address_space lock held, unless said
 * otherwise. Pages are 4 KiB.
 */
#ifndef ARCH_MMU_H
#define ARCH_MMU_H

#include <stdbool.h>

#include <kernel/types.h>

struct job;

/* Protection as SK_PROT_*, plus: */
#define MMU_DEVICE (1u << 16) /* mmu_map: registers, not memory */
#define MMU_MEMORY (1u << 17) /* mmu_lookup: memory, which the kernel may touch, not registers */

#include <arch_impl/mmu.h> /* struct arch_space, phys_to_virt, virt_to_phys */

/* The kernel's view of RAM: valid for every address that the device tree calls memory. */
static inline void *phys_to_virt(paddr_t pa);
static inline paddr_t virt_to_phys(const void *va);

/* Maps device registers for the kernel itself, at boot only. NULL when there is no room. */
void *mmu_map_device(paddr_t pa, size_t size);

/* A new empty space. Page table frames are charged to `job`. OVER_BUDGET, NO_MEMORY. */
status_t mmu_init(struct arch_space *space, struct job *job);
/* Frees page tables; false: there are more, in the next step. Every hart has left the space (mmu_active says 0), and
 * it is used no more. */
bool mmu_destroy_step(struct arch_space *space);
/* Harts that run in the space now. No lock needed. */
uint64_t mmu_active(const struct arch_space *space);

/* Enters one page; replaces what was there. OVER_BUDGET or NO_MEMORY for want of a table. */
status_t mmu_map(struct arch_space *space, vaddr_t va, paddr_t pa, uint32_t prot);
/* Clears `pages` entries from `va`; absent ones are fine. Returns how many were present. The caller
 * must mmu_flush before it lets go of the frames. */
uint64_t mmu_unmap(struct arch_space *space, vaddr_t va, uint64_t pages);
/* Changes the protection of the entries that are present. The caller must mmu_flush. */
void mmu_protect(struct arch_space *space, vaddr_t va, uint64_t pages, uint32_t prot);
/* After the return no hart uses older translations of the range. */
void mmu_flush(struct arch_space *space, vaddr_t va, uint64_t pages);
/* A translation was added: this hart may still hold that there is none. */
void mmu_flush_new(struct arch_space *space, vaddr_t va);
/* The physical address of `va`, if a user access with `prot` would succeed now, and it is memory if MMU_MEMORY asks
 * for that; false otherwise. */
ALWAYS_INLINE bool mmu_lookup(struct arch_space *space, vaddr_t va, uint32_t prot, paddr_t *pa);

/* Runs this hart in a space, in two steps with a seq_cst fence between them; interrupts off. No lock is
 * held in the second. */
ALWAYS_INLINE void mmu_switch_begin(struct arch_space *space);
ALWAYS_INLINE void mmu_switch_end(struct arch_space *space);
/* Runs this hart in the kernel's own space: nothing of a user's is used any more. */
void mmu_leave_user(void);

#endif
