/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Long operations on memory: many pages, many regions, many page tables.
 */
#include "steps.h"

#define PAGES 8192u
#define REGIONS 3000u
#define FAR ((uint64_t)1 << 21) /* each in a page table of its own */
#define FAR_REGIONS 1000u
#define BASE ((uint64_t)1 << 37)
#define RW (SK_PROT_READ | SK_PROT_WRITE)

static handle_t memory;
static uint64_t address;

static void create(void)
{
    memory = make_memory(PAGES);
}

static void create_committed(void)
{
    must(sk_memory_create(sk_self_job, PAGES * SK_PAGE_SIZE, SK_MEMORY_COMMIT, &memory));
}

static void close_memory(void)
{
    must(sk_handle_close(memory));
}

static void map_populated(void)
{
    address = map_memory(memory, PAGES, RW | SK_MAP_POPULATE);
}

static void create_mapped(void)
{
    create();
    map_populated();
}

static void protect(void)
{
    must(sk_memory_protect(sk_self_process, address, PAGES * SK_PAGE_SIZE, SK_PROT_READ));
}

static void close_access(void)
{
    must(sk_memory_protect(sk_self_process, address, PAGES * SK_PAGE_SIZE, 0));
}

static void unmap(void)
{
    must(sk_memory_unmap(sk_self_process, address, PAGES * SK_PAGE_SIZE));
}

static void unmap_and_close(void)
{
    unmap();
    close_memory();
}

/* Mapped only: the last reference goes with the mapping. */
static void create_mapped_closed(void)
{
    create_mapped();
    close_memory();
}

/* The most there can be, without a page in it. */
#define EMPTY_BYTES ((uint64_t)1 << 30)

static void create_empty(void)
{
    must(sk_memory_create(sk_self_job, EMPTY_BYTES, 0, &memory));
    must(sk_memory_map(sk_self_process, memory, 0, EMPTY_BYTES, 0, RW, &address));
    close_memory();
}

static void unmap_empty(void)
{
    must(sk_memory_unmap(sk_self_process, address, EMPTY_BYTES));
}

static void protect_empty(void)
{
    must(sk_memory_protect(sk_self_process, address, EMPTY_BYTES, SK_PROT_READ));
}

/* Every other page, so that nothing is joined. */
static void map_pieces(uint64_t stride, uint64_t count)
{
    memory = make_memory(2);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t at;
        must(sk_memory_map(sk_self_process, memory, i % 2 * SK_PAGE_SIZE, SK_PAGE_SIZE,
                           BASE + i * stride, RW | SK_MAP_FIXED | SK_MAP_POPULATE, &at));
    }
}

static void map_regions(void)
{
    map_pieces(SK_PAGE_SIZE, REGIONS);
}

static void protect_regions(void)
{
    must(sk_memory_protect(sk_self_process, BASE, REGIONS * SK_PAGE_SIZE, SK_PROT_READ));
}

static void unmap_regions(void)
{
    must(sk_memory_unmap(sk_self_process, BASE, REGIONS * SK_PAGE_SIZE));
}

static void unmap_regions_and_close(void)
{
    unmap_regions();
    close_memory();
}

static void map_far(void)
{
    map_pieces(FAR, FAR_REGIONS);
}

static void unmap_far(void)
{
    must(sk_memory_unmap(sk_self_process, BASE, FAR_REGIONS * FAR));
}

#define SMALL 3000u
static handle_t small[SMALL];

/* Many objects whose last reference is a mapping in one range. */
static void map_objects(void)
{
    for (uint32_t i = 0; i < SMALL; i++) {
        uint64_t at;
        handle_t object = make_memory(1);
        must(sk_memory_map(sk_self_process, object, 0, SK_PAGE_SIZE, BASE + i * SK_PAGE_SIZE,
                           RW | SK_MAP_FIXED | SK_MAP_POPULATE, &at));
        must(sk_handle_close(object));
    }
}

static void unmap_objects(void)
{
    must(sk_memory_unmap(sk_self_process, BASE, SMALL * SK_PAGE_SIZE));
}

/* 64 KiB each way between memory that is not there yet. */
#define COPY 65536u

static void create_copied(void)
{
    memory = make_memory(COPY / SK_PAGE_SIZE);
    address = map_memory(memory, COPY / SK_PAGE_SIZE, RW);
    small[0] = make_memory(COPY / SK_PAGE_SIZE);
}

static void read_memory(void)
{
    must(sk_memory_read(small[0], 0, (void *)address, COPY));
}

static void write_memory(void)
{
    must(sk_memory_write(small[0], 0, (void *)address, COPY));
}

static void close_copied(void)
{
    must(sk_memory_unmap(sk_self_process, address, COPY));
    close_memory();
    must(sk_handle_close(small[0]));
}

/* A DMA resource of all addresses: its memory goes back with it. */
#define DMA_BYTES ((uint64_t)8 << 20)
static handle_t dma;

static void create_resource(void)
{
    must(sk_resource_create(sk_boot_handle("resource"), SK_RESOURCE_DMA, 0, ~0ull >> 1, &dma));
}

static void create_dma(void)
{
    uint64_t physical;
    must(sk_memory_create_dma(dma, sk_self_job, DMA_BYTES, &memory, &physical));
}

static void close_dma(void)
{
    close_memory();
    must(sk_handle_close(dma));
}

/* Places are looked for beyond the mappings of this process. */
static void map_without_address(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        uint64_t pages = 1ull << (12 + i), at;
        must(sk_memory_create(sk_self_job, pages * SK_PAGE_SIZE, 0, &small[i]));
        must(sk_memory_map(sk_self_process, small[i], 0, pages * SK_PAGE_SIZE, 0, RW, &at));
        must(sk_memory_unmap(sk_self_process, at, pages * SK_PAGE_SIZE));
        must(sk_handle_close(small[i]));
    }
}

const struct operation memory_operations[] = {
    {"memory_create of 8,192 committed pages", NULL, create_committed, close_memory},
    {"handle_close of memory of 8,192 pages", create_committed, close_memory, NULL},
    {"memory_map of 8,192 populated pages", create, map_populated, unmap_and_close},
    {"memory_protect of 8,192 pages", create_mapped, protect, unmap_and_close},
    {"memory_protect that closes 8,192 pages", create_mapped, close_access, unmap_and_close},
    {"memory_unmap of 8,192 pages", create_mapped, unmap, close_memory},
    {"memory_unmap of 8,192 pages, the last reference", create_mapped_closed, unmap, NULL},
    {"memory_unmap of 1 GiB without a page", create_empty, unmap_empty, NULL},
    {"memory_protect of 1 GiB without a page", create_empty, protect_empty, unmap_empty},
    {"memory_protect of 3,000 regions", map_regions, protect_regions, unmap_regions_and_close},
    {"memory_unmap of 3,000 regions", map_regions, unmap_regions, close_memory},
    {"memory_unmap of 1,000 regions far apart", map_far, unmap_far, close_memory},
    {"memory_unmap of 3,000 memory objects", map_objects, unmap_objects, NULL},
    {"memory_map without an address beside 3,000 regions", map_regions, map_without_address,
     unmap_regions_and_close},
    {"memory_read of 64 KiB", create_copied, read_memory, close_copied},
    {"memory_write of 64 KiB", create_copied, write_memory, close_copied},
    {"memory_create_dma of 8 MiB", create_resource, create_dma, close_dma},
};
const size_t memory_operation_count = COUNT(memory_operations);
