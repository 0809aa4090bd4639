/* SPDX-License-Identifier: BSD-2-Clause */
/* shared/siphash.c: the published function, apart by purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <shared/siphash.h>

static const struct siphash_key key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
static const uint8_t bytes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

/* That of 15 bytes is in the paper's appendix, those of 0, 7 and 8 in its authors' list of vectors. */
static void it_is_the_published_function(void **state)
{
    assert_true(siphash(&key, 0, bytes, 15) == 0xa129ca6149be45e5);
    assert_true(siphash(&key, 0, bytes, 0) == 0x726fdb47dd0e0e31);
    assert_true(siphash(&key, 0, bytes, 7) == 0xab0200f58b01d137);
    assert_true(siphash(&key, 0, bytes, 8) == 0x93f5f5799a932462);
}

static void purposes_are_apart(void **state)
{
    assert_true(siphash(&key, 1, bytes, 15) != siphash(&key, 0, bytes, 15));
    assert_true(siphash(&key, 1, bytes, 15) != siphash(&key, 2, bytes, 15));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_published_function),
        cmocka_unit_test(purposes_are_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
