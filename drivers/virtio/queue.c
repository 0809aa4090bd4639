/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Split virtqueues. Owns the layout of the rings; has no lock (one thread per queue).
 *
 * Invariants: the slots in flight and the free list together are all slots; available_index -
 * used_index is the number of chains in flight, at most `size`. Ring memory is read and written
 * with single accesses only, because the device may change it between any two.
 * Tests: tests/host/drivers/virtio/.
 */
#include "queue.h"

#include <sk/mmio.h>

struct virtq_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};

struct virtq_available {
    uint16_t flags;
    uint16_t index;
    uint16_t ring[]; /* then one more: used_event */
};

struct virtq_used_entry {
    uint32_t id;
    uint32_t length;
};

struct virtq_used {
    uint16_t flags;
    uint16_t index;
    struct virtq_used_entry ring[]; /* then a uint16_t: avail_event */
};

_Static_assert(sizeof(struct virtq_descriptor) == 16, "virtio 1.1, 2.6.5");
_Static_assert(sizeof(struct virtq_used_entry) == 8, "virtio 1.1, 2.6.8");

enum {
    DESCRIPTOR_NEXT = 1,
    DESCRIPTOR_WRITE = 2,
    AVAILABLE_NO_INTERRUPT = 1,
    USED_NO_NOTIFY = 1,
};

/* Exactly one load or store each, which the compiler neither splits nor repeats. */
#define LOAD(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define STORE(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELAXED)

static uint16_t *used_event(struct virtq *queue)
{
    return &queue->available->ring[queue->size];
}

static uint16_t *available_event(struct virtq *queue)
{
    return (uint16_t *)(void *)&queue->used->ring[queue->size];
}

static size_t available_offset(uint16_t size)
{
    return sizeof(struct virtq_descriptor) * size;
}

static size_t used_offset(uint16_t size)
{
    size_t end = available_offset(size) + sizeof(struct virtq_available) +
                 sizeof(uint16_t) * ((size_t)size + 1);
    return (end + VIRTQ_ALIGN - 1) & ~(size_t)(VIRTQ_ALIGN - 1);
}

size_t virtq_bytes(uint16_t size)
{
    size_t end = used_offset(size) + sizeof(struct virtq_used) +
                 sizeof(struct virtq_used_entry) * size + sizeof(uint16_t);
    return (end + SK_PAGE_SIZE - 1) & ~(size_t)(SK_PAGE_SIZE - 1);
}

void virtq_init(struct virtq *queue, uint16_t index, uint16_t size, void *memory, uint64_t physical,
                struct virtq_slot *slots, bool event_index)
{
    uint8_t *base = memory;

    *queue = (struct virtq){
        .descriptors = memory,
        .available = (void *)(base + available_offset(size)),
        .used = (void *)(base + used_offset(size)),
        .slots = slots,
        .descriptors_pa = physical,
        .available_pa = physical + available_offset(size),
        .used_pa = physical + used_offset(size),
        .size = size,
        .index = index,
        .free_count = size,
        .event_index = event_index,
    };
    for (uint16_t i = 0; i < size; i++) {
        slots[i] = (struct virtq_slot){.next = (uint16_t)(i + 1)};
    }
}

status_t virtq_add(struct virtq *queue, const struct virtq_buffer *buffers, uint16_t out_count,
                   uint16_t in_count, uint32_t cookie)
{
    uint32_t count = (uint32_t)out_count + in_count;
    uint16_t head = queue->free_head;
    uint16_t at = head;
    uint32_t writable = 0;

    if (queue->broken) {
        return SK_IO_ERROR;
    }
    if (count == 0) {
        return SK_INVALID_ARGS;
    }
    if (count > queue->free_count) {
        return SK_FULL;
    }

    for (uint32_t i = 0; i < count; i++) {
        struct virtq_descriptor *d = &queue->descriptors[at];
        bool last = i + 1 == count;
        bool in = i >= out_count;
        STORE(d->address, buffers[i].physical);
        STORE(d->length, buffers[i].length);
        STORE(d->flags, (uint16_t)((in ? DESCRIPTOR_WRITE : 0) | (last ? 0 : DESCRIPTOR_NEXT)));
        STORE(d->next, last ? (uint16_t)0 : queue->slots[at].next);
        if (in) {
            writable += buffers[i].length;
        }
        at = queue->slots[at].next;
    }
    queue->free_head = at;
    queue->free_count = (uint16_t)(queue->free_count - count);
    queue->slots[head].cookie = cookie;
    queue->slots[head].writable = writable;
    queue->slots[head].count = (uint16_t)count;

    STORE(queue->available->ring[queue->available_index & (queue->size - 1)], head);
    queue->available_index++;
    return SK_OK;
}

bool virtq_publish(struct virtq *queue)
{
    uint16_t before = queue->announced_index;
    uint16_t now = queue->available_index;

    if (before == now || queue->broken) {
        return false;
    }
    sk_dma_write_fence(); /* descriptors and ring entries before the index that shows them */
    STORE(queue->available->index, now);
    queue->announced_index = now;
    sk_dma_fence(); /* the index before the look at what the device wants (2.6.13.4.1) */
    if (queue->event_index) {
        uint16_t event = LOAD(*available_event(queue));
        return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
    }
    return (LOAD(queue->used->flags) & USED_NO_NOTIFY) == 0;
}

/* Puts a finished chain's descriptors back on the free list. */
static void release_chain(struct virtq *queue, uint16_t head)
{
    uint16_t last = head;
    for (uint16_t i = 1; i < queue->slots[head].count; i++) {
        last = queue->slots[last].next;
    }
    queue->free_count = (uint16_t)(queue->free_count + queue->slots[head].count);
    queue->slots[last].next = queue->free_head;
    queue->slots[head].count = 0;
    queue->free_head = head;
}

static status_t broken(struct virtq *queue)
{
    queue->broken = true;
    return SK_IO_ERROR;
}

status_t virtq_take(struct virtq *queue, uint32_t *cookie, uint32_t *written)
{
    uint16_t finished = (uint16_t)(LOAD(queue->used->index) - queue->used_index);

    if (queue->broken) {
        return SK_IO_ERROR;
    }
    if (finished == 0) {
        return SK_NOT_FOUND;
    }
    if (finished > (uint16_t)(queue->announced_index - queue->used_index)) {
        return broken(queue); /* more than it was ever given */
    }
    sk_dma_read_fence(); /* the index before the entry, and before the buffers' contents */
    struct virtq_used_entry *entry = &queue->used->ring[queue->used_index & (queue->size - 1)];
    uint32_t id = LOAD(entry->id);
    uint32_t length = LOAD(entry->length);

    if (id >= queue->size || queue->slots[id].count == 0) {
        return broken(queue); /* not a chain in flight */
    }
    /* Old devices report the bytes read of a chain that they could not write: then it is no claim. */
    if (queue->slots[id].writable == 0) {
        length = 0;
    } else if (length > queue->slots[id].writable) {
        return broken(queue);
    }
    *cookie = queue->slots[id].cookie;
    *written = length;
    release_chain(queue, (uint16_t)id);
    queue->used_index++;
    return SK_OK;
}

void virtq_interrupts_off(struct virtq *queue)
{
    /* With the event index nothing needs to be said: no interrupt comes until used_event moves. */
    if (!queue->event_index) {
        STORE(queue->available->flags, (uint16_t)AVAILABLE_NO_INTERRUPT);
    }
}

bool virtq_interrupts_on(struct virtq *queue)
{
    if (queue->event_index) {
        STORE(*used_event(queue), queue->used_index);
    } else {
        STORE(queue->available->flags, (uint16_t)0);
    }
    sk_dma_fence(); /* the wish before the look at what it came too late for (2.6.7.1) */
    return LOAD(queue->used->index) != queue->used_index;
}
