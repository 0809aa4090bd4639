/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of services/init/words.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../../services/init/words.h"

static unsigned complaints;
static char last_complaint[64];

static void complain(const char *word, const char *reason)
{
    complaints++;
    strncpy(last_complaint, word, sizeof last_complaint - 1);
    assert_true(strlen(reason) > 0);
}

static struct words words;

/* Parses one word. */
static void parse(const char *word)
{
    static char copy[256];
    char *list[] = {copy};
    strcpy(copy, word);
    complaints = 0;
    words_parse(list, 1, &words, complain);
}

static void defaults(void **state)
{
    words_parse(NULL, 0, &words, complain);
    assert_string_equal(words.manifest, "system");
    assert_int_equal(words.run_count, 0);
}

static void reads_known_words(void **state)
{
    parse("manifest=test");
    assert_string_equal(words.manifest, "test");
    parse("run=http-client,-v,http://127.0.0.1/");
    assert_int_equal(words.run_count, 3);
    assert_string_equal(words.run[0], "http-client");
    assert_string_equal(words.run[2], "http://127.0.0.1/");
    parse("off=net,fs");
    assert_int_equal(words.off_count, 2);
    assert_string_equal(words.off[1], "fs");
    parse("ip=10.0.2.15::10.0.2.2:255.255.255.0");
    assert_int_equal(words.environment_count, 1);
    assert_string_equal(words.environment[0], "ip=10.0.2.15::10.0.2.2:255.255.255.0");
    parse("panic=off");
    assert_int_equal(complaints, 0);
    assert_int_equal(words.environment_count, 0);
}

static void complains_once_about_each_bad_word(void **state)
{
    static const char *const bad[] = {
        "quiet",
        "root=/dev/vda",
        "run",
        "run=",
        "run=,x",
        "=",
        "manifest=",
        "manifest=../x",
        "manifest=a23456789012345678901234567890123",
        "off",
        "run=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        parse(bad[i]);
        assert_int_equal(complaints, 1);
        assert_string_equal(words.manifest, "system");
        assert_int_equal(words.run_count, 0);
    }
    parse("quiet");
    assert_string_equal(last_complaint, "quiet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(reads_known_words),
        cmocka_unit_test(complains_once_about_each_bad_word),
    };
    return cmocka_run_group_tests_name("words", tests, NULL, NULL);
}
