/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Endless loops side by side, on one hart: what each job gets of it, by its share and its priority.
 */
#include <stdlib.h>

#include "hostile.h"

#define LOOK (300 * SK_MS)

struct loop {
    handle_t job;
    struct sk_child child;
    uint64_t before_ns;
};

static uint64_t cpu_time_ns(handle_t job)
{
    return job_info(job).cpu_time_ns;
}

/* One loop, or as many as it may have. */
static void loop_start(struct loop *loop, const char *mode, uint64_t share, uint32_t priority)
{
    char number[12];
    snprintf(number, sizeof number, "%u", priority);
    loop->job = test_job_with((struct sk_budget){
        .pages = 500, .objects = 200, .handles = 200, .messages = 20, .threads = 10, .cpu = share});
    struct self_start start = {loop->job, mode, number, priority, NULL, 0};
    test_status(self_start(&start, &loop->child), SK_OK);
}

static void loop_end(struct loop *loop)
{
    test_job_end(loop->job);
    test_equal(test_child_end(&loop->child).exit_reason, SK_EXIT_KILLED);
}

/* Looks at what both get for a while; in percent of the hart. */
static void loops_look(struct loop *one, struct loop *other, uint64_t *ones, uint64_t *others)
{
    sk_sleep(20 * SK_MS); /* they are under way */
    uint64_t began = sk_now(), before = cpu_time_ns(one->job), before2 = cpu_time_ns(other->job);
    sk_sleep(LOOK);
    uint64_t took = sk_now() - began;
    *ones = 100 * (cpu_time_ns(one->job) - before) / took;
    *others = 100 * (cpu_time_ns(other->job) - before2) / took;
    printf("# %llu and %llu percent\n", (unsigned long long)*ones, (unsigned long long)*others);
}

/* A share is had, whatever priority others have; and who has more than his share has it by
 * priority. */
void loops_by_share_and_priority(void)
{
    struct loop small, large;
    uint64_t smalls, larges;
    loop_start(&small, "hog", 40, 8);
    loop_start(&large, "hog", 100, 12);
    loops_look(&small, &large, &smalls, &larges);
    test_check(smalls >= 3 && smalls <= 5);
    test_check(larges >= 80);
    loop_end(&large);
    loop_start(&large, "hog", 100, 4);
    loops_look(&small, &large, &smalls, &larges);
    test_check(smalls >= 80);
    test_check(larges >= 9 && larges <= 12);
    loop_end(&large);
    loop_end(&small);
}

/* Nothing of the hart is wasted for want of a share. */
void loops_alone(void)
{
    struct loop small, none;
    uint64_t smalls, nones;
    none.job = test_job();
    loop_start(&small, "hog", 10, 8);
    loops_look(&small, &none, &smalls, &nones);
    test_check(smalls >= 95);
    test_equal(nones, 0);
    test_check(job_info(small.job).cpu_ran_out > 20);
    loop_end(&small);
    test_job_end(none.job);
}

/* Two with equal shares and priorities get the same, and all that there is. */
void loops_of_equals(void)
{
    struct loop one, other;
    uint64_t ones, others;
    loop_start(&one, "loop", 50, 8);
    loop_start(&other, "loop", 50, 8);
    loops_look(&one, &other, &ones, &others);
    test_check(ones >= 44 && ones <= 54 && others >= 44 && others <= 54);
    loop_end(&one);
    loop_end(&other);
}

/* A share is carved out of the parent's, and comes back with the job's end. */
void loops_give_back_their_shares(void)
{
    uint64_t before = job_info(sk_self_job).limit.cpu;
    struct loop loop;
    handle_t refused;
    for (uint32_t i = 0; i < 3; i++) {
        loop_start(&loop, "loop", before - 1, 8);
        test_equal(job_info(sk_self_job).limit.cpu, 1);
        test_status(sk_job_create(sk_self_job, &(struct sk_budget){.cpu = 2}, &refused),
                    SK_OVER_BUDGET);
        loop_end(&loop);
        test_equal(job_info(sk_self_job).limit.cpu, before);
    }
}
