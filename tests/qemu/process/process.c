/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of processes as programs see them: what a child gets, how it ends, what it leaves behind.
 */
#include <stdlib.h>
#include <string.h>

#include <child.h>

#include "guest_test.h"

#define PLACES                                                                                     \
    48u /* starts that are compared: all of 25 random bits change, but for one run in 10^13 */
#define PLACE_BITS 25u /* random bits of an address */

#define ARGUMENTS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Starts a child in a job of its own and tells how it ended. */
static struct sk_process_info run(const char *const *arguments)
{
    struct sk_process_info info = {0};
    struct sk_child child;
    handle_t job = test_job();
    if (test_status(test_spawn(job, arguments, NULL, 0, &child), SK_OK)) {
        info = test_child_end(&child);
    }
    test_job_end(job);
    return info;
}

static void exit_codes_arrive(void)
{
    static const char *const codes[] = {"0", "1", "42", "255", "-1", "2147483647"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct sk_process_info info = run(ARGUMENTS("exit", codes[i]));
        test_equal(info.exit_reason, SK_EXIT_EXITED);
        test_equal(info.exit_code, atoi(codes[i]));
        test_equal(info.state, SK_PROCESS_DEAD);
        test_check(strcmp(info.name, "test-child") == 0);
    }
}

/* Reads what the child says on its boot channel. */
static void expect_text(const char *const *arguments, const char *expected)
{
    struct sk_child child;
    char text[1024];
    struct sk_in in = sk_in_bytes(text, sizeof text);
    handle_t job = test_job();
    if (test_status(test_spawn(job, arguments, NULL, 0, &child), SK_OK)) {
        test_status(sk_channel_receive(child.boot, &in, test_deadline()), SK_OK);
        test_equal(in.length, strlen(expected));
        test_check(memcmp(text, expected, strlen(expected)) == 0);
        test_child_end(&child);
    }
    test_job_end(job);
}

static void arguments_arrive(void)
{
    expect_text(ARGUMENTS("arguments"), "test-child\narguments\n");
    expect_text(ARGUMENTS("arguments", "", "a b", "last"), "test-child\narguments\n\na b\nlast\n");
}

static void an_own_environment_arrives(void)
{
    expect_text(ARGUMENTS("environment"), "");
}

/* A child's addresses: of its image, its stack and its heap. */
static struct child_place place_of_child(void)
{
    struct child_place place = {0};
    struct sk_child child;
    struct sk_in in = sk_in_bytes(&place, sizeof place);
    handle_t job = test_job();
    if (test_status(test_spawn(job, ARGUMENTS("place"), NULL, 0, &child), SK_OK)) {
        test_status(sk_channel_receive(child.boot, &in, test_deadline()), SK_OK);
        test_child_end(&child);
    }
    test_job_end(job);
    return place;
}

/* How many bits of the values changed from one start to the next, at least once. */
static uint32_t bits_of(uint64_t changed)
{
    uint32_t count = 0;
    for (; changed != 0; changed &= changed - 1) {
        count++;
    }
    return count;
}

static void each_start_lies_elsewhere(void)
{
    struct child_place last = place_of_child();
    uint64_t image = 0, stack = 0, distance = 0;
    for (uint32_t i = 0; i < PLACES; i++) {
        struct child_place now = place_of_child();
        test_check(now.text != last.text && now.stack != last.stack && now.heap != last.heap);
        test_check(now.stack - now.text != last.stack - last.text);
        image |= now.text ^ last.text;
        stack |= now.stack ^ last.stack;
        distance |= (now.stack - now.text) ^ (last.stack - last.text);
        last = now;
    }
    printf("# bits that changed in %u starts: image %u, stack %u, between them %u\n", PLACES,
           bits_of(image), bits_of(stack), bits_of(distance));
    test_check(bits_of(image) >= PLACE_BITS && bits_of(stack) >= PLACE_BITS &&
               bits_of(distance) >= PLACE_BITS);
}

static void too_many_arguments_are_refused(void)
{
    static char big[SK_MESSAGE_BYTES_MAX];
    memset(big, 'x', sizeof big - 1);
    struct sk_child child;
    handle_t job = test_job();
    test_status(test_spawn(job, ARGUMENTS("exit", big), NULL, 0, &child), SK_TOO_BIG);
    test_job_end(job);
}

static void a_killed_child_says_so(void)
{
    static const char *const modes[] = {"wait", "spin"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct sk_child child;
        handle_t job = test_job();
        if (test_status(test_spawn(job, ARGUMENTS(modes[i]), NULL, 0, &child), SK_OK)) {
            sk_sleep(5 * SK_MS);
            test_status(sk_process_kill(child.process, 7), SK_OK);
            struct sk_process_info info = test_child_end(&child);
            test_equal(info.exit_reason, SK_EXIT_KILLED);
            test_equal(info.exit_code, 7);
        }
        test_job_end(job);
    }
}

static void a_fault_ends_only_the_child(void)
{
    static const char *const kinds[] = {"null",         "kernel", "rodata",  "addresses", "text",
                                        "execute-data", "jump",   "illegal", "stack",     "smash"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sk_process_info info = run(ARGUMENTS("fault", kinds[i]));
        if (!test_equal(info.exit_reason, SK_EXIT_FAULT)) {
            printf("#   with the fault \"%s\"\n", kinds[i]);
        }
    }
}

static void touching_over_budget_ends_only_the_child(void)
{
    struct sk_process_info info = run(ARGUMENTS("exhaust"));
    test_equal(info.exit_reason, SK_EXIT_OVER_BUDGET);
}

static void malloc_over_budget_is_null(void)
{
    struct sk_process_info info = run(ARGUMENTS("malloc"));
    test_equal(info.exit_reason, SK_EXIT_EXITED);
    test_equal(info.exit_code, 0);
}

static void the_end_shows_on_the_boot_channel(void)
{
    struct sk_child child;
    uint64_t observed = 0;
    handle_t job = test_job();
    if (test_status(test_spawn(job, ARGUMENTS("exit", "3"), NULL, 0, &child), SK_OK)) {
        test_status(sk_object_wait(child.boot, SK_SIGNAL_PEER_CLOSED, test_deadline(), &observed),
                    SK_OK);
        struct sk_out out = sk_out_bytes("x", 1);
        test_status(sk_channel_send(child.boot, &out), SK_PEER_CLOSED);
        test_child_end(&child);
    }
    test_job_end(job);
}

static void an_unstarted_process_does_not_run(void)
{
    handle_t process = SK_HANDLE_NONE, job = test_job();
    struct sk_process_info info;
    uint64_t written;
    test_status(sk_process_create(job, "idle", 4, &process), SK_OK);
    sk_sleep(5 * SK_MS);
    test_status(sk_object_info(process, &info, sizeof info, &written), SK_OK);
    test_equal(info.state, SK_PROCESS_NEW);
    test_equal(info.threads, 0);
    test_status(sk_handle_close(process), SK_OK);
    test_job_end(job);
}

static void killing_a_job_kills_the_tree(void)
{
    handle_t top = test_job_with((struct sk_budget){
        .pages = 2048, .objects = 1024, .handles = 1024, .messages = 128, .threads = 32});
    struct sk_budget part = {
        .pages = 512, .objects = 256, .handles = 256, .messages = 32, .threads = 8};
    handle_t middle = SK_HANDLE_NONE, bottom = SK_HANDLE_NONE, refused;
    struct sk_child children[3];
    part.pages = 1024;
    part.objects = part.handles = 512;
    part.messages = 64;
    part.threads = 16;
    test_status(sk_job_create(top, &part, &middle), SK_OK);
    part.pages /= 2;
    part.objects /= 2;
    part.handles /= 2;
    part.messages /= 2;
    part.threads /= 2;
    test_status(sk_job_create(middle, &part, &bottom), SK_OK);
    handle_t jobs[] = {top, middle, bottom};
    for (size_t i = 0; i < 3; i++) {
        test_status(test_spawn(jobs[i], ARGUMENTS("wait"), NULL, 0, &children[i]), SK_OK);
    }
    test_status(sk_job_kill(top), SK_OK);
    for (size_t i = 0; i < 3; i++) {
        test_equal(test_child_end(&children[i]).exit_reason, SK_EXIT_KILLED);
    }
    test_status(sk_process_create(bottom, "late", 4, &refused), SK_BAD_STATE);
    sk_handle_close(bottom);
    sk_handle_close(middle);
    test_job_end(top);
}

/* Two children get a duplicate each, the parent closes its own, both still work. */
static void an_inherited_handle_serves_two_children(void)
{
    handle_t ours = SK_HANDLE_NONE, theirs = SK_HANDLE_NONE, copy = SK_HANDLE_NONE;
    handle_t job = test_job();
    struct sk_child children[2];
    test_status(sk_channel_create(job, &ours, &theirs), SK_OK);
    test_status(sk_handle_duplicate(theirs, SK_RIGHT_WRITE | SK_RIGHT_TRANSFER, &copy), SK_OK);
    struct sk_spawn_handle first = {"relay", copy}, second = {"relay", theirs};
    test_status(test_spawn(job, ARGUMENTS("relay"), &first, 1, &children[0]), SK_OK);
    test_status(test_spawn(job, ARGUMENTS("relay"), &second, 1, &children[1]), SK_OK);
    test_status(sk_handle_close(theirs), SK_BAD_HANDLE);
    for (size_t i = 0; i < 2; i++) {
        uint64_t word = 0;
        struct sk_in in = sk_in_bytes(&word, sizeof word);
        test_status(sk_channel_receive(ours, &in, test_deadline()), SK_OK);
        test_equal(word, 42);
    }
    for (size_t i = 0; i < 2; i++) {
        test_equal(test_child_end(&children[i]).exit_code, 0);
    }
    uint64_t word;
    struct sk_in in = sk_in_bytes(&word, sizeof word);
    test_status(sk_channel_receive(ours, &in, test_deadline()), SK_PEER_CLOSED);
    sk_handle_close(ours);
    test_job_end(job);
}

static void many_handles_arrive(void)
{
    struct sk_spawn_handle handles[SK_SPAWN_HANDLES_MAX];
    static char names[SK_SPAWN_HANDLES_MAX][16];
    handle_t event = SK_HANDLE_NONE, job = test_job();
    struct sk_child child;
    test_status(sk_event_create(job, &event), SK_OK);
    for (size_t i = 0; i < SK_SPAWN_HANDLES_MAX; i++) {
        snprintf(names[i], sizeof names[i], "event%u", (unsigned)i);
        handles[i].name = names[i];
        test_status(
            sk_handle_duplicate(event, SK_RIGHT_WRITE | SK_RIGHT_TRANSFER, &handles[i].handle),
            SK_OK);
    }
    if (test_status(test_spawn(job, ARGUMENTS("exit", "5"), handles, SK_SPAWN_HANDLES_MAX, &child),
                    SK_OK)) {
        test_equal(test_child_end(&child).exit_code, 5);
    }
    sk_handle_close(event);
    test_job_end(job);
}

/* A file that lies is refused, and nothing of the attempt is left (the case checks the counts). */
static void a_lying_program_is_refused(void)
{
    handle_t memory = SK_HANDLE_NONE, job = test_job();
    struct sk_child child;
    test_status(sk_memory_create(job, 2 * SK_PAGE_SIZE, 0, &memory), SK_OK);
    test_status(sk_memory_write(memory, 0, "\177ELF, or so it says", 19), SK_OK);
    struct sk_spawn spawn = {
        .name = "liar", .job = job, .image = memory, .image_size = 2 * SK_PAGE_SIZE};
    test_status(sk_spawn(&spawn, &child), SK_BAD_FORMAT);
    spawn.image_size = 10;
    test_status(sk_spawn(&spawn, &child), SK_BAD_FORMAT);
    spawn.image_size = 16 * SK_PAGE_SIZE;
    test_status(sk_spawn(&spawn, &child), SK_BAD_FORMAT);
    sk_handle_close(memory);
    test_job_end(job);
}

/* Two that compute with doubles, each with a rounding of its own, and one that does not until its end. */
static void floating_point_state_is_each_processs_own(void)
{
    static const char *const what[3][2] = {
        {"float", "4000"}, {"float", "4001"}, {"integer", "4000"}};
    struct sk_child children[3];
    handle_t jobs[3];
    for (size_t i = 0; i < 3; i++) {
        jobs[i] = test_job();
        test_status(test_spawn(jobs[i], ARGUMENTS(what[i][0], what[i][1]), NULL, 0, &children[i]),
                    SK_OK);
    }
    for (size_t i = 0; i < 3; i++) {
        uint64_t observed;
        struct sk_process_info info;
        test_status(
            sk_object_wait(children[i].process, SK_SIGNAL_TERMINATED, test_deadline(), &observed),
            SK_OK);
        test_status(sk_object_info(children[i].process, &info, sizeof info, &observed), SK_OK);
        test_equal(info.exit_reason, SK_EXIT_EXITED);
        test_equal(info.exit_code, 0);
        test_child_end(&children[i]);
        test_job_end(jobs[i]);
    }
}

/* Every budget that a spawn needs, one short: an error, and nothing left. */
static void a_spawn_over_budget_fails_cleanly(void)
{
    const struct sk_budget plenty = {
        .pages = 64, .objects = 64, .handles = 64, .messages = 16, .threads = 2};
    for (uint64_t i = 0; i < 40; i++) {
        struct sk_budget budget = plenty;
        budget.objects = i < 20 ? i : plenty.objects;
        budget.pages = i >= 20 ? i - 20 : plenty.pages;
        handle_t job = test_job_with(budget);
        struct sk_child child;
        status_t status = test_spawn(job, ARGUMENTS("exit", "0"), NULL, 0, &child);
        if (status == SK_OK) {
            test_child_end(&child);
        } else {
            test_check(status == SK_OVER_BUDGET || status == SK_NO_HANDLES);
        }
        test_job_end(job);
    }
}

#define MANY_SPAWNS 10000u

static void ten_thousand_spawns_leak_nothing(void)
{
    struct test_counts before, after;
    handle_t job = test_job();
    for (unsigned i = 0; i < MANY_SPAWNS; i++) {
        if (i == 100) {
            test_counts_take(&before);
        }
        struct sk_child child;
        if (!test_status(test_spawn(job, ARGUMENTS("exit", "1"), NULL, 0, &child), SK_OK)) {
            break;
        }
        if (!test_equal(test_child_end(&child).exit_code, 1)) {
            break;
        }
    }
    test_counts_take(&after);
    test_check(test_counts_back(&before));
    /* Caches may keep a few pages more than after the first hundred, but not one per spawn. */
    long long lost = (long long)(before.info.memory_free_pages - after.info.memory_free_pages);
    if (!test_check(lost < 64)) {
        printf("#   %lld pages fewer are free\n", lost);
    }
    test_job_end(job);
}

int main(void)
{
    test_case("exit codes arrive", exit_codes_arrive);
    test_case("arguments arrive", arguments_arrive);
    test_case("the environment is the child's own", an_own_environment_arrives);
    test_case("each start lies elsewhere", each_start_lies_elsewhere);
    test_case("too long arguments are refused", too_many_arguments_are_refused);
    test_case("a killed child says so", a_killed_child_says_so);
    test_case("floating point state is each process's own",
              floating_point_state_is_each_processs_own);
    test_case("a fault ends only the child", a_fault_ends_only_the_child);
    test_case("touching memory over the budget ends only the child",
              touching_over_budget_ends_only_the_child);
    test_case("malloc over the budget returns NULL", malloc_over_budget_is_null);
    test_case("the end shows on the boot channel", the_end_shows_on_the_boot_channel);
    test_case("an unstarted process does not run", an_unstarted_process_does_not_run);
    test_case("killing a job kills the tree", killing_a_job_kills_the_tree);
    test_case("an inherited handle serves two children", an_inherited_handle_serves_two_children);
    test_case("many handles arrive", many_handles_arrive);
    test_case("a lying program is refused", a_lying_program_is_refused);
    test_case("a spawn over budget fails cleanly", a_spawn_over_budget_fails_cleanly);
    test_case("10,000 spawns leak nothing", ten_thousand_spawns_leak_nothing);
    return test_done();
}
