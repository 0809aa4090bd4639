/* SPDX-License-Identifier: BSD-2-Clause */
/* Tags and whole writes of the console's output, and its line editor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "input.h"
#include "output.h"

static struct output output;
static struct input input;

static int fresh(void **state)
{
    memset(&output, 0, sizeof output);
    memset(&input, 0, sizeof input);
    output_init(&output);
    return 0;
}

static bool text(uint64_t writer, const char *name, const char *words)
{
    return output_text(&output, writer, name, words, strlen(words));
}

static size_t take(uint8_t *bytes, size_t size)
{
    size_t length = output_peek(&output, bytes, size);
    output_drop(&output, length);
    return length;
}

static void expect(const char *wanted)
{
    char got[4096];
    size_t length = take((uint8_t *)got, sizeof got - 1);
    got[length] = '\0';
    assert_string_equal(got, wanted);
}

static void lines_carry_their_program(void **state)
{
    assert_true(text(10, "net", "one\ntwo\n"));
    assert_true(output_raw(&output, 1, "kernel says\n", 12));
    expect("net: one\r\nnet: two\r\nkernel says\r\n");
}

static void an_unfinished_line_goes_on_or_is_ended(void **state)
{
    assert_true(text(10, "a", "half "));
    assert_true(text(10, "a", "whole\n"));
    assert_true(text(10, "a", "cut"));
    assert_true(text(20, "b", "in\n"));
    expect("a: half whole\r\na: cut\r\nb: in\r\n");
}

static void a_write_is_whole_or_refused(void **state)
{
    char line[101];
    memset(line, 'x', 99);
    line[99] = '\n';
    line[100] = '\0';
    uint32_t taken = 0;
    while (text(10, "net", line)) {
        taken++;
    }
    uint32_t each = 5 + 99 + 2;
    assert_int_equal(taken, OUTPUT_BYTES / each);
    assert_int_equal(output.count, taken * each);
    uint8_t bytes[3 * 106];
    assert_int_equal(take(bytes, sizeof bytes), sizeof bytes);
    assert_true(text(10, "net", line)); /* wraps around the end of the ring */
    uint8_t last[OUTPUT_BYTES];
    size_t length = take(last, sizeof last);
    assert_int_equal(length, (taken - 2) * each);
    assert_memory_equal(last + length - each, "net: xxx", 8);
    assert_int_equal(output.count, 0);
}

static void type(const char *keys, const char *shown)
{
    char all[256] = "", echo[4];
    for (; *keys != '\0'; keys++) {
        size_t length = input_type(&input, (uint8_t)*keys, echo);
        strncat(all, echo, length);
    }
    assert_string_equal(all, shown);
}

static void expect_line(const char *wanted)
{
    char got[INPUT_LINE_MAX + 1];
    size_t length = input_take(&input, got, INPUT_LINE_MAX);
    got[length] = '\0';
    assert_string_equal(got, wanted);
}

static void lines_are_edited(void **state)
{
    assert_false(input_ready(&input));
    type("ab\bc\r", "ab\b \bc\r\n");
    type("wrong\x15right\n", "wrong\r\nright\r\n");
    type("\b\x01", "");
    assert_true(input_ready(&input));
    expect_line("ac\n");
    expect_line("right\n");
    assert_false(input_ready(&input));
}

static void the_end_of_input_comes_after_the_lines(void **state)
{
    type("last\r\x04", "last\r\n");
    expect_line("last\n");
    assert_true(input_ready(&input));
    expect_line("");
    assert_false(input_ready(&input));
    type("x\x04", "x"); /* not on an empty line */
    assert_false(input_ready(&input));
}

static void what_finds_no_room_is_not_shown(void **state)
{
    char echo[4];
    size_t shown = 0;
    for (uint32_t i = 0; i < 2 * INPUT_LINE_MAX; i++) {
        shown += input_type(&input, 'y', echo);
    }
    assert_int_equal(shown, INPUT_LINE_MAX - 1);
    uint32_t lines = 0;
    while (input_type(&input, '\r', echo) == 2) {
        lines++;
        memset(input.line, 'z', INPUT_LINE_MAX - 1);
        input.length = INPUT_LINE_MAX - 1;
    }
    assert_int_equal(lines, INPUT_QUEUE_BYTES / INPUT_LINE_MAX);
    char part[10];
    assert_int_equal(input_take(&input, part, sizeof part), sizeof part); /* the rest stays */
    assert_int_equal(input.queued, lines * INPUT_LINE_MAX - sizeof part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_carry_their_program, fresh),
        cmocka_unit_test_setup(an_unfinished_line_goes_on_or_is_ended, fresh),
        cmocka_unit_test_setup(a_write_is_whole_or_refused, fresh),
        cmocka_unit_test_setup(lines_are_edited, fresh),
        cmocka_unit_test_setup(the_end_of_input_comes_after_the_lines, fresh),
        cmocka_unit_test_setup(what_finds_no_room_is_not_shown, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
