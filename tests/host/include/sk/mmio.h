/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <sk/mmio.h> for host tests: every register access goes to the test's device model. A test program
 * that links a driver defines model_read and model_write, and model_fence if it looks at the order of
 * accesses to DMA memory.
 */
#ifndef SK_MMIO_H
#define SK_MMIO_H

#include <stddef.h>
#include <stdint.h>

uint32_t model_read(uintptr_t address, unsigned width);
void model_write(uintptr_t address, uint32_t value, unsigned width);

enum model_fence_kind { MODEL_FENCE_WRITE = 1, MODEL_FENCE_READ = 2 };
void model_fence(unsigned kinds) __attribute__((weak));

static inline void model_fence_seen(unsigned kinds)
{
    if (model_fence != 0) {
        model_fence(kinds);
    }
}

#define SK_MMIO_ACCESSORS(bits)                                                                    \
    static inline uint##bits##_t sk_mmio_read##bits(uintptr_t address)                             \
    {                                                                                              \
        return (uint##bits##_t)model_read(address, bits / 8);                                      \
    }                                                                                              \
    static inline void sk_mmio_write##bits(uintptr_t address, uint##bits##_t value)                \
    {                                                                                              \
        model_write(address, value, bits / 8);                                                     \
    }

SK_MMIO_ACCESSORS(8)
SK_MMIO_ACCESSORS(16)
SK_MMIO_ACCESSORS(32)
#undef SK_MMIO_ACCESSORS

/* A model may look on when a driver orders its accesses to shared memory. */
__attribute__((weak)) void model_write_fence(void);
__attribute__((weak)) void model_read_fence(void);

static inline void sk_dma_write_fence(void)
{
    if (model_write_fence != NULL) {
        model_write_fence();
    }
    __atomic_thread_fence(__ATOMIC_RELEASE);
    model_fence_seen(MODEL_FENCE_WRITE);
}

static inline void sk_dma_read_fence(void)
{
    if (model_read_fence != NULL) {
        model_read_fence();
    }
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    model_fence_seen(MODEL_FENCE_READ);
}

static inline void sk_dma_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    model_fence_seen(MODEL_FENCE_WRITE | MODEL_FENCE_READ);
}

#endif
