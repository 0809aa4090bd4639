/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User page tables and address space identifiers.
 *
 * A space owns an ASID while it lives. Where there is none left, or the hardware has none, the space
 * uses ASID 0, which is flushed at every switch. A flush reaches only the harts that are in the space:
 * it marks all harts in space.stale, then looks at each hart's arch.space. A hart that enters says so,
 * then looks for its mark, and flushes by itself what it may still hold (also of an earlier owner of
 * the ASID). So either is seen by the other. A flush is always of a whole ASID: some SiFive cores have
 * errata for a flush by address (CIP-1200).
 *
 * Locks: the space's own for tables; words shared by harts are atomic. Tests: tests/qemu.
 */
#include <arch/mmu.h>

#include "csr.h"
#include "kernel_map.h"
#include "mmu_internal.h"
#include "sbi.h"

#include <string.h>

#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/step.h>

#define ASIDS_MAX 1024u

static _Atomic uint64_t asids_used[ASIDS_MAX / 64];
static uint32_t asid_count; /* [I] usable ones, 0 included */

void mmu_boot_asids(bool wanted)
{
    uint64_t satp = csr_read(satp);
    csr_write(satp, satp | SATP_ASID_MASK << SATP_ASID_SHIFT);
    uint64_t highest = csr_read(satp) >> SATP_ASID_SHIFT & SATP_ASID_MASK;
    csr_write(satp, satp);
    __asm__ volatile("sfence.vma" ::: "memory");
    asid_count = highest < ASIDS_MAX ? (uint32_t)highest + 1 : ASIDS_MAX;
    if (!wanted) {
        asid_count = 1;
    }
    asids_used[0] = 1;
}

uint32_t mmu_asid_count(void)
{
    return asid_count;
}

/* 0 when all are taken. */
static uint32_t asid_take(void)
{
    for (uint32_t first = 0; first < asid_count; first += 64) {
        uint64_t valid = asid_count - first >= 64 ? ~0ull : (1ull << (asid_count - first)) - 1;
        uint64_t used = atomic_load_explicit(&asids_used[first / 64], memory_order_relaxed);
        while ((~used & valid) != 0) {
            uint64_t bit = 1ull << __builtin_ctzll(~used & valid);
            if (atomic_compare_exchange_weak(&asids_used[first / 64], &used, used | bit)) {
                return first + (uint32_t)__builtin_ctzll(bit);
            }
        }
    }
    return 0;
}

static void asid_give_back(uint32_t asid)
{
    if (asid != 0) {
        atomic_fetch_and(&asids_used[asid / 64], ~(1ull << asid % 64));
    }
}

static uint64_t flags_of(uint32_t prot)
{
    uint64_t flags = PTE_U | PTE_A | PTE_D;
    flags |= (prot & (SK_PROT_READ | SK_PROT_WRITE)) != 0 ? PTE_R : 0;
    flags |= (prot & SK_PROT_WRITE) != 0 ? PTE_W : 0;
    flags |= (prot & SK_PROT_EXECUTE) != 0 ? PTE_X : 0;
    flags |= (prot & MMU_DEVICE) != 0 ? PTE_DEVICE : 0;
    return flags;
}

status_t mmu_init(struct arch_space *space, struct job *job)
{
    paddr_t root;
    status_t status = page_alloc(job, &root);
    if (status != SK_OK) {
        return status;
    }
    pte_t *table = phys_to_virt(root);
    memcpy(table + ROOT_USER_ENTRIES, kernel_map_root() + ROOT_USER_ENTRIES, PAGE_SIZE / 2);
    space->root = root;
    space->job = job;
    space->asid = asid_take();
    space->satp = SATP_SV39 | (uint64_t)space->asid << SATP_ASID_SHIFT | root >> 12;
    space->near = ~(uint64_t)0;
    space->destroyed = 0;
    atomic_store(&space->stale, ~(uint64_t)0);
    return SK_OK;
}

pte_t *mmu_walk(struct arch_space *space, vaddr_t va)
{
    pte_t *table = phys_to_virt(space->root);
    for (uint32_t level = 2; level > 0; level--) {
        pte_t entry = table[pte_index(va, level)];
        if ((entry & PTE_V) == 0) {
            return NULL;
        }
        table = mmu_table(entry);
    }
    space->near = va / MEGAPAGE;
    space->near_table = table;
    return table;
}

/* Frees the lowest-level tables of a middle one from space->destroyed on; false: not all in this step. */
static bool free_tables(struct arch_space *space, const pte_t *middle)
{
    for (; space->destroyed < TABLE_ENTRIES; space->destroyed++) {
        if ((space->destroyed % 8 == 0 && !step_take(1)) ||
            ((middle[space->destroyed] & PTE_V) != 0 && !step_take(2))) {
            return false;
        }
        if ((middle[space->destroyed] & PTE_V) != 0) {
            page_free(space->job, virt_to_phys(mmu_table(middle[space->destroyed])));
        }
    }
    space->destroyed = 0;
    return true;
}

bool mmu_destroy_step(struct arch_space *space)
{
    pte_t *root = phys_to_virt(space->root);
    ASSERT(mmu_active(space) == 0);
    if (!step_take(30)) { /* the look through the root */
        return false;
    }
    for (uint32_t i = 0; i < ROOT_USER_ENTRIES; i++) {
        if ((root[i] & PTE_V) != 0) {
            pte_t *middle = mmu_table(root[i]);
            if (!step_take(1) || !free_tables(space, middle)) {
                return false;
            }
            root[i] = 0;
            page_free(space->job, virt_to_phys(middle));
        }
    }
    asid_give_back(space->asid);
    page_free(space->job, space->root);
    return true;
}

uint64_t mmu_active(const struct arch_space *space)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < hart_count; i++) {
        bool here = __atomic_load_n(&harts[i].arch.space, __ATOMIC_ACQUIRE) == space;
        mask |= here ? harts[i].arch.bit : 0;
    }
    return mask;
}

status_t mmu_map(struct arch_space *space, vaddr_t va, paddr_t pa, uint32_t prot)
{
    ASSERT(mmu_is_user(va));
    pte_t *table = phys_to_virt(space->root);
    for (uint32_t level = 2; level > 0; level--) {
        pte_t *entry = &table[pte_index(va, level)];
        if ((*entry & PTE_V) == 0) {
            paddr_t frame;
            status_t status = page_alloc(space->job, &frame);
            if (status != SK_OK) {
                return status;
            }
            *entry = pte_make(frame, 0);
        }
        table = mmu_table(*entry);
    }
    table[pte_index(va, 0)] = pte_make(pa, flags_of(prot));
    return SK_OK;
}

/* The number of pages from `va` to the end of its lowest-level table, at most `pages`. */
static uint64_t run_length(vaddr_t va, uint64_t pages)
{
    uint64_t rest = TABLE_ENTRIES - pte_index(va, 0);
    return rest < pages ? rest : pages;
}

uint64_t mmu_unmap(struct arch_space *space, vaddr_t va, uint64_t pages)
{
    uint64_t present = 0;
    while (pages > 0) {
        uint64_t run = run_length(va, pages);
        pte_t *entry = mmu_entry(space, va);
        for (uint64_t i = 0; entry != NULL && i < run; i++) {
            present += entry[i] & PTE_V;
            entry[i] = 0;
        }
        va += run * PAGE_SIZE;
        pages -= run;
    }
    return present;
}

void mmu_protect(struct arch_space *space, vaddr_t va, uint64_t pages, uint32_t prot)
{
    while (pages > 0) {
        uint64_t run = run_length(va, pages);
        pte_t *entry = mmu_entry(space, va);
        for (uint64_t i = 0; entry != NULL && i < run; i++) {
            if ((entry[i] & PTE_V) != 0) {
                entry[i] = pte_make(pte_address(entry[i]),
                                    flags_of(prot) | (entry[i] & PTE_DEVICE));
            }
        }
        va += run * PAGE_SIZE;
        pages -= run;
    }
}

static void flush_here(uint32_t asid)
{
    __asm__ volatile("sfence.vma zero, %0" ::"r"((uint64_t)asid) : "memory");
}

void mmu_flush(struct arch_space *space, vaddr_t va, uint64_t pages)
{
    struct hart *hart = cpu_hart();
    atomic_store_explicit(&space->stale, ~(uint64_t)0, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst); /* entries and marks before, harts after */
    uint64_t active = mmu_active(space);
    if ((active & hart->arch.bit) != 0) {
        mmu_catch_up(space);
    }
    if ((active & ~hart->arch.bit) != 0) {
        sbi_remote_flush(active & ~hart->arch.bit, space->asid);
    }
}

void mmu_flush_new(struct arch_space *space, vaddr_t va)
{
    if (cpu_hart()->arch.space == space) {
        flush_here(space->asid);
    }
}

void mmu_catch_up(struct arch_space *space)
{
    if (space->asid != 0) { /* what is shared is flushed at every switch */
        /* The mark goes first: one that comes meanwhile stays, and who sets it finds this hart here. */
        atomic_fetch_and(&space->stale, ~cpu_hart()->arch.bit);
    }
    flush_here(space->asid);
}

void mmu_leave_user(void)
{
    csr_write(satp, early_satp);
    store_release(&cpu_hart()->arch.space, NULL);
}
