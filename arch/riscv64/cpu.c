/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This hart and the others: frames, lazy FPU, idle, starting, interrupting, power.
 *
 * Owns: which FPU state a hart's registers hold. A thread's state is in a hart's registers only
 * while hart.arch.fpu and arch_fpu.hart name each other, so a stale pointer on either side is
 * harmless. Context: interrupts off, any hart.
 */
#include <arch/cpu.h>

#include "csr.h"
#include "internal.h"
#include "kernel_map.h"
#include "sbi.h"

#include <stdio.h>
#include <string.h>

#include <arch/irq.h>
#include <arch_impl/offsets.h>
#include <kernel/hart.h>
#include <kernel/syscall.h>
#include <kernel/thread.h>
#include <skerry/ipc.h>
#include <skerry/syscall_numbers.h>

_Static_assert(SYSTEM_CALL_CALL == SK_SYS_channel_call, "trap.S");
_Static_assert(SHORT_MESSAGE_BYTES == SK_MESSAGE_REGISTER_BYTES, "trap.S");
_Static_assert(SYSTEM_CALL_DONE == SYSCALL_DONE, "trap.S");
_Static_assert(SYSTEM_CALL_COUNT == SK_SYS_COUNT, "trap.S");
_Static_assert(sizeof(struct syscall_entry) == 16, "trap.S");
_Static_assert(offsetof(struct syscall_entry, waits) == 8, "trap.S");
_Static_assert(offsetof(struct hart, attention) == HART_ATTENTION, "trap.S");
_Static_assert(offsetof(struct hart, system_calls) == HART_SYSTEM_CALLS, "trap.S");
_Static_assert(SYSTEM_CALL_REPLY_RECEIVE == SK_SYS_channel_reply_receive, "trap.S");
_Static_assert(offsetof(struct hart, current) == HART_CURRENT, "trap.S");
_Static_assert(offsetof(struct hart, stack_top) == HART_STACK_TOP, "trap.S");
_Static_assert(offsetof(struct hart, arch.user_sp) == HART_USER_SP, "trap.S");
_Static_assert(offsetof(struct thread, frame) == 0, "trap.S");
_Static_assert(offsetof(struct arch_frame, pc) == FRAME_PC, "trap.S");
_Static_assert(offsetof(struct arch_frame, ra) == FRAME_RA, "trap.S");
_Static_assert(offsetof(struct arch_frame, sp) == FRAME_SP, "trap.S");
_Static_assert(offsetof(struct arch_frame, gp) == FRAME_GP, "trap.S");
_Static_assert(offsetof(struct arch_frame, tp) == FRAME_TP, "trap.S");
_Static_assert(offsetof(struct arch_frame, saved) == FRAME_S0, "trap.S");
_Static_assert(offsetof(struct arch_frame, arg) == FRAME_A0, "trap.S");
_Static_assert(offsetof(struct arch_frame, extra) == FRAME_T0, "trap.S");
_Static_assert(offsetof(struct arch_frame, full) == FRAME_FULL, "trap.S");
_Static_assert(offsetof(struct arch_fpu, fcsr) == FPU_FCSR, "trap.S");
_Static_assert(offsetof(struct arch_fpu, hart) == FPU_HART, "trap.S");
_Static_assert(offsetof(struct arch_fpu, eager) == FPU_EAGER, "trap.S");
_Static_assert(offsetof(struct thread, fpu) == THREAD_FPU, "trap.S");
_Static_assert(offsetof(struct hart, arch.fpu) == HART_FPU, "trap.S");
_Static_assert(offsetof(struct hart, arch.fpu_on) == HART_FPU_ON, "trap.S");
_Static_assert(SSTATUS_FS_DIRTY == SSTATUS_FS, "trap.S");
_Static_assert(offsetof(struct kernel_trap, pc) == KERNEL_TRAP_PC, "trap.S");
_Static_assert(offsetof(struct kernel_trap, x) == KERNEL_TRAP_X1, "trap.S");
_Static_assert(sizeof(struct kernel_trap) == KERNEL_TRAP_BYTES, "trap.S");

_Atomic bool cpu_stopping;

void cpu_set_hart(struct hart *hart)
{
    __asm__ volatile("mv tp, %0" ::"r"(hart) : "memory");
}

void frame_init(struct arch_frame *frame, uint64_t entry, uint64_t stack, uint64_t argument)
{
    memset(frame, 0, sizeof *frame);
    frame->pc = entry;
    frame->sp = stack;
    frame->arg[0] = argument;
    frame->full = 1;
}

void frame_describe(const struct arch_frame *frame, char *text, size_t size)
{
    static const struct {
        const char name[4];
        uint16_t offset;
    } shown[] = {
        {"ra", FRAME_RA},      {"sp", FRAME_SP},       {"gp", FRAME_GP},
        {"tp", FRAME_TP},      {"a0", FRAME_A0},       {"a1", FRAME_A0 + 8},
        {"a2", FRAME_A0 + 16}, {"a3", FRAME_A0 + 24},  {"a4", FRAME_A0 + 32},
        {"a5", FRAME_A0 + 40}, {"a6", FRAME_A0 + 48},  {"a7", FRAME_A0 + 56},
        {"s0", FRAME_S0},      {"s1", FRAME_S0 + 8},   {"s2", FRAME_S0 + 16},
        {"s3", FRAME_S0 + 24}, {"s4", FRAME_S0 + 32},  {"s5", FRAME_S0 + 40},
        {"s6", FRAME_S0 + 48}, {"s7", FRAME_S0 + 56},  {"s8", FRAME_S0 + 64},
        {"s9", FRAME_S0 + 72}, {"s10", FRAME_S0 + 80}, {"s11", FRAME_S0 + 88},
        {"t0", FRAME_T0},      {"t1", FRAME_T0 + 8},   {"t2", FRAME_T0 + 16},
        {"t3", FRAME_T0 + 24}, {"t4", FRAME_T0 + 32},  {"t5", FRAME_T0 + 40},
        {"t6", FRAME_T0 + 48},
    };
    size_t used = (size_t)snprintf(text, size, "pc  %016lx\n", frame->pc);
    for (size_t i = 0; i < sizeof shown / sizeof shown[0] && used < size; i++) {
        uint64_t value;
        memcpy(&value, (const char *)frame + shown[i].offset, sizeof value);
        bool ends = i % 4 == 3 || i + 1 == sizeof shown / sizeof shown[0];
        used += (size_t)snprintf(text + used, size - used, "%-3s %016lx%s", shown[i].name, value,
                                 ends ? "\n" : "  ");
    }
}

void fpu_init(struct arch_fpu *fpu)
{
    memset(fpu, 0, sizeof *fpu);
}

void fpu_forget(struct arch_fpu *fpu)
{
    fpu->hart = NULL;
}

void fpu_load(struct arch_fpu *fpu)
{
    if (!cpu_hart()->arch.fpu_on) {
        fpu_turn_on(fpu);
    }
}

bool fpu_enable(struct arch_fpu *fpu)
{
    if (cpu_hart()->arch.fpu_on) {
        return false;
    }
    csr_set(sstatus, SSTATUS_FS);
    if ((csr_read(sstatus) & SSTATUS_FS) == 0) {
        return false; /* this hart has no FPU */
    }
    csr_clear(sstatus, SSTATUS_FS);
    fpu_load(fpu);
    return true;
}

void cpu_idle(void)
{
    __asm__ volatile("wfi" ::: "memory");
}

void cpu_fence_code(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

static uint64_t others_online(void)
{
    uint64_t mask = 0;
    for (uint32_t i = 0; i < hart_count; i++) {
        if (atomic_load_explicit(&harts[i].online, memory_order_relaxed) &&
            &harts[i] != cpu_hart()) {
            mask |= 1ull << i;
        }
    }
    return mask;
}

void cpu_fence_code_all(void)
{
    __asm__ volatile("fence rw, rw" ::: "memory"); /* the code before the others' fetches */
    cpu_fence_code();
    sbi_remote_fence_code(others_online());
}

void cpu_interrupt_hart(struct hart *hart)
{
    sbi_send_ipi(1ull << hart->number);
}

status_t cpu_start_hart(struct hart *hart)
{
    status_t status = kernel_map_stack(hart->number);
    if (status != SK_OK) {
        return status;
    }
    hart->stack_top = STACKS_BASE + (hart->number + 1ull) * STACK_SLOT_BYTES;
    return sbi_hart_start(hart->id, kernel_map_lookup((uint64_t)secondary_start), (uint64_t)hart);
}

void cpu_stop_others(void)
{
    atomic_store(&cpu_stopping, true);
    sbi_send_ipi(others_online());
}

_Noreturn void cpu_halt(void)
{
    csr_write(sie, 0);
    for (;;) {
        cpu_idle();
    }
}

status_t cpu_power(uint32_t operation, uint32_t reason)
{
    return sbi_power(operation, reason);
}

void cpu_console_write(const char *text, size_t length)
{
    sbi_console_write(text, length);
}
