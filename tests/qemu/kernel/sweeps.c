/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Budgets that end at every possible point of a longer operation: it fails as a whole, with the right
 * error, and leaves nothing behind.
 */
#include "kernel_test.h"

#define RW (SK_PROT_READ | SK_PROT_WRITE)
/* All but the last: who has no share of the processor uses its parent's. */
#define KINDS (offsetof(struct sk_budget, cpu) / sizeof(uint64_t))

/* Child: one message to whoever made it, so that its maker sees that it lived. */
int mode_quit(int argc, char **argv)
{
    return 7;
}

/* Starts a child with this budget; true if it came to run and to its own end. */
static bool spawn_with(const struct sk_budget *budget)
{
    handle_t job = test_job_with(*budget);
    struct sk_child child;
    bool lived = false;
    status_t status = self_try_spawn(job, "quit", NULL, SK_HANDLE_NONE, &child);
    if (status == SK_OK) {
        struct sk_process_info info = test_child_end(&child);
        lived = info.exit_reason == SK_EXIT_EXITED && info.exit_code == 7;
    } else {
        test_status(status, SK_OVER_BUDGET);
    }
    test_job_end(job);
    return lived;
}

static void a_start_fails_at_every_point(void)
{
    static const struct sk_budget enough = {
        .pages = 200, .objects = 64, .handles = 32, .messages = 4, .threads = 2};
    test_check(spawn_with(&enough));
    for (size_t kind = 0; kind < KINDS; kind++) {
        uint64_t limits[KINDS];
        bool lived = false;
        memcpy(limits, &enough, sizeof limits);
        uint64_t most = limits[kind];
        for (uint64_t n = 0; n <= most && !lived; n++) {
            struct sk_budget budget = enough;
            limits[kind] = n;
            memcpy(&budget, limits, sizeof limits);
            lived = spawn_with(&budget);
            /* Messages are the maker's; all else of a child must cost its job something. */
            test_check(!lived || n > 0 || kind == 3);
        }
        test_check(lived);
    }
}

static void a_process_without_means(void)
{
    handle_t job = test_job_with((struct sk_budget){.pages = 0, .objects = 10}), process, thread;
    test_status(sk_process_create(job, "poor", 4, &process), SK_OVER_BUDGET);
    test_equal(job_info(job).used.objects, 0);
    test_job_end(job);

    job = test_job_with((struct sk_budget){.pages = 20, .objects = 10, .handles = 10});
    handle_t event = make_event();
    must(sk_process_create(job, "poor", 4, &process));
    test_status(sk_process_start(process, 0x20000, 0, event, 5, &thread), SK_OVER_BUDGET);
    test_check(handle_is_good(event));
    close_all((handle_t[]){process, event}, 2);
    test_job_end(job);

    job = test_job_with((struct sk_budget){.pages = 20, .objects = 10, .threads = 1});
    event = make_event();
    must(sk_process_create(job, "poor", 4, &process));
    test_status(sk_process_start(process, 0x20000, 0, event, 5, &thread), SK_OVER_BUDGET);
    test_check(handle_is_good(event));
    close_all((handle_t[]){process, event}, 2);
    test_job_end(job);
}

/* A populated mapping that cannot be paid is none at all. */
static void a_mapping_fails_at_every_point(void)
{
    handle_t memory = make_memory(64);
    bool done = false;
    for (uint64_t n = 1; n < 20 && !done; n++) {
        handle_t process, job = test_job_with((struct sk_budget){.pages = n, .objects = 2});
        status_t status = sk_process_create(job, "poor", 4, &process);
        if (status == SK_OK) {
            uint64_t at = 0x40000000 - 32 * SK_PAGE_SIZE, used = job_info(job).used.pages;
            /* It crosses from one page table to the next. */
            status = sk_memory_map(process, memory, 0, 64 * SK_PAGE_SIZE, at,
                                   RW | SK_MAP_FIXED | SK_MAP_POPULATE, &at);
            done = status == SK_OK;
            test_check(done || status == SK_OVER_BUDGET);
            test_check(job_info(job).used.pages >= used);
            test_status(sk_memory_unmap(process, at, 64 * SK_PAGE_SIZE),
                        done ? SK_OK : SK_NOT_FOUND);
            test_status(sk_handle_close(process), SK_OK);
        }
        test_job_end(job);
    }
    test_check(done);
    test_status(sk_handle_close(memory), SK_OK);
}

static void cutting_without_means_changes_nothing(void)
{
    handle_t process, memory = make_memory(9);
    handle_t job = test_job_with((struct sk_budget){.pages = 20, .objects = 2});
    uint64_t at;
    const uint64_t page = SK_PAGE_SIZE;
    must(sk_process_create(job, "poor", 4, &process));
    must(sk_memory_map(process, memory, 0, 9 * page, 0, RW | SK_MAP_POPULATE, &at));
    uint64_t other;
    test_status(sk_memory_map(process, memory, 0, page, 0, RW, &other), SK_OVER_BUDGET);
    test_status(sk_memory_unmap(process, at + 3 * page, 3 * page), SK_OVER_BUDGET);
    test_status(sk_memory_protect(process, at + 3 * page, 3 * page, SK_PROT_READ), SK_OVER_BUDGET);
    struct sk_process_info info;
    uint64_t written;
    must(sk_object_info(process, &info, sizeof info, &written));
    test_equal(info.mapped_pages, 9);
    test_status(sk_memory_unmap(process, at, 3 * page),
                SK_OVER_BUDGET); /* it too makes two of one */
    test_status(sk_memory_unmap(process, at, 9 * page), SK_OK);
    close_all((handle_t[]){process, memory}, 2);
    test_job_end(job);
}

void test_sweeps(void)
{
    self_case("sweep: a start fails at every point", a_start_fails_at_every_point);
    self_case("sweep: a process without means", a_process_without_means);
    self_case("sweep: a mapping fails at every point", a_mapping_fails_at_every_point);
    self_case("sweep: cutting without means changes nothing",
              cutting_without_means_changes_nothing);
}
