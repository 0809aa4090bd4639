/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RISC-V: this hart, frames, FPU state.
 *
 * In the kernel tp is the hart's structure and sscratch is 0; in user mode sscratch is the structure.
 * gp is never used by the kernel and belongs to the user.
 */
#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

#include <stdbool.h>

#include <kernel/types.h>

#define SSTATUS_FS (3ul << 13)
#define SSTATUS_FS_CLEAN (2ul << 13)
#define SSTATUS_FS_DIRTY (3ul << 13)

struct arch_space;
struct thread;

/* The user registers. A system call comes back with only its results and the callee-saved ones, and
 * one that does not give the hart up does not even save those. `full` says that every register is to
 * be restored; it is so for interrupts, and cleared on the way out. */
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
    bool eager;        /* used in the last turn: loaded with the thread, not at its first use */
};

struct arch_hart {
    uint64_t user_sp;         /* the trap entry's, for a moment */
    struct arch_space *space; /* in satp; NULL: the kernel's own */
    struct arch_fpu *fpu;     /* whose state the registers hold, if it agrees */
    uint64_t bit;             /* 1 << number: in the masks of address spaces */
    uint32_t irq_context;
    bool has_sstc;
    bool fpu_on; /* sstatus.FS is not off */
};

#define store_relaxed(pointer, value)                                                              \
    do {                                                                                           \
        __typeof__(pointer) where_ = (pointer);                                                    \
        uint64_t value_ = (uint64_t)(value);                                                       \
        if (sizeof(*where_) == 8) {                                                                \
            __asm__ volatile("sd %z1, %0" : "=m"(*where_) : "rJ"(value_));                         \
        } else if (sizeof(*where_) == 4) {                                                         \
            __asm__ volatile("sw %z1, %0" : "=m"(*where_) : "rJ"((int32_t)value_));                \
        } else {                                                                                   \
            __asm__ volatile("sb %z1, %0" : "=m"(*where_) : "rJ"((int32_t)value_));                \
        }                                                                                          \
    } while (0)

#define store_fenced(pointer, value) store_relaxed(pointer, value)

#define store_release(pointer, value)                                                              \
    do {                                                                                           \
        __asm__ volatile("fence rw, w" ::: "memory");                                              \
        store_relaxed(pointer, value);                                                             \
    } while (0)

_Noreturn struct thread *cpu_enter_message(struct thread *to, uint64_t info, uint64_t word0,
                                           uint64_t word1, uint64_t word2, uint64_t word3,
                                           uint64_t token, uint64_t key);

register struct hart *cpu_hart_register __asm__("tp");

static inline struct hart *cpu_hart(void)
{
    return cpu_hart_register;
}

static inline uint64_t frame_pc(const struct arch_frame *frame)
{
    return frame->pc;
}

static inline uint64_t frame_number(const struct arch_frame *frame)
{
    return frame->arg[7];
}

/* Turns the unit on, with these registers, unless it is on. */
RARELY void fpu_load(struct arch_fpu *fpu);

ALWAYS_INLINE void cpu_copy_words(uint64_t *to, const uint64_t *from, uint64_t bytes)
{
    const uint64_t *end = from + bytes / 8, *end8 = from + bytes / 64 * 8;
    if (from != end8) {
        /* In assembly, so that what the function around it keeps is not moved about in the loop. */
        uint64_t a, b, c, d, e, f, g, h;
        __asm__ volatile("1: ld %2, 0(%1); ld %3, 8(%1); ld %4, 16(%1); ld %5, 24(%1)\n"
                         "ld %6, 32(%1); ld %7, 40(%1); ld %8, 48(%1); ld %9, 56(%1)\n"
                         "addi %1, %1, 64\n"
                         "sd %2, 0(%0); sd %3, 8(%0); sd %4, 16(%0); sd %5, 24(%0)\n"
                         "sd %6, 32(%0); sd %7, 40(%0); sd %8, 48(%0); sd %9, 56(%0)\n"
                         "addi %0, %0, 64\n"
                         "bne %1, %10, 1b"
                         : "+r"(to), "+r"(from), "=&r"(a), "=&r"(b), "=&r"(c), "=&r"(d), "=&r"(e),
                           "=&r"(f), "=&r"(g), "=&r"(h)
                         : "r"(end8)
                         : "memory");
    }
    for (; from != end; from++, to++) {
        *to = *from;
    }
}

ALWAYS_INLINE void fpu_leave(struct arch_hart *hart, struct arch_fpu *fpu)
{
    if (unlikely(hart->fpu_on)) {
        /* Changes fewer registers than a function may, which spares the callers a lot. */
        register struct arch_fpu *fpu_in_t0 __asm__("t0") = fpu;
        __asm__ volatile("call fpu_save" : "+r"(fpu_in_t0) : : "t1", "ra", "memory");
        hart->fpu_on = false;
    }
}

ALWAYS_INLINE void fpu_arrive(struct arch_fpu *fpu)
{
    if (unlikely(fpu->eager)) {
        fpu_load(fpu);
    }
}

static inline void cpu_relax(void)
{
    __asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" ::: "memory"); /* pause; a hint elsewhere */
}

#endif
