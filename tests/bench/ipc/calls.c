/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls between two processes, and the server's side of them.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define SET_MEMBERS 1000u

static unsigned char buffer[SK_MESSAGE_BYTES_MAX];

static uint64_t an_hour(void)
{
    return sk_deadline_after(3600 * SK_SECOND);
}

/* Answers every call with a message like it; words[3] tells when it came. */
static void serve(handle_t source, bool use_fpu)
{
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    volatile double number = 1.5;
    struct sk_ipc_registers r = {0};
    for (;;) {
        r.a0 = source;
        r.deadline = SK_DEADLINE_NEVER;
        r.out_bytes = r.in_bytes = (uintptr_t)buffer;
        r.in_room = SK_ROOM(sizeof(buffer), SK_MESSAGE_HANDLES_MAX);
        r.out_handles = r.in_handles = (uintptr_t)handles;
        sk_syscall_ipc(SK_SYS_channel_reply_receive, &r);
        uint64_t came = sk_instructions();
        if ((status_t)r.a0 != SK_OK) {
            exit(0);
        }
        if (use_fpu) {
            number = number * 1.25;
        }
        r.token = r.deadline;
        r.info &= SK_INFO_LENGTH_MASK | SK_INFO_HANDLES_MASK << SK_INFO_HANDLES_SHIFT;
        r.words[3] = came;
    }
}

/* A wait set of many endpoints, of which one is called. */
static handle_t make_set(handle_t serve_end)
{
    handle_t set, mine, other;
    must(sk_waitset_create(sk_self_job, &set), "wait set");
    must(sk_waitset_add(set, serve_end, SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED, 1), "member");
    for (uint32_t i = 1; i < SET_MEMBERS; i++) {
        must(sk_channel_create(sk_self_job, &mine, &other), "endpoints of the set");
        must(sk_waitset_add(set, mine, SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED, i + 1),
             "member");
    }
    return set;
}

/* Answers a message by a message, or an event by an event. */
static void serve_events(handle_t serve_end)
{
    handle_t events[2];
    uint64_t observed;
    struct sk_in in = {.handles = events, .handle_capacity = 2};
    must(sk_channel_receive(serve_end, &in, SK_DEADLINE_NEVER), "events");
    for (;;) {
        must(sk_object_wait(events[0], SK_SIGNAL_EVENT, SK_DEADLINE_NEVER, &observed), "event");
        sk_event_signal(events[1]);
    }
}

void child_main(const char *mode)
{
    handle_t end = sk_boot_handle("serve");
    const char *argument = strchr(mode, '=');
    if (argument != NULL) {
        char name[16];
        snprintf(name, sizeof(name), "%.*s", (int)(argument - mode), mode);
        client_main(end, name, strtoul(argument + 1, NULL, 10));
    }
    if (strcmp(mode, "events") == 0) {
        serve_events(end);
    }
    if (strcmp(mode, "nothing") == 0) {
        struct sk_out out = sk_out_bytes(&(uint64_t){sk_instructions()}, sizeof(uint64_t));
        sk_channel_send(end, &out);
        exit(0);
    }
    serve(strcmp(mode, "set") == 0 ? make_set(end) : end, strcmp(mode, "fpu") == 0);
    exit(0);
}

static handle_t server_start(struct sk_child *child, const char *mode)
{
    handle_t ours, theirs;
    must(sk_channel_create(sk_self_job, &ours, &theirs), "channel");
    child_start(child, mode, theirs);
    return ours;
}

/* One call of `length` bytes and `count` handles; the handles come back with the reply. */
static inline __attribute__((always_inline)) struct sk_ipc_registers
call(handle_t end, uint32_t length, handle_t *handles, uint32_t count, uint64_t deadline)
{
    struct sk_ipc_registers r = {.a0 = end,
                                 .info = SK_INFO(length, count),
                                 .deadline = deadline,
                                 .out_bytes = (uintptr_t)buffer,
                                 .out_handles = (uintptr_t)handles,
                                 .in_bytes = (uintptr_t)buffer,
                                 .in_room = SK_ROOM(sizeof(buffer), SK_MESSAGE_HANDLES_MAX),
                                 .in_handles = (uintptr_t)handles};
    sk_syscall_ipc(SK_SYS_channel_call, &r);
    return r;
}

/* The least of many calls, from the first instruction before the call to the first after it. */
static uint64_t round_trip(handle_t end, uint32_t length)
{
    uint64_t deadline = an_hour(), least = ~0ull;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t began = sk_instructions();
        status_t status = (status_t)call(end, length, NULL, 0, deadline).a0;
        uint64_t took = sk_instructions() - began - counter_cost;
        must(status, "call");
        least = took < least ? took : least;
    }
    return least;
}

void call_often(handle_t end, uint64_t count)
{
    uint64_t deadline = an_hour();
    for (uint64_t i = 0; i < count; i++) {
        must((status_t)call(end, 32, NULL, 0, deadline).a0, "call");
    }
}

static void bench_one_way(handle_t end)
{
    uint64_t least = ~0ull, deadline = an_hour();
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t began = sk_instructions();
        uint64_t took = call(end, 32, NULL, 0, deadline).words[3] - began - counter_cost;
        least = took < least ? took : least;
    }
    figure("call.one_way", least);
}

static void bench_handle_move(handle_t end)
{
    handle_t event;
    uint64_t deadline = an_hour();
    must(sk_event_create(sk_self_job, &event), "event");
    uint64_t with = MEASURE(must((status_t)call(end, 32, &event, 1, deadline).a0, "call"));
    /* It goes there and comes back. */
    figure("handle.move", (with - round_trip(end, 32)) / 2);
    sk_handle_close(event);
}

static void bench_fpu(void)
{
    struct sk_child child;
    handle_t end = server_start(&child, "fpu");
    volatile double number = 1.5;
    uint64_t deadline = an_hour();
    uint64_t cost = MEASURE({
        number = number * 1.25;
        must((status_t)call(end, 32, NULL, 0, deadline).a0, "call");
    });
    figure("round_trip.fpu", cost);
    sk_handle_close(end);
    child_end(&child);
}

void bench_calls(void)
{
    struct sk_child child;
    handle_t end = server_start(&child, "plain");
    figure("round_trip.0words", round_trip(end, 0));
    figure("round_trip.4words", round_trip(end, 32));
    figure("round_trip.64bytes", round_trip(end, 64));
    figure("round_trip.1024bytes", round_trip(end, 1024));
    bench_one_way(end);
    bench_handle_move(end);
    sk_handle_close(end);
    child_end(&child);
    end = server_start(&child, "set");
    figure("round_trip.waitset1000", round_trip(end, 32));
    sk_handle_close(end);
    child_end(&child);
    bench_fpu();
}
