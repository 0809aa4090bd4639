/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the parts of the C run time and the os library. Not for programs.
 */
#ifndef CRT_H
#define CRT_H

#include <stddef.h>

#include <skerry/status.h>
#include <skerry/types.h>

/* The first C function; called by crt/ARCH/start.S. */
_Noreturn void crt_start(handle_t boot_endpoint, uint64_t random);

/* Entry point of further threads, in crt/ARCH/start.S, and where it goes on. */
void crt_thread_start(uint64_t argument);
_Noreturn void crt_thread_main(uint64_t argument);

/* Bytes of one thread's local data, a multiple of 16. */
size_t crt_tls_size(void);
/* Fills `block` (crt_tls_size() bytes, 16-aligned, zeroed) and makes it the calling thread's. */
void crt_tls_enter(void *block);

/* Writes out the calling thread's unfinished output line. */
void crt_stdio_flush(void);
/* The same, and waits until the console has sent all that this process ever wrote. */
void crt_stdio_drain(void);

#endif
