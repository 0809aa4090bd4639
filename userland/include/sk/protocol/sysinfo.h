/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the service "sysinfo" answers: the state of the whole system, for reading only. A program
 * that may connect to it needs no further right. All requests are struct sk_sysinfo_request.
 *
 *   STATUS     the JSON text of docs/status.md, in parts: `first` is a byte offset. Offset 0 takes a
 *              new look at the system, the others go on in it; BAD_STATE: there is no look, or it has
 *              no such byte. -> struct sk_sysinfo_reply and `count` bytes
 *   SYSTEM     -> struct sk_sysinfo_reply and one struct sk_system_info
 *   PROCESSES  -> the reply and `count` struct sk_process_info, from index `first`
 *   HARTS      -> the reply and `count` struct sk_hart_info, from index `first`
 *   SERVICES   -> the reply and `count` struct sk_init_service, from index `first`
 *
 * `total` is the number of bytes or entries in all.
 */
#ifndef SK_PROTOCOL_SYSINFO_H
#define SK_PROTOCOL_SYSINFO_H

#include <skerry/info.h>
#include <skerry/types.h>

enum sk_sysinfo_operation {
    SK_SYSINFO_STATUS = 1,
    SK_SYSINFO_SYSTEM,
    SK_SYSINFO_PROCESSES,
    SK_SYSINFO_HARTS,
    SK_SYSINFO_SERVICES,
};

struct sk_sysinfo_request {
    uint64_t operation;
    uint64_t first;
};

struct sk_sysinfo_reply {
    int64_t status;
    uint32_t total;
    uint32_t count;
};

#define SK_SYSINFO_STATUS_MAX 65536u /* bytes of the text */

_Static_assert(sizeof(struct sk_sysinfo_request) == 16, "protocol layout");
_Static_assert(sizeof(struct sk_sysinfo_reply) == 16, "protocol layout");

#endif
