/* SPDX-License-Identifier: BSD-2-Clause */
/* See virtio.h. */
#include "virtio.h"

#include <string.h>

enum {
    REG_MAGIC = 0x000,
    REG_VERSION = 0x004,
    REG_DEVICE_ID = 0x008,
    REG_DEVICE_FEATURES = 0x010,
    REG_DEVICE_FEATURES_SEL = 0x014,
    REG_QUEUE_SEL = 0x030,
    REG_QUEUE_NUM_MAX = 0x034,
    REG_QUEUE_NUM = 0x038,
    REG_LEGACY_QUEUE_PFN = 0x040,
    REG_QUEUE_READY = 0x044,
    REG_QUEUE_NOTIFY = 0x050,
    REG_INTERRUPT_STATUS = 0x060,
    REG_INTERRUPT_ACK = 0x064,
    REG_STATUS = 0x070,
    REG_QUEUE_DESC = 0x080,
    REG_QUEUE_DRIVER = 0x090,
    REG_QUEUE_DEVICE = 0x0a0,
    REG_CONFIG_GENERATION = 0x0fc,
    REG_CONFIG = 0x100,
};

enum { STATUS_DRIVER_OK = 4, STATUS_NEEDS_RESET = 64, STATUS_FAILED = 128 };

#define QUEUE_ENTRIES_MAX 256u

enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2 };

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct virtio_queue virtio_queues[VIRTIO_QUEUES_MAX];
uint32_t virtio_resets;

static uint32_t features = UINT32_MAX; /* until the next reset: the lower half of what it offers */
static uint8_t *registers;

static uint64_t address_at(uint64_t offset)
{
    return register_get(offset) | (uint64_t)register_get(offset + 4) << 32;
}

static void queue_enable(uint64_t descriptors, uint64_t available, uint64_t used)
{
    uint32_t index = register_get(REG_QUEUE_SEL), size = register_get(REG_QUEUE_NUM);
    if (index >= virtio_device.queues || size == 0 || size > register_get(REG_QUEUE_NUM_MAX)) {
        double_broke("queue %u of %u entries is taken into use", index, size);
    }
    virtio_queues[index] = (struct virtio_queue){.index = index,
                                                 .size = size,
                                                 .descriptors = descriptors,
                                                 .available = available,
                                                 .used = used};
}

/* The layout of legacy devices, 2.6.2. */
static void queue_enable_legacy(uint64_t page)
{
    uint32_t size = register_get(REG_QUEUE_NUM);
    uint64_t available = page * SK_PAGE_SIZE + sizeof(struct descriptor) * size;
    uint64_t end = available + sizeof(uint16_t) * (3 + size);
    queue_enable(page * SK_PAGE_SIZE, available,
                 (end + VIRTQ_ALIGN - 1) / VIRTQ_ALIGN * VIRTQ_ALIGN);
}

static void notify(uint32_t index)
{
    if (index >= virtio_device.queues || virtio_queues[index].size == 0) {
        double_broke("the device is to look at queue %u", index);
    }
    if (virtio_device.notified != NULL) {
        virtio_device.notified(&virtio_queues[index]);
    }
}

static void on_write(uint64_t offset, uint32_t value)
{
    if (offset == REG_STATUS && value == 0) {
        memset(virtio_queues, 0, sizeof virtio_queues);
        virtio_resets++;
    } else if (offset == REG_QUEUE_READY && value == 1) {
        queue_enable(address_at(REG_QUEUE_DESC), address_at(REG_QUEUE_DRIVER),
                     address_at(REG_QUEUE_DEVICE));
    } else if (offset == REG_LEGACY_QUEUE_PFN && value != 0) {
        queue_enable_legacy(value);
    } else if (offset == REG_QUEUE_NOTIFY) {
        notify(value);
    } else if (offset == REG_INTERRUPT_ACK) {
        register_set(REG_INTERRUPT_STATUS, register_get(REG_INTERRUPT_STATUS) & ~value);
    }
}

/* Version 1 is always offered: a driver takes a device that does not for one that it cannot drive. */
static uint32_t on_read(uint64_t offset, uint32_t value)
{
    if (offset == REG_DEVICE_FEATURES) {
        return register_get(REG_DEVICE_FEATURES_SEL) == 0 ? features : 1;
    }
    return value;
}

void virtio_transport(uint32_t version, uint32_t entries_max)
{
    register_set(REG_VERSION, version);
    register_set(REG_QUEUE_NUM_MAX, entries_max);
}

void virtio_prepare(uint8_t *at)
{
    registers = at;
    register_set(REG_MAGIC, 0x74726976);
    register_set(REG_DEVICE_ID, virtio_device.id);
    virtio_transport(2, QUEUE_ENTRIES_MAX);
    registers_read = on_read;
    registers_written = on_write;
}

static uint16_t word_at(uint64_t address)
{
    uint16_t word;
    memcpy(&word, dma_at(address, sizeof word), sizeof word);
    return word;
}

/* The chain that the driver made available as number `at`; false: it has not. */
static bool available(const struct virtio_queue *queue, uint16_t at, uint16_t *head)
{
    if (queue->size == 0 || word_at(queue->available + 2) == at) {
        return false;
    }
    *head = word_at(queue->available + 4 + at % queue->size * 2);
    return true;
}

/* Looks at all pieces of a chain. */
static uint8_t *chain_look(const struct virtio_queue *queue, uint16_t head, uint32_t *length)
{
    struct descriptor d;
    uint8_t *first = NULL;
    uint32_t pieces = 0;
    *length = 0;
    do {
        if (head >= queue->size || pieces++ > queue->size) {
            double_broke("a chain leads out of its queue, or never ends");
        }
        memcpy(&d, dma_at(queue->descriptors + head * sizeof d, sizeof d), sizeof d);
        bool is_writable = (d.flags & DESCRIPTOR_WRITE) != 0;
        uint8_t *bytes = virtio_device.piece(queue, d.address, d.length, is_writable);
        first = first != NULL ? first : bytes;
        *length += d.length;
        head = d.next;
    } while ((d.flags & DESCRIPTOR_NEXT) != 0);
    return first;
}

uint8_t *virtio_take(struct virtio_queue *queue, uint16_t *head, uint32_t *length)
{
    if (!available(queue, queue->taken, head)) {
        return NULL;
    }
    queue->taken++;
    return chain_look(queue, *head, length);
}

void virtio_give(struct virtio_queue *queue, uint32_t id, uint32_t length)
{
    uint32_t entry[2] = {id, length};
    uint64_t place = 4 + queue->given++ % queue->size * sizeof entry;
    memcpy(dma_at(queue->used + place, sizeof entry), entry, sizeof entry);
    memcpy(dma_at(queue->used + 2, sizeof queue->given), &queue->given, sizeof queue->given);
}

void virtio_interrupt(uint32_t why)
{
    register_set(REG_INTERRUPT_STATUS, why);
    interrupt_raise();
}

bool virtio_is_up(void)
{
    return (register_get(REG_STATUS) & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET | STATUS_FAILED)) ==
           STATUS_DRIVER_OK;
}

void virtio_need_reset(void)
{
    register_set(REG_STATUS, register_get(REG_STATUS) | STATUS_NEEDS_RESET);
}

static void scribble(struct virtio_queue *queue)
{
    uint8_t how = input_byte();
    uint64_t at = how % 4 == 0 ? 2 : input_byte();
    if (queue->size != 0) {
        queue->lied = true;
        input_fill(dma_at(queue->used + at, 4), 1 + how / 4 % 4);
    }
}

void virtio_act(void)
{
    uint8_t how = input_byte();
    struct virtio_queue *queue = &virtio_queues[how / 8 % virtio_device.queues];
    switch (how % 8) {
    case 0:
        scribble(queue);
        break;
    case 1:
        input_fill(registers + REG_CONFIG, 12);
        input_fill(registers + REG_CONFIG_GENERATION, 1);
        features = how >= 128 ? UINT32_MAX
                              : (uint32_t)input_word() << how / 8 | (uint32_t)input_word();
        break;
    case 2:
        virtio_need_reset();
        break;
    default:
        for (uint32_t count = how % 8; count > 2; count--) {
            virtio_device.serve(queue);
        }
    }
    if (how >= 64) {
        virtio_interrupt(how / 64);
    }
}

void virtio_look(void)
{
    uint32_t length;
    uint16_t head;
    for (uint32_t i = 0; i < virtio_device.queues; i++) {
        const struct virtio_queue *queue = &virtio_queues[i];
        for (uint16_t at = queue->taken; available(queue, at, &head); at++) {
            chain_look(queue, head, &length);
        }
    }
}

void virtio_settle(void)
{
    virtio_look();
    features = UINT32_MAX;
    virtio_transport(2, QUEUE_ENTRIES_MAX);
}
