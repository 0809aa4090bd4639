/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the architecture's trap entry calls. In all of these: interrupts off, no lock held, the user
 * registers of the running thread saved in its frame. After them the entry code calls kernel_exit
 * and returns to user mode with the frame of the thread that it names.
 */
#ifndef KERNEL_TRAP_H
#define KERNEL_TRAP_H

#include <kernel/thread.h>

/* The running thread made a system call (frame.arg, frame_number). Returns what runs next, as
 * kernel_exit does, which it calls only if there is something to do. */
struct thread *trap_syscall(struct thread *thread);
/* What follows a handler of the system call table, for entry code that calls it by itself. The frame
 * holds everything that survives the call. */
struct thread *trap_syscall_end(int64_t status, uint64_t value, struct thread *thread);

/* The same for the two calls that two processes talk by, with the user's argument registers, which are
 * not in the frame; where a message to come belongs is. The message is at most 32 bytes and has no
 * handles; or (_long) it may be any, and the frame says where its bytes and handles are. Called with
 * nothing to preserve in any register. ipc/fast.c. */
struct thread *trap_call(uint64_t handle, uint64_t info, uint64_t word0, uint64_t word1,
                         uint64_t word2, uint64_t word3, uint64_t deadline);
struct thread *trap_reply_receive(uint64_t handle, uint64_t info, uint64_t word0, uint64_t word1,
                                  uint64_t word2, uint64_t word3, uint64_t deadline,
                                  uint64_t token);
struct thread *trap_call_long(uint64_t handle, uint64_t info, uint64_t word0, uint64_t word1,
                              uint64_t word2, uint64_t word3, uint64_t deadline);
struct thread *trap_reply_receive_long(uint64_t handle, uint64_t info, uint64_t word0,
                                       uint64_t word1, uint64_t word2, uint64_t word3,
                                       uint64_t deadline, uint64_t token);
/* A user access of kind `prot` (SK_PROT_* bit) at `va` failed. */
void trap_page_fault(struct thread *thread, vaddr_t va, uint32_t prot);
/* Anything else a user program did wrong. `cause` in words, e.g. "illegal instruction". */
void trap_user_fault(struct thread *thread, const char *cause, uint64_t value);

/* Interrupts; also taken in idle, with no thread. */
void trap_timer(void);
void trap_hart_interrupt(void);    /* from cpu_interrupt_hart */
void trap_device(uint32_t source); /* claimed on this hart, not completed */

/* Finishes pending work and chooses what runs next on this hart, idling until there is something.
 * Switches the address space. Never returns NULL. */
struct thread *kernel_exit(void);

#endif
