/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Panics and assertions. Assertions are for the kernel's own invariants; nothing that user space can
 * cause may reach one.
 */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

#include <kernel/types.h>

/* Prints "PANIC: ...", hart, thread and a symbolised backtrace, stops the other harts, and halts or,
 * with panic=off on the command line, powers off as a failure. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The end of a panic: a failing power-off with panic=off on the command line, else a halt. */
_Noreturn void panic_end(void);

#define ASSERT(condition)                                                                          \
    ((condition) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition))

#endif
