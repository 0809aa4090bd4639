/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where system calls and user faults arrive, and how their results get into registers.
 *
 * Context: a trap from user mode; no lock held. Tests: tests/host/kernel/race.c, tests/host/ipc/.
 */
#include <stdio.h>
#include <string.h>

#include <kernel/clock.h>
#include <kernel/hart.h>
#include <kernel/log.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/trap.h>

struct syscall_return syscall_return2(struct thread *self, status_t status, uint64_t value0,
                                      uint64_t value1)
{
    if (status != SK_OK) {
        return (struct syscall_return){status, 0};
    }
    syscall_result(self, SK_OK, value0, value1);
    return (struct syscall_return){SYSCALL_DONE, 0};
}

struct thread *trap_syscall_end(int64_t status, uint64_t value, struct thread *self)
{
    if (status == SYSCALL_SAVED) {
        const uint64_t *in = self->frame.arg;
        syscall_handler handler = (syscall_handler)(uintptr_t)value;
        struct syscall_return result = handler(in[0], in[1], in[2], in[3], in[4], in[5], in[6]);
        status = result.status;
        value = result.value;
    }
    if (status <= SK_OK) {
        syscall_result(self, (status_t)status, value, 0);
    } else if (status == SYSCALL_BLOCKED) {
        syscall_blocked(self);
    }
    bool attention = atomic_load_explicit(&cpu_hart()->attention, memory_order_relaxed);
    return attention ? kernel_exit() : self;
}

struct thread *trap_syscall(struct thread *self)
{
    const uint64_t *in = self->frame.arg;
    uint64_t number = frame_number(&self->frame);
    const struct syscall_entry
        *entry = &syscall_table[number < SK_SYS_COUNT ? number : SK_SYS_COUNT];
    cpu_hart()->system_calls++;
    struct syscall_return result = entry->handler(in[0], in[1], in[2], in[3], in[4], in[5], in[6]);
    return trap_syscall_end(result.status, result.value, self);
}

/* One readable report of what ended a process. */
static void fault_report(const struct thread *thread, const char *cause, uint64_t value)
{
    struct process *process = thread->process;
    char registers[FRAME_DESCRIBE_MAX];
    frame_describe(&thread->frame, registers, sizeof(registers));
    vaddr_t pc = frame_pc(&thread->frame), text = space_text_start(&process->space, pc);
    char place[32] = ""; /* programs lie somewhere else each time: this names the function */
    if (text != 0) {
        snprintf(place, sizeof place, " = text + 0x%lx", pc - text);
    }
    log_printf("%s: thread %lu: %s, address 0x%lx, at pc 0x%lx%s\n", process->name,
               thread->object.id, cause, value, pc, place);
    log_append(registers, strlen(registers));
}

static void fault_end(struct thread *thread, enum sk_exit_reason reason, const char *cause,
                      uint64_t value)
{
    struct process *process = thread->process;
    struct log_use *log = process->job->log;
    if (log_admits(log != NULL ? &log->reports : NULL, &log_reports, LOG_REPORT_NS, process->name,
                   clock_now_ns())) {
        fault_report(thread, cause, value);
    }
    process_end(process, reason, -1);
}

void trap_page_fault(struct thread *thread, vaddr_t va, uint32_t prot)
{
    status_t status = space_populate(&thread->process->space, va, prot);
    if (status == SK_OK) {
        return;
    }
    if (status != SK_BAD_ADDRESS) {
        fault_end(thread, SK_EXIT_OVER_BUDGET, "out of memory: its job's budget is used up", va);
        return;
    }
    const char *cause = prot == SK_PROT_WRITE     ? "write to an address that it may not write"
                        : prot == SK_PROT_EXECUTE ? "jump to an address that it may not execute"
                                                  : "read of an address that it may not read";
    fault_end(thread, SK_EXIT_FAULT, cause, va);
}

void trap_user_fault(struct thread *thread, const char *cause, uint64_t value)
{
    fault_end(thread, SK_EXIT_FAULT, cause, value);
}
