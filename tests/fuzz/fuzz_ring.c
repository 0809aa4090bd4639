/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring whose other side writes whatever it likes: what a consumer may read and a producer may write never leaves the
 * ring, and one that was broken stays so. Three bytes a step: which side does what, and two for the hostile index.
 */
#include <stdint.h>
#include <stdlib.h>

#include <sk/ring.h>

#define SIZE 16u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static uint32_t near(uint32_t index, uint8_t how, uint8_t by)
{
    return how % 4 == 0 ? (uint32_t)by << 24 : index + by % 40 - 20;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sk_ring_shared shared[2];
    struct sk_ring consumer, producer;
    shared[0] = shared[1] = (struct sk_ring_shared){0};
    sk_ring_init(&consumer, &shared[0], SIZE);
    sk_ring_init(&producer, &shared[1], SIZE);
    for (size_t at = 0; at + 3 <= size; at += 3) {
        bool was_broken = consumer.broken, was_full = producer.broken;
        atomic_store(&shared[0].head, near(consumer.own, data[at], data[at + 1]));
        atomic_store(&shared[1].tail, near(producer.own, data[at], data[at + 2]));
        uint32_t available = sk_ring_available(&consumer), room = sk_ring_room(&producer);
        must(available <= SIZE && room <= SIZE);
        must(!was_broken || (consumer.broken && available == 0));
        must(!was_full || (producer.broken && room == 0));
        uint32_t take = available > 0 ? data[at] % (available + 1) : 0;
        uint32_t put = room > 0 ? data[at] % (room + 1) : 0;
        must(sk_ring_slot(&consumer, consumer.own) +
                 sk_ring_contiguous(&consumer, consumer.own, take) <=
             SIZE);
        must(sk_ring_slot(&producer, producer.own) +
                 sk_ring_contiguous(&producer, producer.own, put) <=
             SIZE);
        sk_ring_release(&consumer, take);
        sk_ring_publish(&producer, put);
        must(atomic_load(&shared[0].tail) == consumer.own &&
             atomic_load(&shared[1].head) == producer.own);
    }
    return 0;
}
