/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/random.c: the same from the same seed, another from another; no number twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <kernel/random.h>

static const unsigned char seed[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};

/* Key 00..0f (what a seed of 15 bytes and the time make of it) and eight zero bytes, by another
 * implementation, which also gives the paper's vector for the bytes 00..07, 93f5f5799a932462. */
static void it_is_siphash(void **state)
{
    unsigned char bytes[15];
    for (unsigned char i = 0; i < 15; i++) {
        bytes[i] = i;
    }
    random_init(bytes, sizeof bytes, (uint64_t)0x0f << 56);
    assert_int_equal(random_next(), 0x39d3851ca07681a7);
}

static void it_depends_on_every_byte_and_the_time(void **state)
{
    random_init(seed, sizeof seed, 5);
    uint64_t first = random_next();
    random_init(seed, sizeof seed, 5);
    assert_int_equal(random_next(), first);
    random_init(seed, sizeof seed, 6);
    assert_int_not_equal(random_next(), first);
    for (size_t i = 0; i < sizeof seed; i++) {
        unsigned char other[sizeof seed];
        memcpy(other, seed, sizeof seed);
        other[i] ^= 0x80;
        random_init(other, sizeof other, 5);
        assert_int_not_equal(random_next(), first);
    }
}

static void numbers_differ(void **state)
{
    uint64_t ones = 0, all[1000];
    random_init(seed, sizeof seed, 5);
    for (size_t i = 0; i < 1000; i++) {
        all[i] = random_next();
        ones += (uint64_t)__builtin_popcountll(all[i]);
        for (size_t k = 0; k < i; k++) {
            assert_int_not_equal(all[i], all[k]);
        }
    }
    assert_in_range(ones, 31500, 32500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_siphash),
        cmocka_unit_test(it_depends_on_every_byte_and_the_time),
        cmocka_unit_test(numbers_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
