/* SPDX-License-Identifier: BSD-2-Clause */
/* Coroutines and the choice among them. */
#include "explore.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include <arch_impl/host.h>
#include <kernel/clock.h>

#define STACK_BYTES (256u << 10)
#define POINTS_MAX 400000u /* a run takes some thousands */
#define CHANGES_MAX 4u
#define LATE_RATE 8u    /* a walk switches at least so often from a hart whose stores are late */
#define ALONE_MAX 1000u /* a hart that goes on for about so long waits in a loop for another one */

enum policy {
    POLICY_WALK,       /* switches at one point in `rate` */
    POLICY_PRIORITIES, /* the first of `order` that can run; changes at the points of `changes` */
};

static struct {
    bool active;
    bool inside; /* choosing: atomic operations made by that are none of the kernel's */
    enum policy policy;
    uint32_t rate;
    uint32_t priority[HARTS_MAX], lowest;
    uint64_t changes[CHANGES_MAX];
    bool late;
    uint32_t arrival_rate;
    uint32_t clock_rate;

    uint64_t random;
    uint32_t harts, running;
    bool asleep[HARTS_MAX];
    ucontext_t contexts[HARTS_MAX], end;
    void (*life)(void);
    uint64_t switched; /* the point of the last switch */
    struct exploration result;
} x;

static char *stacks;

void explore_begin(void)
{
    stacks = malloc(HARTS_MAX * STACK_BYTES);
}

void explore_seed(uint64_t seed)
{
    x.random = seed * 0x9e3779b97f4a7c15ull + 1;
}

uint32_t explore_draw(uint32_t limit)
{
    x.random = x.random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((x.random >> 33) % limit);
}

bool explore_is_late(void)
{
    return x.late;
}

uint32_t explore_arrival_rate(void)
{
    return x.arrival_rate;
}

uint32_t explore_hart(void)
{
    return x.running;
}

bool explore_active(void)
{
    return x.active && !x.inside;
}

struct exploration explore_result(void)
{
    return x.result;
}

_Noreturn void explore_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("# ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    fflush(NULL);
    _Exit(1);
}

static bool can_run(uint32_t hart)
{
    return !x.asleep[hart] || host_interrupt_pending(&harts[hart]);
}

static uint32_t any_of(uint32_t mask)
{
    uint32_t nth = explore_draw((uint32_t)__builtin_popcount(mask));
    while (nth-- > 0) {
        mask &= mask - 1;
    }
    return (uint32_t)__builtin_ctz(mask);
}

/* One of those in the mask, which is not empty. */
static uint32_t choose(uint32_t mask)
{
    if (x.policy == POLICY_WALK) {
        return any_of(mask);
    }
    uint32_t best = (uint32_t)__builtin_ctz(mask);
    for (uint32_t i = best + 1; i < x.harts; i++) {
        best = (mask >> i & 1) && x.priority[i] > x.priority[best] ? i : best;
    }
    return best;
}

static uint32_t runnable(void)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < x.harts; i++) {
        mask |= can_run(i) ? 1u << i : 0;
    }
    return mask;
}

static void go(uint32_t next)
{
    uint32_t before = x.running;
    if (next == before) {
        return;
    }
    x.result.switches++;
    x.switched = x.result.points;
    x.result.hash = (x.result.hash ^ (x.result.points << 3 | next)) * 0x100000001b3ull;
    x.running = next;
    cpu_set_hart(&harts[next]);
    swapcontext(&x.contexts[before], &x.contexts[next]);
}

/* Time passes, now and then so much that a deadline is over. */
static void pass_time(void)
{
    if (explore_draw(x.clock_rate) == 0) {
        host_clock_set(clock_ticks() + explore_draw(1500));
    }
}

void explore_pass(uint64_t ns)
{
    x.inside = true; /* nobody else moves the clock between the look at it and this */
    host_clock_set(clock_ticks() + ns);
    x.inside = false;
}

static void count_point(void)
{
    if (++x.result.points > POINTS_MAX) {
        explore_fail("the harts come to no end");
    }
    for (uint32_t i = 0; x.policy == POLICY_PRIORITIES && i < CHANGES_MAX; i++) {
        if (x.changes[i] == x.result.points) {
            x.priority[x.running] = --x.lowest;
        }
    }
    /* Not for exactly so long: it would be stopped at the same place of its loop each time. */
    if (x.result.points - x.switched > ALONE_MAX && explore_draw(64) == 0) {
        x.priority[x.running] = --x.lowest;
        x.switched = x.result.points;
    }
}

void explore_point(void)
{
    if (!explore_active()) {
        return;
    }
    x.inside = true;
    count_point();
    pass_time();
    stores_tick();
    uint32_t next = x.running;
    uint32_t rate = x.rate > LATE_RATE && stores_are_late(x.running) ? LATE_RATE : x.rate;
    if (x.policy == POLICY_PRIORITIES || explore_draw(rate) == 0) {
        next = choose(runnable());
    }
    x.inside = false;
    go(next);
}

void explore_relax(void)
{
    if (!explore_active()) {
        return;
    }
    x.inside = true;
    count_point();
    pass_time();
    stores_arrive(x.running);
    x.priority[x.running] = --x.lowest;
    uint32_t others = runnable() & ~(1u << x.running);
    uint32_t next = others == 0 ? x.running : choose(others);
    x.inside = false;
    go(next);
}

/* All harts sleep: the next thing that happens is a clock. False: none is set. */
static bool wait_for_clock(void)
{
    uint64_t first = ~0ull;
    for (uint32_t i = 0; i < x.harts; i++) {
        uint64_t armed = host_clock_armed(&harts[i]);
        first = armed < first ? armed : first;
    }
    if (first == ~0ull) {
        return false;
    }
    if (first > clock_ticks()) {
        host_clock_set(first);
    }
    return true;
}

void explore_sleep(void)
{
    x.inside = true;
    count_point();
    x.asleep[x.running] = true;
    stores_arrive(x.running);
    uint32_t mask;
    while ((mask = runnable()) == 0) {
        for (uint32_t i = 0; i < x.harts; i++) {
            stores_arrive(i);
        }
        if (runnable() == 0 && !wait_for_clock()) {
            x.active = false;
            swapcontext(&x.contexts[x.running], &x.end);
        }
    }
    uint32_t next = choose(mask);
    x.inside = false;
    go(next);
    x.asleep[x.running] = false;
}

static void hart_begin(void)
{
    x.life();
    explore_fail("a hart has stopped");
}

/* How this seed chooses. */
static void draw_policy(uint64_t seed)
{
    x.policy = seed % 2 == 0 ? POLICY_WALK : POLICY_PRIORITIES;
    x.late = seed % 3 == 0;
    x.rate = 2u << explore_draw(6);
    x.arrival_rate = 4u << explore_draw(6);
    x.clock_rate = 8u << explore_draw(5);
    x.lowest = 1000000;
    for (uint32_t i = 0; i < x.harts; i++) {
        x.priority[i] = 2000000 + explore_draw(1000) * HARTS_MAX + i;
    }
    uint32_t span = 64u << explore_draw(7);
    for (uint32_t i = 0; i < CHANGES_MAX; i++) {
        x.changes[i] = 1 + explore_draw(span);
    }
}

void explore_run(uint64_t seed, uint32_t hart_number, void (*life)(void))
{
    x.harts = hart_number;
    x.life = life;
    draw_policy(seed);
    for (uint32_t i = 0; i < hart_number; i++) {
        getcontext(&x.contexts[i]);
        x.contexts[i].uc_stack.ss_sp = stacks + i * STACK_BYTES;
        x.contexts[i].uc_stack.ss_size = STACK_BYTES;
        makecontext(&x.contexts[i], hart_begin, 0);
    }
    x.running = 0;
    cpu_set_hart(&harts[0]);
    x.active = true;
    swapcontext(&x.end, &x.contexts[0]);
    for (uint32_t i = 0; i < hart_number; i++) {
        stores_arrive(i);
    }
}
