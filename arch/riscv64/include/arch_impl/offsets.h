/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that the assembly shares with C; every one is asserted against its structure in cpu.c. */
#ifndef ARCH_IMPL_OFFSETS_H
#define ARCH_IMPL_OFFSETS_H

/* struct hart */
#define HART_CURRENT 0
#define HART_STACK_TOP 8
#define HART_USER_SP 16
#define HART_ATTENTION 56
#define HART_SYSTEM_CALLS 64

#define HART_FPU 32
#define HART_FPU_ON 53

/* struct thread and its struct arch_fpu */
#define THREAD_FPU 344
#define FPU_FCSR 256
#define FPU_HART 264
#define FPU_EAGER 272
#define SSTATUS_FS_ON (3 << 13)

/* struct arch_frame, with which struct thread begins */
#define FRAME_PC 0
#define FRAME_RA 8
#define FRAME_SP 16
#define FRAME_GP 24
#define FRAME_TP 32
#define FRAME_S0 40
#define FRAME_A0 136
#define FRAME_T0 200
#define FRAME_FULL 256

/* struct kernel_trap, the registers that a panic shows: x1..x31, then these */
#define KERNEL_TRAP_PC 0
#define KERNEL_TRAP_X1 8
#define KERNEL_TRAP_BYTES 256

/* System calls (abi/syscalls.tbl), and those that have a short way */
#define SYSTEM_CALL_COUNT 109
#define SYSTEM_CALL_CALL 13
#define SYSTEM_CALL_REPLY_RECEIVE 15
#define SYSTEM_CALL_DONE 2
#define SHORT_MESSAGE_BYTES 32

/* The kernel's fixed addresses; <arch_impl/mmu.h> has the map. */
#define IMAGE_BASE 0xffffffff80000000
#define STACKS_BASE 0xffffffff80200000
#define DEVICE_BASE 0xffffffffa0000000
#define STACK_BYTES 16384
#define STACK_SLOT_BYTES 32768 /* the lower half is never mapped */

#endif
