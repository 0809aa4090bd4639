/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device needs of the chip around it: clocks, resets, and fields of system registers. Drivers
 * of clock controllers and the like ("providers") serve this to other drivers over lines that devmgr
 * makes, each limited to what the device tree names in the node of the device. No program can
 * connect to a provider by name. Drivers use <sk/driver.h>: sk_clock_enable and its neighbours.
 *
 * Nothing is counted and a line that closes changes nothing: a clock that runs goes on running.
 */
#ifndef SK_PROTOCOL_PLATFORM_H
#define SK_PROTOCOL_PLATFORM_H

#include <skerry/types.h>

/* Calls of a driver: sk_platform_request -> sk_platform_reply. NOT_ALLOWED: the line is not for it. */
enum sk_platform_op {
    SK_PLATFORM_CLOCK_ENABLE = 1,   /* and every clock that it comes from */
    SK_PLATFORM_CLOCK_RATE = 2,     /* -> value, Hz; NOT_FOUND: not known */
    SK_PLATFORM_CLOCK_SET_RATE = 3, /* value: Hz; -> value: what came out, at most that */
    SK_PLATFORM_RESET = 4,          /* value 1: hold in reset, 0: let go; done when answered */
    SK_PLATFORM_FIELD_WRITE = 5,    /* value; OUT_OF_RANGE: it does not fit */
    /* sk_platform_limit, a plain message from devmgr, before the driver has its end of the line */
    SK_PLATFORM_LIMIT = 6,
};

/* `id` is the provider's number of a clock or a reset, or the byte offset of a field's register. */
struct sk_platform_request {
    uint64_t operation;
    uint32_t id;
    uint32_t reserved;
    uint64_t value;
};

struct sk_platform_reply {
    int64_t status;
    uint64_t value;
};

enum sk_platform_kind {
    SK_PLATFORM_CLOCK = 1,
    SK_PLATFORM_RESET_LINE = 2,
    SK_PLATFORM_FIELD = 3,  /* bits [a + b - 1, a] of the register at `id` */
    SK_PLATFORM_PARENT = 4, /* no right: clock `id` is to come from clock `a` (assigned-clocks) */
    /* Never in a limit: a clock of `id` Hz that needs nobody (fixed-clock in the device tree). */
    SK_PLATFORM_FIXED = 5,
};

struct sk_platform_right {
    uint32_t kind; /* enum sk_platform_kind */
    uint32_t id;
    uint32_t a, b;
};

#define SK_PLATFORM_RIGHTS_MAX 16u

struct sk_platform_limit {
    uint64_t operation;
    uint32_t count, reserved;
    struct sk_platform_right rights[SK_PLATFORM_RIGHTS_MAX];
};

_Static_assert(sizeof(struct sk_platform_request) == 24, "ABI layout");
_Static_assert(sizeof(struct sk_platform_limit) == 272, "ABI layout");

#endif
