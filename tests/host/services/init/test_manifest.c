/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of services/init/manifest.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sk/protocol/init.h>

#include "../../../../services/init/manifest.h"

static struct manifest manifest;
static struct manifest_error error;

static status_t parse(const char *text)
{
    static char buffer[4096];
    strcpy(buffer, text);
    return manifest_parse(buffer, &manifest, &error);
}

static void reads_everything(void **state)
{
    assert_int_equal(parse("# a comment\n"
                           "program net   # another\n"
                           "\tfile bin/net2\n"
                           "    arguments -v  x\n"
                           "    priority 20\r\n"
                           "    budget pages=100 objects=1 handles=2 messages=3 threads=4\n"
                           "    offers net tcp\n"
                           "    may-offer nic*\n"
                           "    connects a b\n"
                           "    connects c\n"
                           "    handles log console\n"
                           "    grants low-ports inspect\n"
                           "    restart always\n"
                           "    ready\n"
                           "    off\n"
                           "\n"
                           "program *\n"
                           "    manual\n"
                           "    budget 5% threads=7"),
                     SK_OK);
    assert_int_equal(manifest.count, 2);
    const struct manifest_program *net = manifest_find(&manifest, "net");
    assert_non_null(net);
    assert_string_equal(net->file, "bin/net2");
    assert_int_equal(net->argument_count, 2);
    assert_string_equal(net->arguments[1], "x");
    assert_int_equal(net->priority, 20);
    assert_int_equal(net->budget.pages, 100);
    assert_int_equal(net->budget.threads, 4);
    assert_int_equal(net->offers.count, 2);
    assert_int_equal(net->connects.count, 3);
    assert_int_equal(net->handles, MANIFEST_HANDLE_LOG | MANIFEST_HANDLE_CONSOLE);
    assert_int_equal(net->grants, SK_GRANT_LOW_PORTS | SK_GRANT_INSPECT);
    assert_int_equal(net->restart, MANIFEST_RESTART_ALWAYS);
    assert_true(net->ready && net->off && !net->manual);
    const struct manifest_program *any = manifest_find(&manifest, "*");
    assert_int_equal(any->percent.pages, 5);
    assert_int_equal(any->percent.messages, 5);
    assert_int_equal(any->budget.messages, 0);
    assert_int_equal(any->percent.threads, 0);
    assert_int_equal(any->budget.threads, 7);
    assert_int_equal(any->priority, SK_PRIORITY_DEFAULT);
    assert_true(any->manual);
    assert_null(manifest_find(&manifest, "fs"));
}

static void an_empty_manifest_is_good(void **state)
{
    assert_int_equal(parse(""), SK_OK);
    assert_int_equal(parse("\n# nothing\n\n"), SK_OK);
    assert_int_equal(manifest.count, 0);
}

static void mistakes_are_told_with_line_and_word(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
        const char *word;
    } cases[] = {
        {"offers x\n", 1, "offers"},
        {"program\n", 1, ""},
        {"program a b\n", 1, ""},
        {"program a\nprogram a\n", 2, "a"},
        {"program a\n\npriority 32\n", 3, "32"},
        {"program a\npriority 0\n", 2, "0"},
        {"program a\npriority -1\n", 2, "-1"},
        {"program a\npriority 99999999999999999999999\n", 2, "99999999999999999999999"},
        {"program a\npriority\n", 2, "priority"},
        {"program a\nready now\n", 2, "ready"},
        {"program a\nhandles key\n", 2, "key"},
        {"program a\ngrants all\n", 2, "all"},
        {"program a\nrestart maybe\n", 2, "maybe"},
        {"program a\nbudget pages\n", 2, "pages"},
        {"program a\nbudget pages=0%\n", 2, "pages=0%"},
        {"program a\nbudget pages=101%\n", 2, "pages=101%"},
        {"program a\nbudget objects=\n", 2, "objects="},
        {"program a\nbudget objects=4%%\n", 2, "objects=4%%"},
        {"program a\nbudget 4\n", 2, "4"},
        {"program a\nbudget %\n", 2, "%"},
        {"program a\nbudget =4\n", 2, "=4"},
        {"program a\nnonsense\n", 2, "nonsense"},
        {"program a23456789012345678901234567890123\n", 1, "a23456789012345678901234567890123"},
        {"program a\noffers x\nprogram b\noffers x\n", 4, "x"},
        {"program a\noffers x x\n", 2, "x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(cases[i].text), SK_BAD_FORMAT);
        assert_int_equal(error.line, cases[i].line);
        assert_string_equal(error.word, cases[i].word);
        assert_true(strlen(error.reason) > 0);
    }
}

static void too_much_is_refused(void **state)
{
    char text[4096] = "";
    for (unsigned i = 0; i <= MANIFEST_PROGRAMS_MAX; i++) {
        char line[32];
        snprintf(line, sizeof line, "program p%u\n", i);
        strcat(text, line);
    }
    assert_int_equal(parse(text), SK_BAD_FORMAT);
    assert_int_equal(error.line, MANIFEST_PROGRAMS_MAX + 1);
    assert_int_equal(parse("program a\nconnects 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"),
                     SK_BAD_FORMAT);
    assert_int_equal(
        parse("program a\nconnects a b c d e f g h i j k l m n o p q r s t u v w x y\n"),
        SK_BAD_FORMAT);
}

static void patterns_match_beginnings(void **state)
{
    const struct manifest_list list = {.count = 2, .items = {"nic*", "rtc"}};
    const struct manifest_list all = {.count = 1, .items = {"*"}};
    assert_true(manifest_list_matches(&list, "nic0"));
    assert_true(manifest_list_matches(&list, "nic"));
    assert_true(manifest_list_matches(&list, "rtc"));
    assert_false(manifest_list_matches(&list, "rtc0"));
    assert_false(manifest_list_matches(&list, "ni"));
    assert_true(manifest_list_matches(&all, "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_everything),
        cmocka_unit_test(an_empty_manifest_is_good),
        cmocka_unit_test(mistakes_are_told_with_line_and_word),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(patterns_match_beginnings),
    };
    return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
