/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueues (virtio 1.1, section 2.6; the legacy layout is a special case of it).
 *
 * The rings live in DMA memory that the device may write at any time, so nothing is ever read back
 * from it without a check: which chains are in flight, their links and their sizes are kept in
 * private memory (the slots). A device that breaks the rules makes the queue `broken`: from then on
 * every call says IO_ERROR until the device is reset and the queue is set up again.
 *
 * One thread uses a queue. Chains are named by a cookie of the driver's choice.
 */
#ifndef VIRTIO_QUEUE_H
#define VIRTIO_QUEUE_H

#include <stdbool.h>

#include <skerry/status.h>
#include <skerry/types.h>

#define VIRTQ_SIZE_MAX 1024u /* entries; a power of two. Larger device limits are not used. */
#define VIRTQ_ALIGN 4096u    /* of the used ring: what legacy devices are told */

struct virtq_descriptor;
struct virtq_available;
struct virtq_used;

/* A piece of DMA memory. */
struct virtq_buffer {
    uint64_t physical;
    uint32_t length;
};

/* One descriptor's private state. */
struct virtq_slot {
    uint32_t cookie;   /* of the chain, in its first slot */
    uint32_t writable; /* bytes that the device may write, in the first slot */
    uint16_t next;     /* next in the chain, or in the free list */
    uint16_t count;    /* descriptors in the chain, in its first slot; 0: not in flight */
};

struct virtq {
    struct virtq_descriptor *descriptors;
    struct virtq_available *available;
    struct virtq_used *used;
    struct virtq_slot *slots; /* `size` of them */
    uint64_t descriptors_pa, available_pa, used_pa;
    uint16_t size;
    uint16_t index; /* the device's number for this queue */
    uint16_t free_head, free_count;
    uint16_t available_index; /* chains made available so far */
    uint16_t announced_index; /* the same at the last virtq_publish */
    uint16_t used_index;      /* used entries taken so far */
    bool event_index;         /* VIRTIO_F_EVENT_IDX was negotiated */
    bool broken;
};

/* Bytes of DMA memory for a queue of `size` entries: whole pages, to be zeroed. */
size_t virtq_bytes(uint16_t size);

/*
 * Lays a queue out in zeroed, contiguous, page-aligned DMA memory of virtq_bytes(size): mapped at
 * `memory`, seen by the device at `physical`. `slots` has `size` entries. All are borrowed.
 */
void virtq_init(struct virtq *queue, uint16_t index, uint16_t size, void *memory, uint64_t physical,
                struct virtq_slot *slots, bool event_index);

/*
 * Makes one chain available: `out_count` buffers that the device reads, then `in_count` that it
 * writes. They belong to the device until virtq_take names `cookie`. The device is told nothing yet.
 * FULL: too few free descriptors. INVALID_ARGS: no buffer at all. IO_ERROR: broken.
 */
status_t virtq_add(struct virtq *queue, const struct virtq_buffer *buffers, uint16_t out_count,
                   uint16_t in_count, uint32_t cookie);

/* Shows the device all that was added. True: it wants to be notified (virtio_mmio_notify). */
bool virtq_publish(struct virtq *queue);

/*
 * Takes the next chain that the device has finished: its cookie, and how many bytes the device wrote
 * into its writable buffers, from the front. NOT_FOUND: none is finished. IO_ERROR: broken.
 */
status_t virtq_take(struct virtq *queue, uint32_t *cookie, uint32_t *written);

/* Asks the device for no interrupts: a hint, which it may ignore. */
void virtq_interrupts_off(struct virtq *queue);

/* Asks for an interrupt at the next finished chain. True: one is finished already, so look again. */
bool virtq_interrupts_on(struct virtq *queue);

#endif
