/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What -fstack-protector-strong wants: the canary that lies between a function's arrays and its return
 * address, and what happens when it was overwritten. One for all harts and the whole of a boot: the
 * kernel's stacks are empty whenever a program runs. The trap entry and the short way of calls are
 * built without. Tests: tests/qemu/hostile/hardening.py.
 */
#include <kernel/boot.h>
#include <kernel/panic.h>
#include <kernel/random.h>

uint64_t __stack_chk_guard;

_Noreturn void __stack_chk_fail(void);

void stack_guard_init(void)
{
    __stack_chk_guard = random_next() & ~(uint64_t)0xff; /* no string copy gets past the zero */
}

_Noreturn void __stack_chk_fail(void)
{
    panic("a kernel function overran its stack frame");
}
