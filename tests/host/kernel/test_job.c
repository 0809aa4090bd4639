/* SPDX-License-Identifier: BSD-2-Clause */
/* The tree of budgets: carving, refusing, ending, inheriting. */
#include "harness.h"
#include "job_kill.h"

#include <stdlib.h>
#include <string.h>

#include <kernel/page.h>

static void test_limits_are_carved_and_come_back(void **state)
{
    uint64_t before[BUDGET_KINDS];
    memcpy(before, root_job->limit, sizeof before);
    const uint64_t limit[BUDGET_KINDS] = {100, 50, 60, 70, 5};
    struct user user = user_start_budget(root_job, 16, limit);
    for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
        assert_int_equal(root_job->limit[kind], before[kind] - limit[kind]);
        assert_int_equal(user.job->limit[kind], limit[kind]);
    }
    struct job *child;
    for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
        uint64_t too_much[BUDGET_KINDS] = {1, 1, 1, 1, 1};
        too_much[kind] = limit[kind] - user.job->used[kind] + 1;
        uint64_t used = user.job->used[kind];
        assert_int_equal(job_create(user.job, too_much, 0, &child), SK_OVER_BUDGET);
        assert_int_equal(user.job->used[kind], used);
        assert_int_equal(user.job->limit[kind], limit[kind]);
    }
    user_stop(&user);
    assert_memory_equal(root_job->limit, before, sizeof before);
}

static void test_a_killed_tree_ends_as_a_whole(void **state)
{
    const uint64_t limit[BUDGET_KINDS] = {200, 200, 300, 70, 30};
    struct user top = user_start_budget(root_job, 16, limit);
    struct user below[4];
    for (uint32_t i = 0; i < 4; i++) {
        below[i] = user_start_budget(i < 2 ? top.job : below[0].job, 16,
                                     i < 2 ? (const uint64_t[BUDGET_KINDS]){90, 90, 90, 20, 9}
                                           : (const uint64_t[BUDGET_KINDS]){20, 20, 20, 5, 2});
    }
    struct user watcher = user_start(16);
    handle_t watched;
    struct capability job = capability_make(&top.job->object, job_type.rights);
    assert_int_equal(handle_add(watcher.process, job, &watched), SK_OK);
    assert_int_equal(syscall_as(watcher.thread, SK_SYS_object_wait, watched, SK_SIGNAL_TERMINATED,
                                SK_DEADLINE_NEVER),
                     BLOCKED);
    assert_true(is_blocked(watcher.thread));
    job_kill_all(top.job);
    assert_false(job_accepts(below[3].job));
    struct process *none;
    assert_int_equal(process_create(below[2].job, "late", &none), SK_BAD_STATE);
    for (uint32_t i = 4; i-- > 0;) {
        user_forget(&below[i]);
    }
    user_forget(&top);
    assert_false(is_blocked(watcher.thread));
    assert_int_equal(value_of(watcher.thread, 0), SK_SIGNAL_TERMINATED);
    user_stop(&watcher);
}

/* What outlives its job is charged to the parent, and no more than that. */
static void test_the_heir_pays(void **state)
{
    const uint64_t limit[BUDGET_KINDS] = {60, 60, 60, 20, 5};
    uint64_t before = root_job->limit[BUDGET_PAGES];
    struct user user = user_start_budget(root_job, 16, limit);
    struct memory *memory;
    assert_int_equal(memory_create(user.job, 10 * PAGE_SIZE, &memory), SK_OK);
    step_begin();
    assert_int_equal(memory_commit_step(memory), SK_OK);
    user_stop(&user);
    /* Ten frames, and the table that names more than eight. */
    uint64_t kept = before - root_job->limit[BUDGET_PAGES];
    assert_int_equal(kept, 11);
    object_put(&memory->object);
    settle();
    assert_int_equal(root_job->limit[BUDGET_PAGES], before);
}

static void test_charges_against_a_model(void **state)
{
    const uint64_t limit[BUDGET_KINDS] = {60, 500, 60, 20, 5};
    struct user user = user_start_budget(root_job, 16, limit);
    struct job *jobs[8] = {user.job};
    uint64_t free_pages[8] = {limit[BUDGET_PAGES] - user.job->used[BUDGET_PAGES]};
    uint64_t charged[8] = {0};
    uint32_t count = 1;
    srand(5);
    for (uint32_t step = 0; step < 5000; step++) {
        uint32_t i = (uint32_t)rand() % count;
        uint64_t amount = (uint64_t)rand() % 20;
        switch (rand() % 4) {
        case 0: {
            const uint64_t wanted[BUDGET_KINDS] = {amount, 10, 0, 0, 0};
            if (count < 8 && i == 0) {
                status_t status = job_create(jobs[i], wanted, 0, &jobs[count]);
                assert_int_equal(status, amount <= free_pages[i] ? SK_OK : SK_OVER_BUDGET);
                if (status == SK_OK) {
                    free_pages[i] -= amount;
                    free_pages[count] = amount;
                    charged[count++] = 0;
                }
            }
            break;
        }
        case 1: {
            status_t status = job_charge(jobs[i], BUDGET_PAGES, amount);
            assert_int_equal(status, amount <= free_pages[i] ? SK_OK : SK_OVER_BUDGET);
            charged[i] += status == SK_OK ? amount : 0;
            free_pages[i] -= status == SK_OK ? amount : 0;
            break;
        }
        default:
            amount = amount < charged[i] ? amount : charged[i];
            job_uncharge(jobs[i], BUDGET_PAGES, amount);
            charged[i] -= amount;
            free_pages[i] += amount;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        job_uncharge(jobs[i], BUDGET_PAGES, charged[i]);
    }
    for (uint32_t i = 1; i < count; i++) {
        job_kill_all(jobs[i]);
        object_put(&jobs[i]->object);
    }
    settle();
    assert_int_equal(user.job->limit[BUDGET_PAGES], limit[BUDGET_PAGES]);
    user_stop(&user);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, census_setup, census_teardown)

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        TEST(test_limits_are_carved_and_come_back),
        TEST(test_a_killed_tree_ends_as_a_whole),
        TEST(test_the_heir_pays),
        TEST(test_charges_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
