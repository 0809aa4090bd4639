/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TAP and counts. The counts are the whole system's, and other programs are busy with what the test
 * made them do (the console prints its lines), so they are compared only once they stand still.
 */
#include "guest_test.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_STEP (2 * SK_MS)
#define SETTLE_SAME 3
#define SETTLE_MESSAGES (20 * SETTLE_SAME) /* ... and messages are queued */
#define BACK_LIMIT (5 * SK_SECOND)

static unsigned cases, failed;
static bool case_failed;

bool test_check_at(bool condition, const char *file, int line, const char *text)
{
    if (!condition) {
        case_failed = true;
        const char *base = strrchr(file, '/');
        printf("# %s:%d: not true: %s\n", base != NULL ? base + 1 : file, line, text);
    }
    return condition;
}

bool test_equal_at(long long actual, long long expected, const char *file, int line,
                   const char *text)
{
    bool good = test_check_at(actual == expected, file, line, text);
    if (!good) {
        printf("#   it is %lld, expected %lld\n", actual, expected);
    }
    return good;
}

bool test_status_at(status_t actual, status_t expected, const char *file, int line,
                    const char *text)
{
    bool good = test_check_at(actual == expected, file, line, text);
    if (!good) {
        printf("#   it is \"%s\", expected \"%s\"\n", sk_status_words(actual),
               sk_status_words(expected));
    }
    return good;
}

static void read_counts(struct test_counts *counts)
{
    uint64_t written;
    if (sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_GENERAL, &counts->info,
                       sizeof counts->info, &written) != SK_OK) {
        sk_die("tests need the handle \"inspect\"");
    }
}

/* Nobody but us has anything to do: a host that is late with another hart changes no count later. */
static bool quiet(const struct test_counts *counts)
{
    return counts->info.runnable == 1;
}

static bool same(const struct test_counts *a, const struct test_counts *b)
{
    return memcmp(a->info.objects, b->info.objects, sizeof a->info.objects) == 0 &&
           a->info.handles == b->info.handles && a->info.messages == b->info.messages;
}

void test_counts_take(struct test_counts *counts)
{
    struct test_counts now;
    uint64_t deadline = sk_deadline_after(BACK_LIMIT);
    read_counts(counts);
    /* A message that waits, for a console that still prints a fault's report say, will be gone some time. */
    for (int equal = 0; equal < (counts->info.messages == 0 ? SETTLE_SAME : SETTLE_MESSAGES) &&
                        sk_now() < deadline;) {
        sk_sleep(SETTLE_STEP);
        read_counts(&now);
        equal = same(&now, counts) && quiet(&now) ? equal + 1 : 0;
        *counts = now;
    }
}

static void say_difference(const struct test_counts *before, const struct test_counts *now)
{
    static const char *const names[SK_TYPE_COUNT] = {
        "",          "jobs",   "processes", "threads",    "endpoints", "memory objects",
        "wait sets", "events", "timers",    "interrupts", "resources",
    };
    for (unsigned i = 1; i < SK_TYPE_COUNT; i++) {
        if (before->info.objects[i] != now->info.objects[i]) {
            printf("# %s: %lld more\n", names[i],
                   (long long)(now->info.objects[i] - before->info.objects[i]));
        }
    }
    printf("# handles: %lld more, messages: %lld more\n",
           (long long)(now->info.handles - before->info.handles),
           (long long)(now->info.messages - before->info.messages));
}

bool test_counts_back(const struct test_counts *before)
{
    struct test_counts now;
    uint64_t deadline = sk_deadline_after(BACK_LIMIT);
    do {
        read_counts(&now);
        if (same(before, &now)) {
            return true;
        }
        sk_sleep(SETTLE_STEP);
    } while (sk_now() < deadline);
    say_difference(before, &now);
    return false;
}

static void report(const char *name)
{
    cases++;
    failed += case_failed;
    printf("%sok %u - %s\n", case_failed ? "not " : "", cases, name);
}

/* Before any count is taken: the heap is made at the first allocation, and a console service that has our line is up. */
static void make_ready(void)
{
    static void *kept;
    if (kept == NULL) {
        kept = malloc(1);
        test_check(kept != NULL);
        printf("# all is counted from here\n");
        fflush(stdout);
    }
}

void test_case(const char *name, void (*body)(void))
{
    struct test_counts before;
    case_failed = false;
    make_ready();
    test_counts_take(&before);
    body();
    test_check_at(test_counts_back(&before), __FILE__, __LINE__, "all counts are back");
    report(name);
}

void test_case_uncounted(const char *name, void (*body)(void))
{
    case_failed = false;
    body();
    report(name);
}

void test_skip(const char *name, const char *reason)
{
    printf("ok %u - %s # SKIP %s\n", ++cases, name, reason);
}

int test_done(void)
{
    printf("1..%u\n", cases);
    return failed == 0 && cases > 0 ? 0 : 1;
}
