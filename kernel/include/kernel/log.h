/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel log: a ring of bytes, and the firmware's console until a console service takes over.
 * Lock: LOCK_LOG. May be used from anywhere in the kernel.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdatomic.h>

#include <kernel/types.h>

struct object;

/* How many reports of faults there may be of a program and all that it has started: some at once, then one a second.
 * All zero at the start. */
struct log_share {
    uint64_t spent_ns; /* [log_lock] when all that were used will have come back */
    uint64_t left_out; /* [log_lock] reports since the last that was admitted */
};

void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_append(const char *text, size_t length);
/* Whether there may be one more report, about `name`; NULL: always. Says in one line when the first is left out, and
 * how many were when the next is not. */
bool log_admits(struct log_share *share, const char *name, uint64_t now_ns);
/* Copies from `position` on; returns the bytes copied, *next tells where to go on. */
size_t log_copy(uint64_t position, char *buffer, size_t size, uint64_t *next);
/* From now on only the ring; `arrival` (an event, reference moved in) is signalled when it grows.
 * BUSY when taken. */
status_t log_take_console(struct object *arrival);
/* Signals the console's event if the log has grown since; no lock held. Part of kernel_exit. */
RARELY void log_tell_console_now(void);
extern _Atomic bool log_console_due;
static inline void log_tell_console(void)
{
    if (atomic_load_explicit(&log_console_due, memory_order_relaxed)) {
        log_tell_console_now();
    }
}
/* An event lost its last handle; if it is the console's, the kernel prints again. */
void log_console_lost(struct object *arrival);
/* For panic: print directly from now on, and forget locks. */
void log_panic_mode(void);

#endif
