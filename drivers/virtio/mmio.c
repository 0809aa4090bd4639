/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio transport over memory-mapped registers. Has no state but struct virtio_mmio and no lock
 * (one thread per device). Nothing waits for the device: the only repeated reads are bounded.
 * Tests: tests/host/drivers/virtio/.
 */
#include "mmio.h"

#include <sk/mmio.h>

/* Registers: virtio 1.1, tables 4.1 and 4.3 (legacy). */
enum {
    REG_MAGIC = 0x000,
    REG_VERSION = 0x004,
    REG_DEVICE_ID = 0x008,
    REG_DEVICE_FEATURES = 0x010,
    REG_DEVICE_FEATURES_SEL = 0x014,
    REG_DRIVER_FEATURES = 0x020,
    REG_DRIVER_FEATURES_SEL = 0x024,
    REG_LEGACY_PAGE_SIZE = 0x028,
    REG_QUEUE_SEL = 0x030,
    REG_QUEUE_NUM_MAX = 0x034,
    REG_QUEUE_NUM = 0x038,
    REG_LEGACY_QUEUE_ALIGN = 0x03c,
    REG_LEGACY_QUEUE_PFN = 0x040,
    REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050,
    REG_INTERRUPT_STATUS = 0x060,
    REG_INTERRUPT_ACK = 0x064,
    REG_STATUS = 0x070,
    REG_QUEUE_DESC_LOW = 0x080,
    REG_QUEUE_DRIVER_LOW = 0x090,
    REG_QUEUE_DEVICE_LOW = 0x0a0,
    REG_CONFIG_GENERATION = 0x0fc,
    REG_CONFIG = 0x100,
};

enum {
    STATUS_ACKNOWLEDGE = 1,
    STATUS_DRIVER = 2,
    STATUS_DRIVER_OK = 4,
    STATUS_FEATURES_OK = 8,
    STATUS_NEEDS_RESET = 64,
    STATUS_FAILED = 128,
};

#define MAGIC 0x74726976u /* "virt" */
#define VERSION_LEGACY 1u
#define VERSION_MODERN 2u
#define CONFIG_ATTEMPTS 16 /* a configuration that changes faster is taken as it comes */

static uint32_t get(const struct virtio_mmio *device, uint32_t reg)
{
    return sk_mmio_read32(device->base + reg);
}

static void put(const struct virtio_mmio *device, uint32_t reg, uint32_t value)
{
    sk_mmio_write32(device->base + reg, value);
}

static void put64(const struct virtio_mmio *device, uint32_t low_reg, uint64_t value)
{
    put(device, low_reg, (uint32_t)value);
    put(device, low_reg + 4, (uint32_t)(value >> 32));
}

static void add_status(const struct virtio_mmio *device, uint32_t bits)
{
    put(device, REG_STATUS, get(device, REG_STATUS) | bits);
}

status_t virtio_mmio_probe(uintptr_t base, uint32_t *device_id)
{
    if (sk_mmio_read32(base + REG_MAGIC) != MAGIC) {
        return SK_OUT_OF_RANGE;
    }
    *device_id = sk_mmio_read32(base + REG_DEVICE_ID);
    return SK_OK;
}

status_t virtio_mmio_open(struct virtio_mmio *device, uintptr_t base, uint32_t device_id)
{
    uint32_t found;
    status_t status = virtio_mmio_probe(base, &found);

    if (status != SK_OK || found != device_id) {
        return SK_NOT_FOUND;
    }
    uint32_t version = sk_mmio_read32(base + REG_VERSION);
    if (version != VERSION_LEGACY && version != VERSION_MODERN) {
        return SK_NOT_SUPPORTED;
    }
    *device = (struct virtio_mmio){.base = base, .version = version};
    virtio_mmio_reset(device);
    add_status(device, STATUS_ACKNOWLEDGE);
    add_status(device, STATUS_DRIVER);
    if (version == VERSION_LEGACY) {
        put(device, REG_LEGACY_PAGE_SIZE, SK_PAGE_SIZE);
    }
    return SK_OK;
}

static uint64_t offered_features(const struct virtio_mmio *device)
{
    put(device, REG_DEVICE_FEATURES_SEL, 0);
    uint64_t features = get(device, REG_DEVICE_FEATURES);
    if (device->version == VERSION_MODERN) {
        put(device, REG_DEVICE_FEATURES_SEL, 1);
        features |= (uint64_t)get(device, REG_DEVICE_FEATURES) << 32;
    }
    return features;
}

status_t virtio_mmio_negotiate(struct virtio_mmio *device, uint64_t wanted, uint64_t required)
{
    bool modern = device->version == VERSION_MODERN;

    wanted |= required;
    if (modern) {
        wanted |= VIRTIO_F_VERSION_1;
        required |= VIRTIO_F_VERSION_1; /* 6.1: a device of version 2 offers it */
    }
    uint64_t features = offered_features(device) & wanted;
    if ((features & required) != required) {
        return SK_NOT_SUPPORTED;
    }

    put(device, REG_DRIVER_FEATURES_SEL, 0);
    put(device, REG_DRIVER_FEATURES, (uint32_t)features);
    if (modern) {
        put(device, REG_DRIVER_FEATURES_SEL, 1);
        put(device, REG_DRIVER_FEATURES, (uint32_t)(features >> 32));
        add_status(device, STATUS_FEATURES_OK);
        if ((get(device, REG_STATUS) & STATUS_FEATURES_OK) == 0) {
            return SK_NOT_SUPPORTED;
        }
    }
    device->features = features;
    return SK_OK;
}

uint16_t virtio_mmio_queue_size(const struct virtio_mmio *device, uint16_t index, uint16_t wanted)
{
    put(device, REG_QUEUE_SEL, index);
    uint32_t max = get(device, REG_QUEUE_NUM_MAX);
    uint16_t size = wanted > VIRTQ_SIZE_MAX ? (uint16_t)VIRTQ_SIZE_MAX : wanted;

    while (size > max) {
        size /= 2;
    }
    return size;
}

static status_t enable_legacy(const struct virtio_mmio *device, const struct virtq *queue)
{
    uint64_t pfn = queue->descriptors_pa / SK_PAGE_SIZE;

    if (queue->descriptors_pa % SK_PAGE_SIZE != 0 || pfn > UINT32_MAX) {
        return SK_OUT_OF_RANGE;
    }
    put(device, REG_QUEUE_NUM, queue->size);
    put(device, REG_LEGACY_QUEUE_ALIGN, VIRTQ_ALIGN);
    put(device, REG_LEGACY_QUEUE_PFN, (uint32_t)pfn);
    return SK_OK;
}

status_t virtio_mmio_queue_enable(const struct virtio_mmio *device, const struct virtq *queue)
{
    put(device, REG_QUEUE_SEL, queue->index);
    if (device->version == VERSION_LEGACY) {
        return enable_legacy(device, queue);
    }
    put(device, REG_QUEUE_NUM, queue->size);
    put64(device, REG_QUEUE_DESC_LOW, queue->descriptors_pa);
    put64(device, REG_QUEUE_DRIVER_LOW, queue->available_pa);
    put64(device, REG_QUEUE_DEVICE_LOW, queue->used_pa);
    put(device, REG_QUEUE_READY, 1);
    return SK_OK;
}

status_t virtio_mmio_start(struct virtio_mmio *device)
{
    add_status(device, STATUS_DRIVER_OK);
    return virtio_mmio_needs_reset(device) ? SK_IO_ERROR : SK_OK;
}

void virtio_mmio_notify(const struct virtio_mmio *device, const struct virtq *queue)
{
    put(device, REG_QUEUE_NOTIFY, queue->index);
}

uint32_t virtio_mmio_interrupt(const struct virtio_mmio *device)
{
    uint32_t bits = get(device, REG_INTERRUPT_STATUS);
    if (bits != 0) {
        put(device, REG_INTERRUPT_ACK, bits);
    }
    return bits;
}

void virtio_mmio_config(const struct virtio_mmio *device, uint32_t offset, void *bytes,
                        uint32_t length)
{
    uint8_t *to = bytes;
    uintptr_t from = device->base + REG_CONFIG + offset;
    bool modern = device->version == VERSION_MODERN;
    uint32_t before, after;
    int attempts = 0;

    do {
        before = modern ? get(device, REG_CONFIG_GENERATION) : 0;
        for (uint32_t i = 0; i < length; i++) {
            to[i] = sk_mmio_read8(from + i);
        }
        after = modern ? get(device, REG_CONFIG_GENERATION) : 0;
    } while (before != after && ++attempts < CONFIG_ATTEMPTS);
}

bool virtio_mmio_needs_reset(const struct virtio_mmio *device)
{
    return (get(device, REG_STATUS) & (STATUS_NEEDS_RESET | STATUS_FAILED)) != 0;
}

void virtio_mmio_reset(const struct virtio_mmio *device)
{
    put(device, REG_STATUS, 0);
}

void virtio_mmio_fail(const struct virtio_mmio *device)
{
    add_status(device, STATUS_FAILED);
}
