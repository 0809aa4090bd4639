/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the driver that injects faults into itself (inject.c) and who asks it to (healer.c).
 */
#ifndef TEST_INJECT_H
#define TEST_INJECT_H

#include <skerry/types.h>

/* struct inject_request and 1 handle, memory of a page for struct inject_result. The reply comes when
 * all faults have been injected and the driver still lives. An operation of no real driver. */
#define INJECT_OPERATION 0xfa01u

enum inject_kind {
    INJECT_CODE,      /* a bit of its code is flipped */
    INJECT_DATA,      /* a bit of its data or stack is flipped */
    INJECT_WRITE,     /* 8 wrong bytes somewhere it may write: data, packets, queues, registers */
    INJECT_INTERRUPT, /* a wake-up is lost */
    INJECT_LENGTH,    /* a length that the device told, or is told, is wrong */
    INJECT_LOOP,      /* it loops for ever */
    INJECT_KINDS,
};

struct inject_request {
    uint64_t operation;
    uint64_t seed;
    uint64_t count;
    uint64_t only; /* 0: all kinds; else 1 + the enum inject_kind */
};

struct inject_result {
    uint64_t injected[INJECT_KINDS];
    uint64_t
        escapes; /* faults that would have made the device reach outside the grant; not let happen */
    uint64_t last; /* enum inject_kind, before it has had its effect */
};

#endif
