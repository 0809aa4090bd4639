/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory objects.
 *
 * An anonymous object of few pages keeps their frames in itself; a larger one has a table of frames,
 * and above 2 MiB a table of tables. Owns: those frames, unless the object is fixed. Lock:
 * memory.lock. Freeing many frames is left to kernel_exit, in steps. Tests:
 * tests/host/kernel/test_space.c.
 */
#include <string.h>

#include <arch/mmu.h>
#include <kernel/job.h>
#include <kernel/memory.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/resource.h>
#include <kernel/sched.h>
#include <kernel/step.h>

/* What freeing a frame costs, in units of step_take. */
#define FREE_UNITS 3

static struct cache memory_cache = CACHE_INIT("memory", struct memory);

static struct memory *memory_from_object(struct object *object)
{
    return container_of(object, struct memory, object);
}

static uint64_t page_count(const struct memory *memory)
{
    return memory->size / PAGE_SIZE;
}

/* The place of a page's frame number; allocates tables if `make`. NULL with *status otherwise.
 * Memory lock held. */
static paddr_t *slot_of(struct memory *memory, uint64_t page, bool make, status_t *status)
{
    *status = SK_OK;
    if (page_count(memory) <= MEMORY_DIRECT_FRAMES) {
        return &memory->direct[page];
    }
    paddr_t *table_pa = &memory->direct[0];
    for (uint32_t shift = page_count(memory) <= MEMORY_FRAMES_PER_TABLE ? 0 : 9;; shift -= 9) {
        if (*table_pa == 0) {
            *status = make ? page_alloc(memory->object.job, table_pa) : SK_NOT_FOUND;
            if (*status != SK_OK) {
                return NULL;
            }
        }
        paddr_t *table = phys_to_virt(*table_pa);
        paddr_t *slot = &table[page >> shift & (MEMORY_FRAMES_PER_TABLE - 1)];
        if (shift == 0) {
            return slot;
        }
        table_pa = slot;
    }
}

/* Memory lock held. */
static UNGUARDED status_t frame_locked(struct memory *memory, uint64_t page, paddr_t *pa)
{
    status_t status;
    paddr_t *slot = slot_of(memory, page, true, &status);
    if (slot != NULL && *slot == 0) {
        status = page_alloc(memory->object.job, slot);
        memory->committed += status == SK_OK;
    }
    if (status == SK_OK) {
        *pa = *slot;
    }
    return status;
}

/* Frees the table of frames that ends before `page`, where there is one for each 2 MiB. */
static void table_free(struct memory *memory, uint64_t page)
{
    if (page_count(memory) > MEMORY_FRAMES_PER_TABLE && memory->direct[0] != 0) {
        paddr_t *tables = phys_to_virt(memory->direct[0]);
        paddr_t *table = &tables[(page - 1) / MEMORY_FRAMES_PER_TABLE];
        if (*table != 0) {
            page_free(memory->object.job, *table);
            *table = 0;
        }
    }
}

/* Frees frames from `next_page` on and the tables behind them; false: there are more. The object has no
 * reference any more. */
static bool memory_free_step(struct memory *memory)
{
    struct job *job = memory->object.job;
    uint64_t count = page_count(memory);
    while (memory->next_page < count) {
        status_t status;
        if (!step_take(FREE_UNITS)) {
            return false;
        }
        paddr_t *slot = slot_of(memory, memory->next_page, false, &status);
        if (slot == NULL) { /* a hole of a whole table */
            memory->next_page = (memory->next_page | (MEMORY_FRAMES_PER_TABLE - 1)) + 1;
            continue;
        }
        if (*slot != 0) {
            page_free(job, *slot);
        }
        memory->next_page++;
        if (memory->next_page % MEMORY_FRAMES_PER_TABLE == 0 || memory->next_page == count) {
            table_free(memory, memory->next_page);
        }
    }
    if (count > MEMORY_DIRECT_FRAMES && memory->direct[0] != 0) {
        page_free(job, memory->direct[0]);
    }
    return true;
}

static void memory_end(struct memory *memory)
{
    object_fini(&memory->object);
    cache_free(&memory_cache, memory);
}

void memory_end_dma(struct list_node *node)
{
    struct memory *memory = list_entry(node, struct memory, object.observers);
    page_free_order(memory->object.job, memory->base, memory->order);
    object_put_later(memory->grant);
    memory_end(memory);
}

static void memory_destroy(struct object *object)
{
    struct memory *memory = memory_from_object(object);
    switch (memory->kind) {
    case MEMORY_ANONYMOUS:
        if (!memory_free_step(memory)) {
            list_append(&chores_here()->memories, &object->observers);
            return;
        }
        break;
    case MEMORY_DMA:
        if (!resource_hold(memory->grant, &object->observers)) {
            memory_end_dma(&object->observers);
        }
        return;
    case MEMORY_SLICE:
        object_put_later(&memory->whole->object);
        break;
    case MEMORY_PHYSICAL:
    case MEMORY_DEVICE:
        break;
    }
    memory_end(memory);
}

bool memory_release_step(struct chores *chores)
{
    struct list_node *dead = &chores->memories;
    while (!list_empty(dead)) {
        struct memory *memory = list_first(dead, struct memory, object.observers);
        if (!memory_free_step(memory)) {
            return false;
        }
        list_remove(&memory->object.observers);
        memory_end(memory);
    }
    return true;
}

const struct object_type memory_type = {
    .name = "memory",
    .rights = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_READ | SK_RIGHT_WRITE |
              SK_RIGHT_EXECUTE | SK_RIGHT_MAP | SK_RIGHT_INSPECT,
    .destroy = memory_destroy,
};

static status_t memory_alloc(struct job *job, enum memory_kind kind, uint64_t size,
                             struct memory **result)
{
    uint64_t limit = kind == MEMORY_ANONYMOUS || kind == MEMORY_DMA ? MEMORY_SIZE_MAX : ~PAGE_MASK;
    if (size == 0 || size > limit) {
        return SK_INVALID_ARGS;
    }
    status_t status = job_charge(job, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return status;
    }
    struct memory *memory = cache_alloc(&memory_cache);
    if (memory == NULL) {
        job_uncharge(job, BUDGET_OBJECTS, 1);
        return SK_NO_MEMORY;
    }
    object_init(&memory->object, SK_TYPE_MEMORY, job);
    lock_init(&memory->lock, LOCK_MEMORY);
    memory->kind = kind;
    memory->size = (size + PAGE_MASK) & ~PAGE_MASK;
    memory->base = 0;
    memory->order = 0;
    memory->whole = NULL;
    memory->whole_offset = 0;
    memory->grant = NULL;
    memset(memory->direct, 0, sizeof(memory->direct));
    memory->committed = 0;
    memory->next_page = 0;
    *result = memory;
    return SK_OK;
}

status_t memory_create(struct job *job, uint64_t size, struct memory **result)
{
    return memory_alloc(job, MEMORY_ANONYMOUS, size, result);
}

status_t memory_commit_step(struct memory *memory)
{
    status_t status = SK_OK;
    for (; memory->next_page < page_count(memory); memory->next_page++) {
        if (!step_take(FRAME_UNITS)) {
            return SK_PENDING;
        }
        if (memory->kind == MEMORY_DMA) {
            page_zero(memory->base + memory->next_page * PAGE_SIZE);
            continue;
        }
        paddr_t pa;
        lock_acquire(&memory->lock);
        status = frame_locked(memory, memory->next_page, &pa);
        lock_release(&memory->lock);
        if (status != SK_OK) {
            break;
        }
    }
    memory->next_page = 0;
    return status;
}

status_t memory_create_dma(struct job *job, uint64_t size, paddr_t limit, struct object *grant,
                           struct memory **result)
{
    struct memory *memory;
    status_t status = memory_alloc(job, MEMORY_DMA, size, &memory);
    if (status != SK_OK) {
        return status;
    }
    while ((PAGE_SIZE << memory->order) < memory->size) {
        memory->order++;
    }
    status = page_alloc_order(job, memory->order, limit, &memory->base);
    if (status != SK_OK) {
        memory_end(memory);
        return status;
    }
    memory->committed = 1ull << memory->order;
    memory->grant = grant;
    object_get(grant);
    *result = memory;
    return SK_OK;
}

status_t memory_create_fixed(struct job *job, enum memory_kind kind, paddr_t base, uint64_t size,
                             struct memory **result)
{
    status_t status = memory_alloc(job, kind, size, result);
    if (status == SK_OK) {
        (*result)->base = base;
    }
    return status;
}

status_t memory_slice(struct memory *whole, struct job *job, uint64_t offset, uint64_t size,
                      struct memory **slice)
{
    if ((offset & PAGE_MASK) != 0 || whole->kind == MEMORY_DEVICE) {
        return SK_INVALID_ARGS;
    }
    if (offset > whole->size || size > whole->size - offset) {
        return SK_OUT_OF_RANGE;
    }
    status_t status = memory_alloc(job, MEMORY_SLICE, size, slice);
    if (status == SK_OK) {
        (*slice)->whole = memory_whole(whole, &offset);
        (*slice)->whole_offset = offset;
        object_get(&(*slice)->whole->object);
    }
    return status;
}

struct memory *memory_whole(struct memory *memory, uint64_t *offset)
{
    if (memory->kind != MEMORY_SLICE) {
        return memory;
    }
    *offset += memory->whole_offset;
    return memory->whole;
}

status_t memory_frame(struct memory *memory, uint64_t offset, paddr_t *pa)
{
    if (offset >= memory->size) {
        return SK_OUT_OF_RANGE;
    }
    memory = memory_whole(memory, &offset);
    if (memory->kind != MEMORY_ANONYMOUS) {
        *pa = memory->base + (offset & ~PAGE_MASK);
        return SK_OK;
    }
    lock_acquire(&memory->lock);
    status_t status = frame_locked(memory, offset / PAGE_SIZE, pa);
    lock_release(&memory->lock);
    return status;
}

/* The part of a copy that lies within one page. */
static size_t within_page(uint64_t offset, size_t size)
{
    size_t rest = PAGE_SIZE - (offset & PAGE_MASK);
    return rest < size ? rest : size;
}

static status_t copy_check(const struct memory *memory, uint64_t offset, size_t size)
{
    if (memory->kind == MEMORY_DEVICE) {
        return SK_INVALID_ARGS;
    }
    return offset > memory->size || size > memory->size - offset ? SK_OUT_OF_RANGE : SK_OK;
}

status_t memory_copy_out(struct memory *memory, uint64_t offset, void *to, size_t size)
{
    status_t status = copy_check(memory, offset, size);
    for (char *out = to; status == SK_OK && size > 0;) {
        paddr_t pa;
        size_t part = within_page(offset, size);
        status = memory_frame(memory, offset, &pa);
        if (status == SK_OK) {
            memcpy(out, (char *)phys_to_virt(pa) + (offset & PAGE_MASK), part);
            out += part;
            offset += part;
            size -= part;
        }
    }
    return status;
}

status_t memory_copy_in(struct memory *memory, uint64_t offset, const void *from, size_t size)
{
    status_t status = copy_check(memory, offset, size);
    for (const char *in = from; status == SK_OK && size > 0;) {
        paddr_t pa;
        size_t part = within_page(offset, size);
        status = memory_frame(memory, offset, &pa);
        if (status == SK_OK) {
            memcpy((char *)phys_to_virt(pa) + (offset & PAGE_MASK), in, part);
            in += part;
            offset += part;
            size -= part;
        }
    }
    return status;
}

void memory_info(struct memory *memory, struct sk_memory_info *info)
{
    lock_acquire(&memory->lock);
    info->size = memory->size;
    info->committed_pages = memory->committed;
    info->physical = memory->kind == MEMORY_DMA ? memory->base : 0;
    lock_release(&memory->lock);
}
