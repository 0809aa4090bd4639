/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Harts, interrupts, clock and console of the host machine.
 *
 * Everything that another hart may touch is atomic. A panic prints the console and aborts.
 */
#include <arch_impl/host.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include <kernel/trap.h>

#define CONSOLE_BYTES 65536u

struct lines {
    atomic_bool called;       /* by another hart */
    _Atomic uint32_t devices; /* pending sources */
    _Atomic uint64_t armed;   /* ~0: nothing */
};

_Thread_local struct hart *host_hart;
_Thread_local void (*host_idle)(void);
void (*host_relaxing)(void);
_Atomic uint64_t host_ticks;

static struct lines lines[HARTS_MAX] = {[0 ... HARTS_MAX - 1] = {.armed = ~0ull}};
static struct hart *_Atomic enabled[HOST_IRQS];
static _Atomic uint32_t completions[HOST_IRQS];
static char console[CONSOLE_BYTES];
static _Atomic uint32_t console_length;

void cpu_set_hart(struct hart *hart)
{
    host_hart = hart;
}

void host_relax(void)
{
    if (host_relaxing != NULL) {
        host_relaxing();
    } else {
        thrd_yield();
    }
}

void frame_init(struct arch_frame *frame, uint64_t entry, uint64_t stack, uint64_t argument)
{
    memset(frame, 0, sizeof *frame);
    frame->pc = entry;
    frame->sp = stack;
    frame->arg[0] = argument;
}

void frame_describe(const struct arch_frame *frame, char *text, size_t size)
{
    snprintf(text, size, "  pc %lx sp %lx\n", (unsigned long)frame->pc, (unsigned long)frame->sp);
}

struct thread *cpu_enter_message(struct thread *to, uint64_t info, uint64_t word0, uint64_t word1,
                                 uint64_t word2, uint64_t word3, uint64_t token, uint64_t key)
{
    to->frame.arg[0] = SK_OK;
    to->frame.arg[1] = info;
    to->frame.arg[2] = word0;
    to->frame.arg[3] = word1;
    to->frame.arg[4] = word2;
    to->frame.arg[5] = word3;
    to->frame.arg[6] = token;
    to->frame.extra[0] = key;
    to->frame.extra[1] = SK_OK;
    return to;
}

void fpu_init(struct arch_fpu *fpu)
{
    fpu->saves = 0;
}

void fpu_forget(struct arch_fpu *fpu)
{
    fpu->saves = 0;
}

void cpu_idle(void)
{
    if (host_idle == NULL) {
        fprintf(stderr, "hart %u has nothing to do, which the test does not expect\n",
                cpu_hart()->number);
        abort();
    }
    host_idle();
}

bool host_interrupt_pending(const struct hart *hart)
{
    const struct lines *own = &lines[hart->number];
    return atomic_load(&own->called) || atomic_load(&own->devices) != 0 ||
           atomic_load(&own->armed) <= clock_ticks();
}

void cpu_poll_interrupts(void)
{
    struct lines *own = &lines[cpu_hart()->number];
    if (atomic_exchange(&own->called, false)) {
        trap_hart_interrupt();
    }
    for (uint32_t pending = atomic_exchange(&own->devices, 0); pending != 0;
         pending &= pending - 1) {
        trap_device((uint32_t)__builtin_ctz(pending));
    }
    if (atomic_load(&own->armed) <= clock_ticks()) {
        trap_timer();
    }
}

void cpu_interrupt_hart(struct hart *hart)
{
    atomic_store(&lines[hart->number].called, true);
}

/* The other harts of a dying test program die with it. */
void cpu_stop_others(void) {}

_Noreturn void cpu_halt(void)
{
    fputs(host_console(), stderr);
    abort();
}

status_t cpu_power(uint32_t operation, uint32_t reason)
{
    return SK_NOT_SUPPORTED;
}

void cpu_console_write(const char *text, size_t length)
{
    uint32_t at = atomic_fetch_add(&console_length, (uint32_t)length);
    for (size_t i = 0; i < length && at + i < CONSOLE_BYTES - 1; i++) {
        console[at + i] = text[i];
    }
}

const char *host_console(void)
{
    return console;
}

/* Debuggers and sanitizers show where the kernel is. */
uint32_t cpu_backtrace(uint64_t *addresses, uint32_t most)
{
    return 0;
}

uint32_t irq_highest(void)
{
    return HOST_IRQS - 1;
}

void irq_enable(uint32_t source, struct hart *hart)
{
    atomic_store(&enabled[source], hart);
}

void irq_disable(uint32_t source, struct hart *hart)
{
    atomic_store(&enabled[source], NULL);
}

/* As a SiFive PLIC, which ignores the completion of a source that is not enabled: the line is lost. */
void irq_complete(uint32_t source, struct hart *hart)
{
    if (atomic_load(&enabled[source]) == hart) {
        atomic_fetch_add(&completions[source], 1);
    }
}

void host_irq_raise(uint32_t source)
{
    struct hart *hart = atomic_load(&enabled[source]);
    if (hart != NULL) {
        atomic_fetch_or(&lines[hart->number].devices, 1u << source);
    }
}

bool host_irq_is_enabled(uint32_t source)
{
    return atomic_load(&enabled[source]) != NULL;
}

uint32_t host_irq_completions(uint32_t source)
{
    return atomic_load(&completions[source]);
}

void clock_arm(uint64_t ticks)
{
    atomic_store(&lines[cpu_hart()->number].armed, ticks);
}

void host_clock_set(uint64_t ticks)
{
    atomic_store(&host_ticks, ticks);
}

uint64_t host_clock_armed(const struct hart *hart)
{
    return atomic_load(&lines[hart->number].armed);
}
