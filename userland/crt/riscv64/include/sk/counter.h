/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The instruction counter of this hart. Under an emulator that counts instructions as time it is
 * exact; it runs on while a hart sleeps.
 */
#ifndef SK_COUNTER_H
#define SK_COUNTER_H

#include <stdint.h>

static inline uint64_t sk_instructions(void)
{
    uint64_t count;
    __asm__ volatile("rdinstret %0" : "=r"(count)::"memory");
    return count;
}

#endif
