/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers that programs cannot guess: for the placement of mappings, for stack canaries. They come
 * from the seed that the firmware left in the device tree; without one they only differ from boot to
 * boot. Not for keys: programs ask the service "rng". Tests: tests/host/kernel/test_random.c.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stddef.h>

#include <kernel/types.h>

/* Once, before anything else here. The same seed and time give the same numbers. */
void random_init(const void *seed, size_t length, uint64_t time);
uint64_t random_next(void);

#endif
