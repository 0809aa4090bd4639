/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host: this hart, frames. A "user program" is a test that fills in a frame's registers and traps.
 */
#ifndef ARCH_IMPL_CPU_H
#define ARCH_IMPL_CPU_H

#include <sched.h>
#include <stdatomic.h>

#include <skerry/types.h>

/* The C library has a function of this name, and its callers must not get the kernel's. */
#define sched_yield kernel_sched_yield

struct arch_space;

struct arch_frame {
    uint64_t pc, sp;
    uint64_t arg[8];
    uint64_t extra[7];
    bool restart; /* the system call in the registers is to be made again */
};

struct arch_fpu {
    uint64_t saves; /* times that fpu_leave was asked to save it */
};

struct arch_hart {
    struct arch_space *space; /* NULL: the kernel's own */
};

#define store_relaxed(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_RELAXED)
#define store_release(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_RELEASE)

extern _Thread_local struct hart *host_hart;

static inline struct hart *cpu_hart(void)
{
    return host_hart;
}

static inline void frame_restart(struct arch_frame *frame)
{
    frame->restart = true;
}

static inline uint64_t frame_pc(const struct arch_frame *frame)
{
    return frame->pc;
}

static inline uint64_t frame_number(const struct arch_frame *frame)
{
    return frame->arg[7];
}

static inline void fpu_leave(struct arch_frame *frame, struct arch_fpu *fpu)
{
    fpu->saves++;
}

void host_relax(void);

static inline void cpu_relax(void)
{
    host_relax();
}

#endif
