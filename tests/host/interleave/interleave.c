/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Explores interleavings of kernel paths: each seed runs a scenario of a few system calls once, over a kernel that has
 * just been booted (memory is put back to what it was then). A panic, a wrong result, a thread that sleeps on, something that is left:
 * each makes the seed a failing one, which is printed and makes the same run again.
 *
 * Speaks TAP. Usage: interleave SEEDS [FIRST]      of each scenario
 *                    interleave SCENARIO SEED      one run, which tells what happens
 */
#include "scenarios.h"
#include "world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUN_SECONDS 20u
#define FAILURES_SHOWN 3u

static const struct scenario *const scenarios[] = {
    &scenario_call,    &scenario_close,     &scenario_kill,   &scenario_transfer, &scenario_connect,
    &scenario_ring,    &scenario_waitset,   &scenario_crowd,  &scenario_futex,    &scenario_timer,
    &scenario_suspend, &scenario_kill_busy, &scenario_unpaid, &scenario_spread,
};
#define SCENARIOS (sizeof scenarios / sizeof scenarios[0])

static void run(const struct scenario *scenario, uint64_t seed)
{
    world_again(seed);
    scenario->begin();
    world_play(seed);
    scenario->check();
    world_end();
}

/* What a child process tells its parent. */
static struct progress {
    uint64_t seed; /* it is at */
    uint64_t points, switches;
} * progress;

/* Runs the seeds up to `end` in a child process: a run that fails ends it. True: all have passed. */
static bool run_in_child(const struct scenario *scenario, uint64_t end)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        for (; progress->seed < end; progress->seed++) {
            alarm(RUN_SECONDS);
            run(scenario, progress->seed);
            progress->points += explore_result().points;
            progress->switches += explore_result().switches;
        }
        _Exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        printf("# %s\n", WTERMSIG(status) == SIGALRM ? "it hangs" : strsignal(WTERMSIG(status)));
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool run_all(const struct scenario *scenario, uint64_t first, uint64_t seeds)
{
    uint32_t failures = 0;
    *progress = (struct progress){.seed = first};
    while (failures < FAILURES_SHOWN && !run_in_child(scenario, first + seeds)) {
        printf("# seed %lu fails; to see it again: test-interleave %s %lu\n", progress->seed,
               scenario->name, progress->seed);
        progress->seed++;
        failures++;
    }
    printf("# %s: %lu seeds, %lu points, %lu switches of harts\n", scenario->name,
           progress->seed - first, progress->points, progress->switches);
    return failures == 0;
}

/* The same seed again, and with another in between, makes the same choices. */
static bool run_repeats(void)
{
    run(scenarios[0], 1);
    uint64_t hash = explore_result().hash;
    run(scenarios[1], 2);
    run(scenarios[0], 1);
    return explore_result().hash == hash;
}

static int show(const char *name, uint64_t seed)
{
    for (uint32_t i = 0; i < SCENARIOS; i++) {
        if (strcmp(scenarios[i]->name, name) == 0) {
            world_verbose = true;
            world_begin();
            run(scenarios[i], seed);
            printf("# all is well; run %016lx\n", explore_result().hash);
            return 0;
        }
    }
    fprintf(stderr, "there is no scenario '%s'\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: interleave SEEDS [FIRST] | interleave SCENARIO SEED\n");
        return 2;
    }
    uint64_t number = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    char *end;
    uint64_t seeds = strtoull(argv[1], &end, 10);
    if (*end != '\0') {
        return show(argv[1], number);
    }
    progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                    0);
    world_begin();
    bool good = true;
    printf("1..%lu\n", SCENARIOS + 1);
    for (uint32_t i = 0; i < SCENARIOS; i++) {
        bool passed = run_all(scenarios[i], number, seeds);
        printf("%sok %u - %s: %s\n", passed ? "" : "not ", i + 1, scenarios[i]->name,
               scenarios[i]->what);
        good = good && passed;
    }
    bool same = run_repeats();
    printf("%sok %lu - a seed makes the same run again\n", same ? "" : "not ", SCENARIOS + 1);
    return good && same ? 0 : 1;
}
