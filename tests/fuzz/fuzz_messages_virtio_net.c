/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network device (virtio 1.1, 2.6 and 5.1) that uses its queues as it likes. See nic.h. */
#include <string.h>

#include <virtio/mmio.h>

#include "nic.h"

#define QUEUES 3u /* receive, transmit, control */
#define QUEUE_CONTROL 2u

enum {
    REG_MAGIC = 0x000,
    REG_VERSION = 0x004,
    REG_DEVICE_ID = 0x008,
    REG_DEVICE_FEATURES = 0x010,
    REG_DEVICE_FEATURES_SEL = 0x014,
    REG_QUEUE_SEL = 0x030,
    REG_QUEUE_NUM_MAX = 0x034,
    REG_QUEUE_NUM = 0x038,
    REG_QUEUE_READY = 0x044,
    REG_INTERRUPT_STATUS = 0x060,
    REG_INTERRUPT_ACK = 0x064,
    REG_STATUS = 0x070,
    REG_QUEUE_DESC = 0x080,
    REG_QUEUE_DRIVER = 0x090,
    REG_QUEUE_DEVICE = 0x0a0,
    REG_CONFIG_GENERATION = 0x0fc,
    REG_CONFIG = 0x100,
};

static struct queue {
    uint32_t size; /* 0: not in use */
    uint64_t descriptors, available, used;
    uint16_t taken, given;
} queues[QUEUES];

static uint32_t features = UINT32_MAX; /* until the next reset: the lower half of what it offers */
static uint8_t *registers;

struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

static uint64_t address_at(uint64_t offset)
{
    return register_get(offset) | (uint64_t)register_get(offset + 4) << 32;
}

static void queue_enable(void)
{
    uint32_t index = register_get(REG_QUEUE_SEL), size = register_get(REG_QUEUE_NUM);
    if (index >= QUEUES || size == 0 || size > 256) {
        double_broke("queue %u of %u entries is taken into use", index, size);
    }
    queues[index] = (struct queue){.size = size,
                                   .descriptors = address_at(REG_QUEUE_DESC),
                                   .available = address_at(REG_QUEUE_DRIVER),
                                   .used = address_at(REG_QUEUE_DEVICE)};
}

static void on_write(uint64_t offset, uint32_t value)
{
    if (offset == REG_STATUS && value == 0) {
        memset(queues, 0, sizeof queues);
    } else if (offset == REG_QUEUE_READY && value == 1) {
        queue_enable();
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

static uint16_t word_at(uint64_t address)
{
    uint16_t word;
    memcpy(&word, nic_ring(address, sizeof word), sizeof word);
    return word;
}

/* Looks at a chain as the device would: every piece is there. The first one's memory, and the length of all. */
static uint8_t *chain_look(const struct queue *queue, uint16_t head, uint32_t *length)
{
    struct descriptor d;
    uint8_t *first = NULL;
    uint32_t pieces = 0;
    *length = 0;
    do {
        if (head >= queue->size || pieces++ > queue->size) {
            double_broke("a chain leads out of its queue, or never ends");
        }
        memcpy(&d, nic_ring(queue->descriptors + head * sizeof d, sizeof d), sizeof d);
        uint8_t *bytes = queue == &queues[QUEUE_CONTROL] ? nic_ring(d.address, d.length)
                                                         : nic_packet(d.address, d.length);
        first = first != NULL ? first : bytes;
        *length += d.length;
        head = d.next;
    } while ((d.flags & 1) != 0);
    return first;
}

static void give(struct queue *queue, uint32_t id, uint32_t length)
{
    uint32_t entry[2] = {id, length};
    uint64_t place = 4 + queue->given++ % queue->size * sizeof entry;
    memcpy(nic_ring(queue->used + place, sizeof entry), entry, sizeof entry);
    memcpy(nic_ring(queue->used + 2, sizeof queue->given), &queue->given, sizeof queue->given);
}

/* The next chain: taken, filled if it is a packet, and given back; mostly as it should be. */
static void queue_serve(struct queue *queue)
{
    uint8_t how = input_byte();
    uint32_t length;
    if (queue->size == 0 || word_at(queue->available + 2) == queue->taken) {
        return;
    }
    uint16_t head = word_at(queue->available + 4 + queue->taken++ % queue->size * 2);
    uint8_t *bytes = chain_look(queue, head, &length);
    uint32_t told = how % 8 == 1 ? (uint32_t)input_word() : how % 8 == 2 ? 12 : length;
    if (queue == &queues[0]) {
        told = how % 8 > 2 && how < 128 ? 12u + how % 64 : told;
        memset(bytes, 0, length < 12 ? length : 12);
        bytes[10] = 1; /* buffers */
        input_fill(bytes, how % 16 == 9 ? 12 : how % 4);
    }
    give(queue, how % 32 == 31 ? input_byte() : head, told);
}

static void scribble(const struct queue *queue)
{
    uint8_t how = input_byte();
    uint64_t at = how % 4 == 0 ? 2 : input_byte();
    if (queue->size != 0) {
        input_fill(nic_ring(queue->used + at, 4), 1 + how / 4 % 4);
    }
}

static void act(void)
{
    uint8_t how = input_byte();
    struct queue *queue = &queues[how / 8 % QUEUES];
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
        register_set(REG_STATUS, register_get(REG_STATUS) | 64);
        break;
    default:
        for (uint32_t count = how % 8; count > 2; count--) {
            queue_serve(queue);
        }
    }
    if (how >= 64) {
        register_set(REG_INTERRUPT_STATUS, how / 64);
        interrupt_raise();
    }
}

static void settle(void)
{
    uint32_t length;
    for (uint32_t i = 0; i < QUEUES; i++) {
        const struct queue *queue = &queues[i];
        for (uint16_t at = queue->taken; queue->size != 0 && word_at(queue->available + 2) != at;
             at++) {
            chain_look(queue, word_at(queue->available + 4 + at % queue->size * 2), &length);
        }
    }
    features = UINT32_MAX;
}

static void prepare(uint8_t *at)
{
    registers = at;
    register_set(REG_MAGIC, 0x74726976);
    register_set(REG_VERSION, 2);
    register_set(REG_DEVICE_ID, VIRTIO_DEVICE_NET);
    register_set(REG_QUEUE_NUM_MAX, 256);
    registers_read = on_read;
    registers_written = on_write;
}

static const char *const arguments[] = {"mmio0=0,0x1000", NULL};

const struct nic_device nic_device = {
    .arguments = arguments,
    .register_bytes = SK_PAGE_SIZE,
    .prepare = prepare,
    .act = act,
    .settle = settle,
};
