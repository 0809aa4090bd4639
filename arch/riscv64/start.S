/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reset to C. The boot hart arrives at _start, with translation off, at whatever address the firmware
 * put the image; the others are started at secondary_start by the SBI. Both turn translation on by
 * pointing stvec at the linked address of what comes next and letting the first fetch fault.
 */
#include <arch_impl/offsets.h>

        .section .text.start, "ax"
        .global _start
_start:
        .option push
        .option norvc
        /* The RISC-V boot image header: 64 bytes that begin with code. */
        j       boot_start
        nop
        .dword  0x200000                        /* from the start of RAM */
        .dword  image_end - image_start         /* bss and tables included */
        .dword  0                               /* little endian */
        .word   2                               /* header version 0.2 */
        .word   0
        .dword  0
        .ascii  "RISCV\0\0\0"
        .ascii  "RSC\x05"
        .word   0
        .option pop

boot_start:
        csrw    sie, zero
        /* Old firmware without HSM sends every hart here: the first one boots, the rest stay out. */
        la      t0, boot_lottery
        li      t1, 1
        amoswap.w t1, t1, (t0)
        bnez    t1, stay_out
        mv      s0, a0
        mv      s1, a1
        la      t0, image_bss
        la      t1, image_bss_end
1:      sd      zero, 0(t0)
        addi    t0, t0, 8
        bltu    t0, t1, 1b
        la      sp, boot_stack_end
        mv      a0, s1
        call    early_map
        mv      s2, a0
        la      a1, _start
        mv      s3, a1
        call    translation_on
        li      sp, STACKS_BASE + STACK_SLOT_BYTES
        la      tp, harts
        mv      a0, s0
        mv      a1, s1
        mv      a2, s3
        tail    boot_hart_entry

        .global secondary_start
secondary_start:
        /* a0 = hart id, a1 = linked address of its structure. */
        csrw    sie, zero
        mv      tp, a1
        ld      a0, early_satp
        call    translation_on
        ld      sp, HART_STACK_TOP(tp)
        mv      a0, tp
        tail    secondary_hart_entry

stay_out:
        wfi
        j       stay_out

/* a0 = satp. Returns at the linked address. */
translation_on:
        la      t0, _start
        ld      t1, linked_start
        sub     t1, t1, t0
        add     ra, ra, t1
        la      t0, 1f
        add     t0, t0, t1
        csrw    stvec, t0
        sfence.vma
        csrw    satp, a0
        .balign 4
1:      la      t0, trap_entry
        csrw    stvec, t0
        csrw    sscratch, zero
        ret

        .balign 8
linked_start:
        .dword  image_start

        .section .data
        .balign 4
boot_lottery:
        .word   0

        .section .noinit, "aw", @nobits
        .balign 4096
        .global boot_stack
boot_stack:
        .space  STACK_BYTES
boot_stack_end:
