/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way into the kernel and back to a user program.
 *
 * The user registers go to the frame that the running thread begins with; the kernel then runs on
 * this hart's stack, from its top each time. A trap from the kernel itself is a bug and ends in a
 * panic on a stack of its own (the hart's may have overflowed).
 */
#include <arch_impl/offsets.h>

.macro each_kept op                             /* what every function call keeps, but ra and sp */
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

.macro each_argument op                         /* of a system call; a7 is its number */
        \op     a0, FRAME_A0(sp)
        \op     a1, FRAME_A0+8(sp)
        \op     a2, FRAME_A0+16(sp)
        \op     a3, FRAME_A0+24(sp)
        \op     a4, FRAME_A0+32(sp)
        \op     a5, FRAME_A0+40(sp)
        \op     a6, FRAME_A0+48(sp)
.endm

.macro each_outgoing op                         /* where the rest of a message to go is */
        \op     t0, FRAME_T0(sp)
        \op     t1, FRAME_T0+8(sp)
.endm

.macro each_incoming op                         /* where a message to come belongs */
        \op     t2, FRAME_T0+16(sp)
        \op     t3, FRAME_T0+24(sp)
        \op     t4, FRAME_T0+32(sp)
.endm

.macro save_swapped temp                        /* sp and tp, which the entry has swapped; ends that */
        csrrw   \temp, sscratch, zero
        sd      \temp, FRAME_TP(sp)
        ld      \temp, HART_USER_SP(tp)
        sd      \temp, FRAME_SP(sp)
.endm

.macro save_next temp                           /* where a system call comes back */
        csrr    \temp, sepc
        addi    \temp, \temp, 4
        sd      \temp, FRAME_PC(sp)
.endm

.macro save_short                               /* all that survives a call; ends on this hart's stack */
        each_incoming sd
        each_kept sd
        sd      ra, FRAME_RA(sp)
        save_swapped t6
        save_next t6
        ld      sp, HART_STACK_TOP(tp)
.endm

.macro clear_temporaries                        /* that no system call returns in */
        li      a7, 0
        li      t2, 0
        li      t3, 0
        li      t4, 0
        li      t5, 0
        li      t6, 0
.endm

        .section .text.trap, "ax"
        .balign 4
        .global trap_entry
trap_entry:
        csrrw   tp, sscratch, tp
        beqz    tp, kernel_trap
        sd      sp, HART_USER_SP(tp)
        csrr    sp, scause
        addi    sp, sp, -8
        bnez    sp, not_system_call
        addi    sp, a7, -SYSTEM_CALL_CALL
        beqz    sp, short_call
        addi    sp, a7, -SYSTEM_CALL_REPLY_RECEIVE
        beqz    sp, short_reply_receive

        /* Any other call: its handler gets the arguments in their registers. */
        ld      sp, HART_CURRENT(tp)
        each_outgoing sd
        each_incoming sd
        sd      t5, FRAME_T0+40(sp)
        li      t6, SYSTEM_CALL_COUNT
        mv      t5, a7
        bltu    a7, t6, 1f
        mv      t5, t6
1:      la      t6, syscall_table
        slli    t5, t5, 4
        add     t6, t6, t5
        sd      ra, FRAME_RA(sp)
        save_swapped t5
        save_next t5
        ld      t0, HART_SYSTEM_CALLS(tp)
        ld      t1, 8(t6)
        ld      t6, 0(t6)
        addi    t0, t0, 1
        sd      t0, HART_SYSTEM_CALLS(tp)
        bnez    t1, system_call_waits
        ld      sp, HART_STACK_TOP(tp)
        jalr    t6
        /* What functions keep has neither been saved nor changed, and mostly that is all. */
        lbu     t0, HART_ATTENTION(tp)
        bgtz    a0, system_call_more
        bnez    t0, system_call_more
        ld      sp, HART_CURRENT(tp)
        csrw    sscratch, tp
        ld      t0, FRAME_PC(sp)
        ld      ra, FRAME_RA(sp)
        csrw    sepc, t0
        li      a2, 0
        li      a3, 0
        li      a4, 0
        li      a5, 0
        li      a6, 0
        li      t0, 0
        li      t1, 0
        clear_temporaries
        ld      tp, FRAME_TP(sp)
        ld      sp, FRAME_SP(sp)
        sret

        /* The handler wrote the results itself, or this hart has something else to do. */
system_call_more:
        ld      sp, HART_CURRENT(tp)
        addi    t1, a0, -SYSTEM_CALL_DONE
        or      t1, t1, t0
        beqz    t1, return_short
        each_kept sd
        mv      a2, sp
        ld      sp, HART_STACK_TOP(tp)
        call    trap_syscall_end
        j       user_return

        /* Whoever makes the thread ready may run it on another hart at once: all is saved before. */
system_call_waits:
        each_argument sd
        sd      a7, FRAME_A0+56(sp)
        each_kept sd
        mv      s0, sp
        ld      sp, HART_STACK_TOP(tp)
        jalr    t6
        mv      a2, s0
        call    trap_syscall_end
        j       user_return

        /* The arguments stay in their registers, a message in its own all the way. */
short_call:
        li      sp, SHORT_MESSAGE_BYTES
        bltu    sp, a1, 1f
        ld      sp, HART_CURRENT(tp)
        save_short
        call    trap_call
        j       user_return
1:      ld      sp, HART_CURRENT(tp)
        each_outgoing sd
        save_short
        call    trap_call_long
        j       user_return

short_reply_receive:
        mv      a7, t5                          /* the token: the eighth argument */
        li      sp, SHORT_MESSAGE_BYTES
        bltu    sp, a1, 1f
        ld      sp, HART_CURRENT(tp)
        save_short
        call    trap_reply_receive
        j       user_return
1:      ld      sp, HART_CURRENT(tp)
        each_outgoing sd
        save_short
        call    trap_reply_receive_long
        j       user_return

/* a0 = the thread, a1..a6 = info, words and token, a7 = the key: what a message comes as. */
        .global cpu_enter_message
cpu_enter_message:
        mv      sp, a0
        lbu     t0, THREAD_FPU + FPU_EAGER(sp)
        bnez    t0, 2f
1:      csrw    sscratch, tp
        ld      t0, FRAME_PC(sp)
        ld      ra, FRAME_RA(sp)
        csrw    sepc, t0
        each_kept ld
        mv      t0, a7
        li      a0, 0
        li      t1, 0
        clear_temporaries
        ld      tp, FRAME_TP(sp)
        ld      sp, FRAME_SP(sp)
        sret
2:      addi    t0, sp, THREAD_FPU
        call    fpu_turn_on_t0
        j       1b

not_system_call:
        ld      sp, HART_CURRENT(tp)
        sd      ra, FRAME_RA(sp)
        each_kept sd
        each_argument sd
        sd      a7, FRAME_A0+56(sp)
        each_outgoing sd
        each_incoming sd
        sd      t5, FRAME_T0+40(sp)
        sd      t6, FRAME_T0+48(sp)
        save_swapped t0
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
        ld      ra, FRAME_RA(sp)
        csrw    sepc, t0
        each_kept ld
        bnez    t1, restore_all
return_results:
        each_argument ld
        each_outgoing ld                        /* a key and a status here */
        clear_temporaries
        ld      tp, FRAME_TP(sp)
        ld      sp, FRAME_SP(sp)
        sret
return_short:
        csrw    sscratch, tp
        ld      t0, FRAME_PC(sp)
        ld      ra, FRAME_RA(sp)
        csrw    sepc, t0
        j       return_results
restore_all:
        sd      zero, FRAME_FULL(sp)
        /* Ends a reservation that another thread may have made; stores what is there already. */
        sc.d    zero, t0, (sp)
        each_argument ld
        ld      a7, FRAME_A0+56(sp)
        each_outgoing ld
        each_incoming ld
        ld      t5, FRAME_T0+40(sp)
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
