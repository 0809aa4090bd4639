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
    SYSCALL_SAVED = 3,   /* to be called when everything is saved: the function in `value` */
};

/* What a handler gives back to the entry code: all other result registers become zero. */
struct syscall_return {
    int64_t status; /* a status, or an outcome */
    uint64_t value; /* the first result */
};

typedef struct syscall_return (*syscall_handler)(uint64_t in0, uint64_t in1, uint64_t in2,
                                                 uint64_t in3, uint64_t in4, uint64_t in5,
                                                 uint64_t in6);

/* A handler gets the argument registers of the running thread. Its frame holds them too, and all that
 * survives a system call, if the call is marked as one that waits; otherwise only frame.extra, the places
 * of a message's bytes and handles. */
struct syscall_entry {
    syscall_handler handler;
    uint64_t waits;
};

/* The last entry stands for all numbers from it on. */
extern const struct syscall_entry syscall_table[SK_SYS_COUNT + 1];

/* Result registers of a thread whose wait ended, or of the running one. */
static inline void syscall_result(struct thread *thread, status_t status, uint64_t value0,
                                  uint64_t value1)
{
    /* The entry code zeroes the registers that no system call returns in. */
    struct arch_frame *frame = &thread->frame;
    bool good = status == SK_OK;
    frame->arg[0] = (uint64_t)(int64_t)status;
    frame->arg[1] = good ? value0 : 0;
    frame->arg[2] = good ? value1 : 0;
    frame->arg[3] = 0;
    frame->arg[4] = 0;
    frame->arg[5] = 0;
    frame->arg[6] = 0;
    frame->extra[0] = 0;
    frame->extra[1] = 0;
}
/* The wait of the thread, which was the running one, has begun. No lock held. */
static inline void syscall_blocked(struct thread *self)
{
    /* A kill that came before the wait was there to be cancelled. Thread memory keeps its type,
     * so this look is safe even if the thread has ended by now. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&self->pending, memory_order_relaxed) & THREAD_PENDING_KILL) {
        wait_cancel(self, WAIT_ANY, SK_TIMED_OUT);
    }
}
/* What a handler returns that may have to wait after all: `handler` goes on, with the arguments that are in
 * the frame, when the frame holds everything. For calls that mostly need not wait. */
static inline struct syscall_return syscall_saved(syscall_handler handler)
{
    return (struct syscall_return){SYSCALL_SAVED, (uint64_t)(uintptr_t)handler};
}

/* What a handler with two results returns. */
struct syscall_return syscall_return2(struct thread *self, status_t status, uint64_t value0,
                                      uint64_t value1);

#endif
