/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory objects: pages that can be mapped, read and written.
 *
 * ANONYMOUS pages read as zeroes and are charged to the object's job when first touched. DMA memory
 * is contiguous, committed, and its frames are also held by the DMA resource it came from. PHYSICAL
 * is device registers or RAM that boot handed out (boot archive, device tree): not owned. A SLICE is
 * a range of another object, whose frames it names. Frames go back only when the last reference
 * (handle, mapping, slice) is gone. Lock: memory.lock (LOCK_MEMORY).
 * Tests: tests/host/kernel/test_space.c.
 */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include <skerry/info.h>

#include <kernel/object.h>

#define MEMORY_SIZE_MAX ((uint64_t)1 << 30)
#define MEMORY_FRAMES_PER_TABLE 512u
#define MEMORY_DIRECT_FRAMES 8u

enum memory_kind {
    MEMORY_ANONYMOUS,
    MEMORY_DMA,
    MEMORY_PHYSICAL, /* RAM handed out at boot */
    MEMORY_DEVICE,   /* registers */
    MEMORY_SLICE,
};

struct memory {
    struct object object;
    struct spinlock lock;
    enum memory_kind kind;                /* [I] */
    uint64_t size;                        /* [I] bytes, whole pages */
    paddr_t base;                         /* [I] DMA, PHYSICAL, DEVICE */
    struct memory *whole;                 /* [I] SLICE: never one itself, +1 ... */
    uint64_t whole_offset;                /* [I] ... and where in it */
    uint32_t order;                       /* [I] DMA: of the allocation */
    struct object *grant;                 /* [I] DMA: the resource, +1 */
    paddr_t direct[MEMORY_DIRECT_FRAMES]; /* [lock] ANONYMOUS: frames, or [0] a table of them */
    uint64_t committed;                   /* [lock] frames owned, tables not counted */
    uint64_t next_page;                   /* while it is committed or destroyed: where to go on */
};

extern const struct object_type memory_type;

/* What a frame costs that is allocated and zeroed, in units of step_take. */
#define FRAME_UNITS 11

/* The caller owns the reference. INVALID_ARGS (size), OVER_BUDGET, NO_MEMORY. */
status_t memory_create(struct job *job, uint64_t size, struct memory **memory);
/* Allocates pages, or zeroes those of DMA memory, before anybody else has the object. PENDING: there are more, in
 * the next step. OVER_BUDGET, NO_MEMORY. */
status_t memory_commit_step(struct memory *memory);
/* The frames are there, but as somebody left them: memory_commit_step before anybody sees them. */
status_t memory_create_dma(struct job *job, uint64_t size, paddr_t limit, struct object *grant,
                           struct memory **memory);
status_t memory_create_fixed(struct job *job, enum memory_kind kind, paddr_t base, uint64_t size,
                             struct memory **memory);

/* A part of another object, page-aligned. INVALID_ARGS, OUT_OF_RANGE, OVER_BUDGET, NO_MEMORY. */
status_t memory_slice(struct memory *whole, struct job *job, uint64_t offset, uint64_t size,
                      struct memory **slice);
/* The object that has the frames, and the offset in it: what names a byte whoever asks. */
struct memory *memory_whole(struct memory *memory, uint64_t *offset);

/* Frees DMA memory that its grant kept; the node is that of resource_hold. */
void memory_end_dma(struct list_node *memory);

/* The frame at a page-aligned offset, allocated if need be. OUT_OF_RANGE, OVER_BUDGET, NO_MEMORY. */
status_t memory_frame(struct memory *memory, uint64_t offset, paddr_t *pa);
/* Copies between the object and kernel memory. INVALID_ARGS for DEVICE. */
status_t memory_copy_out(struct memory *memory, uint64_t offset, void *to, size_t size);
status_t memory_copy_in(struct memory *memory, uint64_t offset, const void *from, size_t size);
void memory_info(struct memory *memory, struct sk_memory_info *info);

#endif
