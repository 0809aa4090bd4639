/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to a network driver, and the two that it lies between: a client that writes into the rings what it likes, and
 * a device (nic.h) that does. Whatever they do, the device is only ever told of packets in the pool, and the next
 * client is served. See messages.h.
 */
#include <string.h>

#include <net/common/device.h>
#include <sk/protocol/nic.h>

#include "nic.h"

static const char *const shapes[] = {"", ""};

/* What the last client who attached got; kept also when it has gone. */
static struct {
    struct held pool, rings, to_driver;
    uint32_t rx_free, tx_submit; /* our indices */
} client;

uint64_t nic_pool;

static bool settles;
static bool seen[RX_BUFFERS + TX_BUFFERS]; /* while it does */

/* The buffer of a place in the pool. */
static uint64_t buffer_at(uint64_t offset)
{
    uint64_t tx = RX_BUFFERS * RX_BUFFER_BYTES;
    return offset < tx ? offset / RX_BUFFER_BYTES : RX_BUFFERS + (offset - tx) / TX_BUFFER_BYTES;
}

uint8_t *nic_packet(uint64_t address, uint64_t size)
{
    if (nic_pool == 0 || address < nic_pool || size > POOL_BYTES ||
        address - nic_pool > POOL_BYTES - size) {
        double_broke("the device was told of %llu bytes at %llx, which are no packet's",
                     (unsigned long long)size, (unsigned long long)address);
    }
    uint64_t buffer = buffer_at(address - nic_pool);
    if (settles && (seen[buffer] || buffer_at(address - nic_pool + size - 1) != buffer)) {
        double_broke("the device has buffer %llu twice, or beyond its end",
                     (unsigned long long)buffer);
    }
    seen[buffer] = true;
    return double_physical(address, size);
}

static void client_forget(void)
{
    held_drop(&client.pool);
    held_drop(&client.rings);
    held_drop(&client.to_driver);
}

static void answered(struct call *call)
{
    if (call->operation != SK_NIC_OP_ATTACH || call->handle_count != 4) {
        return;
    }
    client_forget();
    client.pool = call->handles[0];
    client.rings = call->handles[1];
    client.to_driver = call->handles[2];
    held_drop(&call->handles[3]);
    call->handle_count = 0;
    client.rx_free = client.tx_submit = 0;
    nic_pool = client.pool.object->physical;
}

static struct sk_nic_rings *rings(void)
{
    return client.rings.object != NULL ? (void *)client.rings.object->bytes : NULL;
}

/* A packet of some pieces; mostly as it should be. */
static void client_sends(void)
{
    static const uint16_t odd[] = {0, 1, 15, 4095, 4096, UINT16_MAX};
    uint8_t how = input_byte();
    for (uint32_t pieces = how % 4 + 1u; pieces > 0; pieces--) {
        uint8_t kind = input_byte();
        struct sk_nic_descriptor
            *d = &rings()->tx_submit_entries[client.tx_submit++ % SK_NIC_RING_ENTRIES];
        *d = (struct sk_nic_descriptor){.buffer = input_byte() % (TX_BUFFERS + 2u),
                                        .offset = kind % 8 == 1 ? odd[kind / 8 % 6] : TX_HEADROOM,
                                        .length = kind % 8 == 2   ? UINT32_MAX - input_byte()
                                                  : kind % 8 == 3 ? odd[kind / 8 % 6]
                                                                  : 60u + kind,
                                        .flags = pieces > 1 || how >= 240 ? SK_NIC_MORE : 0};
        if (kind % 8 == 4) {
            d->flags |= SK_NIC_NEEDS_CHECKSUM;
            d->checksum_start = input_byte();
            d->checksum_offset = kind >= 128 ? (uint16_t)input_word() : 6;
            d->segment_bytes = kind >= 192 ? 1 : 0;
        }
    }
    atomic_store(&rings()->tx_submit.head, client.tx_submit);
}

static void client_frees(void)
{
    for (uint32_t count = input_byte() % 32u; count > 0; count--) {
        uint16_t buffer = input_byte() % (RX_BUFFERS + 2u);
        rings()->rx_free_entries[client.rx_free++ % SK_NIC_RING_ENTRIES] = buffer;
    }
    atomic_store(&rings()->rx_free.head, client.rx_free);
}

static void client_joins(void)
{
    uint8_t count = input_byte();
    input_fill(rings()->groups, count % 32u);
    atomic_store(&rings()->group_count, count % 8 == 7 ? UINT32_MAX - count : count % 70u);
    atomic_store(&rings()->groups_changed, 1);
}

/* It reads what was received and what was sent, or says so. */
static void client_takes(void)
{
    struct sk_nic_rings *r = rings();
    atomic_store(&r->rx_ready.tail, atomic_load(&r->rx_ready.head));
    atomic_store(&r->tx_done.tail, atomic_load(&r->tx_done.head));
    atomic_store(&r->tx_starved, input_byte() % 2);
}

static void client_scribbles(void)
{
    size_t at = (size_t)input_word() % (sizeof(struct sk_nic_rings) / 4) * 4;
    input_fill((uint8_t *)rings() + at, 1 + input_byte() % 4u);
}

static void client_acts(uint8_t how)
{
    static void (*const acts[])(void) = {client_sends, client_sends, client_frees,    client_takes,
                                         client_joins, client_sends, client_scribbles};
    if (rings() == NULL) {
        return;
    }
    acts[how % (sizeof acts / sizeof acts[0])]();
    if (how >= 32) {
        object_signal(client.to_driver.object, SK_SIGNAL_EVENT);
    }
}

static void device_settle(void)
{
    memset(seen, 0, sizeof seen);
    settles = true;
    nic_device.settle();
    settles = false;
}

static void special(void)
{
    uint8_t how = input_byte();
    if (how == UINT8_MAX) {
        device_settle();
    } else if (how % 2 == 0) {
        client_acts(how / 2);
    } else {
        nic_device.act();
    }
}

/* Whoever comes next is served: the device comes up again, or has never gone. */
static void rest(void)
{
    struct sk_nic_request attach = {SK_NIC_OP_ATTACH};
    client_forget();
    device_settle();
    if (!ask(&attach, sizeof attach)) {
        double_broke("the next client is not served");
    }
    client_forget();
}

static void prepare(void)
{
    double_clock_step = 1000;
    uint8_t *registers = registers_give(nic_device.register_bytes);
    interrupt_give();
    dma_give();
    nic_device.prepare(registers);
}

static int run(void)
{
    return driver_run(nic_device.arguments);
}

const struct target target = {
    .service = "",
    .run = run,
    .operations = SK_NIC_OP_INFO,
    .shapes = shapes,
    .prepare = prepare,
    .answered = answered,
    .special = special,
    .rest = rest,
};
