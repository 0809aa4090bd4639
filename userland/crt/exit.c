/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ends of a process that libc knows. abort has a code of its own, so that a parent can tell.
 */
#include <stdlib.h>
#include <unistd.h>

#include <sk/syscalls.h>

#include "crt.h"

#define EXIT_ABORTED 134 /* as shells report SIGABRT elsewhere */

void _exit(int code)
{
    crt_stdio_drain(); /* who waits for this end may switch the machine off */
    sk_process_exit((uint64_t)(int64_t)code);
    __builtin_unreachable();
}

void abort(void)
{
    _exit(EXIT_ABORTED);
}
