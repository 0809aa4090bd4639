/* SPDX-License-Identifier: BSD-2-Clause */
/* Slices of memory objects: the same pages, and nothing beside them. */
#include <stdatomic.h>

#include "kernel_test.h"

static handle_t slice_of(handle_t whole, uint64_t page, uint64_t pages)
{
    handle_t slice;
    must(sk_memory_slice(whole, sk_self_job, page * SK_PAGE_SIZE, pages * SK_PAGE_SIZE, &slice));
    return slice;
}

static void it_is_the_same_pages(void)
{
    handle_t whole = make_memory(8), slice = slice_of(whole, 2, 3), inner = slice_of(slice, 1, 1);
    uint8_t byte = 7, got = 0;
    test_status(sk_memory_write(inner, 5, &byte, 1), SK_OK);
    test_status(sk_memory_read(slice, SK_PAGE_SIZE + 5, &got, 1), SK_OK);
    test_equal(got, 7);
    test_status(sk_memory_read(whole, 3 * SK_PAGE_SIZE + 5, &got, 1), SK_OK);
    test_equal(got, 7);
    uint64_t at = map_memory(inner, 1, SK_PROT_READ | SK_PROT_WRITE);
    *(volatile uint8_t *)(at + 6) = 8;
    test_status(sk_memory_read(whole, 3 * SK_PAGE_SIZE + 6, &got, 1), SK_OK);
    test_equal(got, 8);
    test_status(sk_memory_unmap(sk_self_process, at, SK_PAGE_SIZE), SK_OK);
    close_all((handle_t[]){whole, slice, inner}, 3);
}

static void it_ends_where_it_ends(void)
{
    handle_t whole = make_memory(8), slice = slice_of(whole, 2, 3), made;
    uint8_t byte = 0;
    uint64_t at;
    test_status(sk_memory_read(slice, 3 * SK_PAGE_SIZE, &byte, 1), SK_OUT_OF_RANGE);
    test_status(sk_memory_read(slice, ~(uint64_t)0, &byte, 1), SK_OUT_OF_RANGE);
    test_status(sk_memory_map(sk_self_process, slice, 0, 4 * SK_PAGE_SIZE, 0, SK_PROT_READ, &at),
                SK_OUT_OF_RANGE);
    test_status(sk_memory_slice(slice, sk_self_job, 2 * SK_PAGE_SIZE, 2 * SK_PAGE_SIZE, &made),
                SK_OUT_OF_RANGE);
    test_status(sk_memory_slice(slice, sk_self_job, 4 * SK_PAGE_SIZE, SK_PAGE_SIZE, &made),
                SK_OUT_OF_RANGE);
    test_status(sk_memory_slice(slice, sk_self_job, 0, ~(uint64_t)0, &made), SK_OUT_OF_RANGE);
    test_status(sk_memory_slice(slice, sk_self_job, 8, SK_PAGE_SIZE, &made), SK_INVALID_ARGS);
    test_status(sk_memory_slice(slice, sk_self_job, 0, 0, &made), SK_INVALID_ARGS);
    close_all((handle_t[]){whole, slice}, 2);
}

static void its_rights_are_those_of_the_whole(void)
{
    handle_t whole = make_memory(2), made;
    handle_t reader = duplicate(whole, SK_RIGHT_READ | SK_RIGHT_MAP | SK_RIGHT_DUPLICATE);
    handle_t bare = duplicate(whole, SK_RIGHT_READ | SK_RIGHT_MAP);
    test_status(sk_memory_slice(bare, sk_self_job, 0, SK_PAGE_SIZE, &made), SK_ACCESS_DENIED);
    handle_t slice = slice_of(reader, 0, 1);
    test_equal(rights_of(slice), SK_RIGHT_READ | SK_RIGHT_MAP | SK_RIGHT_DUPLICATE);
    uint8_t byte = 1;
    test_status(sk_memory_write(slice, 0, &byte, 1), SK_ACCESS_DENIED);
    close_all((handle_t[]){whole, reader, bare, slice}, 4);
}

static void it_keeps_the_pages(void)
{
    handle_t job = test_job_with((struct sk_budget){.pages = 8, .objects = 4}), whole, slice, made;
    must(sk_memory_create(job, 4 * SK_PAGE_SIZE, SK_MEMORY_COMMIT, &whole));
    uint64_t pages = job_info(job).used.pages;
    must(sk_memory_slice(whole, job, SK_PAGE_SIZE, SK_PAGE_SIZE, &slice));
    test_equal(job_info(job).used.pages, pages);
    test_equal(job_info(job).used.objects, 2);
    uint8_t byte = 9;
    must(sk_memory_write(slice, 0, &byte, 1));
    must(sk_memory_slice(whole, job, 0, SK_PAGE_SIZE, &made));
    sk_handle_close(whole);
    byte = 0;
    test_status(sk_memory_read(slice, 0, &byte, 1), SK_OK);
    test_equal(byte, 9);
    handle_t one_more = SK_HANDLE_NONE, too_many;
    test_status(sk_memory_slice(slice, job, 0, SK_PAGE_SIZE, &one_more), SK_OK);
    test_status(sk_memory_slice(slice, job, 0, SK_PAGE_SIZE, &too_many), SK_OVER_BUDGET);
    close_all((handle_t[]){slice, made, one_more}, 3);
    uint64_t limit = test_deadline();
    while (job_info(job).used.pages != 0 && sk_now() < limit) {
        sk_thread_yield();
    }
    test_equal(job_info(job).used.pages, 0);
    test_job_end(job);
}

static _Atomic uint32_t *in_slice;

static void wake(void *argument)
{
    uint64_t woken = 0;
    while (woken == 0) {
        sk_futex_wake((const void *)in_slice, 1, &woken);
    }
}

/* A word has one name, whichever way it is reached. */
static void a_futex_is_found_through_it(void)
{
    handle_t whole = make_memory(2), slice = slice_of(whole, 1, 1);
    uint64_t all = map_memory(whole, 2, SK_PROT_READ | SK_PROT_WRITE);
    uint64_t part = map_memory(slice, 1, SK_PROT_READ | SK_PROT_WRITE);
    struct sk_thread thread;
    in_slice = (_Atomic uint32_t *)(part + 8);
    start_thread(&thread, wake, NULL);
    test_status(sk_futex_wait((const void *)(all + SK_PAGE_SIZE + 8), 0, test_deadline()), SK_OK);
    join_thread(&thread);
    test_status(sk_memory_unmap(sk_self_process, all, 2 * SK_PAGE_SIZE), SK_OK);
    test_status(sk_memory_unmap(sk_self_process, part, SK_PAGE_SIZE), SK_OK);
    close_all((handle_t[]){whole, slice}, 2);
}

void test_slices(void)
{
    self_case("slice: it is the same pages", it_is_the_same_pages);
    self_case("slice: it ends where it ends", it_ends_where_it_ends);
    self_case("slice: its rights are those of the whole", its_rights_are_those_of_the_whole);
    self_case("slice: it keeps the pages", it_keeps_the_pages);
    self_case("slice: a futex is found through it", a_futex_is_found_through_it);
}
