/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4 of a counter, under a key made of the seed: what was
 * given out tells nothing of what comes. No lock: the counter is atomic, the key never changes.
 */
#include <stdatomic.h>

#include <kernel/random.h>
#include <shared/siphash.h>

static struct siphash_key key; /* [I] after random_init */
static _Atomic uint64_t counter;

static uint64_t hash_word(uint64_t word)
{
    return siphash(&key, 0, &word, sizeof word);
}

void random_init(const void *seed, size_t length, uint64_t time)
{
    const unsigned char *bytes = seed;
    uint64_t words[2] = {0, time};
    for (size_t i = 0; i < length; i++) {
        words[i / 8 % 2] ^= (uint64_t)bytes[i] << (i % 8 * 8);
        key = (struct siphash_key){words[0], words[1]};
        if (i % 16 == 15) { /* more than a key: it is stirred in */
            words[0] = hash_word(2 * i);
            words[1] = hash_word(2 * i + 1);
        }
    }
    key = (struct siphash_key){words[0], words[1]};
    atomic_store(&counter, 0);
}

uint64_t random_next(void)
{
    return hash_word(atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed));
}
