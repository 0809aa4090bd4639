/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel log.
 *
 * Owns: a ring of the latest bytes, and the event of the console service, if there is one. Lock:
 * log_lock (LOCK_LOG), which is the last in the order, so that anybody may write; the event is
 * therefore signalled later, from kernel_exit. A panic uses neither the lock nor the event.
 * Tests: tests/host/kernel/test_log.c.
 */
#include <kernel/log.h>

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <arch/cpu.h>
#include <kernel/event.h>
#include <kernel/lock.h>
#include <kernel/object.h>
#include <kernel/sched.h>

#define RING_BYTES 16384u /* power of two; boot and a crash report or two */
#define LINE_BYTES 256u   /* of one log_printf; the rest is cut */

const struct log_limit log_reports = {8 * LOG_REPORT_NS, 8 * LOG_REPORT_NS, "faults"};
const struct log_limit log_writes = {RING_BYTES / 2 * LOG_BYTE_NS, RING_BYTES / 4 * LOG_BYTE_NS,
                                     "lines for the log"};

static struct spinlock log_lock = SPINLOCK_INIT(LOCK_LOG);
static char ring[RING_BYTES]; /* [log_lock] */
static uint64_t written;      /* [log_lock] bytes since boot */
/* [log_lock] to change; +1; NULL: the kernel prints by itself */
static _Atomic(struct object *) console;
_Atomic bool log_console_due; /* the log grew since the event was signalled */
static _Atomic bool panicking;

void log_append(const char *text, size_t length)
{
    bool direct = atomic_load_explicit(&panicking, memory_order_relaxed);
    if (direct) {
        cpu_console_write(text, length);
        return;
    }
    lock_acquire(&log_lock);
    for (size_t i = 0; i < length; i++) {
        ring[(written + i) % RING_BYTES] = text[i];
    }
    written += length;
    if (console != NULL) {
        atomic_store_explicit(&log_console_due, true, memory_order_relaxed);
        sched_attention();
    } else {
        cpu_console_write(text, length);
    }
    lock_release(&log_lock);
}

void log_printf(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0) {
        log_append(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
    }
}

bool log_admits(struct log_share *share, const struct log_limit *limit, uint64_t cost_ns,
                const char *name, uint64_t now_ns)
{
    if (share == NULL) {
        return true;
    }
    lock_acquire(&log_lock);
    uint64_t before = share->left_out;
    uint64_t used_ns = share->spent_ns > now_ns ? share->spent_ns - now_ns : 0;
    bool admitted = used_ns + cost_ns <= (before == 0 ? limit->burst_ns : limit->resume_ns);
    if (admitted) {
        share->spent_ns = now_ns + used_ns + cost_ns;
    }
    share->left_out = admitted ? 0 : before + 1;
    lock_release(&log_lock);
    if (admitted && before != 0) {
        log_printf("%s: %lu more %s\n", name, before, limit->words);
    } else if (!admitted && before == 0) {
        log_printf("%s: too many %s, more are left out\n", name, limit->words);
    }
    return admitted;
}

size_t log_copy(uint64_t position, char *buffer, size_t size, uint64_t *next)
{
    lock_acquire(&log_lock);
    uint64_t oldest = written > RING_BYTES ? written - RING_BYTES : 0;
    position = position < oldest ? oldest : position;
    position = position > written ? written : position;
    size_t length = written - position < size ? (size_t)(written - position) : size;
    for (size_t i = 0; i < length; i++) {
        buffer[i] = ring[(position + i) % RING_BYTES];
    }
    lock_release(&log_lock);
    *next = position + length;
    return length;
}

status_t log_take_console(struct object *arrival, uint64_t *position)
{
    lock_acquire(&log_lock);
    bool taken = console != NULL;
    if (!taken) {
        console = arrival;
        *position = written;
        atomic_store_explicit(&log_console_due, true, memory_order_relaxed);
        sched_attention();
    }
    lock_release(&log_lock);
    return taken ? SK_BUSY : SK_OK;
}

void log_tell_console_now(void)
{
    lock_acquire(&log_lock);
    struct object *event = console;
    if (event != NULL) {
        object_get(event);
    }
    atomic_store_explicit(&log_console_due, false, memory_order_relaxed);
    lock_release(&log_lock);
    if (event != NULL) {
        event_signal(event);
        object_put(event);
    }
}

void log_console_lost(struct object *arrival)
{
    /* Every event comes here at its end: all but one leave without the lock. */
    if (atomic_load_explicit(&console, memory_order_relaxed) != arrival) {
        return;
    }
    lock_acquire(&log_lock);
    bool mine = console == arrival;
    if (mine) {
        console = NULL;
    }
    lock_release(&log_lock);
    if (mine) {
        object_put(arrival);
    }
}

void log_panic_mode(void)
{
    atomic_store(&panicking, true);
}
