/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device registers and memory shared with devices, on 64-bit RISC-V. The only place in user space
 * with `volatile`. tests/host/include/sk/mmio.h has the same functions over device models.
 *
 * A register access is ordered against DMA memory by itself: everything the program wrote before
 * sk_mmio_writeN is visible to the device before the register changes, and nothing the program
 * reads after sk_mmio_readN is read before it. DMA memory alone is ordered by the sk_dma_* fences.
 * Register addresses are those of a mapped physical memory object.
 */
#ifndef SK_MMIO_H
#define SK_MMIO_H

#include <stdint.h>

#define SK_MMIO_ACCESSORS(bits)                                                                    \
    static inline uint##bits##_t sk_mmio_read##bits(uintptr_t address)                             \
    {                                                                                              \
        uint##bits##_t value = *(const volatile uint##bits##_t *)address;                          \
        __asm__ volatile("fence i, ir" ::: "memory");                                              \
        return value;                                                                              \
    }                                                                                              \
    static inline void sk_mmio_write##bits(uintptr_t address, uint##bits##_t value)                \
    {                                                                                              \
        __asm__ volatile("fence w, o" ::: "memory");                                               \
        *(volatile uint##bits##_t *)address = value;                                               \
    }

SK_MMIO_ACCESSORS(8)
SK_MMIO_ACCESSORS(16)
SK_MMIO_ACCESSORS(32)
#undef SK_MMIO_ACCESSORS

/* Writes to DMA memory before it reach the device before writes after it. */
static inline void sk_dma_write_fence(void)
{
    __asm__ volatile("fence w, w" ::: "memory");
}

/* Reads of DMA memory before it are done before reads after it. */
static inline void sk_dma_read_fence(void)
{
    __asm__ volatile("fence r, r" ::: "memory");
}

/* Both, and writes before it against reads after it. */
static inline void sk_dma_fence(void)
{
    __asm__ volatile("fence rw, rw" ::: "memory");
}

#endif
