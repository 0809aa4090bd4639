/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Single-producer single-consumer rings in memory shared by two processes that do not trust each
 * other. Only indices and wake-ups are here; what an entry is (a byte, a descriptor) and where it
 * lies is the user's: entry number i lives at i & (size - 1).
 *
 * Each side keeps its own index in private memory and only ever stores it to the shared memory. The
 * other side's index is validated on every read: one that is further away than the ring is long
 * makes the ring `broken`, for ever; it then looks empty to a consumer and full to a producer.
 *
 * Sleeping, per direction, for all the rings of that direction together (struct sk_sleeper):
 *
 *      consumer                              producer
 *      sk_sleep_begin: flag = 1              sk_ring_publish: head = ...
 *                      full fence            sk_wake_needed: full fence
 *      looks at its rings once more                          flag? -> 0, signal the event
 *      nothing: waits for the event
 *
 * Without either fence both may read the old value and the consumer sleeps for ever.
 *
 * No lock: a struct sk_ring belongs to one thread. Tests: tests/host/services/net/test_ring.c.
 */
#ifndef SK_RING_H
#define SK_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The shared part, zero at the start. Each index has one writer, and a cache line of its own. */
struct sk_ring_shared {
    _Alignas(64) _Atomic uint32_t head; /* next entry to be written; the producer's */
    _Alignas(64) _Atomic uint32_t tail; /* next entry to be read; the consumer's */
};

/* Shared, zero at the start: is the consumer about to sleep, or asleep? */
struct sk_sleeper {
    _Alignas(64) _Atomic uint32_t flag;
};

/* One side's private view. */
struct sk_ring {
    struct sk_ring_shared *shared;
    uint32_t size;  /* entries; a power of two, at most 2^31 */
    uint32_t own;   /* our index: head of the producer, tail of the consumer */
    uint32_t other; /* the other side's, as last read and validated */
    bool broken;    /* the other side wrote an impossible index */
};

static inline void sk_ring_init(struct sk_ring *ring, struct sk_ring_shared *shared, uint32_t size)
{
    *ring = (struct sk_ring){.shared = shared, .size = size};
}

/* Consumer: entries that can be read now, from ring->own on. */
static inline uint32_t sk_ring_available(struct sk_ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->shared->head, memory_order_acquire);
    if (head - ring->own > ring->size || ring->broken) {
        ring->broken = true;
        return 0;
    }
    ring->other = head;
    return head - ring->own;
}

/* Consumer: `count` entries have been read, their places may be written again. */
static inline void sk_ring_release(struct sk_ring *ring, uint32_t count)
{
    ring->own += count;
    atomic_store_explicit(&ring->shared->tail, ring->own, memory_order_release);
}

/* Producer: entries that can be written now, from ring->own on. */
static inline uint32_t sk_ring_room(struct sk_ring *ring)
{
    uint32_t tail = atomic_load_explicit(&ring->shared->tail, memory_order_acquire);
    if (ring->own - tail > ring->size || ring->broken) {
        ring->broken = true;
        return 0;
    }
    ring->other = tail;
    return ring->size - (ring->own - tail);
}

/* Producer: `count` entries have been written and may be read. */
static inline void sk_ring_publish(struct sk_ring *ring, uint32_t count)
{
    ring->own += count;
    atomic_store_explicit(&ring->shared->head, ring->own, memory_order_release);
}

/* Place of entry number `index`. */
static inline uint32_t sk_ring_slot(const struct sk_ring *ring, uint32_t index)
{
    return index & (ring->size - 1);
}

/* Of `count` entries from `index` on, those that lie in one piece. */
static inline uint32_t sk_ring_contiguous(const struct sk_ring *ring, uint32_t index,
                                          uint32_t count)
{
    uint32_t to_end = ring->size - sk_ring_slot(ring, index);
    return count < to_end ? count : to_end;
}

/* Consumer: says that it is about to sleep. It must look at its rings once more before it does. */
static inline void sk_sleep_begin(struct sk_sleeper *sleeper)
{
    atomic_store_explicit(&sleeper->flag, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
}

/* Consumer: it is awake. A signal already under way only costs a spare look. */
static inline void sk_sleep_end(struct sk_sleeper *sleeper)
{
    atomic_store_explicit(&sleeper->flag, 0, memory_order_relaxed);
}

/* Producer, after publishing: must the event be signalled? At most one true for each sleep. */
static inline bool sk_wake_needed(struct sk_sleeper *sleeper)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&sleeper->flag, memory_order_relaxed) == 0) {
        return false;
    }
    return atomic_exchange_explicit(&sleeper->flag, 0, memory_order_relaxed) != 0;
}

#endif
