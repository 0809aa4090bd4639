/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page frames and object caches.
 *
 * Frames: a buddy allocator over all RAM ranges, with a small cache of single frames per hart in
 * front, so that page faults of different harts share no lock. Caches: memory for kernel objects of
 * one size, which keeps its type for ever (freed objects go back to their own cache only).
 * Locks: LOCK_PAGES, LOCK_CACHE. Tests: tests/host/kernel/test_page.c.
 */
#ifndef KERNEL_PAGE_H
#define KERNEL_PAGE_H

#include <kernel/list.h>
#include <kernel/lock.h>

struct job;

/* Gives a range of RAM to the allocator; boot only, repeatedly. Partial pages are left out. */
void page_add_range(paddr_t start, paddr_t end);
uint64_t page_total(void);
uint64_t page_free_count(void);
/* Frames that the kernel holds for itself: object caches, and what was charged to no job. */
uint64_t page_kernel_count(void);

/* One frame, charged to `job` (NULL: the kernel's own), zeroed. OVER_BUDGET, NO_MEMORY. */
status_t page_alloc(struct job *job, paddr_t *pa);
/* As page_alloc, with whatever the frame held: for bytes that are written before anybody reads them. */
status_t page_alloc_dirty(struct job *job, paddr_t *pa);
void page_free(struct job *job, paddr_t pa);
void page_zero(paddr_t pa);
/* 2^order contiguous frames ending below `limit`, with whatever they held. OVER_BUDGET, NO_MEMORY. */
status_t page_alloc_order(struct job *job, uint32_t order, paddr_t limit, paddr_t *pa);
void page_free_order(struct job *job, paddr_t pa, uint32_t order);
/* Makes the n-th next allocation of a frame or object fail, once; 0 for never. For tests. */
void page_fail_after(uint64_t n);
/* True if the allocation that asks is that one. Builds without checks know no such failure. */
bool page_fails_next(void);
static inline bool page_fails_now(void)
{
    return SKERRY_CHECKS && page_fails_next();
}

struct cache {
    const char *name;
    size_t size; /* of an object, bytes */
    size_t link; /* where behind it the chain's word is */
    struct spinlock lock;
    void *free;        /* [lock] chain through the objects' links */
    uint64_t in_use;   /* [lock] */
    uint64_t capacity; /* [lock] */
};

/* An object, the chain's word and the next object's alignment. */
#define CACHE_STRIDE(size_) (((size_) + 8 + 15) & ~(size_t)15)

#define CACHE_INIT(name_, type_)                                                                   \
    {                                                                                              \
        .name = (name_), .size = sizeof(type_), .link = CACHE_STRIDE(sizeof(type_)) - 8,           \
        .lock = SPINLOCK_INIT(LOCK_CACHE)                                                          \
    }

/* cache_alloc when there is none in the chain, or a test wants it to fail. Gives the lock back. */
RARELY void *cache_alloc_more(struct cache *cache, bool fails);
/* Memory of the last object of that type that was here, or zeroes the first time: users reinitialise
 * every field but those that must survive (generations, sequence numbers). NULL: none left. */
static inline void *cache_alloc(struct cache *cache)
{
    lock_acquire(&cache->lock);
    void *object = cache->free;
    bool fails = page_fails_now();
    if (unlikely(fails || object == NULL)) {
        return cache_alloc_more(cache, fails);
    }
    cache->free = *(void **)((char *)object + cache->link);
    cache->in_use++;
    lock_release(&cache->lock);
    return object;
}

static inline void cache_free(struct cache *cache, void *object)
{
    lock_acquire(&cache->lock);
    *(void **)((char *)object + cache->link) = cache->free;
    cache->free = object;
    cache->in_use--;
    lock_release(&cache->lock);
}

#endif
