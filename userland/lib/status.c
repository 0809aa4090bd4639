/* SPDX-License-Identifier: BSD-2-Clause */
#include <sk/print.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *sk_status_words(status_t status)
{
#define SK_STATUS_CASE(name, value, words)                                                         \
    case SK_##name:                                                                                \
        return words;
    switch (status) {
        SK_STATUS_LIST(SK_STATUS_CASE)
    default:
        return "unknown error";
    }
#undef SK_STATUS_CASE
}

void sk_die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}
