/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the time comes from: the "rtc" service, else what the net service learnt by SNTP. Without
 * either there is no Date, as RFC 9110 6.6.1 wants of a server without a clock.
 */
#include "wallclock.h"

#include <string.h>

#include <sk/ipc.h>
#include <sk/protocol/rtc.h>
#include <sk/service.h>
#include <sk/time.h>

#define ASK_EVERY_NS (10 * SK_SECOND)
#define ASK_LIMIT_NS (150 * SK_MS)

/* Both services answer with a status, the time, and when that was. */
_Static_assert(sizeof(struct sk_rtc_time) == sizeof(struct sk_net_time_reply), "one layout");

static bool ask(handle_t endpoint, uint64_t operation, uint64_t deadline)
{
    struct sk_rtc_time reply;
    struct sk_out out = sk_out_bytes(&operation, sizeof(operation));
    struct sk_in in = sk_in_bytes(&reply, sizeof(reply));
    if (sk_channel_call(endpoint, &out, &in, deadline) != SK_OK || in.length < sizeof(reply) ||
        reply.status != SK_OK) {
        return false;
    }
    sk_wall_clock_set(reply.unix_ns, reply.monotonic_ns);
    return true;
}

static void learn_time(struct sk_net *net)
{
    uint64_t deadline = sk_deadline_after(ASK_LIMIT_NS);
    handle_t rtc;
    bool known = false;
    if (sk_connect("rtc", deadline, &rtc) == SK_OK) {
        known = ask(rtc, SK_RTC_READ, deadline);
        sk_handle_close(rtc);
    }
    if (!known) {
        ask(sk_net_endpoint(net), SK_NET_OP_TIME, sk_deadline_after(ASK_LIMIT_NS));
    }
}

void wallclock_update(struct http_server *server, struct sk_net *net, uint64_t now)
{
    static uint64_t next_date, next_question;
    if (now < next_date) {
        return;
    }
    uint64_t wall;
    if (sk_wall_clock(&wall) != SK_OK && now >= next_question) {
        next_question = now + ASK_EVERY_NS;
        learn_time(net);
    }
    next_date = now + SK_SECOND;
    if (sk_wall_clock(&wall) != SK_OK) {
        return;
    }
    next_date = now + SK_SECOND - wall % SK_SECOND;
    memcpy(server->date, "Date: ", 6);
    http_date(wall / SK_SECOND, server->date + 6);
    memcpy(server->date + 6 + HTTP_DATE_LENGTH, "\r\n", 2);
    server->date_length = 8 + HTTP_DATE_LENGTH;
}
