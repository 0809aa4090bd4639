/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces: their regions, and what makes and changes them. Faults and copies: space_access.c.
 *
 * Owns: the region tree, page tables through <arch/mmu.h>. Lock: address_space.lock. Invariants:
 * regions do not overlap; each refers to its memory object (+1); a page table entry exists only
 * within a region and never allows more than it. Tests: tests/host/kernel/test_space.c.
 */
#include <string.h>

#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/region.h>
#include <kernel/step.h>

/* What entering a page, and giving up a region, cost in units of step_take. */
#define PAGE_UNITS 2
#define REGION_UNITS 3
#define PAGES_AT_ONCE 512u

/* Where mappings without an address go: upwards from one of so many random places, with a gap after each. */
#define PLACE_BASE ((vaddr_t)0x100000000)
#define PLACES ((uint64_t)1 << 25)

static struct cache region_cache = CACHE_INIT("region", struct region);

static int region_compare(const struct region *a, const struct region *b)
{
    return a->start < b->start ? -1 : a->start > b->start;
}

RB_GENERATE_STATIC(region_tree, region, link, region_compare)

/* The first region that ends above `va`; NULL if there is none. */
static struct region *region_at_or_after(struct address_space *space, vaddr_t va)
{
    struct region *best = NULL;
    for (struct region *node = RB_ROOT(&space->regions); node != NULL;) {
        if (va < node->end) {
            best = node;
            node = RB_LEFT(node, link);
        } else {
            node = RB_RIGHT(node, link);
        }
    }
    return best;
}

struct region *region_find(struct address_space *space, vaddr_t va)
{
    struct region *region = region_at_or_after(space, va);
    return region != NULL && region->start <= va ? region : NULL;
}

static bool range_is_free(struct address_space *space, vaddr_t start, vaddr_t end)
{
    const struct region *region = region_at_or_after(space, start);
    return region == NULL || region->start >= end;
}

bool range_is_user(vaddr_t start, uint64_t length)
{
    return start >= SK_USER_BASE && start < SK_USER_LIMIT && length <= SK_USER_LIMIT - start;
}

bool space_range_is_good(vaddr_t address, uint64_t length)
{
    return ((address | length) & PAGE_MASK) == 0 && length != 0 && range_is_user(address, length);
}

/* One random number serves for two places. */
static void place_choose(struct address_space *space)
{
    if (space->random < PLACES) {
        space->random = random_next();
    }
    space->place = PLACE_BASE + space->random % PLACES * PAGE_SIZE;
    space->random /= PLACES;
}

status_t space_init(struct address_space *space, struct job *job)
{
    lock_init(&space->lock, LOCK_SPACE);
    RB_INIT(&space->regions);
    space->populated = 0;
    space->closed = false;
    space->job = job;
    space->random = 0;
    place_choose(space);
    return mmu_init(&space->arch, job);
}

static void region_free(struct address_space *space, struct region *region)
{
    struct memory *memory = region->memory;
    cache_free(&region_cache, region);
    job_uncharge(space->job, BUDGET_OBJECTS, 1);
    object_put_later(&memory->object);
}

bool space_clear_step(struct address_space *space)
{
    if (mmu_active(&space->arch) != 0) {
        return false;
    }
    bool empty = false;
    lock_acquire(&space->lock);
    if (!space->closed) {
        space->closed = true;
        /* No hart runs in it, and after this none holds a translation: frames may go at once. */
        mmu_flush(&space->arch, 0, SK_USER_LIMIT / PAGE_SIZE);
    }
    while (!empty && step_take(REGION_UNITS)) {
        struct region *region = RB_MIN(region_tree, &space->regions);
        empty = region == NULL;
        if (!empty) {
            RB_REMOVE(region_tree, &space->regions, region);
            region_free(space, region);
        }
    }
    lock_release(&space->lock);
    if (!empty || !mmu_destroy_step(&space->arch)) {
        return false;
    }
    space->populated = 0;
    return true;
}

void space_fini(struct address_space *space)
{
    step_begin();
    bool done = mmu_destroy_step(&space->arch);
    ASSERT(done);
}

/* A free range of `length` bytes with a page to spare on both sides. Space lock held. */
static status_t place_find(struct address_space *space, uint64_t length, vaddr_t *start)
{
    vaddr_t at = space->place;
    for (uint32_t round = 0; round < 2;) {
        if (!range_is_user(at, length + PAGE_SIZE)) {
            at = PLACE_BASE;
            round++;
            continue;
        }
        const struct region *region = region_at_or_after(space, at - PAGE_SIZE);
        if (region == NULL || region->start >= at + length + PAGE_SIZE) {
            *start = at;
            space->place = at + length + PAGE_SIZE;
            return SK_OK;
        }
        at = region->end + PAGE_SIZE;
    }
    return SK_NO_MEMORY;
}

/* A charged region, not in the tree. */
static status_t region_alloc(struct address_space *space, struct region **region)
{
    status_t status = job_charge(space->job, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return status;
    }
    *region = cache_alloc(&region_cache);
    if (*region == NULL) {
        job_uncharge(space->job, BUDGET_OBJECTS, 1);
        return SK_NO_MEMORY;
    }
    return SK_OK;
}

/* What the rights of a memory handle allow, as SK_PROT_*. */
static uint32_t prot_of_rights(uint32_t rights)
{
    uint32_t prot = rights & SK_RIGHT_READ ? SK_PROT_READ : 0;
    prot |= rights & SK_RIGHT_WRITE ? SK_PROT_WRITE : 0;
    return prot | (rights & SK_RIGHT_EXECUTE ? SK_PROT_EXECUTE : 0);
}

bool space_prot_is_good(uint32_t prot)
{
    const uint32_t all = SK_PROT_READ | SK_PROT_WRITE | SK_PROT_EXECUTE;
    bool both = (prot & SK_PROT_WRITE) && (prot & SK_PROT_EXECUTE);
    return (prot & ~all) == 0 && !both;
}

UNGUARDED status_t region_enter(struct address_space *space, const struct region *region,
                                vaddr_t va)
{
    paddr_t pa, there;
    status_t status = memory_frame(region->memory, region->offset + (va - region->start), &pa);
    if (status != SK_OK) {
        return status;
    }
    bool present = mmu_lookup(&space->arch, va, 0, &there);
    uint32_t device = region->memory->kind == MEMORY_DEVICE ? MMU_DEVICE : 0;
    status = mmu_map(&space->arch, va, pa, region->prot | device);
    if (status == SK_OK && !present) {
        space->populated++;
    }
    return status;
}

/* Space lock held, the tree checked. */
static status_t region_add(struct address_space *space, const struct region *model)
{
    struct region *region;
    status_t status = region_alloc(space, &region);
    if (status == SK_OK) {
        *region = *model;
        RB_INSERT(region_tree, &space->regions, region);
        object_get(&region->memory->object);
    }
    return status;
}

status_t space_map(struct address_space *space, struct memory *memory, uint32_t rights,
                   uint64_t offset, uint64_t length, vaddr_t address, uint32_t flags,
                   vaddr_t *mapped_at)
{
    uint32_t prot = flags & ~(uint32_t)(SK_MAP_FIXED | SK_MAP_POPULATE | SK_MAP_APART);
    bool apart = flags & SK_MAP_APART;
    bool fixed = flags & SK_MAP_FIXED;
    bool aligned = ((offset | length | address) & PAGE_MASK) == 0;
    if (!space_prot_is_good(prot) || !aligned || length == 0 || fixed != (address != 0) ||
        (fixed && apart)) {
        return SK_INVALID_ARGS;
    }
    if (offset > memory->size || length > memory->size - offset) {
        return SK_OUT_OF_RANGE;
    }
    if (fixed && !range_is_user(address, length)) {
        return SK_INVALID_ARGS;
    }
    uint32_t prot_max = prot_of_rights(rights);
    if ((prot & ~prot_max) != 0) {
        return SK_ACCESS_DENIED;
    }
    status_t status = SK_OK;
    lock_acquire(&space->lock);
    if (space->closed) {
        status = SK_BAD_STATE;
    } else if (!fixed) {
        if (apart) {
            place_choose(space);
        }
        status = place_find(space, length, &address);
    } else if (!range_is_free(space, address, address + length)) {
        status = SK_EXISTS;
    }
    if (status == SK_OK) {
        struct region model = {.start = address,
                               .end = address + length,
                               .offset = offset,
                               .memory = memory,
                               .prot = prot,
                               .prot_max = prot_max};
        status = region_add(space, &model);
    }
    lock_release(&space->lock);
    if (status == SK_OK) {
        *mapped_at = address;
        if (prot & SK_PROT_EXECUTE) {
            cpu_fence_code_all();
        }
    }
    return status;
}

/* Cuts a region in two at `va`, if it reaches over it. Space lock held. */
static status_t region_cut(struct address_space *space, vaddr_t va)
{
    struct region *region = region_find(space, va);
    if (region == NULL || region->start == va) {
        return SK_OK;
    }
    struct region *upper;
    status_t status = region_alloc(space, &upper);
    if (status != SK_OK) {
        return status;
    }
    *upper = *region;
    upper->start = va;
    upper->offset += va - region->start;
    object_get(&upper->memory->object);
    region->end = va;
    RB_INSERT(region_tree, &space->regions, upper);
    return SK_OK;
}

/* Joins a region to the one before it if they are alike and adjacent, so that memory which is opened
 * piece by piece stays one region. Space lock held. */
static void region_join(struct address_space *space, struct region *region)
{
    struct region *before = RB_PREV(region_tree, &space->regions, region);
    if (before == NULL || before->end != region->start || before->memory != region->memory ||
        before->offset + (before->end - before->start) != region->offset ||
        before->prot != region->prot || before->prot_max != region->prot_max) {
        return;
    }
    before->end = region->end;
    RB_REMOVE(region_tree, &space->regions, region);
    region_free(space, region);
}

/* Cuts regions at both ends of a range, or at neither. Space lock held. */
static status_t range_cut(struct address_space *space, vaddr_t address, vaddr_t end)
{
    status_t status = region_cut(space, address);
    if (status != SK_OK) {
        return status;
    }
    status = region_cut(space, end);
    struct region *region = region_find(space, address);
    if (status != SK_OK && region != NULL) {
        region_join(space, region);
    }
    return status;
}

vaddr_t space_text_start(struct address_space *space, vaddr_t va)
{
    lock_acquire(&space->lock);
    const struct region *region = region_find(space, va);
    vaddr_t start = region != NULL && (region->prot & SK_PROT_EXECUTE) != 0 ? region->start : 0;
    lock_release(&space->lock);
    return start;
}

status_t space_populate_step(struct address_space *space, const struct memory *memory, vaddr_t *at,
                             vaddr_t end)
{
    status_t status = SK_OK;
    lock_acquire(&space->lock);
    while (status == SK_OK && *at < end) {
        const struct region *region = region_find(space, *at);
        if (region == NULL || region->memory != memory || region->prot == 0) {
            break; /* Somebody has changed the mapping meanwhile, or it has no pages for anybody. */
        }
        if (!step_take(FRAME_UNITS + PAGE_UNITS)) {
            status = SK_PENDING;
            break;
        }
        status = region_enter(space, region, *at);
        *at += status == SK_OK ? PAGE_SIZE : 0;
    }
    lock_release(&space->lock);
    return status;
}

/* The pages from `at` to `end` whose entries may be cleared or changed now, at most PAGES_AT_ONCE, paid for; 0: not
 * in this step. An entry costs some ten instructions. */
static uint64_t pages_take(vaddr_t at, vaddr_t end)
{
    uint64_t pages = (end - at) / PAGE_SIZE;
    pages = pages < PAGES_AT_ONCE ? pages : PAGES_AT_ONCE;
    return step_take(REGION_UNITS + 2 + (int32_t)pages / 9) ? pages : 0;
}

/* Clears entries of regions from `at` on; how far it came: `end`, or where the step is over. Lock held. */
static vaddr_t entries_clear(struct address_space *space, vaddr_t at, vaddr_t end)
{
    const struct region *region;
    while ((region = region_at_or_after(space, at)) != NULL && region->start < end) {
        at = at < region->start ? region->start : at;
        while (at < region->end) {
            uint64_t pages = pages_take(at, region->end);
            if (pages == 0) {
                return at;
            }
            space->populated -= mmu_unmap(&space->arch, at, pages);
            at += pages * PAGE_SIZE;
        }
    }
    return end;
}

/* Lets go of regions, or parts of them, from `at` to `end`. Space lock held. */
static void regions_end(struct address_space *space, vaddr_t at, vaddr_t end)
{
    struct region *region;
    while ((region = region_at_or_after(space, at)) != NULL && region->start < end) {
        if (region->end > end) {
            /* Its place in the tree stays. */
            region->offset += end - region->start;
            region->start = end;
            return;
        }
        RB_REMOVE(region_tree, &space->regions, region);
        region_free(space, region);
    }
}

status_t space_unmap_step(struct address_space *space, vaddr_t *at, vaddr_t end, bool first)
{
    lock_acquire(&space->lock);
    status_t status = SK_OK;
    if (first && range_is_free(space, *at, end)) {
        status = SK_NOT_FOUND;
    }
    if (status == SK_OK) {
        status = range_cut(space, *at, end);
    }
    if (status == SK_OK) {
        /* Used again first, so that page tables do not pile up. */
        if (first && *at >= PLACE_BASE && *at < space->place) {
            space->place = *at;
        }
        vaddr_t reached = entries_clear(space, *at, end);
        /* No hart reaches the pages any more before the memory objects are let go. */
        mmu_flush(&space->arch, *at, (reached - *at) / PAGE_SIZE);
        regions_end(space, *at, reached);
        *at = reached;
        status = reached < end ? SK_PENDING : SK_OK;
    }
    lock_release(&space->lock);
    return status;
}

status_t space_protect_check_step(struct address_space *space, vaddr_t *at, vaddr_t end,
                                  uint32_t prot)
{
    status_t status = SK_OK;
    lock_acquire(&space->lock);
    while (status == SK_OK && *at < end) {
        const struct region *region = region_find(space, *at);
        if (region == NULL) {
            status = SK_NOT_FOUND;
        } else if ((prot & ~region->prot_max) != 0) {
            status = SK_ACCESS_DENIED;
        } else if (!step_take(1)) {
            status = SK_PENDING;
        } else {
            *at = region->end;
        }
    }
    lock_release(&space->lock);
    return status;
}

/* Changes entries of one region from `at` on, as far as the step goes; how far it came. Lock held. */
static vaddr_t entries_change(struct address_space *space, const struct region *region, vaddr_t at)
{
    while (at < region->end) {
        uint64_t pages = pages_take(at, region->end);
        if (pages == 0) {
            break;
        }
        if (region->prot == 0) {
            space->populated -= mmu_unmap(&space->arch, at, pages);
        } else {
            mmu_protect(&space->arch, at, pages, region->prot);
        }
        at += pages * PAGE_SIZE;
    }
    return at;
}

status_t space_protect_step(struct address_space *space, vaddr_t start, vaddr_t *at, vaddr_t end,
                            uint32_t prot)
{
    lock_acquire(&space->lock);
    status_t status = range_cut(space, start, end);
    vaddr_t from = *at;
    while (status == SK_OK && *at < end) {
        struct region *region = region_at_or_after(space, *at);
        if (region == NULL || region->start >= end) {
            *at = end;
            break;
        }
        if (*at < region->start || region->prot != prot) {
            *at = region->start; /* a new one for this call, whoever made it */
            from = *at < from ? *at : from;
            region->prot = prot;
        }
        vaddr_t region_end = region->end;
        *at = entries_change(space, region, *at);
        if (*at < region_end) {
            status = SK_PENDING;
        } else if (region->start != start) { /* which has to be found again */
            region_join(space, region);
        }
    }
    for (uint32_t i = 0; status == SK_OK && i < 2; i++) {
        struct region *region = region_find(space, i == 0 ? start : end);
        if (region != NULL) {
            region_join(space, region);
        }
    }
    mmu_flush(&space->arch, from, (*at - from) / PAGE_SIZE);
    lock_release(&space->lock);
    if (status == SK_OK && (prot & SK_PROT_EXECUTE)) {
        cpu_fence_code_all();
    }
    return status;
}
