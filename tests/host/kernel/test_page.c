/* SPDX-License-Identifier: BSD-2-Clause */
/* Page allocator and object caches. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <kernel/page.h>

static bool is_zero(paddr_t pa, uint64_t bytes)
{
    const unsigned char *byte = phys_to_virt(pa);
    for (uint64_t i = 0; i < bytes; i++) {
        if (byte[i] != 0) {
            return false;
        }
    }
    return true;
}

static void test_frames_are_zeroed_and_counted(void **state)
{
    uint64_t before = page_free_count();
    paddr_t pa, again;
    assert_int_equal(page_alloc(NULL, &pa), SK_OK);
    assert_true(is_zero(pa, PAGE_SIZE));
    assert_int_equal(page_free_count(), before - 1);
    memset(phys_to_virt(pa), 0xff, PAGE_SIZE);
    page_free(NULL, pa);
    assert_int_equal(page_free_count(), before);
    assert_int_equal(page_alloc(NULL, &again), SK_OK);
    assert_true(is_zero(again, PAGE_SIZE));
    page_free(NULL, again);
}

static void test_blocks_are_aligned_and_below_the_limit(void **state)
{
    uint64_t before = page_free_count();
    paddr_t limit = HOST_RAM_BASE + (24ull << 20);
    for (uint32_t order = 0; order < 10; order++) {
        paddr_t pa;
        assert_int_equal(page_alloc_order(NULL, order, limit, &pa), SK_OK);
        assert_true(pa + (PAGE_SIZE << order) <= limit);
        memset(phys_to_virt(pa), 0xee, PAGE_SIZE << order);
        page_free_order(NULL, pa, order);
        assert_int_equal(page_free_count(), before);
    }
    paddr_t none;
    assert_int_equal(page_alloc_order(NULL, 0, HOST_RAM_BASE, &none), SK_NO_MEMORY);
    assert_int_equal(page_alloc_order(NULL, 19, ~0ull, &none), SK_NO_MEMORY);
    assert_int_equal(page_free_count(), before);
}

struct block {
    paddr_t pa;
    uint32_t order;
};

/* Takes everything in random sizes, gives it back in random order, and again: nothing overlaps,
 * nothing is lost, and what was joined can be had whole. */
static void test_everything_comes_back(void **state)
{
    uint64_t before = page_free_count();
    uint64_t frames = HOST_RAM_BYTES / PAGE_SIZE;
    unsigned char *taken = calloc(frames, 1);
    struct block *blocks = malloc(frames * sizeof *blocks);
    srand(7);
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t count = 0;
        uint64_t got = 0;
        for (uint32_t order = 9;;) {
            uint32_t wanted = order == 0 ? 0 : (uint32_t)rand() % (order + 1);
            struct block block = {.order = wanted};
            if (page_alloc_order(NULL, wanted, ~0ull, &block.pa) != SK_OK) {
                if (wanted == 0) {
                    break;
                }
                order = wanted - 1;
                continue;
            }
            for (uint64_t i = 0; i < 1ull << wanted; i++) {
                uint64_t frame = (block.pa - HOST_RAM_BASE) / PAGE_SIZE + i;
                assert_int_equal(taken[frame], 0);
                taken[frame] = 1;
            }
            got += 1ull << wanted;
            blocks[count++] = block;
        }
        assert_true(got + 32 >= before); /* a hart may hold some */
        while (count > 0) {
            uint32_t pick = (uint32_t)rand() % count;
            struct block block = blocks[pick];
            blocks[pick] = blocks[--count];
            memset(&taken[(block.pa - HOST_RAM_BASE) / PAGE_SIZE], 0, 1ull << block.order);
            page_free_order(NULL, block.pa, block.order);
        }
        assert_int_equal(page_free_count(), before);
    }
    paddr_t big;
    assert_int_equal(page_alloc_order(NULL, 12, ~0ull, &big), SK_OK);
    page_free_order(NULL, big, 12);
    free(taken);
    free(blocks);
}

static void test_frames_run_out(void **state)
{
    uint64_t before = page_free_count(), got = 0;
    paddr_t *frames = malloc(before * sizeof *frames);
    while (page_alloc(NULL, &frames[got]) == SK_OK) {
        got++;
    }
    assert_int_equal(got, before);
    assert_int_equal(page_free_count(), 0);
    while (got > 0) {
        page_free(NULL, frames[--got]);
    }
    assert_int_equal(page_free_count(), before);
    free(frames);
}

static void test_every_hart_has_its_own_frames(void **state)
{
    uint64_t before = page_free_count();
    paddr_t frames[200];
    for (uint32_t i = 0; i < 200; i++) {
        on_hart(i % hart_count);
        assert_int_equal(page_alloc_dirty(NULL, &frames[i]), SK_OK);
        for (uint32_t j = 0; j < i; j++) {
            assert_int_not_equal(frames[i], frames[j]);
        }
    }
    for (uint32_t i = 0; i < 200; i++) {
        on_hart(0);
        page_free(NULL, frames[i]);
    }
    assert_int_equal(page_free_count(), before);
}

static void test_charges(void **state)
{
    struct user user = user_start(SK_PRIORITY_DEFAULT);
    struct job *job = user.job;
    uint64_t used = job->used[BUDGET_PAGES], limit = job->limit[BUDGET_PAGES];
    uint64_t kernel = page_kernel_count();
    paddr_t pa;
    assert_int_equal(page_alloc(job, &pa), SK_OK);
    assert_int_equal(job->used[BUDGET_PAGES], used + 1);
    assert_int_equal(page_kernel_count(), kernel);
    job->limit[BUDGET_PAGES] = job->used[BUDGET_PAGES] + 3;
    paddr_t more;
    assert_int_equal(page_alloc_order(job, 2, ~0ull, &more), SK_OVER_BUDGET);
    assert_int_equal(page_alloc_order(job, 1, ~0ull, &more), SK_OK);
    page_free_order(job, more, 1);
    job->limit[BUDGET_PAGES] = limit;
    page_free(job, pa);
    assert_int_equal(job->used[BUDGET_PAGES], used);
    user_stop(&user);
}

static void test_a_chosen_allocation_fails_once(void **state)
{
    uint64_t before = page_free_count();
    paddr_t pa[3];
    page_fail_after(2);
    assert_int_equal(page_alloc(NULL, &pa[0]), SK_OK);
    assert_int_equal(page_alloc(NULL, &pa[1]), SK_NO_MEMORY);
    assert_int_equal(page_alloc(NULL, &pa[1]), SK_OK);
    page_free(NULL, pa[0]);
    page_free(NULL, pa[1]);
    assert_int_equal(page_free_count(), before);
}

struct odd {
    uint64_t words[13];
};

static void test_cache_memory_keeps_its_type(void **state)
{
    static struct cache cache = CACHE_INIT("odd", struct odd);
    struct odd *objects[500];
    for (uint32_t i = 0; i < 500; i++) {
        objects[i] = cache_alloc(&cache);
        assert_non_null(objects[i]);
        assert_int_equal((uintptr_t)objects[i] % 8, 0);
        for (uint32_t w = 0; w < 12; w++) {
            assert_int_equal(objects[i]->words[w], 0);
        }
        memset(objects[i], (int)i, sizeof(struct odd));
    }
    for (uint32_t i = 0; i < 500; i++) {
        struct odd expected;
        memset(&expected, (int)i, sizeof expected);
        assert_memory_equal(objects[i], &expected, sizeof expected);
    }
    assert_int_equal(cache.in_use, 500);
    cache_free(&cache, objects[100]);
    struct odd *again = cache_alloc(&cache);
    assert_ptr_equal(again, objects[100]);
    assert_int_equal(again->words[0], 100 * 0x0101010101010101ull);
    for (uint32_t i = 0; i < 500; i++) {
        cache_free(&cache, objects[i]);
    }
    assert_int_equal(cache.in_use, 0);
}

int main(void)
{
    kernel_start(3);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_are_zeroed_and_counted, census_setup,
                                        census_teardown),
        cmocka_unit_test_setup_teardown(test_blocks_are_aligned_and_below_the_limit, census_setup,
                                        census_teardown),
        cmocka_unit_test_setup_teardown(test_everything_comes_back, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_frames_run_out, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_every_hart_has_its_own_frames, census_setup,
                                        census_teardown),
        cmocka_unit_test_setup_teardown(test_charges, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_a_chosen_allocation_fails_once, census_setup,
                                        census_teardown),
        cmocka_unit_test_setup_teardown(test_cache_memory_keeps_its_type, census_setup,
                                        census_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
