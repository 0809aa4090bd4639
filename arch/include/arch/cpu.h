/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an architecture supplies: this hart, its registers as a thread leaves them, its FPU state,
 * idling, starting and interrupting other harts, power.
 *
 * The kernel always runs with interrupts off. A trap from user mode saves the user registers into
 * the running thread's frame, calls trap_*() of <kernel/trap.h>, and then runs whatever thread
 * kernel_exit() returns. <arch_impl/cpu.h> defines struct arch_frame, struct arch_fpu and the inline
 * functions.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include <kernel/types.h>

struct hart;
struct thread;

/*
 * struct arch_frame has at least:
 *   uint64_t arg[8];    argument and result registers (a0..a7)
 *   uint64_t extra[7];  further registers of channel calls (t0..t6)
 */
#include <arch_impl/cpu.h>

/*
 * store_relaxed(pointer, value), store_release(pointer, value): as atomic_store_explicit, for words of
 * 1, 4 or 8 bytes. Compilers turn C11's into read-modify-write instructions on some architectures.
 * store_fenced is a store_release of a caller who has executed a seq_cst fence after all that it releases.
 */

/* This hart's structure; constant between two kernel entries. */
static inline struct hart *cpu_hart(void);
/* Called once per hart by its boot code. */
void cpu_set_hart(struct hart *hart);

/* A frame that starts at `entry` with this stack pointer and first argument, all else zero. */
void frame_init(struct arch_frame *frame, uint64_t entry, uint64_t stack, uint64_t argument);
/*
 * struct thread *cpu_enter_message(struct thread *to, uint64_t info, uint64_t word0, uint64_t word1,
 *                                  uint64_t word2, uint64_t word3, uint64_t token, uint64_t key);
 * Goes to user mode as a thread whose system call ends well with a message (<skerry/ipc.h>), the words
 * in the registers where they are. Only as the last thing of a trap_call*() or trap_reply_receive*(): it
 * may return to user mode at once, or give the thread back with its frame filled in.
 */
static inline uint64_t frame_pc(const struct arch_frame *frame);
static inline uint64_t frame_number(const struct arch_frame *frame);
/* The registers in words, lines ended, for a fault report; at most FRAME_DESCRIBE_MAX bytes. */
#define FRAME_DESCRIBE_MAX 1600u
void frame_describe(const struct arch_frame *frame, char *text, size_t size);

/* Copies whole words between aligned places that do not overlap. */
ALWAYS_INLINE void cpu_copy_words(uint64_t *to, const uint64_t *from, uint64_t bytes);
/* The running thread of this hart stops running: saves its FPU registers if they are dirty, so that another hart may
 * run it. */
ALWAYS_INLINE void fpu_leave(struct arch_hart *hart, struct arch_fpu *fpu);
/* A thread is about to run on: loads its FPU registers if it is likely to use them. */
ALWAYS_INLINE void fpu_arrive(struct arch_fpu *fpu);
void fpu_init(struct arch_fpu *fpu);
/* Before the thread's memory is reused: no hart may believe that it holds this state. */
void fpu_forget(struct arch_fpu *fpu);

/* Sleeps until an interrupt is pending; may return early. Interrupts stay off. */
void cpu_idle(void);
/* Takes and handles pending interrupts in idle, as a trap would; returns when none is left. */
void cpu_poll_interrupts(void);
static inline void cpu_relax(void);
/* This hart's instruction fetches see all code written before. */
void cpu_fence_code(void);
/* As cpu_fence_code, on every running hart, before it returns. */
void cpu_fence_code_all(void);

/* Makes another hart pass through the kernel soon. */
void cpu_interrupt_hart(struct hart *hart);
/* Starts a stopped hart at its entry with `hart` as its structure; it ends in hart_main(). */
status_t cpu_start_hart(struct hart *hart);
/* Panic: stops every other hart for good. */
void cpu_stop_others(void);
_Noreturn void cpu_halt(void);

/* SK_NOT_SUPPORTED when the machine cannot; otherwise does not return. */
status_t cpu_power(uint32_t operation, uint32_t reason);

/* Writes to the firmware's console. May be slow, may be called in a panic. */
void cpu_console_write(const char *text, size_t length);

/* Where the kernel is, and the calls that brought it there, innermost first: addresses inside the call
 * instructions. */
uint32_t cpu_backtrace(uint64_t *addresses, uint32_t most);

#endif
