/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service "rtc": a clock that knows the date. A machine without one has no such service
 * (connecting says NOT_FOUND).
 */
#ifndef SK_PROTOCOL_RTC_H
#define SK_PROTOCOL_RTC_H

#include <skerry/types.h>

enum sk_rtc_operation {
    /* the operation alone -> struct sk_rtc_time */
    SK_RTC_READ = 1,
};

struct sk_rtc_time {
    int64_t status;
    uint64_t unix_ns;      /* nanoseconds since 1970, UTC ... */
    uint64_t monotonic_ns; /* ... when the monotonic clock said this */
};

#endif
