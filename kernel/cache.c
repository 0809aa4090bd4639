/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Object caches: memory that keeps its type for ever.
 *
 * Owns: chunks of frames, never given back. Free objects are chained through a word behind the
 * object, so that nothing of the object itself changes while it is free. Lock: cache.lock.
 * Tests: tests/host/kernel/test_page.c.
 */
#include <arch/mmu.h>
#include <kernel/page.h>

#define CHUNK_ORDER_MAX 3u

/* The smallest chunk that wastes at most an eighth, or the largest. */
static uint32_t chunk_order(size_t stride)
{
    uint32_t order = 0;
    while (order < CHUNK_ORDER_MAX) {
        size_t bytes = PAGE_SIZE << order;
        if (bytes >= stride && bytes % stride <= bytes / 8) {
            break;
        }
        order++;
    }
    return order;
}

/* Adds a chunk's objects to the chain; zeroed the first time. Cache lock held. */
static bool cache_grow(struct cache *cache)
{
    size_t stride = CACHE_STRIDE(cache->size);
    uint32_t order = chunk_order(stride);
    paddr_t pa;
    if (page_alloc_order(NULL, order, ~(paddr_t)0, &pa) != SK_OK) {
        return false;
    }
    for (size_t offset = 0; offset < PAGE_SIZE << order; offset += PAGE_SIZE) {
        page_zero(pa + offset);
    }
    char *chunk = phys_to_virt(pa);
    size_t count = (PAGE_SIZE << order) / stride;
    for (size_t i = count; i-- > 0;) {
        void *object = chunk + i * stride;
        *(void **)((char *)object + cache->link) = cache->free;
        cache->free = object;
    }
    cache->capacity += count;
    return true;
}

UNGUARDED void *cache_alloc_more(struct cache *cache, bool fails)
{
    void *object = NULL;
    if (!fails && cache_grow(cache)) {
        object = cache->free;
        cache->free = *(void **)((char *)object + cache->link);
        cache->in_use++;
    }
    lock_release(&cache->lock);
    return object;
}
