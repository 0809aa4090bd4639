/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The longest stretch for which the kernel lets nobody else run.
 *
 * Run with -icount shift=0, where a nanosecond is one executed instruction. A probe, more urgent than all else,
 * sleeps for 2 microseconds again and again while a worker does one long operation after the other. A stretch
 * of the kernel begins at most that long before the probe's deadline, or the probe would have come first; so
 * it is no longer than the probe is late, plus its period. What the probe itself needs to sleep and to wake is in
 * the figure too.
 */
#include <stdatomic.h>

#include "steps.h"

#define LONGEST 50000u /* instructions: docs/locking.md */
#define PERIOD (2 * SK_US)
#define WORKER_PRIORITY (SK_PRIORITY_DEFAULT - 2)
/* What the kernel has put off is done within this time; the operations are chosen so. */
#define AFTERWARDS (4 * SK_MS)

static _Atomic bool over;

static void work(void *argument)
{
    const struct operation *operation = argument;
    operation->run();
    atomic_store(&over, true);
}

/* Probes until the worker is done and for a while after. */
static uint64_t longest_during(const struct operation *operation)
{
    struct sk_thread worker;
    uint64_t worst = 0, end = 0;
    atomic_store(&over, false);
    start_thread_at(&worker, work, (void *)operation, WORKER_PRIORITY);
    while (end == 0 || sk_now() < end) {
        uint64_t deadline = sk_now() + PERIOD;
        must(sk_thread_sleep(deadline));
        uint64_t late = sk_now() - deadline;
        worst = late > worst ? late : worst;
        if (end == 0 && atomic_load(&over)) {
            end = sk_now() + AFTERWARDS;
        }
    }
    join_thread(&worker);
    return worst + PERIOD;
}

static const struct operation *current;

static void measure(void)
{
    if (current->prepare != NULL) {
        current->prepare();
    }
    uint64_t longest = longest_during(current);
    if (current->finish != NULL) {
        current->finish();
    }
    printf("# %6lu instructions: %s\n", (unsigned long)longest, current->name);
    test_check(longest <= LONGEST || current->uncut);
}

/* All of them, or those whose name begins so: run=test-steps,job_kill. */
static void measure_all(const struct operation *operations, size_t count, const char *only)
{
    for (size_t i = 0; i < count; i++) {
        current = &operations[i];
        if (strncmp(current->name, only, strlen(only)) != 0) {
            continue;
        }
        test_case(current->name, measure);
    }
}

static void nothing(void)
{
    for (volatile uint32_t i = 0; i < 100000; i++) {
    }
}

static const struct self_mode modes[] = {
    {"threads", mode_threads}, {"handles", mode_handles}, {"regions", mode_regions},
    {"callers", mode_callers}, {"inboxes", mode_inboxes},
};

int main(int argc, char **argv)
{
    static const struct operation idle = {"nothing", NULL, nothing, NULL};
    int code = self_run_mode(modes, COUNT(modes), argc, argv);
    if (code >= 0) {
        return code;
    }
    const char *only = argc > 1 ? argv[1] : "";
    self_begin();
    measure_all(&idle, 1, only);
    measure_all(memory_operations, memory_operation_count, only);
    measure_all(object_operations, object_operation_count, only);
    return test_done();
}
