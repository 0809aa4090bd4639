/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptor rings of the DesignWare Ethernet QoS: 16 bytes each, words 0 and 1 the address, word 2
 * lengths, word 3 flags with the OWN bit. The device may look at a descriptor at any time, so everything
 * else is there before OWN, and a packet's first descriptor is given last. JH7110's Ethernet DMA is
 * coherent with the caches: fences order, nothing is flushed. Tests: tests/host/drivers/dwmac.
 */
#include <string.h>

#include <sk/mmio.h>

#include "dwmac.h"

static struct dwmac_descriptor *at(const struct ring *ring, uint32_t place)
{
    return &ring->descriptors[place % ring->size];
}

/* Word 3 is the only one that both sides write. */
static uint32_t read_flags(const struct ring *ring, uint32_t place)
{
    return __atomic_load_n(&at(ring, place)->word[3], __ATOMIC_RELAXED);
}

static void write_flags(const struct ring *ring, uint32_t place, uint32_t flags)
{
    __atomic_store_n(&at(ring, place)->word[3], flags, __ATOMIC_RELAXED);
}

void ring_reset(struct ring *ring, struct dwmac_descriptor *descriptors, uint64_t physical,
                uint32_t size)
{
    *ring = (struct ring){.descriptors = descriptors, .physical = physical, .size = size};
    memset(descriptors, 0, size * sizeof *descriptors);
    sk_dma_write_fence();
}

uint32_t ring_tail(const struct ring *ring)
{
    return (uint32_t)(ring->physical + ring->next % ring->size * sizeof(struct dwmac_descriptor));
}

/* The next descriptor that the device has given back; NOT_FOUND while it has it. */
static status_t take(struct ring *ring, uint32_t *flags)
{
    if (ring_used(ring) == 0) {
        return SK_NOT_FOUND;
    }
    *flags = read_flags(ring, ring->oldest);
    if ((*flags & DESC_OWN) != 0) {
        return SK_NOT_FOUND;
    }
    sk_dma_read_fence(); /* what it wrote before it gave the descriptor back */
    return SK_OK;
}

static bool has(const struct ring *ring, uint32_t ahead)
{
    return ring_used(ring) > ahead && (read_flags(ring, ring->oldest + ahead) & DESC_OWN) == 0;
}

/* --- Receiving --- */

status_t rx_ring_post(struct ring *ring, uint16_t buffer, uint64_t address)
{
    if (ring_used(ring) >= RX_BUFFERS) {
        return SK_FULL;
    }
    struct dwmac_descriptor *descriptor = at(ring, ring->next);
    ring->buffer[ring->next % ring->size] = buffer;
    descriptor->word[0] = (uint32_t)address;
    descriptor->word[1] = (uint32_t)(address >> 32);
    descriptor->word[2] = 0;
    sk_dma_write_fence();
    write_flags(ring, ring->next, DESC_OWN | RX3_INTERRUPT | RX3_BUFFER1);
    ring->next++;
    return SK_OK;
}

status_t rx_ring_take(struct ring *ring, uint16_t *buffer, uint32_t *length)
{
    uint32_t flags;
    status_t status = take(ring, &flags);

    if (status != SK_OK) {
        return status;
    }
    uint32_t whole = DESC_FIRST | DESC_LAST;
    bool good = (flags & (whole | RX3_ERROR | RX3_CONTEXT)) == whole;
    *buffer = ring->buffer[ring->oldest % ring->size];
    *length = good ? flags & DESC_LENGTH_MASK : 0;
    ring->oldest++;
    return SK_OK;
}

bool rx_ring_has(const struct ring *ring)
{
    return has(ring, 0);
}

/* --- Sending --- */

status_t tx_ring_post(struct ring *ring, const struct tx_part *parts, uint32_t count)
{
    uint32_t first = ring->next, total = 0;

    if (count == 0 || count > UINT8_MAX) {
        return SK_INVALID_ARGS;
    }
    /* One stays free: a tail at the device's place would mean that there is nothing to send. */
    if (ring_used(ring) + count >= ring->size) {
        return SK_FULL;
    }
    for (uint32_t i = 0; i < count; i++) {
        total += parts[i].length;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct dwmac_descriptor *descriptor = at(ring, first + i);
        ring->buffer[(first + i) % ring->size] = parts[i].buffer;
        descriptor->word[0] = (uint32_t)parts[i].address;
        descriptor->word[1] = (uint32_t)(parts[i].address >> 32);
        descriptor->word[2] = parts[i].length | (i + 1 == count ? TX2_INTERRUPT : 0);
    }
    sk_dma_write_fence();
    for (uint32_t i = count; i-- > 0;) { /* the first one last: then the packet is whole */
        if (i == 0 && count > 1) {
            sk_dma_write_fence();
        }
        write_flags(ring, first + i,
                    DESC_OWN | (i == 0 ? DESC_FIRST | total : 0) |
                        (i + 1 == count ? DESC_LAST : 0));
    }
    ring->count[first % ring->size] = (uint8_t)count;
    ring->next += count;
    return SK_OK;
}

/* A packet is back when its last descriptor is: the device gives them back in order. */
status_t tx_ring_take(struct ring *ring, uint16_t *buffer, bool *failed)
{
    uint32_t flags;

    if (!tx_ring_has(ring)) {
        return SK_NOT_FOUND;
    }
    status_t status = take(ring, &flags);
    if (status != SK_OK) {
        return SK_IO_ERROR; /* the last one is back and the first is not */
    }
    uint32_t count = ring->count[ring->oldest % ring->size];
    flags = read_flags(ring, ring->oldest + count - 1);
    *buffer = ring->buffer[ring->oldest % ring->size];
    *failed = (flags & TX3_ERROR) != 0;
    ring->oldest += count;
    return SK_OK;
}

bool tx_ring_has(const struct ring *ring)
{
    return ring_used(ring) > 0 && has(ring, ring->count[ring->oldest % ring->size] - 1u);
}
