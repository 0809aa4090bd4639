/* SPDX-License-Identifier: BSD-2-Clause */
/* Nobody may be started again over what a test does: how often that has happened, by init's list. */
#ifndef RESTARTS_H
#define RESTARTS_H

#include <sk/protocol/init.h>

#include "guest_test.h"

/* Of all programs; records a failure if one is down. Needs the grant `inspect`. */
static inline uint32_t restarts_in_all(void)
{
    static struct sk_init_services list;
    struct sk_init_list request = {.operation = SK_INIT_SERVICES};
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&list, sizeof list);
    uint32_t restarts = 0;
    if (test_status(sk_channel_call(sk_boot_endpoint, &out, &in, test_deadline()), SK_OK) &&
        test_status((status_t)list.status, SK_OK) && test_equal(list.count, list.total)) {
        for (uint32_t i = 0; i < list.count; i++) {
            uint32_t state = list.entries[i].state;
            restarts += list.entries[i].restarts;
            test_check(state == SK_INIT_UP || state == SK_INIT_ENDED || state == SK_INIT_OFF);
        }
    }
    return restarts;
}

#endif
