/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pairs of a client and a server that have nothing to do with each other, each of the four a process of
 * its own. `pairs,N,ROUNDS` makes N clients call that often, for somebody who counts from outside;
 * `wall` tells how much two of them do in the time in which one does its part, and two loops theirs.
 */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define PAIRS_MAX 8u
#define RUN_NS (300 * SK_MS)
#define LEAD_NS (100 * SK_MS) /* all have started by then */
#define CALLS_PER_LOOK 64u
#define STEPS_PER_LOOK 20000u
#define WALL_ROUNDS 9u

struct pair {
    struct sk_child server, client;
};

static void pair_start(struct pair *pair, const char *mode, uint64_t argument)
{
    handle_t ours, theirs;
    char text[40];
    must(sk_channel_create(sk_self_job, &ours, &theirs), "channel");
    child_start(&pair->server, "plain", theirs);
    snprintf(text, sizeof(text), "%s=%lu", mode, (unsigned long)argument);
    child_start(&pair->client, text, ours);
}

/* What the client ended with. */
static uint64_t pair_end(struct pair *pair)
{
    struct sk_process_info info;
    must(sk_process_wait(pair->client.process, SK_DEADLINE_NEVER, &info), "client");
    sk_handle_close(pair->client.process);
    sk_handle_close(pair->client.boot);
    child_end(&pair->server);
    return (uint64_t)info.exit_code;
}

void bench_pairs(uint32_t count, uint64_t rounds)
{
    struct pair pairs[PAIRS_MAX];
    must(count <= PAIRS_MAX ? SK_OK : SK_OUT_OF_RANGE, "number of pairs");
    for (uint32_t i = 0; i < count; i++) {
        pair_start(&pairs[i], "calls", rounds);
    }
    for (uint32_t i = 0; i < count; i++) {
        must(pair_end(&pairs[i]) == 0 ? SK_OK : SK_BAD_STATE, "client");
    }
}

/* How often `count` clients did something in the same RUN_NS. */
static uint64_t work_of(const char *mode, uint32_t count)
{
    struct pair pairs[PAIRS_MAX];
    uint64_t start_ns = sk_deadline_after(LEAD_NS), sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        pair_start(&pairs[i], mode, start_ns);
    }
    for (uint32_t i = 0; i < count; i++) {
        sum += pair_end(&pairs[i]);
    }
    return sum;
}

void bench_wall(void)
{
    for (uint32_t i = 0; i < WALL_ROUNDS; i++) {
        unsigned long loops1 = work_of("loop-until", 1), calls1 = work_of("call-until", 1);
        unsigned long loops2 = work_of("loop-until", 2), calls2 = work_of("call-until", 2);
        printf("bench wall %lu %lu %lu %lu\n", loops1, loops2, calls1, calls2);
    }
}

static uint64_t work_until(handle_t end, uint64_t end_ns, bool calls)
{
    uint64_t looks = 0;
    for (; sk_now() < end_ns; looks++) {
        if (calls) {
            call_often(end, CALLS_PER_LOOK);
        } else {
            for (volatile uint32_t i = 0; i < STEPS_PER_LOOK; i++) {
            }
        }
    }
    return looks;
}

void client_main(handle_t end, const char *mode, uint64_t argument)
{
    if (strcmp(mode, "calls") == 0) {
        call_often(end, argument);
        exit(0);
    }
    bool calls = strcmp(mode, "call-until") == 0;
    work_until(end, argument - LEAD_NS / 4, calls); /* warm, and spread over the harts */
    sk_thread_sleep(argument);
    exit((int)work_until(end, argument + RUN_NS, calls));
}
