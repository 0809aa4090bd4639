/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the first C function to main: thread-local data, the boot message, constructors. One thread
 * so far. Tests: tests/qemu/process (arguments, handles, exit codes).
 */
#include <stdlib.h>

#include <sk/service.h>
#include <sk/syscalls.h>

#include "../lib/boot.h"
#include "crt.h"

extern char __tls_main[];
extern const char __ehdr_start[];
extern uint64_t __relocated_start[], __relocated_end[], __relro_end[];
extern const uint8_t __relocations[];
extern void (*__preinit_array_start[])(void), (*__preinit_array_end[])(void);
extern void (*__init_array_start[])(void), (*__init_array_end[])(void);

int main(int argc, char **argv, char **envp);

/* Exit code of a process that could not even read its boot message. */
#define EXIT_BAD_BOOT 125u

/* The first byte's address as linked, until it is relocated; no constant, as that would be the address as it is. */
extern const char *crt_linked_at;
const char *crt_linked_at = __ehdr_start;

/* Adds how far the program was moved to every word that holds an address. */
static inline void relocate(void)
{
    uint64_t moved = (uint64_t)__ehdr_start - (uint64_t)crt_linked_at;
    const uint8_t *bitmap = __relocations;
    for (uint64_t *words = __relocated_start; words < __relocated_end; words += 8) {
        uint32_t bits = *bitmap++;
#pragma GCC unroll 8
        for (uint32_t i = 0; i < 8; i++) {
            if ((bits & (1u << i)) != 0) {
                words[i] += moved;
            }
        }
    }
}

/* Nobody writes to constants any more. Those that share a page with data were not worth one. */
static status_t protect_constants(void)
{
    uint64_t start = (uint64_t)__relocated_start;
    uint64_t size = ((uint64_t)__relro_end - start) & ~(uint64_t)(SK_PAGE_SIZE - 1);
    return size == 0 ? SK_OK : sk_memory_protect(sk_self_process, start, size, SK_PROT_READ);
}

static void run_all(void (**function)(void), void (**end)(void))
{
    for (; function < end; function++) {
        (*function)();
    }
}

/* What -fstack-protector-strong compares; set before anything that returns runs. */
uintptr_t __stack_chk_guard;

_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
    __builtin_trap(); /* nothing of this program is to be believed any more: the kernel reports it */
}

/* Everything that may be guarded, or go by a word that was not relocated before. */
static _Noreturn __attribute__((noinline)) void run(handle_t boot_endpoint)
{
    crt_tls_enter(__tls_main);
    struct boot_arguments arguments;
    if (boot_receive(boot_endpoint, &arguments) != SK_OK || protect_constants() != SK_OK) {
        sk_process_exit(EXIT_BAD_BOOT);
        __builtin_unreachable();
    }
    run_all(__preinit_array_start, __preinit_array_end);
    run_all(__init_array_start, __init_array_end);
    exit(main(arguments.count, arguments.values, arguments.environment));
}

void crt_start(handle_t boot_endpoint, uint64_t random)
{
    relocate();
    __stack_chk_guard = random & ~(uint64_t)0xff; /* no string copy gets past the zero */
    run(boot_endpoint);
}
