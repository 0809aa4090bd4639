/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The end of the kernel. Takes no lock and allocates nothing; the first hart that panics reports, any
 * other halts. Tests: tests/qemu.
 */
#include <kernel/panic.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <arch/cpu.h>
#include <kernel/hart.h>
#include <kernel/log.h>
#include <kernel/platform.h>
#include <kernel/process.h>
#include <kernel/symbols.h>

#define BACKTRACE_MAX 32u

static atomic_uint panicked;

static void print_where(void)
{
    const struct hart *hart = cpu_hart();
    const struct thread *thread = hart->current;
    log_printf("hart %u (id %lu)", hart->number, (unsigned long)hart->id);
    if (thread != NULL) {
        log_printf(", thread %lu of %s, user pc %lx", (unsigned long)thread->object.id,
                   thread->process->name, (unsigned long)frame_pc(&thread->frame));
    }
    log_printf("\n");
}

static void print_backtrace(void)
{
    uint64_t addresses[BACKTRACE_MAX];
    uint32_t count = cpu_backtrace(addresses, BACKTRACE_MAX);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = 0;
        const char *name = symbol_find(addresses[i], &offset);
        log_printf("  %016lx %s+0x%lx\n", (unsigned long)addresses[i], name != NULL ? name : "?",
                   (unsigned long)offset);
    }
}

_Noreturn void panic_end(void)
{
    char option[8];
    if (platform_option("panic", option, sizeof option) && strcmp(option, "off") == 0) {
        cpu_power(SK_POWER_OFF, SK_POWER_FAILURE);
    }
    cpu_halt();
}

_Noreturn void panic(const char *format, ...)
{
    if (atomic_exchange(&panicked, 1)) {
        cpu_halt();
    }
    cpu_stop_others();
    log_panic_mode();
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    log_printf("PANIC: %s\n", line);
    print_where();
    print_backtrace();
    panic_end();
}
