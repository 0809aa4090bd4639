/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Thread-local data: the linker script's image, copied for each thread. RISC-V's variant: the thread
 * pointer names the first byte of the block.
 */
#include <errno.h>
#include <string.h>

#include <picotls.h>

#include "crt.h"

extern char __tls_source[], __tls_data_size[], __tls_size[];

/* Not in every picolibc header, always in its library. */
void _set_tls(void *block);

size_t crt_tls_size(void)
{
    return ((size_t)__tls_size + 15) & ~(size_t)15;
}

void crt_tls_enter(void *block)
{
    memcpy(block, __tls_source, (size_t)__tls_data_size);
    _set_tls(block);
    errno = 0; /* its page is paid for now: saying that memory has run out must not need any */
}
