/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page frames: a buddy allocator over all RAM ranges, and a small stack of single frames per hart in
 * front of it, so that page faults of different harts share no lock.
 *
 * Nothing is touched before it is needed: a range is carved from its start upwards, and only what was
 * carved once is in the buddy's books. Owns: one byte per frame at the start of each range, and the
 * free frames' own memory for list nodes. Lock: pages_lock (LOCK_PAGES). Tests:
 * tests/host/kernel/test_page.c.
 */
#include <string.h>

#include <arch/mmu.h>
#include <kernel/hart.h>
#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/panic.h>

#define RANGES_MAX 34u
#define ORDERS 19u /* up to 1 GiB, the largest memory object */

/* Single frames a hart keeps, and how many move at a time: faults come in bursts. */
#define HART_FRAMES 32u
#define HART_BATCH 16u

#define FREE_BLOCK 0x80u /* in a frame's byte: head of a free block; the order is below */

struct range {
    paddr_t start;
    uint64_t frames;
    uint64_t carved;      /* [pages_lock] frames below this index are in the books */
    unsigned char *books; /* [pages_lock] valid for the first frame of each block below `carved` */
};

struct hart_frames {
    uint32_t count; /* its hart writes, others may read */
    paddr_t frame[HART_FRAMES];
};

static struct spinlock pages_lock = SPINLOCK_INIT(LOCK_PAGES);
static struct range ranges[RANGES_MAX];      /* [pages_lock], start and frames [I] after boot */
static uint32_t range_count;                 /* [I] after boot */
static struct list_node free_blocks[ORDERS]; /* [pages_lock] */
static uint64_t free_frames;                 /* [pages_lock] written; not counting the harts' own */
static struct hart_frames hart_frames[HARTS_MAX];
static _Atomic uint64_t kernel_frames;  /* charged to nobody */
static _Atomic uint64_t fail_countdown; /* page_fail_after */

static struct range *range_of(paddr_t pa)
{
    for (uint32_t i = 0; i < range_count; i++) {
        if (pa - ranges[i].start < ranges[i].frames * PAGE_SIZE) {
            return &ranges[i];
        }
    }
    panic("frame 0x%lx belongs to no range", (unsigned long)pa);
}

static struct list_node *node_of(const struct range *range, uint64_t index)
{
    return phys_to_virt(range->start + index * PAGE_SIZE);
}

void page_add_range(paddr_t start, paddr_t end)
{
    start = (start + PAGE_MASK) & ~PAGE_MASK;
    end &= ~PAGE_MASK;
    if (start >= end || range_count == RANGES_MAX) {
        return;
    }
    if (range_count == 0) {
        for (uint32_t i = 0; i < ORDERS; i++) {
            list_init(&free_blocks[i]);
        }
    }
    uint64_t frames = (end - start) / PAGE_SIZE;
    uint64_t book_frames = (frames + PAGE_SIZE - 1) / PAGE_SIZE;
    if (frames <= book_frames) {
        return;
    }
    ranges[range_count++] = (struct range){
        .start = start + book_frames * PAGE_SIZE,
        .frames = frames - book_frames,
        .books = phys_to_virt(start),
    };
    free_frames += frames - book_frames;
}

uint64_t page_total(void)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < range_count; i++) {
        total += ranges[i].frames;
    }
    return total;
}

uint64_t page_free_count(void)
{
    uint64_t count = __atomic_load_n(&free_frames, __ATOMIC_RELAXED);
    for (uint32_t i = 0; i < HARTS_MAX; i++) {
        count += __atomic_load_n(&hart_frames[i].count, __ATOMIC_RELAXED);
    }
    return count;
}

uint64_t page_kernel_count(void)
{
    return atomic_load_explicit(&kernel_frames, memory_order_relaxed);
}

void page_fail_after(uint64_t n)
{
    atomic_store(&fail_countdown, n);
}

bool page_fails_next(void)
{
    if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) == 0) {
        return false;
    }
    return atomic_fetch_sub(&fail_countdown, 1) == 1;
}

/* Puts a block back, joined with its free buddies. Its frames are in the books. pages_lock held. */
static void block_free(struct range *range, uint64_t index, uint32_t order)
{
    free_frames += 1ull << order;
    while (order + 1 < ORDERS) {
        uint64_t buddy = index ^ (1ull << order);
        if (buddy + (1ull << order) > range->carved ||
            range->books[buddy] != (FREE_BLOCK | order)) {
            break;
        }
        list_remove(node_of(range, buddy));
        range->books[buddy] = 0;
        index &= ~(1ull << order);
        order++;
    }
    range->books[index] = (unsigned char)(FREE_BLOCK | order);
    list_append(&free_blocks[order], node_of(range, index));
}

/* Takes a block of `order` out of a larger or equal free one. pages_lock held. */
static void block_split(struct range *range, uint64_t index, uint32_t from, uint32_t order)
{
    list_remove(node_of(range, index));
    range->books[index] = 0;
    free_frames -= 1ull << from;
    while (from > order) {
        from--;
        block_free(range, index + (1ull << from), from);
    }
}

/* A free block that ends below `limit`, from the books. pages_lock held. */
static bool block_find(uint32_t order, paddr_t limit, paddr_t *pa)
{
    for (uint32_t from = order; from < ORDERS; from++) {
        list_for_each(node, &free_blocks[from]) {
            paddr_t block = virt_to_phys(node);
            if (block + (PAGE_SIZE << order) <= limit) {
                struct range *range = range_of(block);
                block_split(range, (block - range->start) / PAGE_SIZE, from, order);
                *pa = block;
                return true;
            }
        }
    }
    return false;
}

/* A block that was never used. What alignment skips goes to the books. pages_lock held. */
static bool block_carve(uint32_t order, paddr_t limit, paddr_t *pa)
{
    uint64_t size = 1ull << order;
    for (uint32_t i = 0; i < range_count; i++) {
        struct range *range = &ranges[i];
        uint64_t index = (range->carved + size - 1) & ~(size - 1);
        bool fits = index + size <= range->frames &&
                    range->start + (index + size) * PAGE_SIZE <= limit;
        if (!fits) {
            continue;
        }
        uint64_t skipped = range->carved;
        free_frames -= index - skipped;
        while (skipped < index) { /* in blocks as large as where they begin allows */
            uint32_t piece = 0;
            while ((skipped >> piece & 1) == 0) {
                piece++;
            }
            range->carved = skipped + (1ull << piece);
            block_free(range, skipped, piece);
            skipped = range->carved;
        }
        range->carved = index + size;
        range->books[index] = 0;
        free_frames -= size;
        *pa = range->start + index * PAGE_SIZE;
        return true;
    }
    return false;
}

/* pages_lock held. */
static bool block_alloc(uint32_t order, paddr_t limit, paddr_t *pa)
{
    return block_find(order, limit, pa) || block_carve(order, limit, pa);
}

void page_zero(paddr_t pa)
{
    uint64_t *word = phys_to_virt(pa);
    for (const uint64_t *end = word + PAGE_SIZE / 8; word < end; word += 16) {
        word[0] = word[1] = word[2] = word[3] = word[4] = word[5] = word[6] = word[7] = 0;
        word[8] = word[9] = word[10] = word[11] = word[12] = word[13] = word[14] = word[15] = 0;
    }
}

static void set_count(struct hart_frames *own, uint32_t count)
{
    __atomic_store_n(&own->count, count, __ATOMIC_RELAXED);
}

/* Fills this hart's stack up to a batch; false when there is nothing at all. */
static bool frames_refill(struct hart_frames *own)
{
    lock_acquire(&pages_lock);
    uint32_t count = own->count;
    while (count < HART_BATCH && block_alloc(0, ~(paddr_t)0, &own->frame[count])) {
        count++;
    }
    set_count(own, count);
    lock_release(&pages_lock);
    return count > 0;
}

static status_t charge(struct job *job, uint64_t frames)
{
    if (job != NULL) {
        return job_charge(job, BUDGET_PAGES, frames);
    }
    atomic_fetch_add_explicit(&kernel_frames, frames, memory_order_relaxed);
    return SK_OK;
}

static void uncharge(struct job *job, uint64_t frames)
{
    if (job != NULL) {
        job_uncharge(job, BUDGET_PAGES, frames);
    } else {
        atomic_fetch_sub_explicit(&kernel_frames, frames, memory_order_relaxed);
    }
}

status_t page_alloc_dirty(struct job *job, paddr_t *pa)
{
    struct hart_frames *own = &hart_frames[cpu_hart()->number];
    status_t status = charge(job, 1);
    if (status != SK_OK) {
        return status;
    }
    if (page_fails_now() || (own->count == 0 && !frames_refill(own))) {
        uncharge(job, 1);
        return SK_NO_MEMORY;
    }
    set_count(own, own->count - 1);
    *pa = own->frame[own->count];
    return SK_OK;
}

status_t page_alloc(struct job *job, paddr_t *pa)
{
    status_t status = page_alloc_dirty(job, pa);
    if (status == SK_OK) {
        page_zero(*pa);
    }
    return status;
}

void page_free(struct job *job, paddr_t pa)
{
    struct hart_frames *own = &hart_frames[cpu_hart()->number];
    uncharge(job, 1);
    if (own->count == HART_FRAMES) {
        lock_acquire(&pages_lock);
        for (uint32_t i = 0; i < HART_BATCH; i++) {
            paddr_t frame = own->frame[own->count - 1 - i];
            struct range *range = range_of(frame);
            block_free(range, (frame - range->start) / PAGE_SIZE, 0);
        }
        set_count(own, own->count - HART_BATCH);
        lock_release(&pages_lock);
    }
    own->frame[own->count] = pa;
    set_count(own, own->count + 1);
}

status_t page_alloc_order(struct job *job, uint32_t order, paddr_t limit, paddr_t *pa)
{
    if (order >= ORDERS) {
        return SK_NO_MEMORY;
    }
    status_t status = charge(job, 1ull << order);
    if (status != SK_OK) {
        return status;
    }
    lock_acquire(&pages_lock);
    bool found = !page_fails_now() && block_alloc(order, limit, pa);
    lock_release(&pages_lock);
    if (!found) {
        uncharge(job, 1ull << order);
        return SK_NO_MEMORY;
    }
    return SK_OK;
}

void page_free_order(struct job *job, paddr_t pa, uint32_t order)
{
    uncharge(job, 1ull << order);
    lock_acquire(&pages_lock);
    struct range *range = range_of(pa);
    block_free(range, (pa - range->start) / PAGE_SIZE, order);
    lock_release(&pages_lock);
}
