/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks. The monotonic one is the kernel's; the wall clock is known only once something has told it
 * to this process (sk_wall_clock_set), as an offset to the monotonic one.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <time.h>

#include <sk/time.h>

static _Atomic uint64_t wall_offset; /* wall minus monotonic, ns; 0: unknown */

void sk_wall_clock_set(uint64_t wall, uint64_t monotonic)
{
    atomic_store_explicit(&wall_offset, wall - monotonic, memory_order_relaxed);
}

status_t sk_wall_clock(uint64_t *nanoseconds)
{
    uint64_t offset = atomic_load_explicit(&wall_offset, memory_order_relaxed);
    if (offset == 0) {
        return SK_NOT_FOUND;
    }
    *nanoseconds = sk_now() + offset;
    return SK_OK;
}

static int store(uint64_t nanoseconds, struct timespec *time)
{
    time->tv_sec = (time_t)(nanoseconds / SK_SECOND);
    time->tv_nsec = (long)(nanoseconds % SK_SECOND);
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    uint64_t now;
    if (clock == CLOCK_MONOTONIC) {
        return store(sk_now(), time);
    }
    if (clock == CLOCK_REALTIME && sk_wall_clock(&now) == SK_OK) {
        return store(now, time);
    }
    errno = EINVAL;
    return -1;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    uint64_t now;
    if (sk_wall_clock(&now) != SK_OK) {
        errno = EINVAL;
        return -1;
    }
    time->tv_sec = (time_t)(now / SK_SECOND);
    time->tv_usec = (suseconds_t)(now % SK_SECOND / SK_US);
    return 0;
}

time_t time(time_t *result)
{
    uint64_t now;
    time_t seconds = sk_wall_clock(&now) == SK_OK ? (time_t)(now / SK_SECOND) : (time_t)-1;
    if (result != NULL) {
        *result = seconds;
    }
    return seconds;
}

int nanosleep(const struct timespec *request, struct timespec *remaining)
{
    sk_sleep((uint64_t)request->tv_sec * SK_SECOND + (uint64_t)request->tv_nsec);
    if (remaining != NULL) {
        *remaining = (struct timespec){0};
    }
    return 0;
}
