/* SPDX-License-Identifier: BSD-2-Clause */
/* Put before a service's sources: what of the C library it shall not have itself. */
#ifndef DOUBLE_LIBC_H
#define DOUBLE_LIBC_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Counted, and failing when double_fail_in says so. */
void *double_malloc(size_t size);
void *double_calloc(size_t count, size_t size);
void double_free(void *block);
/* Nobody reads it. */
int double_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
int double_vprintf(const char *format, va_list arguments);
int double_putchar(int c);

_Noreturn void double_exit(int code);

#define malloc double_malloc
#define calloc double_calloc
#define free double_free
#define printf(...) double_printf(__VA_ARGS__)
#define vprintf double_vprintf
#define putchar double_putchar
#define exit double_exit
#define main service_main

#endif
