/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * See filter.h. The device begins by receiving everything; once it has taken the first table of addresses,
 * it is told to receive only those. Owns the control queue, which has one command at a time.
 * One thread, no lock. Tests: tests/qemu/net/groups.py.
 */
#include "filter.h"

#include <stddef.h>
#include <string.h>

#define QUEUE_CONTROL 2u
#define CONTROL_SIZE 4u /* entries; a command takes three */

enum { CLASS_RX = 0, CLASS_MAC = 1 };
enum { RX_PROMISCUOUS = 0, MAC_TABLE = 0 };

/* In DMA memory. The device reads all of it but the answer. */
struct command {
    uint8_t class, command;
    uint8_t data[2 * sizeof(uint32_t) + SK_NIC_GROUPS_MAX * 6];
    uint8_t answer; /* 0: done */
};

static struct {
    const struct virtio_mmio *transport;
    struct sk_dma rings, memory;
    struct virtq queue;
    struct virtq_slot slots[CONTROL_SIZE];
    bool there;       /* there is a filter */
    bool table_set;   /* it has a table */
    bool busy;        /* the device has a command */
    bool groups_wait; /* for the end of that command */
} filter;

status_t filter_allocate(const struct sk_driver *driver)
{
    status_t status = sk_dma_create(driver, virtq_bytes(CONTROL_SIZE), &filter.rings);
    return status == SK_OK ? sk_dma_create(driver, sizeof(struct command), &filter.memory) : status;
}

void filter_enable(const struct virtio_mmio *transport)
{
    const uint64_t needed = F_MAC | F_CTRL_VQ | F_CTRL_RX;

    filter.transport = transport;
    filter.table_set = filter.busy = filter.groups_wait = false;
    filter.there = (transport->features & needed) == needed &&
                   virtio_mmio_queue_size(transport, QUEUE_CONTROL, CONTROL_SIZE) == CONTROL_SIZE;
    if (filter.there) {
        memset(filter.rings.memory, 0, filter.rings.size);
        virtq_init(&filter.queue, QUEUE_CONTROL, CONTROL_SIZE, filter.rings.memory,
                   filter.rings.physical, filter.slots,
                   (transport->features & VIRTIO_F_EVENT_IDX) != 0);
        filter.there = virtio_mmio_queue_enable(transport, &filter.queue) == SK_OK;
    }
}

static void send(uint8_t class, uint8_t number, uint32_t length)
{
    struct command *command = filter.memory.memory;
    uint64_t at = filter.memory.physical;
    struct virtq_buffer buffers[] = {
        {at, offsetof(struct command, data)},
        {at + offsetof(struct command, data), length},
        {at + offsetof(struct command, answer), 1},
    };

    command->class = class;
    command->command = number;
    command->answer = UINT8_MAX;
    filter.busy = virtq_add(&filter.queue, buffers, 2, 1, class) == SK_OK;
    if (filter.busy && virtq_publish(&filter.queue)) {
        virtio_mmio_notify(filter.transport, &filter.queue);
    }
}

/* Two tables, each a count and addresses: none beside the device's own, and the groups. */
static void send_table(const struct net_device *device)
{
    struct command *command = filter.memory.memory;
    uint32_t counts[2] = {0, device->group_count};
    uint32_t bytes = device->group_count * (uint32_t)sizeof device->groups[0];

    filter.groups_wait = false;
    memcpy(command->data, counts, sizeof counts);
    memcpy(command->data + sizeof counts, device->groups, bytes);
    send(CLASS_MAC, MAC_TABLE, (uint32_t)sizeof counts + bytes);
}

static void command_ended(const struct net_device *device, uint32_t class)
{
    struct command *command = filter.memory.memory;

    filter.busy = false;
    if (filter.groups_wait) {
        send_table(device);
    } else if (class == CLASS_MAC && !filter.table_set && command->answer == 0) {
        filter.table_set = true;
        command->data[0] = 0;
        send(CLASS_RX, RX_PROMISCUOUS, 1);
    }
}

status_t filter_poll(const struct net_device *device)
{
    uint32_t class, written;

    while (filter.busy) {
        status_t status = virtq_take(&filter.queue, &class, &written);
        if (status == SK_OK) {
            command_ended(device, class);
        } else if (status != SK_NOT_FOUND) {
            return status;
        } else if (!virtq_interrupts_on(&filter.queue)) {
            return SK_OK; /* it interrupts */
        }
    }
    return SK_OK;
}

void filter_set(const struct net_device *device)
{
    filter.groups_wait = filter.there;
    if (filter.there && !filter.busy) {
        send_table(device);
    }
    filter_poll(device); /* what is broken stays so, and is told at the next interrupt */
}
