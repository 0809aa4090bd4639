/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of short inputs that nobody without the key can
 * predict. No state.
 */
#ifndef SHARED_SIPHASH_H
#define SHARED_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

/* Of `bytes`; `purpose` keeps the uses of one key apart, 0 gives the published function. */
uint64_t siphash(const struct siphash_key *key, uint64_t purpose, const void *bytes, size_t length);

#endif
