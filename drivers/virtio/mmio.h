/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio transport over memory-mapped registers (virtio 1.1, section 4.2), version 2 (modern)
 * and version 1 (legacy, 4.2.4). Driver start-up is these calls, in order:
 *
 *   virtio_mmio_open       checks what is there, resets it, says that a driver is coming
 *   virtio_mmio_negotiate  settles the features
 *   virtio_mmio_queue_size, virtq_init, virtio_mmio_queue_enable   for each queue
 *   virtio_mmio_start      the device works from here on
 *
 * A step that fails, or a broken queue later, is answered with virtio_mmio_fail, or with a new start
 * from virtio_mmio_open, which resets the device and so takes all buffers back.
 */
#ifndef VIRTIO_MMIO_H
#define VIRTIO_MMIO_H

#include "queue.h"

#define VIRTIO_MMIO_BYTES 0x200u /* of registers */

enum virtio_device_id {
    VIRTIO_DEVICE_NONE = 0, /* an empty transport */
    VIRTIO_DEVICE_NET = 1,
    VIRTIO_DEVICE_BLOCK = 2,
    VIRTIO_DEVICE_RNG = 4,
};

/* Feature bits that belong to no one device type. */
#define VIRTIO_F_EVENT_IDX (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1 (UINT64_C(1) << 32)

/* Bits of virtio_mmio_interrupt. */
enum {
    VIRTIO_INTERRUPT_QUEUE = 1u << 0,
    VIRTIO_INTERRUPT_CONFIG = 1u << 1,
};

struct virtio_mmio {
    uintptr_t base;
    uint32_t version;  /* 1 or 2 */
    uint64_t features; /* as negotiated */
};

/* The device id at `base`, without touching the device: NONE for empty, OUT_OF_RANGE for no virtio. */
status_t virtio_mmio_probe(uintptr_t base, uint32_t *device_id);

/* Checks for a device with this id at `base` and resets it. NOT_FOUND, NOT_SUPPORTED (version). */
status_t virtio_mmio_open(struct virtio_mmio *device, uintptr_t base, uint32_t device_id);

/*
 * Takes those of the `wanted` features that the device offers; NOT_SUPPORTED when one of `required`
 * is not offered or the device refuses the choice. VERSION_1 is added by itself where it belongs.
 */
status_t virtio_mmio_negotiate(struct virtio_mmio *device, uint64_t wanted, uint64_t required);

/* The size for queue `index`: at most `wanted` (a power of two); 0 when there is no such queue. */
uint16_t virtio_mmio_queue_size(const struct virtio_mmio *device, uint16_t index, uint16_t wanted);

/* Gives the device a queue that was laid out. OUT_OF_RANGE: it lies where a legacy device sees not. */
status_t virtio_mmio_queue_enable(const struct virtio_mmio *device, const struct virtq *queue);

/* The driver is ready. IO_ERROR: the device says that it has failed. */
status_t virtio_mmio_start(struct virtio_mmio *device);

/* Tells the device to look at a queue; after virtq_publish said so. */
void virtio_mmio_notify(const struct virtio_mmio *device, const struct virtq *queue);

/* Why the device interrupted (VIRTIO_INTERRUPT_*); the line goes down. */
uint32_t virtio_mmio_interrupt(const struct virtio_mmio *device);

/* Copies `length` bytes of the device's configuration, all of the same moment. */
void virtio_mmio_config(const struct virtio_mmio *device, uint32_t offset, void *bytes,
                        uint32_t length);

/* True when the device has given up and wants a reset. */
bool virtio_mmio_needs_reset(const struct virtio_mmio *device);

/* Resets the device: it forgets all buffers and stays silent. */
void virtio_mmio_reset(const struct virtio_mmio *device);

/* Tells the device that its driver has given up on it, for good. */
void virtio_mmio_fail(const struct virtio_mmio *device);

#endif
