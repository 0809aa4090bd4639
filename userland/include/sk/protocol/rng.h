/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service "rng": random bytes from a device. A machine without one has no such service
 * (connecting says NOT_FOUND).
 */
#ifndef SK_PROTOCOL_RNG_H
#define SK_PROTOCOL_RNG_H

#include <skerry/types.h>

#define SK_RNG_BYTES_MAX 256u

enum sk_rng_operation {
    /*
     * struct sk_rng_read -> struct sk_rng_bytes. INVALID_ARGS: 0 or more than SK_RNG_BYTES_MAX bytes;
     * BUSY: too many reads wait, four of this client's or 64 in all; IO_ERROR: the device has failed (the
     * next read starts it anew).
     */
    SK_RNG_READ = 1,
};

struct sk_rng_read {
    uint64_t operation;
    uint64_t count; /* bytes wanted */
};

struct sk_rng_bytes {
    int64_t status;
    uint8_t bytes[]; /* as many as were asked for */
};

#endif
