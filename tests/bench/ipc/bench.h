/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the IPC benchmark share: one figure is the smallest of many measurements on one
 * hart, where nothing else runs.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>

#include <sk/counter.h>
#include <sk/ipc.h>
#include <sk/print.h>
#include <sk/service.h>
#include <sk/spawn.h>
#include <sk/time.h>
#include <skerry/info.h>

#define ROUNDS 64u

/* What reading the counter twice costs by itself. */
extern uint64_t counter_cost;

/* The least number of instructions that `body` takes. */
#define MEASURE(body)                                                                              \
    ({                                                                                             \
        uint64_t least = ~0ull;                                                                    \
        for (uint32_t round = 0; round < ROUNDS; round++) {                                        \
            uint64_t began = sk_instructions();                                                    \
            body;                                                                                  \
            uint64_t took = sk_instructions() - began - counter_cost;                              \
            least = took < least ? took : least;                                                   \
        }                                                                                          \
        least;                                                                                     \
    })

void figure(const char *name, uint64_t value);
/* Ends the benchmark if something that must work does not. */
_Noreturn void fail(status_t status, const char *what);
static inline void must(status_t status, const char *what)
{
    if (status != SK_OK) {
        fail(status, what);
    }
}

/* Starts this program again as a server in a mode, with an endpoint named "serve". */
void child_start(struct sk_child *child, const char *mode, handle_t serve);
void child_end(struct sk_child *child);
/* The modes of the child; never returns. */
void child_main(const char *mode);

void bench_calls(void);
void bench_objects(void);
void bench_processes(void);
void bench_interrupts(void);
void bench_idle(void);
/* With several harts. */
void bench_pairs(uint32_t count, uint64_t rounds);
void bench_wall(void);

/* Calls with a deadline and four words, one after the other. */
void call_often(handle_t end, uint64_t count);
/* The client of a pair, whose mode was given as mode=argument; never returns. */
_Noreturn void client_main(handle_t end, const char *mode, uint64_t argument);

#endif
