/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The FPU's registers to memory and back. In a file of its own because the kernel is compiled without F
 * and D: it touches them nowhere else.
 */
#include <arch_impl/offsets.h>

        .attribute arch, "rv64imafdc"

.macro each_float op
        \op     f0, 0(t0)
        \op     f1, 8(t0)
        \op     f2, 16(t0)
        \op     f3, 24(t0)
        \op     f4, 32(t0)
        \op     f5, 40(t0)
        \op     f6, 48(t0)
        \op     f7, 56(t0)
        \op     f8, 64(t0)
        \op     f9, 72(t0)
        \op     f10, 80(t0)
        \op     f11, 88(t0)
        \op     f12, 96(t0)
        \op     f13, 104(t0)
        \op     f14, 112(t0)
        \op     f15, 120(t0)
        \op     f16, 128(t0)
        \op     f17, 136(t0)
        \op     f18, 144(t0)
        \op     f19, 152(t0)
        \op     f20, 160(t0)
        \op     f21, 168(t0)
        \op     f22, 176(t0)
        \op     f23, 184(t0)
        \op     f24, 192(t0)
        \op     f25, 200(t0)
        \op     f26, 208(t0)
        \op     f27, 216(t0)
        \op     f28, 224(t0)
        \op     f29, 232(t0)
        \op     f30, 240(t0)
        \op     f31, 248(t0)
.endm

/* Saves the registers of t0 = struct arch_fpu if they are dirty, and turns the unit off. It will be loaded
 * with the thread then; who has not changed its registers traps at the next use. Changes t0, t1. */
        .global fpu_save
fpu_save:
        csrr    t1, sstatus
        srli    t1, t1, 13
        andi    t1, t1, 3
        addi    t1, t1, -3
        seqz    t1, t1
        sb      t1, FPU_EAGER(t0)
        beqz    t1, 1f
        each_float fsd
        frcsr   t1
        sd      t1, FPU_FCSR(t0)
1:      li      t1, SSTATUS_FS_ON
        csrc    sstatus, t1
        ret

/* t0 = struct arch_fpu, the unit is off. Changes t0, t1, t2. */
        .global fpu_turn_on, fpu_turn_on_t0
fpu_turn_on:
        mv      t0, a0
fpu_turn_on_t0:
        li      t1, 1
        sb      t1, HART_FPU_ON(tp)
        li      t1, SSTATUS_FS_ON
        csrs    sstatus, t1
        ld      t1, HART_FPU(tp)
        ld      t2, FPU_HART(t0)
        bne     t1, t0, 1f
        beq     t2, tp, 2f
1:      sd      t0, HART_FPU(tp)
        sd      tp, FPU_HART(t0)
        each_float fld
        ld      t1, FPU_FCSR(t0)
        fscsr   t1
2:      li      t1, 1 << 13                     /* from dirty to clean */
        csrc    sstatus, t1
        ret

