/* SPDX-License-Identifier: BSD-2-Clause */
/* memcpy_by_words: every alignment of both sides, every length that matters, nothing beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../../../userland/lib/memcpy.h"

#define LENGTH_MAX 200u

static void every_alignment_and_length(void **state)
{
    _Alignas(8) static uint8_t from[LENGTH_MAX + 32], to[LENGTH_MAX + 32],
        expected[LENGTH_MAX + 32];

    for (size_t i = 0; i < sizeof from; i++) {
        from[i] = (uint8_t)(i * 37 + 11);
    }
    for (size_t a = 0; a < 8; a++) {
        for (size_t b = 0; b < 8; b++) {
            for (size_t length = 0; length <= LENGTH_MAX; length++) {
                memset(to, 0xee, sizeof to);
                memset(expected, 0xee, sizeof expected);
                for (size_t i = 0; i < length; i++) {
                    expected[8 + a + i] = from[8 + b + i];
                }
                assert_ptr_equal(memcpy_by_words(to + 8 + a, from + 8 + b, length), to + 8 + a);
                assert_memory_equal(to, expected, sizeof to);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_alignment_and_length)};
    return cmocka_run_group_tests_name("memcpy", tests, NULL, NULL);
}
