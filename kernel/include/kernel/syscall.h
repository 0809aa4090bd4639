/* SPDX-License-Identifier: BSD-2-Clause */
/* System call dispatch: the table is generated from abi/syscalls.tbl. */
#ifndef KERNEL_SYSCALL_H
#define KERNEL_SYSCALL_H

#include <skerry/syscall_numbers.h>

#include <kernel/thread.h>

/* What a handler returns besides a status when there is nothing to write to the registers. */
enum syscall_outcome {
    SYSCALL_BLOCKED = 1, /* the thread waits, has been made ready elsewhere, or has ended */
    SYSCALL_DONE = 2,    /* the handler wrote the result registers itself */
};

struct syscall_entry {
    const char *name;
    status_t (*handler)(struct thread *self);
};

extern const struct syscall_entry syscall_table[SK_SYS_COUNT];

/* Writes status and results, and zeroes the registers that a system call leaves dead. */
status_t syscall_finish(struct thread *self, status_t status, uint64_t value0, uint64_t value1);
/* The registers of a thread whose wait ended. */
void syscall_result(struct thread *thread, status_t status, uint64_t value0, uint64_t value1);

#endif
