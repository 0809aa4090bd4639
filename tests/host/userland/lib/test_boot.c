/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of userland/lib/boot_message.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../../userland/lib/boot.h"

static const char *const strings[] = {"prog", "one", "", "A=b", "process", "job"};

static size_t compose(char *message)
{
    struct sk_boot_header header = {.argument_count = 3, .environment_count = 1, .handle_count = 2};
    size_t length = 0;
    assert_int_equal(boot_compose(&header, strings, message, &length), SK_OK);
    return length;
}

static void what_is_composed_is_parsed(void **state)
{
    char message[SK_MESSAGE_BYTES_MAX];
    size_t length = compose(message);
    struct sk_boot_header header;
    char *parsed[6];

    assert_int_equal(boot_parse(message, length, 2, &header, parsed, 6), SK_OK);
    assert_int_equal(header.argument_count, 3);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(parsed[i], strings[i]);
    }
}

static void every_cut_and_wrong_count_is_refused(void **state)
{
    char message[SK_MESSAGE_BYTES_MAX];
    size_t length = compose(message);
    struct sk_boot_header header;
    char *parsed[6];

    for (size_t cut = 0; cut < length; cut++) {
        char copy[SK_MESSAGE_BYTES_MAX];
        memcpy(copy, message, cut);
        if (cut >= sizeof header) {
            ((struct sk_boot_header *)copy)->length = (uint32_t)cut;
        }
        assert_int_equal(boot_parse(copy, cut, 2, &header, parsed, 6), SK_BAD_FORMAT);
    }
    assert_int_equal(boot_parse(message, length, 3, &header, parsed, 6), SK_BAD_FORMAT);
    assert_int_equal(boot_parse(message, length, 2, &header, parsed, 5), SK_TOO_BIG);
    message[0] ^= 1;
    assert_int_equal(boot_parse(message, length, 2, &header, parsed, 6), SK_BAD_FORMAT);
}

static void too_long_is_refused(void **state)
{
    char message[SK_MESSAGE_BYTES_MAX], big[SK_MESSAGE_BYTES_MAX];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = 0;
    const char *list[] = {big};
    struct sk_boot_header header = {.argument_count = 1};
    size_t length;
    assert_int_equal(boot_compose(&header, list, message, &length), SK_TOO_BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_composed_is_parsed),
        cmocka_unit_test(every_cut_and_wrong_count_is_refused),
        cmocka_unit_test(too_long_is_refused),
    };
    return cmocka_run_group_tests_name("boot message", tests, NULL, NULL);
}
