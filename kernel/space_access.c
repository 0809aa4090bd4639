/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is behind an address of a space: pages that come with a fault, and the kernel's copies from and to users.
 *
 * Owns nothing: works on what space.c owns. Lock: address_space.lock. Called by faults and by system calls that
 * may be restarted. Tests: tests/host/kernel/test_space.c.
 */
#include <string.h>

#include <kernel/page.h>
#include <kernel/region.h>

/* Pages mapped by one fault where they exist anyway: a fault costs as much as 30 of them. */
#define FAULT_AROUND_PAGES 16u

/* Enters what follows a faulting page where the frames exist anyway. Failing is no harm. Lock held. */
static void fault_around(struct address_space *space, const struct region *region, vaddr_t va)
{
    uint64_t offset = 0;
    if (memory_whole(region->memory, &offset)->kind == MEMORY_ANONYMOUS) {
        return;
    }
    vaddr_t end = va + FAULT_AROUND_PAGES * PAGE_SIZE;
    end = end < region->end ? end : region->end;
    for (va += PAGE_SIZE; va < end; va += PAGE_SIZE) {
        if (region_enter(space, region, va) != SK_OK) {
            return;
        }
    }
}

UNGUARDED status_t space_populate(struct address_space *space, vaddr_t va, uint32_t prot)
{
    vaddr_t page = va & ~PAGE_MASK;
    status_t status = SK_BAD_ADDRESS;
    lock_acquire(&space->lock);
    const struct region *region = region_find(space, va);
    /* Memory that can be written can be read: RISC-V has no write-only pages. */
    uint32_t effective = region == NULL ? 0 : region->prot;
    effective |= effective & SK_PROT_WRITE ? SK_PROT_READ : 0;
    if ((effective & prot) != 0 && !space->closed) {
        paddr_t pa;
        status = SK_OK;
        if (!mmu_lookup(&space->arch, va, prot, &pa)) {
            status = region_enter(space, region, page);
            if (status == SK_OK) {
                fault_around(space, region, page);
            }
        }
        mmu_flush_new(&space->arch, page);
    }
    lock_release(&space->lock);
    return status;
}

/* Finds the kernel's view of the page at `va`. Space lock held. */
static status_t page_find(struct address_space *space, vaddr_t va, uint32_t prot, char **page)
{
    paddr_t pa;
    if (!mmu_lookup(&space->arch, va, prot, &pa)) {
        return SK_PENDING;
    }
    const struct region *region = region_find(space, va);
    if (region == NULL || region->memory->kind == MEMORY_DEVICE) {
        return SK_BAD_ADDRESS; /* registers are no place to copy from or to */
    }
    *page = phys_to_virt(pa);
    return SK_OK;
}

/* Copies between kernel and user memory. Exactly one of `to` and `from` is set. */
static UNGUARDED status_t space_copy(struct address_space *space, vaddr_t user, void *to,
                                     const void *from, size_t size, vaddr_t *missing)
{
    status_t status = SK_OK;
    if (size == 0) {
        return SK_OK;
    }
    if (!range_is_user(user, size)) {
        return SK_BAD_ADDRESS;
    }
    lock_acquire(&space->lock);
    for (size_t done = 0; done < size;) {
        size_t part = PAGE_SIZE - ((user + done) & PAGE_MASK);
        part = part < size - done ? part : size - done;
        char *page;
        status = page_find(space, user + done, to != NULL ? SK_PROT_READ : SK_PROT_WRITE, &page);
        if (status != SK_OK) {
            *missing = user + done;
            break;
        }
        if (to != NULL) {
            memcpy((char *)to + done, page, part);
        } else {
            memcpy(page, (const char *)from + done, part);
        }
        done += part;
    }
    lock_release(&space->lock);
    return status;
}

status_t space_read(struct address_space *space, void *to, vaddr_t from, size_t size,
                    vaddr_t *missing)
{
    return space_copy(space, from, to, NULL, size, missing);
}

status_t space_write(struct address_space *space, vaddr_t to, const void *from, size_t size,
                     vaddr_t *missing)
{
    return space_copy(space, to, NULL, from, size, missing);
}

status_t space_copy_in(struct address_space *space, void *to, vaddr_t from, size_t size)
{
    vaddr_t missing = 0;
    status_t status;
    while ((status = space_read(space, to, from, size, &missing)) == SK_PENDING) {
        status = space_populate(space, missing, SK_PROT_READ);
        if (status != SK_OK) {
            break;
        }
    }
    return status;
}

status_t space_copy_out(struct address_space *space, vaddr_t to, const void *from, size_t size)
{
    vaddr_t missing = 0;
    status_t status;
    while ((status = space_write(space, to, from, size, &missing)) == SK_PENDING) {
        status = space_populate(space, missing, SK_PROT_WRITE);
        if (status != SK_OK) {
            break;
        }
    }
    return status;
}

status_t space_identify(struct address_space *space, vaddr_t va, struct memory **memory,
                        uint64_t *offset)
{
    status_t status = SK_BAD_ADDRESS;
    lock_acquire(&space->lock);
    const struct region *region = region_find(space, va);
    if (region != NULL && (region->prot & (SK_PROT_READ | SK_PROT_WRITE)) != 0 &&
        region->memory->kind != MEMORY_DEVICE) {
        *offset = region->offset + (va - region->start);
        *memory = memory_whole(region->memory, offset);
        object_get(&(*memory)->object);
        status = SK_OK;
    }
    lock_release(&space->lock);
    return status;
}
