/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Address spaces: one tree of regions each; overlap is an error; a region refers to its memory
 * object (+1). Page tables are filled on faults from the regions.
 *
 * User memory is never dereferenced by the kernel: space_read and space_write go through the page
 * tables and the direct map, under the space's lock, so no fault can happen in the kernel and no
 * frame can go away. They report a page that is not there yet as SK_PENDING; the caller, who holds
 * nothing that a restart would repeat, calls space_populate and starts again.
 * Lock: address_space.lock (LOCK_SPACE). Tests: tests/host/kernel/test_space.c.
 */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include <sys/tree.h>

#include <arch/mmu.h>
#include <kernel/memory.h>

struct region {
    RB_ENTRY(region) link;
    vaddr_t start, end; /* page-aligned, [start, end) */
    uint64_t offset;    /* into memory, bytes */
    struct memory *memory;
    uint32_t prot;     /* SK_PROT_* */
    uint32_t prot_max; /* what memory_protect may give */
};

RB_HEAD(region_tree, region);

struct address_space {
    struct spinlock lock;
    struct arch_space arch;     /* [lock] */
    struct region_tree regions; /* [lock] */
    uint64_t populated;         /* [lock] page table entries present */
    vaddr_t place;              /* [lock] where the next mapping without an address may go */
    uint64_t random;            /* [lock] what is left of a random number */
    bool closed;                /* [lock] being torn down: nothing is mapped any more */
    struct job *job; /* [I] pays regions (objects) and page tables; borrowed from the process */
};

status_t space_init(struct address_space *space, struct job *job);
/* Gives up regions, then page tables, once no hart runs in the space; true when all are gone. */
bool space_clear_step(struct address_space *space);
/* The end of a space that nothing was ever mapped in. */
void space_fini(struct address_space *space);

/* memory_map without its pages. `rights` are those of the memory handle. */
status_t space_map(struct address_space *space, struct memory *memory, uint32_t rights,
                   uint64_t offset, uint64_t length, vaddr_t address, uint32_t flags,
                   vaddr_t *mapped_at);

/* Whole pages of user space; protections that there are, and not WRITE with EXECUTE. */
bool space_range_is_good(vaddr_t address, uint64_t length);
bool space_prot_is_good(uint32_t prot);

/*
 * One step each of memory_map with POPULATE, memory_unmap, memory_protect: from *at on, which moves up. PENDING:
 * there is more. Between two steps others find the mappings below *at as they will be and those above as they were;
 * a region in the midst of a change of protection has the new one already, its entries follow. What they change
 * there meanwhile is left as it is, or is as if it had come before the call. Errors of the first step change
 * nothing; later ones come only where others have cut or joined the same regions.
 */
status_t space_populate_step(struct address_space *space, const struct memory *memory, vaddr_t *at,
                             vaddr_t end);
status_t space_unmap_step(struct address_space *space, vaddr_t *at, vaddr_t end, bool first);
/* Looks only; all of it comes before the first of the other. */
status_t space_protect_check_step(struct address_space *space, vaddr_t *at, vaddr_t end,
                                  uint32_t prot);
status_t space_protect_step(struct address_space *space, vaddr_t start, vaddr_t *at, vaddr_t end,
                            uint32_t prot);

/* Where the executable mapping around `va` begins, for reports; 0 if there is none. */
vaddr_t space_text_start(struct address_space *space, vaddr_t va);

/* Makes an access of kind `prot` (one SK_PROT_* bit) at `va` possible: BAD_ADDRESS when no region
 * allows it, OVER_BUDGET or NO_MEMORY when it cannot be paid. Also right when it already is. */
status_t space_populate(struct address_space *space, vaddr_t va, uint32_t prot);

/* Copies, all or a prefix: SK_OK, BAD_ADDRESS (not user memory at all), or SK_PENDING with
 * *missing = the address to populate first. No lock at or above LOCK_SPACE held. */
status_t space_read(struct address_space *space, void *to, vaddr_t from, size_t size,
                    vaddr_t *missing);
status_t space_write(struct address_space *space, vaddr_t to, const void *from, size_t size,
                     vaddr_t *missing);
/* As read and write, but populates what is missing itself: for callers that hold no lock. */
status_t space_copy_in(struct address_space *space, void *to, vaddr_t from, size_t size);
status_t space_copy_out(struct address_space *space, vaddr_t to, const void *from, size_t size);

/* For futexes: the memory object (+1) and byte offset behind a mapped, readable word. BAD_ADDRESS. */
status_t space_identify(struct address_space *space, vaddr_t va, struct memory **memory,
                        uint64_t *offset);

#endif
