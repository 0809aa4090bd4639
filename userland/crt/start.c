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
extern void (*__preinit_array_start[])(void), (*__preinit_array_end[])(void);
extern void (*__init_array_start[])(void), (*__init_array_end[])(void);

int main(int argc, char **argv, char **envp);

/* Exit code of a process that could not even read its boot message. */
#define EXIT_BAD_BOOT 125u

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

void crt_start(handle_t boot_endpoint, uint64_t random)
{
    __stack_chk_guard = random & ~(uint64_t)0xff; /* no string copy gets past the zero */
    crt_tls_enter(__tls_main);
    struct boot_arguments arguments;
    if (boot_receive(boot_endpoint, &arguments) != SK_OK) {
        sk_process_exit(EXIT_BAD_BOOT);
        __builtin_unreachable();
    }
    run_all(__preinit_array_start, __preinit_array_end);
    run_all(__init_array_start, __init_array_end);
    exit(main(arguments.count, arguments.values, arguments.environment));
}
