/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deadlines: one heap per hart, on whose clock they expire. Lock: hart.timers_lock (LOCK_TIMERS).
 */
#ifndef KERNEL_DEADLINE_H
#define KERNEL_DEADLINE_H

#include <stdatomic.h>

#include <kernel/types.h>

struct hart;
struct thread;

struct deadline {
    struct deadline *left, *right, *parent; /* [timers_lock] leftist heap */
    uint32_t rank;                          /* [timers_lock] */
    struct hart *_Atomic hart;              /* on whose heap; NULL: not armed */
    uint64_t when_ns;                       /* [timers_lock] */
    uint64_t sequence;                      /* [timers_lock] the owner's, given back to `expired` */
    /* Called on the deadline's hart with no lock held. The owner may have moved on: it compares the
     * sequence under its own lock. */
    void (*expired)(struct deadline *deadline, uint64_t sequence);
};

/* Arms on this hart; the deadline is not armed. */
void deadline_arm(struct deadline *deadline, uint64_t when_ns, uint64_t sequence);
/* Disarms, wherever it is armed; fine when it is not. Does not wait for `expired` under way. */
void deadline_disarm(struct deadline *deadline);
static inline void deadline_cancel(struct deadline *deadline)
{
    if (atomic_load_explicit(&deadline->hart, memory_order_relaxed) != NULL) {
        deadline_disarm(deadline);
    }
}
/* Runs what has expired on this hart. */
void deadline_run(uint64_t now_ns);
/* The earliest on this hart, ~0 for none. */
uint64_t deadline_next(void);

/*
 * Lazy deadlines, for waits that mostly end long before: a thread stays on its hart's list from wait
 * to wait, and only stores the time. That is right as long as the time is not before what the hart's
 * clock is set to, because the hart looks at the whole list whenever its clock fires.
 *
 * Puts the running thread on this hart's list, where it may be already.
 */
void deadline_lazy_join(struct hart *hart, struct thread *thread);
/* Before the thread's memory is given up. */
void deadline_lazy_leave(struct thread *thread);

#endif
