/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls that involve no other process, and events between two.
 */
#include <sk/thread.h>

#include "bench.h"

#define NO_SUCH_CALL 9999u

static void bench_messages(void)
{
    handle_t a, b;
    unsigned char bytes[32] = {0};
    struct sk_out out = sk_out_bytes(bytes, sizeof(bytes));
    struct sk_in in = sk_in_bytes(bytes, sizeof(bytes));
    must(sk_channel_create(sk_self_job, &a, &b), "channel");
    uint64_t send = ~0ull, receive = ~0ull;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint64_t began = sk_instructions();
        must(sk_channel_send(a, &out), "send");
        uint64_t sent = sk_instructions();
        must(sk_channel_receive(b, &in, SK_DEADLINE_NEVER), "receive");
        uint64_t received = sk_instructions();
        send = sent - began < send ? sent - began : send;
        receive = received - sent < receive ? received - sent : receive;
    }
    figure("send.no_waiter", send - counter_cost);
    figure("receive.ready", receive - counter_cost);
    sk_handle_close(a);
    sk_handle_close(b);
}

static void bench_events(void)
{
    struct sk_child child;
    handle_t ours, theirs, events[2], copies[2];
    uint64_t observed;
    must(sk_channel_create(sk_self_job, &ours, &theirs), "channel");
    child_start(&child, "events", theirs);
    for (uint32_t i = 0; i < 2; i++) {
        must(sk_event_create(sk_self_job, &events[i]), "event");
        must(sk_handle_duplicate(events[i], SK_RIGHT_TRANSFER | SK_RIGHT_WAIT | SK_RIGHT_WRITE,
                                 &copies[i]),
             "event");
    }
    struct sk_out out = {.handles = copies, .handle_count = 2};
    must(sk_channel_send(ours, &out), "events");
    figure("event.ping_pong", MEASURE({
               sk_event_signal(events[0]);
               sk_object_wait(events[1], SK_SIGNAL_EVENT, SK_DEADLINE_NEVER, &observed);
           }));
    sk_handle_close(ours);
    child_end(&child);
}

static void yield_often(void *argument)
{
    volatile bool *stop = argument;
    while (!*stop) {
        sk_thread_yield();
    }
}

static void bench_yield(void)
{
    static volatile bool stop;
    struct sk_thread thread = {0};
    must(sk_thread_start(&thread, yield_often, (void *)&stop, 0, SK_PRIORITY_DEFAULT), "thread");
    sk_thread_yield();
    figure("yield.two_threads", MEASURE(sk_thread_yield()));
    stop = true;
    must(sk_thread_join(&thread, SK_DEADLINE_NEVER), "thread");
}

void bench_objects(void)
{
    handle_t a, b;
    uint64_t address;
    handle_t memory;
    figure("syscall.null", MEASURE(sk_syscall0(NO_SUCH_CALL)));
    bench_messages();
    bench_events();
    bench_yield();
    figure("channel.create_close", MEASURE({
               must(sk_channel_create(sk_self_job, &a, &b), "channel");
               sk_handle_close(a);
               sk_handle_close(b);
           }));
    must(sk_memory_create(sk_self_job, ROUNDS * SK_PAGE_SIZE, 0, &memory), "memory");
    must(sk_memory_map(sk_self_process, memory, 0, ROUNDS * SK_PAGE_SIZE, 0,
                       SK_PROT_READ | SK_PROT_WRITE, &address),
         "mapping");
    volatile char *page = (volatile char *)address;
    figure("fault.anonymous", MEASURE({
               *page = 1;
               page += SK_PAGE_SIZE;
           }));
}
