/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A scheduler of harts: each is a coroutine, exactly one runs at a time, and at every atomic operation of the kernel
 * (so at every lock) a seeded choice says who goes on. The same seed makes the same choices.
 *
 * Seeds differ in how they choose. One half walks at random, switching often or rarely; the other half gives the harts
 * priorities, which change at a few random points (PCT: Burckhardt et al., "A Randomized Scheduler with Probabilistic
 * Guarantees of Finding Bugs", 2010), so that a hart may stand still for long. And every third seed holds the stores of
 * a hart back in a buffer, as hardware may, until a fence or until their time has come (atomics.c).
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

#include <kernel/hart.h>

/* What the choices amounted to. */
struct exploration {
    uint64_t points, switches;
    uint64_t hash; /* of all switches: equal for equal runs */
};

/* Memory for the harts' stacks; once. */
void explore_begin(void);
/* Runs `life` on each hart until all sleep for good: none has an interrupt to come. */
void explore_run(uint64_t seed, uint32_t harts, void (*life)(void));
struct exploration explore_result(void);
/* Below `limit`, from the seed; also before explore_run, after explore_seed. */
void explore_seed(uint64_t seed);
uint32_t explore_draw(uint32_t limit);

/* So much time passes at once. */
void explore_pass(uint64_t ns);

/* Somebody else may go on here. */
void explore_point(void);
/* This hart can do nothing before another one has done something. */
void explore_relax(void);
/* This hart waits for an interrupt: host_idle. */
void explore_sleep(void);

/* For atomics.c. Whether a hart's stores may be late; how often one of the oldest arrives: one point in so many. */
bool explore_is_late(void);
uint32_t explore_arrival_rate(void);
uint32_t explore_hart(void);
bool explore_active(void);

/* atomics.c: all stores of the hart have arrived; the oldest of a random hart does, if it is time. */
void stores_arrive(uint32_t hart);
void stores_tick(void);
bool stores_are_late(uint32_t hart);

/* The run is over, with a reason. Prints it and ends the process. */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
