/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/log.c: the ring, and who prints. The event and the firmware's console are fakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arch/cpu.h>
#include <kernel/event.h>
#include <kernel/hart.h>
#include <kernel/log.h>
#include <kernel/object.h>

#define RING 16384u

static struct hart this_hart;
_Thread_local struct hart *host_hart = &this_hart;

static char printed[65536 + 1];
static size_t printed_length;
static unsigned signalled;

void cpu_console_write(const char *text, size_t length)
{
    assert_true(printed_length + length < sizeof(printed));
    memcpy(printed + printed_length, text, length);
    printed_length += length;
}

void event_signal(struct object *event)
{
    assert_true(event->refs > 1); /* a reference for as long as it is used */
    signalled++;
}

void object_put(struct object *object)
{
    assert_true(object->refs > 0);
    object->refs--;
}

void lock_order_acquire(struct spinlock *lock, bool pair)
{
    assert_int_equal(lock->word, 0);
}

void lock_order_release(struct spinlock *lock)
{
    assert_int_equal(lock->word, 1);
}

void lock_acquire_contended(struct spinlock *lock)
{
    fail_msg("nobody else has the lock");
}

/* The end of the log so far. */
static uint64_t end_of_log(void)
{
    uint64_t next;
    char byte;
    log_copy(~(uint64_t)0, &byte, 1, &next);
    return next;
}

static void prints_and_keeps(void **state)
{
    printed_length = 0;
    uint64_t start = end_of_log();
    log_printf("hart %u of %s: %lx\n", 3, "four", 0xabcul);
    assert_memory_equal(printed, "hart 3 of four: abc\n", 20);
    char text[64];
    uint64_t next;
    assert_int_equal(log_copy(start, text, sizeof(text), &next), 20);
    assert_memory_equal(text, printed, 20);
    assert_int_equal(next, start + 20);
    assert_int_equal(log_copy(next, text, sizeof(text), &next), 0);
    assert_int_equal(next, start + 20);
}

static void cuts_a_line_that_is_too_long(void **state)
{
    static char word[1000];
    memset(word, 'x', sizeof(word) - 1);
    printed_length = 0;
    log_printf("%s", word);
    assert_int_equal(printed_length, 255);
}

static void skips_what_the_ring_lost(void **state)
{
    uint64_t start = end_of_log();
    static char block[1000];
    for (unsigned i = 0; i < 40; i++) {
        memset(block, 'a' + (int)(i % 26), sizeof(block));
        printed_length = 0;
        log_append(block, sizeof(block));
    }
    static char text[65536];
    uint64_t next;
    size_t length = log_copy(start, text, sizeof(text), &next);
    assert_int_equal(length, RING);
    assert_int_equal(next, start + 40 * sizeof(block));
    assert_int_equal(text[length - 1], 'a' + 39 % 26);
    assert_int_equal(text[length - 1001], 'a' + 38 % 26);
}

static bool said(const char *words)
{
    printed[printed_length] = '\0';
    return strstr(printed, words) != NULL;
}

static uint32_t admitted_of(struct log_share *share, uint32_t reports, uint64_t now_ns)
{
    uint32_t admitted = 0;
    for (uint32_t i = 0; i < reports; i++) {
        admitted += log_admits(share, &log_reports, LOG_REPORT_NS, "bad", now_ns);
    }
    return admitted;
}

static void a_flood_of_faults_is_left_out_and_counted(void **state)
{
    const uint64_t second = 1000000000;
    struct log_share share = {0}, other = {0};
    printed_length = 0;
    assert_int_equal(admitted_of(&share, 1000, 5 * second), 8);
    assert_true(said("bad: too many faults, more are left out\n"));
    assert_int_equal(printed_length, strlen("bad: too many faults, more are left out\n"));
    printed_length = 0;
    assert_int_equal(admitted_of(&share, 10, 6 * second - 1), 0);
    assert_int_equal(admitted_of(&share, 1, 6 * second), 1);
    assert_true(said("bad: 1002 more faults\n"));
    /* Never more at once, however long it was quiet; another one has its own; the root has no limit. */
    assert_int_equal(admitted_of(&share, 1000, 1000000 * second), 8);
    assert_int_equal(admitted_of(&other, 1, 1000000 * second), 1);
    assert_int_equal(admitted_of(NULL, 100, 0), 100);
}

/* Bytes of programs: when some were left out it rests, so that there is no line about that for every line. */
static void a_flood_of_lines_rests(void **state)
{
    const uint64_t second = 1000000000, line = 64 * LOG_BYTE_NS;
    struct log_share share = {0};
    uint32_t admitted = 0;
    printed_length = 0;
    for (int i = 0; i < 1000; i++) {
        admitted += log_admits(&share, &log_writes, line, "loud", second);
    }
    assert_int_equal(admitted, RING / 2 / 64);
    assert_true(said("loud: too many lines for the log, more are left out\n"));
    assert_false(log_admits(&share, &log_writes, line, "loud", 2 * second));
    assert_true(log_admits(&share, &log_writes, line, "loud", 2 * second + 2 * line));
    assert_true(said("loud: 873 more lines for the log\n"));
    assert_true(log_admits(&share, &log_writes, line, "loud", 2 * second + 2 * line));
}

static void a_console_takes_over_and_is_told_later(void **state)
{
    struct object event = {.refs = 1};
    struct object other = {.refs = 1};
    uint64_t position = 0, next;
    char text[8];
    assert_int_equal(log_take_console(&event, &position), SK_OK);
    assert_int_equal(log_take_console(&other, &position), SK_BUSY);
    log_tell_console(); /* what was there before */
    signalled = 0;
    printed_length = 0;
    log_tell_console();
    assert_int_equal(signalled, 0);
    log_append("a", 1);
    log_append("b", 1);
    assert_int_equal(signalled, 0); /* never under the writer's locks */
    log_tell_console();
    log_tell_console();
    assert_int_equal(signalled, 1);
    assert_int_equal(event.refs, 1);
    assert_int_equal(printed_length, 0);
    /* From there on it is what nobody has printed. */
    assert_int_equal(log_copy(position, text, sizeof text, &next), 2);
    assert_memory_equal(text, "ab", 2);

    log_console_lost(&other);
    assert_int_equal(other.refs, 1);
    log_console_lost(&event);
    assert_int_equal(event.refs, 0);
    log_append("c", 1);
    assert_int_equal(printed_length, 1);
    log_tell_console();
    assert_int_equal(signalled, 1);
}

static void a_panic_prints_whoever_has_the_console(void **state)
{
    struct object event = {.refs = 1};
    uint64_t position;
    assert_int_equal(log_take_console(&event, &position), SK_OK);
    printed_length = 0;
    log_panic_mode();
    log_append("dead", 4);
    assert_int_equal(printed_length, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_and_keeps),
        cmocka_unit_test(cuts_a_line_that_is_too_long),
        cmocka_unit_test(skips_what_the_ring_lost),
        cmocka_unit_test(a_flood_of_faults_is_left_out_and_counted),
        cmocka_unit_test(a_flood_of_lines_rests),
        cmocka_unit_test(a_console_takes_over_and_is_told_later),
        cmocka_unit_test(a_panic_prints_whoever_has_the_console),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
