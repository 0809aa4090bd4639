/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deadlines and pauses. All times are monotonic nanoseconds since boot; every blocking call takes an
 * absolute deadline, so that a sequence of calls can share one.
 */
#ifndef SK_TIME_H
#define SK_TIME_H

#include <sk/syscalls.h>

#define SK_US ((uint64_t)1000)
#define SK_MS ((uint64_t)1000000)
#define SK_SECOND ((uint64_t)1000000000)

static inline uint64_t sk_now(void)
{
    uint64_t now = 0;
    sk_clock_read(&now);
    return now;
}

/* The deadline `duration` nanoseconds from now; never wraps. */
static inline uint64_t sk_deadline_after(uint64_t duration)
{
    uint64_t now = sk_now();
    return duration > SK_DEADLINE_NEVER - now ? SK_DEADLINE_NEVER : now + duration;
}

static inline void sk_sleep(uint64_t duration)
{
    sk_thread_sleep(sk_deadline_after(duration));
}

/*
 * The wall clock: nanoseconds since 1970 (UTC). NOT_FOUND while nobody has told this process the
 * time; then time() gives (time_t)-1 and clock_gettime(CLOCK_REALTIME) fails. Nobody invents a time.
 */
status_t sk_wall_clock(uint64_t *nanoseconds);
/* Tells this process the time, as learnt from a clock service: `wall` was right at `monotonic`. */
void sk_wall_clock_set(uint64_t wall, uint64_t monotonic);

#endif
