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

/* What a program, with all that it has started, has used of the log, in each of two ways. All zero at the start. */
struct log_share {
    uint64_t spent_ns; /* [log_lock] when all that was used will have come back */
    uint64_t left_out; /* [log_lock] since the last that was admitted */
};

struct log_use {
    struct log_share reports, writes;
};

/* How much that may be: so much at once, and then as much as time brings back. */
struct log_limit {
    uint64_t burst_ns;
    uint64_t
        resume_ns; /* once something was left out, nothing is admitted that makes it more than this */
    const char *words; /* what is left out */
};

/* Reports of faults: eight at once, then one a second. */
#define LOG_REPORT_NS UINT64_C(1000000000)
extern const struct log_limit log_reports;
/* Bytes of programs: half of the ring at once, then 4 KiB a second, less than a serial port takes; having
 * left something out, it rests for a second, so that there is not a line about that for every line. */
#define LOG_BYTE_NS (UINT64_C(1000000000) / 4096)
extern const struct log_limit log_writes;

void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_append(const char *text, size_t length);
/* Whether there may be one more, which costs so much, by or about `name`; no share: always. Says in one line when the
 * first is left out, and how many were when the next is not. */
bool log_admits(struct log_share *share, const struct log_limit *limit, uint64_t cost_ns,
                const char *name, uint64_t now_ns);
/* Copies from `position` on; returns the bytes copied, *next tells where to go on. */
size_t log_copy(uint64_t position, char *buffer, size_t size, uint64_t *next);
/* From now on only the ring; `arrival` (an event, reference moved in) is signalled when it grows.
 * What lies before *position is printed. BUSY when taken. */
status_t log_take_console(struct object *arrival, uint64_t *position);
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
