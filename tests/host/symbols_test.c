/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of kernel/symbols.c over a table of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <kernel/symbols.h>

const uint32_t symbol_count = 3;
const uint64_t symbol_base = 0x1000;
const uint32_t symbol_offsets[] = {0, 0x10, 0x100};
const uint32_t symbol_places[] = {0, 4, 8};
const char symbol_names[] = "one\0two\0three";

static void names_the_function_that_contains_the_address(void **state)
{
    uint64_t offset = 99;

    assert_string_equal(symbol_find(0x1000, &offset), "one");
    assert_int_equal(offset, 0);
    assert_string_equal(symbol_find(0x100f, &offset), "one");
    assert_int_equal(offset, 0xf);
    assert_string_equal(symbol_find(0x1010, &offset), "two");
    assert_int_equal(offset, 0);
    assert_string_equal(symbol_find(0x1104, &offset), "three");
    assert_int_equal(offset, 4);
}

static void knows_nothing_outside(void **state)
{
    uint64_t offset = 99;

    assert_null(symbol_find(0xfff, &offset));
    assert_null(symbol_find(0x1100 + 4096, &offset));
    assert_null(symbol_find(UINT64_MAX, &offset));
    assert_int_equal(offset, 99);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_function_that_contains_the_address),
        cmocka_unit_test(knows_nothing_outside),
    };
    return cmocka_run_group_tests_name("symbols", tests, NULL, NULL);
}
