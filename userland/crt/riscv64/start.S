/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where every program and every further thread begins: a0 is the argument (the boot endpoint for the
 * first thread, with a random number in a1), sp the top of the stack. Sets the global pointer, which the compiler's code relies
 * on, and goes on in C (userland/crt/start.c, userland/lib/thread.c).
 */
    .macro begin name, target
    .globl \name
    .type \name, @function
\name:
    .option push
    .option norelax
    lla gp, __global_pointer$
    .option pop
    mv fp, zero
    mv ra, zero
    tail \target
    .size \name, . - \name
    .endm

    .section .text.start, "ax", @progbits
    begin _start, crt_start

    .section .text.crt_thread_start, "ax", @progbits
    begin crt_thread_start, crt_thread_main
