/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012) of a counter, under a key made of the seed: what was
 * given out tells nothing of what comes. No lock: the counter is atomic, the key never changes.
 */
#include <stdatomic.h>

#include <kernel/random.h>

static uint64_t key[2]; /* [I] after random_init */
static _Atomic uint64_t counter;

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

static void rounds(uint64_t v[4], int count)
{
    for (int i = 0; i < count; i++) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static uint64_t hash_word(uint64_t word)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d,
                     key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573};
    const uint64_t last = (uint64_t)sizeof word << 56;
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
    v[3] ^= last;
    rounds(v, 2);
    v[0] ^= last;
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void random_init(const void *seed, size_t length, uint64_t time)
{
    const unsigned char *bytes = seed;
    key[0] = 0;
    key[1] = time;
    for (size_t i = 0; i < length; i++) {
        key[i / 8 % 2] ^= (uint64_t)bytes[i] << (i % 8 * 8);
        if (i % 16 == 15) { /* more than a key: it is stirred in */
            uint64_t first = hash_word(2 * i), second = hash_word(2 * i + 1);
            key[0] = first;
            key[1] = second;
        }
    }
    atomic_store(&counter, 0);
}

uint64_t random_next(void)
{
    return hash_word(atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed));
}
