/* SPDX-License-Identifier: BSD-2-Clause */
/* Control registers of RISC-V's supervisor mode, and the bits that the kernel uses. */
#ifndef ARCH_RISCV64_CSR_H
#define ARCH_RISCV64_CSR_H

#include <stdint.h>

#define csr_read(name)                                                                             \
    ({                                                                                             \
        uint64_t csr_value_;                                                                       \
        __asm__ volatile("csrr %0, " #name : "=r"(csr_value_)::"memory");                          \
        csr_value_;                                                                                \
    })
#define csr_write(name, value)                                                                     \
    __asm__ volatile("csrw " #name ", %0" ::"rK"((uint64_t)(value)) : "memory")
#define csr_set(name, bits)                                                                        \
    __asm__ volatile("csrs " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits)                                                                      \
    __asm__ volatile("csrc " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")

#define SSTATUS_SPP (1ul << 8)
#define SSTATUS_SUM (1ul << 18)
#define SSTATUS_MXR (1ul << 19)

/* sie and sip */
#define INTERRUPT_SOFTWARE (1ul << 1)
#define INTERRUPT_TIMER (1ul << 5)
#define INTERRUPT_EXTERNAL (1ul << 9)

#define SCAUSE_INTERRUPT (1ul << 63)

#define SATP_SV39 (8ull << 60)
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK 0xffffull

#endif
