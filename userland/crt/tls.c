/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Thread-local data: the linker script's image, copied for each thread. RISC-V's variant: the thread
 * pointer names the first byte of the block.
 */
#include <errno.h>
#include <string.h>

#include <picotls.h>

#include "crt.h"

/* Differences of addresses: an absolute symbol would not stay what it is where the program is moved. */
extern char __tls_source[], __tls_source_end[], __tls_main[], __tls_main_end[];

/* Not in every picolibc header, always in its library. */
void _set_tls(void *block);

size_t crt_tls_size(void)
{
    return (size_t)(__tls_main_end - __tls_main); /* a multiple of 16 */
}

void crt_tls_enter(void *block)
{
    memcpy(block, __tls_source, (size_t)(__tls_source_end - __tls_source));
    _set_tls(block);
    errno = 0; /* its page is paid for now: saying that memory has run out must not need any */
}
