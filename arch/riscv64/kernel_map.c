/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's page tables. early_map runs before translation is on, at the address where the image
 * was loaded, which works because medany code finds everything relative to the program counter; no
 * pointer made then may be kept.
 *
 * Owns: a pool of tables in the image. Invariants: kernel pages are global, never both writable and
 * executable; the image's own frames are not in the direct map; every root entry of the kernel half
 * that is ever used exists before the first user space is made. Context: the boot hart.
 */
#include "kernel_map.h"

#include "csr.h"

#include <string.h>

#include <arch/mmu.h>
#include <arch_impl/offsets.h>
#include <kernel/page.h>
#include <kernel/platform.h>

/* Enough for the image, the stacks and eight ranges of RAM with ragged ends. */
#define TABLES 20u
#define KERNEL_PAGE (PTE_G | PTE_A | PTE_D)
#define KERNEL_RW (KERNEL_PAGE | PTE_R | PTE_W)
#define TREE_MAGIC 0xd00dfeedu

_Static_assert(DEVICE_BASE / GIGAPAGE == IMAGE_BASE / GIGAPAGE, "they share a root entry");

static pte_t tables[TABLES][TABLE_ENTRIES] __attribute__((section(".noinit"), aligned(4096)));
static uint32_t tables_used; /* tables[0] is the root */
static uint64_t image_shift; /* linked minus physical address; 0 while translation is off */
static uint64_t devices_end = DEVICE_BASE;

uint64_t early_satp;

extern char boot_stack[];

static pte_t *table_take(void)
{
    if (tables_used == TABLES) {
        return NULL;
    }
    pte_t *table = tables[tables_used++];
    for (uint32_t i = 0; i < TABLE_ENTRIES; i++) {
        table[i] = 0;
    }
    return table;
}

static pte_t *table_of(pte_t pte)
{
    return (pte_t *)(pte_address(pte) + image_shift);
}

/* The table below an entry that is not a leaf, made if need be. */
static pte_t *descend(pte_t *entry)
{
    if ((*entry & PTE_V) == 0) {
        pte_t *table = table_take();
        if (table == NULL) {
            return NULL;
        }
        *entry = pte_make((paddr_t)table - image_shift, 0);
    }
    return table_of(*entry);
}

/* Maps one page of the largest size that fits; returns that size, 0 when no table is left. What is
 * mapped already stays. */
static uint64_t map_one(uint64_t va, paddr_t pa, uint64_t size, uint64_t flags)
{
    pte_t *table = tables[0];
    for (uint32_t level = 2;; level--) {
        uint64_t page = PAGE_SIZE << (9 * level);
        pte_t *entry = &table[pte_index(va, level)];
        bool leaf = (*entry & PTE_LEAF) != 0;
        bool fits = ((va | pa) & (page - 1)) == 0 && size >= page && (*entry & PTE_V) == 0;
        if (fits) {
            *entry = pte_make(pa, flags);
        }
        if (fits || leaf) {
            return page - (va & (page - 1));
        }
        table = descend(entry);
        if (table == NULL) {
            return 0;
        }
    }
}

/* Returns how much was mapped. */
static uint64_t map(uint64_t va, paddr_t pa, uint64_t size, uint64_t flags)
{
    uint64_t done = 0;
    while (done < size) {
        uint64_t step = map_one(va + done, pa + done, size - done, flags);
        if (step == 0) {
            break;
        }
        done += step;
    }
    return done < size ? done : size;
}

static void map_image_part(const char *from, const char *to, uint64_t flags)
{
    uint64_t offset = (uint64_t)(from - image_start);
    map(IMAGE_BASE + offset, (paddr_t)from, ((uint64_t)(to - from) + PAGE_MASK) & ~PAGE_MASK,
        flags);
}

static uint32_t big_endian(uint32_t value)
{
    return value >> 24 | (value >> 8 & 0xff00) | (value << 8 & 0xff0000) | value << 24;
}

uint64_t early_map(paddr_t tree_pa)
{
    table_take();
    map_image_part(image_start, image_text_end, KERNEL_PAGE | PTE_R | PTE_X);
    map_image_part(image_constants, image_data, KERNEL_PAGE | PTE_R);
    map_image_part(image_data, image_end, KERNEL_RW);
    map(STACKS_BASE + STACK_SLOT_BYTES - STACK_BYTES, (paddr_t)boot_stack, STACK_BYTES, KERNEL_RW);

    const uint32_t *tree = (const uint32_t *)tree_pa;
    if (tree_pa != 0 && tree_pa % 8 == 0 && big_endian(tree[0]) == TREE_MAGIC) {
        uint32_t size = big_endian(tree[1]);
        kernel_map_ram(tree_pa,
                       tree_pa + (size < PLATFORM_TREE_BYTES_MAX ? size : PLATFORM_TREE_BYTES_MAX));
    }
    early_satp = SATP_SV39 | (paddr_t)tables[0] >> 12;
    return early_satp;
}

void kernel_map_moved(paddr_t load_pa)
{
    image_shift = IMAGE_BASE - load_pa;
}

paddr_t kernel_map_ram(paddr_t start, paddr_t end)
{
    start &= ~PAGE_MASK;
    end = (end + PAGE_MASK) & ~PAGE_MASK;
    if (end > DIRECT_SIZE) {
        end = DIRECT_SIZE;
    }
    if (start >= end) {
        return end;
    }
    return start + map(DIRECT_BASE + start, start, end - start, KERNEL_RW);
}

status_t kernel_map_stack(uint32_t number)
{
    uint64_t top = STACKS_BASE + (number + 1ull) * STACK_SLOT_BYTES;
    for (uint64_t va = top - STACK_BYTES; va < top; va += PAGE_SIZE) {
        paddr_t frame;
        status_t status = page_alloc(NULL, &frame);
        if (status != SK_OK) {
            return status;
        }
        if (map(va, frame, PAGE_SIZE, KERNEL_RW) == 0) {
            page_free(NULL, frame);
            return SK_NO_MEMORY;
        }
    }
    return SK_OK;
}

paddr_t kernel_map_lookup(uint64_t va)
{
    const pte_t *table = tables[0];
    for (uint32_t level = 2;; level--) {
        pte_t entry = table[pte_index(va, level)];
        if ((entry & PTE_V) == 0) {
            return 0;
        }
        if ((entry & PTE_LEAF) != 0) {
            return pte_address(entry) + (va & ((PAGE_SIZE << (9 * level)) - 1));
        }
        table = table_of(entry);
    }
}

const pte_t *kernel_map_root(void)
{
    return tables[0];
}

void *mmu_map_device(paddr_t pa, size_t size)
{
    paddr_t first = pa & ~(MEGAPAGE - 1);
    uint64_t length = ((pa + size + MEGAPAGE - 1) & ~(MEGAPAGE - 1)) - first;
    uint64_t window_end = IMAGE_BASE + GIGAPAGE;
    if (length > window_end - devices_end) {
        return NULL;
    }
    uint64_t va = devices_end;
    if (map(va, first, length, KERNEL_RW) < length) {
        return NULL;
    }
    devices_end += length;
    return (void *)(va + (pa - first));
}
