/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V: this hart, frames, FPU state.
 *
 * In the kernel tp is the hart's structure and sscratch is 0; in user mode sscratch is the structure.
 * gp is never used by the kernel and belongs to the user.
 */
#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

#include <skerry/types.h>

#define SSTATUS_FS (3ul << 13)
#define SSTATUS_FS_CLEAN (2ul << 13)
#define SSTATUS_FS_DIRTY (3ul << 13)

struct arch_space;

/* The user registers. A system call saves all of them but comes back with only its results and the
 * callee-saved ones: `full` says that every register is to be restored. */
struct arch_frame {
    uint64_t pc;
    uint64_t ra, sp, gp, tp;
    uint64_t saved[12]; /* s0..s11 */
    uint64_t arg[8];    /* a0..a7 */
    uint64_t extra[7];  /* t0..t6 */
    uint64_t full;
};

/* A thread's floating-point registers while no hart holds them; zero for a new thread. A hart holds
 * them if its arch.fpu points here and `hart` names it. */
struct arch_fpu {
    uint64_t f[32];
    uint64_t fcsr;
    struct hart *hart; /* the last one that loaded them; NULL: none since fpu_init */
};

struct arch_hart {
    uint64_t user_sp;         /* the trap entry's, for a moment */
    struct arch_space *space; /* in satp; NULL: the kernel's own */
    struct arch_fpu *fpu;     /* whose state the registers hold, if it agrees */
    uint64_t bit;             /* 1 << number: in the masks of address spaces */
    uint32_t plic_context;
    bool has_sstc;
};

#define store_relaxed(pointer, value)                                                              \
    do {                                                                                           \
        __typeof__(pointer) where_ = (pointer);                                                    \
        uint64_t value_ = (uint64_t)(value);                                                       \
        if (sizeof(*where_) == 8) {                                                                \
            __asm__ volatile("sd %z1, %0" : "=m"(*where_) : "rJ"(value_));                         \
        } else if (sizeof(*where_) == 4) {                                                         \
            __asm__ volatile("sw %z1, %0" : "=m"(*where_) : "rJ"(value_));                         \
        } else {                                                                                   \
            __asm__ volatile("sb %z1, %0" : "=m"(*where_) : "rJ"(value_));                         \
        }                                                                                          \
    } while (0)

#define store_release(pointer, value)                                                              \
    do {                                                                                           \
        __asm__ volatile("fence rw, w" ::: "memory");                                              \
        store_relaxed(pointer, value);                                                             \
    } while (0)

static inline struct hart *cpu_hart(void)
{
    struct hart *hart;
    __asm__("mv %0, tp" : "=r"(hart));
    return hart;
}

static inline void frame_restart(struct arch_frame *frame)
{
    frame->pc -= 4; /* ecall has no short form */
    frame->full = 1;
}

static inline uint64_t frame_pc(const struct arch_frame *frame)
{
    return frame->pc;
}

static inline uint64_t frame_number(const struct arch_frame *frame)
{
    return frame->arg[7];
}

/* Saves this hart's dirty floating-point registers. */
void fpu_save(struct arch_fpu *fpu);

static inline void fpu_leave(struct arch_frame *frame, struct arch_fpu *fpu)
{
    uint64_t status;
    __asm__ volatile("csrr %0, sstatus" : "=r"(status));
    if ((status & SSTATUS_FS) != 0) {
        fpu_save(fpu);
    }
}

static inline void cpu_relax(void)
{
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory"); /* pause; a hint elsewhere */
}

#endif
