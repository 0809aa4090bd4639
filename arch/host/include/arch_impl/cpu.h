/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host: this hart, frames. A "user program" is a test that fills in a frame's registers and traps.
 */
#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include <kernel/types.h>

/* The C library has a function of this name, and its callers must not get the kernel's. */
#define sched_yield kernel_sched_yield

struct arch_space;
struct thread;

struct arch_frame {
    uint64_t pc, sp;
    uint64_t arg[8];
    uint64_t extra[7];
};

struct arch_fpu {
    uint64_t saves; /* times that fpu_leave was asked to save it */
};

struct arch_hart {
    struct arch_space *space; /* NULL: the kernel's own */
};

/* The comma makes the type a value's, so that clang takes pointers to _Atomic, too. */
#define store_plain(pointer) ((__typeof__((void)0, *(pointer)) *)(pointer))
#define store_relaxed(pointer, value)                                                              \
    __atomic_store_n(store_plain(pointer), (value), __ATOMIC_RELAXED)
#define store_release(pointer, value)                                                              \
    __atomic_store_n(store_plain(pointer), (value), __ATOMIC_RELEASE)
/* Thread sanitizers do not understand fences. */
#define store_fenced store_release

extern _Thread_local struct hart *host_hart;

struct thread *cpu_enter_message(struct thread *to, uint64_t info, uint64_t word0, uint64_t word1,
                                 uint64_t word2, uint64_t word3, uint64_t token, uint64_t key);

static inline struct hart *cpu_hart(void)
{
    return host_hart;
}

static inline uint64_t frame_pc(const struct arch_frame *frame)
{
    return frame->pc;
}

static inline uint64_t frame_number(const struct arch_frame *frame)
{
    return frame->arg[7];
}

ALWAYS_INLINE void cpu_copy_words(uint64_t *to, const uint64_t *from, uint64_t bytes)
{
    memcpy(to, from, bytes);
}

ALWAYS_INLINE void fpu_leave(struct arch_hart *hart, struct arch_fpu *fpu)
{
    fpu->saves++;
}

ALWAYS_INLINE void fpu_arrive(struct arch_fpu *fpu) {}

void host_relax(void);

static inline void cpu_relax(void)
{
    host_relax();
}

#endif
