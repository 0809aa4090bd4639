/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Budgets: each kind runs out in its own job only, at exactly its limit, and comes back.
 */
#include <stdlib.h>

#include "kernel_test.h"

static const struct sk_budget small = {
    .pages = 40, .objects = 20, .handles = 30, .messages = 10, .threads = 4};

static void a_budget_is_carved_out(void)
{
    struct sk_job_info before = job_info(sk_self_job);
    handle_t job = test_job_with(small);
    struct sk_job_info now = job_info(sk_self_job), child = job_info(job);
    test_equal(before.limit.pages - now.limit.pages, small.pages);
    test_equal(before.limit.objects - now.limit.objects, small.objects);
    test_equal(before.limit.handles - now.limit.handles, small.handles);
    test_equal(before.limit.messages - now.limit.messages, small.messages);
    test_equal(before.limit.threads - now.limit.threads, small.threads);
    test_equal(now.children, before.children + 1);
    test_check(memcmp(&child.limit, &small, sizeof small) == 0);
    test_equal(child.used.objects, 0);
    test_job_end(job);
    now = job_info(sk_self_job);
    test_check(memcmp(&before.limit, &now.limit, sizeof now.limit) == 0);
}

static void nobody_promises_more_than_he_has(void)
{
    handle_t job = test_job_with(small), inner = SK_HANDLE_NONE, refused = SK_HANDLE_NONE;
    for (size_t kind = 0; kind < sizeof small / sizeof(uint64_t); kind++) {
        uint64_t wanted[sizeof small / sizeof(uint64_t)] = {0};
        uint64_t limits[sizeof small / sizeof(uint64_t)];
        memcpy(limits, &small, sizeof limits);
        wanted[kind] = limits[kind] + 1;
        test_status(sk_job_create(job, wanted, &refused), SK_OVER_BUDGET);
        wanted[kind] = ~0ull;
        test_status(sk_job_create(job, wanted, &refused), SK_OVER_BUDGET);
    }
    test_equal(job_info(job).used.objects, 0);
    struct sk_budget most = small;
    most.objects--; /* the inner job is one itself */
    test_status(sk_job_create(job, &most, &inner), SK_OK);
    test_status(sk_event_create(job, &refused), SK_OVER_BUDGET);
    test_status(sk_event_create(inner, &refused), SK_OK);
    test_status(sk_handle_close(refused), SK_OK);
    test_job_end(inner);
    test_status(sk_event_create(job, &refused), SK_OK);
    test_status(sk_handle_close(refused), SK_OK);
    test_job_end(job);
}

static status_t make_event_in(handle_t job, handle_t *handle)
{
    return sk_event_create(job, handle);
}

static status_t make_timer_in(handle_t job, handle_t *handle)
{
    return sk_timer_create(job, handle);
}

static status_t make_waitset_in(handle_t job, handle_t *handle)
{
    return sk_waitset_create(job, handle);
}

static status_t make_memory_in(handle_t job, handle_t *handle)
{
    return sk_memory_create(job, 4096, 0, handle);
}

static status_t make_job_in(handle_t job, handle_t *handle)
{
    static const struct sk_budget none;
    return sk_job_create(job, &none, handle);
}

static status_t make_process_in(handle_t job, handle_t *handle)
{
    return sk_process_create(job, "x", 1, handle);
}

static void objects_run_out_at_their_limit(void)
{
    static const struct {
        status_t (*make)(handle_t job, handle_t *handle);
    } kinds[] = {{make_event_in},  {make_timer_in}, {make_waitset_in},
                 {make_memory_in}, {make_job_in},   {make_process_in}};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        handle_t handles[64], job = test_job_with(small);
        uint32_t count = 0;
        status_t status;
        while ((status = kinds[k].make(job, &handles[count])) == SK_OK && count < 63) {
            count++;
        }
        test_status(status, SK_OVER_BUDGET);
        /* A process has a root page table; nothing else costs a page yet. */
        test_equal(count, small.objects);
        handle_t end0, end1, event = make_event(); /* others are not concerned */
        test_status(sk_channel_create(job, &end0, &end1), SK_OVER_BUDGET);
        test_status(sk_handle_close(handles[--count]), SK_OK);
        test_status(sk_channel_create(job, &end0, &end1), SK_OVER_BUDGET); /* one is too few */
        close_all(handles, count);
        test_status(sk_handle_close(event), SK_OK);
        test_equal(job_info(job).used.objects, 0);
        test_equal(job_info(job).used.pages, 0);
        test_job_end(job);
    }
}

static void members_are_objects(void)
{
    handle_t job = test_job_with((struct sk_budget){.objects = 4}), set, events[4];
    must(sk_waitset_create(job, &set));
    for (uint64_t i = 0; i < 4; i++) {
        events[i] = make_event();
        test_status(sk_waitset_add(set, events[i], SK_SIGNAL_EVENT, i),
                    i < 3 ? SK_OK : SK_OVER_BUDGET);
    }
    test_status(sk_handle_close(events[0]), SK_OK); /* leaves by itself */
    test_status(sk_waitset_add(set, events[3], SK_SIGNAL_EVENT, 3), SK_OK);
    test_status(sk_waitset_remove(set, events[3]), SK_OK);
    test_status(sk_waitset_add(set, events[3], SK_SIGNAL_EVENT, 3), SK_OK);
    close_all(events + 1, 3);
    test_equal(job_info(job).used.objects, 1);
    test_status(sk_handle_close(set), SK_OK);
    test_job_end(job);
}

/* Child: makes handles until it may not; gives them back; the count is the same again. */
int mode_spend_handles(int argc, char **argv)
{
    handle_t handles[200];
    uint32_t first = 0;
    for (int round = 0; round < 3; round++) {
        uint32_t count = 0;
        status_t status = SK_OK;
        while (count < 200 && (status = sk_handle_duplicate(sk_self_process, SK_RIGHT_WAIT,
                                                            &handles[count])) == SK_OK) {
            count++;
        }
        handle_t ends[2];
        if (status != SK_OVER_BUDGET || count == 0 || (round > 0 && count != first) ||
            sk_channel_create(sk_self_job, &ends[0], &ends[1]) != SK_OVER_BUDGET ||
            sk_event_create(sk_self_job, &ends[0]) != SK_OVER_BUDGET) {
            return 1;
        }
        first = count;
        for (uint32_t i = 0; i < count; i++) {
            sk_handle_close(handles[i]);
        }
    }
    return (int)first;
}

static void handles_run_out_at_their_limit(void)
{
    handle_t job = test_job_with((struct sk_budget){
        .pages = 200, .objects = 64, .handles = 50, .messages = 8, .threads = 2});
    struct sk_child child = self_spawn(job, "spend-handles", NULL, SK_HANDLE_NONE);
    struct sk_process_info info = test_child_end(&child);
    /* It has: boot endpoint, process, job, log. */
    test_equal(info.exit_code, 50 - 4);
    test_equal(job_info(job).used.handles, 0);
    test_job_end(job);
}

static void sleep_long(void *argument)
{
    sk_thread_sleep(SK_DEADLINE_NEVER);
}

/* Child: makes threads until it may not, then ends with all of them asleep. */
int mode_spend_threads(int argc, char **argv)
{
    static struct sk_thread threads[16];
    uint32_t count = 0;
    status_t status = SK_OK;
    while (count < 16 &&
           (status = sk_thread_start(&threads[count], sleep_long, NULL, 0, 1)) == SK_OK) {
        count++;
    }
    return status == SK_OVER_BUDGET ? (int)count : -1;
}

static void threads_run_out_at_their_limit(void)
{
    handle_t job = test_job_with((struct sk_budget){
        .pages = 300, .objects = 100, .handles = 64, .messages = 8, .threads = 6});
    struct sk_child child = self_spawn(job, "spend-threads", NULL, SK_HANDLE_NONE);
    struct sk_process_info info = test_child_end(&child);
    test_equal(info.exit_code, 5);
    test_equal(info.exit_reason, SK_EXIT_EXITED);
    test_equal(job_info(job).used.threads, 0);
    test_job_end(job);
}

/* What a dead job's objects still cost passes to its parent, and comes back with them. */
static void charges_outlive_their_job(void)
{
    handle_t outer = test_job_with(small), inner, event, memory;
    must(sk_job_create(outer, &(struct sk_budget){.pages = 10, .objects = 5}, &inner));
    must(sk_event_create(inner, &event));
    must(sk_memory_create(inner, 5 * SK_PAGE_SIZE, SK_MEMORY_COMMIT, &memory));
    test_job_end(inner);
    test_check(job_info(outer).limit.pages <= small.pages - 5);
    test_check(job_info(outer).limit.objects <= small.objects - 2);
    test_status(sk_event_signal(event), SK_OK); /* it lives */
    test_status(sk_event_create(outer, &inner), SK_OK);
    close_all((handle_t[]){inner, event, memory}, 3);
    struct sk_job_info info = job_info(outer);
    test_check(memcmp(&info.limit, &small, sizeof small) == 0);
    test_job_end(outer);
}

/* Memory that a dead job shared: whoever still maps it may touch it, at the parent's cost. */
static void shared_memory_outlives_its_job(void)
{
    handle_t outer = test_job_with(small), inner, memory;
    must(sk_job_create(outer, &(struct sk_budget){.pages = 10, .objects = 5}, &inner));
    must(sk_memory_create(inner, 4 * SK_PAGE_SIZE, 0, &memory));
    _Atomic uint8_t *bytes = (_Atomic uint8_t *)(uintptr_t)map_memory(memory, 4,
                                                                      SK_PROT_READ | SK_PROT_WRITE);
    bytes[0] = 1;
    test_job_end(inner);
    uint64_t before = job_info(outer).limit.pages;
    bytes[SK_PAGE_SIZE] = 2;
    bytes[2 * (uint64_t)SK_PAGE_SIZE] = 3;
    test_equal(before - job_info(outer).limit.pages, 2);
    test_check(bytes[0] == 1 && bytes[SK_PAGE_SIZE] == 2);
    must(sk_memory_unmap(sk_self_process, (uintptr_t)bytes, 4 * (uint64_t)SK_PAGE_SIZE));
    must(sk_handle_close(memory));
    test_equal(job_info(outer).limit.pages, small.pages);
    test_job_end(outer);
}

/*
 * What was closed is there for the next request, however much it was.
 */

static void closed_memory_is_there_at_once(void)
{
    enum { PAGES = 2000, TABLES = 8 };
    handle_t job = test_job_with((struct sk_budget){.pages = PAGES + TABLES, .objects = 4}), memory;
    for (uint32_t round = 0; round < 10; round++) {
        must(sk_memory_create(job, PAGES * SK_PAGE_SIZE, SK_MEMORY_COMMIT, &memory));
        if (round % 2 == 1) { /* the mapping is the last reference */
            uint64_t address = map_memory(memory, PAGES, SK_PROT_READ);
            must(sk_handle_close(memory));
            must(sk_memory_unmap(sk_self_process, address, PAGES * SK_PAGE_SIZE));
        } else {
            must(sk_handle_close(memory));
        }
        test_equal(job_info(job).used.pages, 0);
    }
    test_job_end(job);
}

/* Child: fills two inboxes again and again, with all the messages and handles that its job may have. */
int mode_spend_messages(int argc, char **argv)
{
    static char text[600];
    for (uint32_t round = 0; round < 30; round++) {
        handle_t ends[2], event;
        if (sk_channel_create(sk_self_job, &ends[0], &ends[1]) != SK_OK) {
            return 1;
        }
        for (uint32_t i = 0; i < SK_INBOX_MESSAGES_MAX; i++) {
            struct sk_out out = sk_out_bytes(text, sizeof text);
            out.handles = &event;
            out.handle_count = 1;
            if (sk_event_create(sk_self_job, &event) != SK_OK ||
                sk_channel_send(ends[0], &out) != SK_OK) {
                return 2;
            }
        }
        if (sk_handle_close(ends[round % 2]) != SK_OK ||
            sk_handle_close(ends[1 - round % 2]) != SK_OK) {
            return 3;
        }
    }
    return 0;
}

static void closed_messages_are_there_at_once(void)
{
    handle_t job = test_job_with((struct sk_budget){.pages = 300,
                                                    .objects = 100,
                                                    .handles = 90,
                                                    .messages = SK_INBOX_MESSAGES_MAX + 1,
                                                    .threads = 2});
    struct sk_child child = self_spawn(job, "spend-messages", NULL, SK_HANDLE_NONE);
    test_equal(test_child_end(&child).exit_code, 0);
    test_job_end(job);
}

static void end_at_once(void *argument) {}

/* Child: one thread after the other, of the two that its job may have. */
int mode_spend_thread(int argc, char **argv)
{
    for (uint32_t round = 0; round < 300; round++) {
        struct sk_thread thread;
        if (sk_thread_start(&thread, end_at_once, NULL, 0, 1) != SK_OK ||
            sk_thread_join(&thread, SK_DEADLINE_NEVER) != SK_OK) {
            return 1;
        }
    }
    return 0;
}

/* Whoever learns of an end finds given back what it cost, by whichever hart it was told. */
static void the_ended_are_gone(void)
{
    handle_t job = test_job_with((struct sk_budget){
        .pages = 300, .objects = 100, .handles = 64, .messages = 8, .threads = 2});
    struct sk_child child = self_spawn(job, "spend-thread", NULL, SK_HANDLE_NONE);
    test_equal(test_child_end(&child).exit_code, 0);
    struct sk_budget budget = job_info(job).limit;
    budget.objects--;
    for (uint32_t round = 0; round < 10; round++) {
        handle_t inner;
        must(sk_job_create(job, &budget, &inner)); /* all that there is */
        child = self_spawn(inner, "spend-handles", NULL, SK_HANDLE_NONE);
        test_equal(test_child_end(&child).exit_code, 64 - 4);
        test_job_end(inner);
        struct sk_job_info info = job_info(job);
        test_equal(info.used.objects, 0);
        test_equal(info.used.pages, 0);
        test_equal(info.limit.objects, 100);
    }
    test_job_end(job);
}

static void a_killed_job_is_closed_to_all(void)
{
    handle_t job = test_job(), inner, handle;
    uint64_t observed;
    must(sk_job_create(job, &(struct sk_budget){.pages = 10, .objects = 5}, &inner));
    test_status(sk_object_wait(job, SK_SIGNAL_TERMINATED, SK_DEADLINE_POLL, &observed),
                SK_TIMED_OUT);
    test_status(sk_job_kill(job), SK_OK);
    test_status(sk_job_kill(job), SK_OK);
    test_status(sk_object_wait(job, SK_SIGNAL_TERMINATED, test_deadline(), &observed), SK_OK);
    test_status(sk_object_wait(inner, SK_SIGNAL_TERMINATED, test_deadline(), &observed), SK_OK);
    test_status(sk_process_create(job, "x", 1, &handle), SK_BAD_STATE);
    test_status(sk_process_create(inner, "x", 1, &handle), SK_BAD_STATE);
    test_status(sk_event_create(job, &handle), SK_OVER_BUDGET);
    close_all((handle_t[]){inner, job}, 2);
}

/* Killing an ancestor ends the whole tree. */
static void a_tree_is_killed(void)
{
    enum { DEPTH = 5, EACH = 2 };
    const uint64_t step = 300;
    handle_t jobs[DEPTH];
    struct sk_child children[DEPTH][EACH];
    uint64_t observed;
    for (uint64_t i = 0; i < DEPTH; i++) {
        uint64_t share = (DEPTH - i) * step;
        struct sk_budget budget = {share, share, share, share / 4, 4 * (DEPTH - i)};
        must(sk_job_create(i > 0 ? jobs[i - 1] : sk_self_job, &budget, &jobs[i]));
        for (int k = 0; k < EACH; k++) {
            children[i][k] = self_spawn(jobs[i], "idle", NULL, SK_HANDLE_NONE);
        }
    }
    test_status(sk_job_kill(jobs[0]), SK_OK);
    test_status(sk_object_wait(jobs[0], SK_SIGNAL_TERMINATED, test_deadline(), &observed), SK_OK);
    for (int i = 0; i < DEPTH; i++) {
        test_equal(job_info(jobs[i]).processes, 0);
        for (int k = 0; k < EACH; k++) {
            test_equal(test_child_end(&children[i][k]).exit_reason, SK_EXIT_KILLED);
        }
    }
    close_all(jobs, DEPTH);
}

void test_budgets(void)
{
    self_case("budget: it is carved out", a_budget_is_carved_out);
    self_case("budget: nobody promises more than he has", nobody_promises_more_than_he_has);
    self_case("budget: objects run out at their limit", objects_run_out_at_their_limit);
    self_case("budget: members of wait sets are objects", members_are_objects);
    self_case("budget: handles run out at their limit", handles_run_out_at_their_limit);
    self_case("budget: threads run out at their limit", threads_run_out_at_their_limit);
    self_case("budget: charges outlive their job", charges_outlive_their_job);
    self_case("budget: shared memory outlives its job", shared_memory_outlives_its_job);
    self_case("budget: closed memory is there at once", closed_memory_is_there_at_once);
    self_case("budget: closed messages are there at once", closed_messages_are_there_at_once);
    self_case("budget: who has ended costs nothing any more", the_ended_are_gone);
    self_case("budget: a killed job is closed to all", a_killed_job_is_closed_to_all);
    self_case("budget: killing an ancestor kills the tree", a_tree_is_killed);
}
