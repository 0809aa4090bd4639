/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way into the kernel and back to a user program.
 *
 * The user registers go to the frame that the running thread begins with; the kernel then runs on
 * this hart's stack, from its top each time. A trap from the kernel itself is a bug and ends in a
 * panic on a stack of its own (the hart's may have overflowed).
 */
#include <arch_impl/offsets.h>

.macro each_saved op                            /* what every function call keeps */
        \op     ra, FRAME_RA(sp)
        \op     gp, FRAME_GP(sp)
        \op     s0, FRAME_S0(sp)
        \op     s1, FRAME_S0+8(sp)
        \op     s2, FRAME_S0+16(sp)
        \op     s3, FRAME_S0+24(sp)
        \op     s4, FRAME_S0+32(sp)
        \op     s5, FRAME_S0+40(sp)
        \op     s6, FRAME_S0+48(sp)
        \op     s7, FRAME_S0+56(sp)
        \op     s8, FRAME_S0+64(sp)
        \op     s9, FRAME_S0+72(sp)
        \op     s10, FRAME_S0+80(sp)
        \op     s11, FRAME_S0+88(sp)
.endm

.macro each_result op                           /* what a system call may return in */
        \op     a0, FRAME_A0(sp)
        \op     a1, FRAME_A0+8(sp)
        \op     a2, FRAME_A0+16(sp)
        \op     a3, FRAME_A0+24(sp)
        \op     a4, FRAME_A0+32(sp)
        \op     a5, FRAME_A0+40(sp)
        \op     a6, FRAME_A0+48(sp)
        \op     t0, FRAME_T0(sp)
        \op     t1, FRAME_T0+8(sp)
.endm

.macro each_dead op                             /* all others, but t6, which the entry saves first */
        \op     a7, FRAME_A0+56(sp)
        \op     t2, FRAME_T0+16(sp)
        \op     t3, FRAME_T0+24(sp)
        \op     t4, FRAME_T0+32(sp)
        \op     t5, FRAME_T0+40(sp)
.endm

.macro save_rest                                /* sp and tp, which the entry has swapped; sscratch */
        csrrw   t0, sscratch, zero
        ld      t1, HART_USER_SP(tp)
        sd      t0, FRAME_TP(sp)
        sd      t1, FRAME_SP(sp)
.endm

.macro save_short                               /* what a short message leaves for later */
        sd      a7, FRAME_A0+56(sp)
        sd      t2, FRAME_T0+16(sp)
        sd      t3, FRAME_T0+24(sp)
        sd      t4, FRAME_T0+32(sp)
.endm

.macro save_call                                /* ends on this hart's stack */
        each_saved sd
        save_rest
        csrr    t0, sepc
        addi    t0, t0, 4
        sd      t0, FRAME_PC(sp)
        sd      zero, FRAME_FULL(sp)
        ld      sp, HART_STACK_TOP(tp)
.endm

        .section .text.trap, "ax"
        .balign 4
        .global trap_entry
trap_entry:
        csrrw   tp, sscratch, tp
        beqz    tp, kernel_trap
        sd      sp, HART_USER_SP(tp)
        ld      sp, HART_CURRENT(tp)
        sd      t6, FRAME_T0+48(sp)
        csrr    t6, scause
        addi    t6, t6, -8
        bnez    t6, not_system_call

        li      t6, SYSTEM_CALL_CALL
        beq     a7, t6, short_call
        li      t6, SYSTEM_CALL_REPLY_RECEIVE
        beq     a7, t6, short_reply_receive
system_call:
        each_result sd
        each_dead sd
        save_call
        ld      a0, HART_CURRENT(tp)
        call    trap_syscall
        j       user_return

        /* A message in registers: the other arguments stay where they are. */
short_call:
        li      t6, SHORT_MESSAGE_BYTES
        bltu    t6, a1, system_call
        save_short
        save_call
        call    trap_call
        j       user_return
short_reply_receive:
        li      t6, SHORT_MESSAGE_BYTES
        bltu    t6, a1, system_call
        save_short
        mv      a7, t5                          /* the token: the eighth argument */
        save_call
        call    trap_reply_receive
        j       user_return

not_system_call:
        each_saved sd
        each_result sd
        each_dead sd
        save_rest
        csrr    t0, sepc
        sd      t0, FRAME_PC(sp)
        li      t0, 1
        sd      t0, FRAME_FULL(sp)
        mv      a0, sp
        csrr    a1, scause
        csrr    a2, stval
        ld      sp, HART_STACK_TOP(tp)
        call    trap_from_user
        call    kernel_exit

/* a0 = the thread to run. sstatus.SPP is 0 since boot: only user mode traps. */
        .global cpu_enter_user
cpu_enter_user:
user_return:
        mv      sp, a0
        csrw    sscratch, tp
        ld      t0, FRAME_PC(sp)
        ld      t1, FRAME_FULL(sp)
        csrw    sepc, t0
        each_saved ld
        bnez    t1, restore_all
        each_result ld
        li      a7, 0
        li      t2, 0
        li      t3, 0
        li      t4, 0
        li      t5, 0
        li      t6, 0
        ld      tp, FRAME_TP(sp)
        ld      sp, FRAME_SP(sp)
        sret
restore_all:
        /* Ends a reservation that another thread may have made; stores what is there already. */
        sc.d    zero, t0, (sp)
        each_result ld
        each_dead ld
        ld      t6, FRAME_T0+48(sp)
        ld      tp, FRAME_TP(sp)
        ld      sp, FRAME_SP(sp)
        sret

kernel_trap:
        csrrw   tp, sscratch, t0                /* tp is the hart again, t0 free */
        la      t0, kernel_trap_frame
        sd      x1, KERNEL_TRAP_X1(t0)
        sd      x2, KERNEL_TRAP_X1+8(t0)
        sd      x3, KERNEL_TRAP_X1+16(t0)
        sd      x4, KERNEL_TRAP_X1+24(t0)
        sd      x6, KERNEL_TRAP_X1+40(t0)
        sd      x7, KERNEL_TRAP_X1+48(t0)
        sd      x8, KERNEL_TRAP_X1+56(t0)
        sd      x9, KERNEL_TRAP_X1+64(t0)
        sd      x10, KERNEL_TRAP_X1+72(t0)
        sd      x11, KERNEL_TRAP_X1+80(t0)
        sd      x12, KERNEL_TRAP_X1+88(t0)
        sd      x13, KERNEL_TRAP_X1+96(t0)
        sd      x14, KERNEL_TRAP_X1+104(t0)
        sd      x15, KERNEL_TRAP_X1+112(t0)
        sd      x16, KERNEL_TRAP_X1+120(t0)
        sd      x17, KERNEL_TRAP_X1+128(t0)
        sd      x18, KERNEL_TRAP_X1+136(t0)
        sd      x19, KERNEL_TRAP_X1+144(t0)
        sd      x20, KERNEL_TRAP_X1+152(t0)
        sd      x21, KERNEL_TRAP_X1+160(t0)
        sd      x22, KERNEL_TRAP_X1+168(t0)
        sd      x23, KERNEL_TRAP_X1+176(t0)
        sd      x24, KERNEL_TRAP_X1+184(t0)
        sd      x25, KERNEL_TRAP_X1+192(t0)
        sd      x26, KERNEL_TRAP_X1+200(t0)
        sd      x27, KERNEL_TRAP_X1+208(t0)
        sd      x28, KERNEL_TRAP_X1+216(t0)
        sd      x29, KERNEL_TRAP_X1+224(t0)
        sd      x30, KERNEL_TRAP_X1+232(t0)
        sd      x31, KERNEL_TRAP_X1+240(t0)
        csrrw   t1, sscratch, zero
        sd      t1, KERNEL_TRAP_X1+32(t0)
        csrr    t1, sepc
        sd      t1, KERNEL_TRAP_PC(t0)
        /* A trap while one is being reported: nothing more can be said. */
        la      t1, kernel_trap_taken
        li      t2, 1
        amoswap.w t2, t2, (t1)
        bnez    t2, 1f
        mv      a0, t0
        csrr    a1, scause
        csrr    a2, stval
        la      sp, panic_stack_end
        tail    trap_from_kernel
1:      tail    cpu_halt

/* uint64_t csr_probe_stimecmp(void): 1 if the CSR exists. Called at boot, with interrupts off. */
        .text
        .global csr_probe_stimecmp
        .balign 4
csr_probe_stimecmp:
        la      t0, 1f
        csrrw   t0, stvec, t0
        li      a0, 0
        csrr    t1, 0x14d
        li      a0, 1
        .balign 4
1:      csrw    stvec, t0
        ret

        .section .noinit, "aw", @nobits
        .balign 16
        .space  8192
panic_stack_end:
        .global kernel_trap_frame
kernel_trap_frame:
        .space  KERNEL_TRAP_BYTES

        .section .data
        .balign 4
kernel_trap_taken:
        .word   0
