/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory objects and mappings.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "kernel_test.h"

extern const char __ehdr_start[]; /* where this program begins */

#define RW (SK_PROT_READ | SK_PROT_WRITE)
#define RX (SK_PROT_READ | SK_PROT_EXECUTE)
#define PAGES 600u /* of a large object: more than one table of frames */
#define CYCLES 100000u
#define REGIONS 1000u

static struct sk_memory_info memory_info(handle_t memory)
{
    struct sk_memory_info info = {0};
    uint64_t written;
    must(sk_object_info(memory, &info, sizeof info, &written));
    return info;
}

static void unmap(uint64_t address, uint64_t pages)
{
    test_status(sk_memory_unmap(sk_self_process, address, pages * SK_PAGE_SIZE), SK_OK);
}

static bool all_zero(const uint64_t *words, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / sizeof *words; i++) {
        if (words[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Three times, so that frames come back dirty. */
static void it_reads_as_zeroes(void)
{
    for (int round = 0; round < 3; round++) {
        handle_t memory = make_memory(PAGES);
        uint64_t address = map_memory(memory, PAGES, RW);
        test_check(all_zero((const uint64_t *)address, PAGES * SK_PAGE_SIZE));
        memset((void *)address, 0xff, PAGES * SK_PAGE_SIZE);
        test_equal(memory_info(memory).committed_pages, PAGES);
        unmap(address, PAGES);
        test_status(sk_handle_close(memory), SK_OK);
    }
}

static void pages_are_charged_when_touched(void)
{
    handle_t job = test_job_with((struct sk_budget){.pages = 100, .objects = 4}), memory;
    must(sk_memory_create(job, 50 * SK_PAGE_SIZE - 5, 0, &memory));
    test_equal(memory_info(memory).size, 50 * SK_PAGE_SIZE);
    test_equal(memory_info(memory).committed_pages, 0);
    test_equal(memory_info(memory).physical, 0);
    uint64_t before = job_info(job).used.pages;
    uint64_t address = map_memory(memory, 50, RW);
    for (uint64_t i = 0; i < 10; i++) {
        *(uint8_t *)(address + i * 5 * SK_PAGE_SIZE) = 1;
        test_equal(memory_info(memory).committed_pages, i + 1);
    }
    test_check(job_info(job).used.pages - before >= 10);
    unmap(address, 50);
    test_status(sk_handle_close(memory), SK_OK);
    test_equal(job_info(job).used.pages, 0);

    must(sk_memory_create(job, 50 * SK_PAGE_SIZE, SK_MEMORY_COMMIT, &memory));
    test_equal(memory_info(memory).committed_pages, 50);
    test_status(sk_handle_close(memory), SK_OK);
    test_equal(job_info(job).used.pages, 0);
    test_status(sk_memory_create(job, 101 * SK_PAGE_SIZE, SK_MEMORY_COMMIT, &memory),
                SK_OVER_BUDGET);
    test_equal(job_info(job).used.pages, 0);
    test_equal(job_info(job).used.objects, 0);
    test_job_end(job);
}

static void sizes_and_flags_are_checked(void)
{
    handle_t memory;
    test_status(sk_memory_create(sk_self_job, 0, 0, &memory), SK_INVALID_ARGS);
    test_status(sk_memory_create(sk_self_job, ((uint64_t)1 << 30) + 1, 0, &memory),
                SK_INVALID_ARGS);
    test_status(sk_memory_create(sk_self_job, ~0ull, 0, &memory), SK_INVALID_ARGS);
    test_status(sk_memory_create(sk_self_job, 4096, 1u << 31, &memory), SK_INVALID_ARGS);
    test_status(sk_memory_create(sk_self_job, 4096, SK_MEMORY_CONTIGUOUS, &memory),
                SK_INVALID_ARGS);
    must(sk_memory_create(sk_self_job, (uint64_t)1 << 30, 0, &memory));
    uint64_t address = map_memory(memory, (1 << 30) / SK_PAGE_SIZE, RW);
    *(uint64_t *)(address + ((1 << 30) - 8)) = 7; /* only what is touched costs */
    test_equal(memory_info(memory).committed_pages, 1);
    unmap(address, (1 << 30) / SK_PAGE_SIZE);
    test_status(sk_handle_close(memory), SK_OK);
}

static void it_is_read_and_written_by_calls(void)
{
    static uint8_t out[65536 + 1], in[65536];
    handle_t memory = make_memory(20);
    static const uint64_t places[] = {0, 1, 4095, 4096, 8000, 16384};
    for (size_t i = 0; i < COUNT(places); i++) {
        size_t size = 60000 - i * 4001;
        fill(out, size, (uint32_t)i);
        test_status(sk_memory_write(memory, places[i], out, size), SK_OK);
        test_status(sk_memory_read(memory, places[i], in, size), SK_OK);
        test_check(filled(in, size, (uint32_t)i));
    }
    uint64_t end = 20 * SK_PAGE_SIZE;
    test_status(sk_memory_read(memory, 0, in, 65537), SK_INVALID_ARGS);
    test_status(sk_memory_write(memory, 0, out, 65537), SK_INVALID_ARGS);
    test_status(sk_memory_read(memory, end - 8, in, 9), SK_OUT_OF_RANGE);
    test_status(sk_memory_write(memory, end - 8, out, 9), SK_OUT_OF_RANGE);
    test_status(sk_memory_read(memory, end + 1, in, 0), SK_OUT_OF_RANGE);
    test_status(sk_memory_read(memory, ~0ull, in, 8), SK_OUT_OF_RANGE);
    test_status(sk_memory_read(memory, end, in, 0), SK_OK);
    test_status(sk_handle_close(memory), SK_OK);
}

static void mapped_and_unmapped_for_long(void)
{
    handle_t memory = make_memory(2);
    uint64_t first = map_memory(memory, 2, RW); /* keeps its page tables */
    uint64_t before = job_info(sk_self_job).used.pages, address = 0;
    for (uint32_t i = 0; i < CYCLES; i++) {
        status_t status = sk_memory_map(sk_self_process, memory, 0, 2 * SK_PAGE_SIZE, 0, RW,
                                        &address);
        if (status == SK_OK && i % 16 == 0) {
            *(uint32_t *)address = i;
        }
        if (status != SK_OK ||
            sk_memory_unmap(sk_self_process, address, 2 * SK_PAGE_SIZE) != SK_OK) {
            test_equal(i, -1);
            break;
        }
    }
    test_check(job_info(sk_self_job).used.pages <= before + 4);
    unmap(first, 2);
    test_status(sk_handle_close(memory), SK_OK);
}

static void a_thousand_regions(void)
{
    handle_t memory = make_memory(1);
    uint64_t *at = malloc(REGIONS * sizeof *at);
    for (uint32_t i = 0; i < REGIONS; i++) {
        at[i] = map_memory(memory, 1, RW);
    }
    *(_Atomic uint32_t *)at[0] = 77;
    for (uint32_t i = 0; i < REGIONS; i++) {
        uint32_t which = i * 7 % REGIONS; /* in another order */
        test_equal(*(_Atomic uint32_t *)at[which], 77);
        unmap(at[which], 1);
    }
    test_status(sk_handle_close(memory), SK_OK);
    free(at);
}

static void overlaps_are_refused(void)
{
    handle_t memory = make_memory(4);
    uint64_t address = map_memory(memory, 4, RW), other;
    uint64_t stack = (uint64_t)&other & ~(uint64_t)(SK_PAGE_SIZE - 1);
    uint64_t text = (uint64_t)&test_memory & ~(uint64_t)(SK_PAGE_SIZE - 1);
    const uint64_t taken[] = {address, address + 3 * SK_PAGE_SIZE, address - SK_PAGE_SIZE, stack,
                              text,    (uint64_t)__ehdr_start};
    for (size_t i = 0; i < COUNT(taken); i++) {
        test_status(sk_memory_map(sk_self_process, memory, 0, 2 * SK_PAGE_SIZE, taken[i],
                                  SK_MAP_FIXED | RW, &other),
                    SK_EXISTS);
    }
    test_status(sk_memory_map(sk_self_process, memory, 0, SK_PAGE_SIZE, address + 4 * SK_PAGE_SIZE,
                              SK_MAP_FIXED | RW, &other),
                SK_OK);
    test_equal(other, address + 4 * SK_PAGE_SIZE);
    unmap(address, 5);
    test_status(sk_handle_close(memory), SK_OK);
}

static void bad_mappings_are_refused(void)
{
    handle_t memory = make_memory(2);
    const uint64_t page = SK_PAGE_SIZE;
    const struct {
        uint64_t offset, length, address;
        uint32_t flags;
        status_t status;
    } cases[] = {
        {0, page, 0, RW | SK_PROT_EXECUTE, SK_INVALID_ARGS},
        {0, page, 0, SK_PROT_WRITE | SK_PROT_EXECUTE, SK_INVALID_ARGS},
        {0, page, 0, 1u << 31, SK_INVALID_ARGS},
        {0, 0, 0, RW, SK_INVALID_ARGS},
        {0, 100, 0, RW, SK_INVALID_ARGS},
        {100, page, 0, RW, SK_INVALID_ARGS},
        {0, page, 0x20000001, RW | SK_MAP_FIXED, SK_INVALID_ARGS},
        {0, page, 0, RW | SK_MAP_FIXED, SK_INVALID_ARGS},
        {0, page, 0x20000000, RW, SK_INVALID_ARGS},
        {0, 3 * page, 0, RW, SK_OUT_OF_RANGE},
        {page, 2 * page, 0, RW, SK_OUT_OF_RANGE},
        {3 * page, page, 0, RW, SK_OUT_OF_RANGE},
        {~(page - 1), page, 0, RW, SK_OUT_OF_RANGE},
        {0, ~(page - 1), 0, RW, SK_OUT_OF_RANGE},
        {0, page, page, RW | SK_MAP_FIXED, SK_INVALID_ARGS},
        {0, page, 0x20000000, RW | SK_MAP_FIXED | SK_MAP_APART, SK_INVALID_ARGS},
        {0, page, SK_USER_LIMIT, RW | SK_MAP_FIXED, SK_INVALID_ARGS},
        {0, 2 * page, SK_USER_LIMIT - page, RW | SK_MAP_FIXED, SK_INVALID_ARGS},
        {0, page, 0xffffffc000000000, RW | SK_MAP_FIXED, SK_INVALID_ARGS},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t at;
        test_status(sk_memory_map(sk_self_process, memory, cases[i].offset, cases[i].length,
                                  cases[i].address, cases[i].flags, &at),
                    cases[i].status);
    }
    uint64_t address = map_memory(memory, 2, RW);
    test_status(sk_memory_unmap(sk_self_process, address + 1, page), SK_INVALID_ARGS);
    test_status(sk_memory_unmap(sk_self_process, address, 0), SK_INVALID_ARGS);
    test_status(sk_memory_unmap(sk_self_process, 0, page), SK_INVALID_ARGS);
    test_status(sk_memory_unmap(sk_self_process, 0xffffffc000000000, page), SK_INVALID_ARGS);
    test_status(sk_memory_protect(sk_self_process, address, page, RW | SK_PROT_EXECUTE),
                SK_INVALID_ARGS);
    test_status(sk_memory_protect(sk_self_process, address, 3 * page, SK_PROT_READ), SK_NOT_FOUND);
    unmap(address, 2);
    test_status(sk_memory_unmap(sk_self_process, address, 2 * page), SK_NOT_FOUND);
    test_status(sk_handle_close(memory), SK_OK);
}

static void rights_bound_protection(void)
{
    handle_t memory = make_memory(1);
    uint32_t all = rights_of(memory);
    uint64_t at;
    const struct {
        uint32_t without, flags;
    } cases[] = {
        {SK_RIGHT_READ, SK_PROT_READ},
        {SK_RIGHT_WRITE, RW},
        {SK_RIGHT_EXECUTE, RX},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        handle_t poor = duplicate(memory, all & ~cases[i].without);
        test_status(sk_memory_map(sk_self_process, poor, 0, SK_PAGE_SIZE, 0, cases[i].flags, &at),
                    SK_ACCESS_DENIED);
        /* What was not allowed at mapping time is not allowed later. */
        must(sk_memory_map(sk_self_process, poor, 0, SK_PAGE_SIZE, 0, 0, &at));
        test_status(sk_memory_protect(sk_self_process, at, SK_PAGE_SIZE, cases[i].flags),
                    SK_ACCESS_DENIED);
        unmap(at, 1);
        test_status(sk_handle_close(poor), SK_OK);
    }
    handle_t reader = duplicate(memory, SK_RIGHT_READ | SK_RIGHT_MAP);
    uint64_t writable = map_memory(memory, 1, RW), readable = map_memory(reader, 1, SK_PROT_READ);
    *(_Atomic uint32_t *)writable = 5;
    test_equal(*(_Atomic uint32_t *)readable, 5);
    uint32_t word = 6;
    test_status(sk_memory_write(reader, 0, &word, sizeof word), SK_ACCESS_DENIED);
    test_status(sk_memory_read(reader, 0, &word, sizeof word), SK_OK);
    test_equal(word, 5);
    test_status(sk_memory_read(memory, 0, (void *)readable, 4), SK_BAD_ADDRESS);
    unmap(writable, 1);
    unmap(readable, 1);
    close_all((handle_t[]){reader, memory}, 2);
}

/* A mapping keeps the memory: filling all other memory must not show through it. */
static void a_mapping_outlives_the_handle(void)
{
    handle_t memory = make_memory(16);
    uint64_t address = map_memory(memory, 16, RW);
    fill((void *)address, 16 * SK_PAGE_SIZE, 11);
    test_status(sk_handle_close(memory), SK_OK);
    handle_t more = make_memory(2000);
    uint64_t filler = map_memory(more, 2000, RW);
    memset((void *)filler, 0xaa, 2000 * SK_PAGE_SIZE);
    test_check(filled((void *)address, 16 * SK_PAGE_SIZE, 11));
    unmap(filler, 2000);
    test_status(sk_handle_close(more), SK_OK);
    test_check(filled((void *)address, 16 * SK_PAGE_SIZE, 11));
    unmap(address, 16);
}

static void parts_are_unmapped_and_protected(void)
{
    handle_t memory = make_memory(10);
    uint64_t address = map_memory(memory, 10, RW);
    for (uint32_t i = 0; i < 10; i++) {
        *(_Atomic uint32_t *)(address + i * SK_PAGE_SIZE) = i + 100;
    }
    unmap(address + 3 * SK_PAGE_SIZE, 2);
    unmap(address + 7 * SK_PAGE_SIZE, 1);
    test_status(
        sk_memory_protect(sk_self_process, address + SK_PAGE_SIZE, 2 * SK_PAGE_SIZE, SK_PROT_READ),
        SK_OK);
    uint32_t word = 1;
    /* The kernel's own copies obey as well. */
    test_status(sk_memory_read(memory, 0, (void *)(address + SK_PAGE_SIZE), 4), SK_BAD_ADDRESS);
    test_status(sk_memory_read(memory, 0, (void *)(address + 3 * SK_PAGE_SIZE), 4), SK_BAD_ADDRESS);
    test_status(sk_memory_write(memory, 0, (void *)(address + 7 * SK_PAGE_SIZE), 4),
                SK_BAD_ADDRESS);
    static const uint32_t left[] = {0, 1, 2, 5, 6, 8, 9};
    for (size_t i = 0; i < COUNT(left); i++) {
        word = *(_Atomic uint32_t *)(address + left[i] * SK_PAGE_SIZE);
        test_equal(word, left[i] + 100);
    }
    test_status(sk_memory_protect(sk_self_process, address, 3 * SK_PAGE_SIZE, 0), SK_OK);
    test_status(sk_memory_write(memory, 0, (void *)address, 4), SK_BAD_ADDRESS);
    test_status(sk_memory_protect(sk_self_process, address, 3 * SK_PAGE_SIZE, RW), SK_OK);
    test_equal(*(_Atomic uint32_t *)(address + 2 * SK_PAGE_SIZE), 102);
    *(_Atomic uint32_t *)(address + 2 * SK_PAGE_SIZE) = 5;
    unmap(address, 10); /* with holes */
    test_status(sk_handle_close(memory), SK_OK);
}

/* Instructions that return a constant. */
static void write_code(handle_t memory, uint32_t value)
{
    const uint32_t code[] = {0x00000513u | value << 20, 0x00008067u}; /* li a0, value; ret */
    must(sk_memory_write(memory, 0, code, sizeof code));
}

/* Each fresh mapping runs what is in memory then, on whichever hart. */
static void new_code_is_run(void)
{
    handle_t memory = make_memory(1);
    for (uint32_t value = 0; value < 200; value++) {
        write_code(memory, value);
        uint64_t address = map_memory(memory, 1, RX);
        int (*function)(void) = (int (*)(void))address;
        test_equal(function(), value);
        sk_thread_yield();
        test_equal(function(), value);
        unmap(address, 1);
    }
    test_status(sk_handle_close(memory), SK_OK);
}

static void populate_fills_at_once(void)
{
    handle_t memory = make_memory(50);
    struct sk_process_info before, after;
    uint64_t written;
    must(sk_object_info(sk_self_process, &before, sizeof before, &written));
    uint64_t address = map_memory(memory, 50, RW | SK_MAP_POPULATE);
    must(sk_object_info(sk_self_process, &after, sizeof after, &written));
    test_equal(memory_info(memory).committed_pages, 50);
    test_equal(after.mapped_pages - before.mapped_pages, 50);
    unmap(address, 50);
    must(sk_object_info(sk_self_process, &after, sizeof after, &written));
    test_equal(after.mapped_pages, before.mapped_pages);
    test_status(sk_handle_close(memory), SK_OK);
}

/* Child: maps the memory it was given, checks it, answers in it. */
int mode_share(int argc, char **argv)
{
    uint64_t address;
    handle_t memory = sk_boot_handle("given");
    if (sk_memory_map(sk_self_process, memory, 0, 4 * SK_PAGE_SIZE, 0, RW, &address) != SK_OK) {
        return 1;
    }
    if (!filled((void *)address, 2 * SK_PAGE_SIZE, 21)) {
        return 2;
    }
    fill((void *)(address + 2 * SK_PAGE_SIZE), 2 * SK_PAGE_SIZE, 22);
    return 0;
}

static void processes_share_memory(void)
{
    handle_t memory = make_memory(4), job = test_job();
    uint64_t address = map_memory(memory, 4, RW);
    fill((void *)address, 2 * SK_PAGE_SIZE, 21);
    struct sk_child child = self_spawn(job, "share", NULL, memory);
    self_expect_exit(&child, 0);
    test_job_end(job);
    test_check(filled((void *)(address + 2 * SK_PAGE_SIZE), 2 * SK_PAGE_SIZE, 22));
    unmap(address, 4);
}

/* Threads use pages while others are mapped, protected and unmapped beside them on other harts. */
static _Atomic bool stop;
static _Atomic uint32_t wrong;

static void churn(void *argument)
{
    uint32_t seed = (uint32_t)(uintptr_t)argument;
    while (!atomic_load(&stop)) {
        handle_t memory = make_memory(8);
        uint64_t address = map_memory(memory, 8, RW);
        fill((void *)address, 8 * SK_PAGE_SIZE, seed);
        sk_memory_protect(sk_self_process, address, 4 * SK_PAGE_SIZE, SK_PROT_READ);
        if (!filled((void *)address, 8 * SK_PAGE_SIZE, seed)) {
            atomic_fetch_add(&wrong, 1);
        }
        sk_handle_close(memory);
        sk_memory_unmap(sk_self_process, address, 8 * SK_PAGE_SIZE);
        seed += 4;
    }
}

static void mappings_change_under_load(void)
{
    struct sk_thread threads[4];
    atomic_store(&stop, false);
    atomic_store(&wrong, 0);
    for (uintptr_t i = 0; i < 4; i++) {
        start_thread(&threads[i], churn, (void *)i);
    }
    sk_sleep(300 * SK_MS);
    atomic_store(&stop, true);
    for (int i = 0; i < 4; i++) {
        join_thread(&threads[i]);
    }
    test_equal(atomic_load(&wrong), 0);
}

void test_memory(void)
{
    self_case("memory: it reads as zeroes", it_reads_as_zeroes);
    self_case("memory: pages are charged when touched", pages_are_charged_when_touched);
    self_case("memory: sizes and flags are checked", sizes_and_flags_are_checked);
    self_case("memory: read and written by calls", it_is_read_and_written_by_calls);
    self_case("memory: a thousand regions", a_thousand_regions);
    self_case("memory: overlaps are refused", overlaps_are_refused);
    self_case("memory: bad mappings are refused", bad_mappings_are_refused);
    self_case("memory: rights bound protection", rights_bound_protection);
    self_case("memory: a mapping outlives the handle", a_mapping_outlives_the_handle);
    self_case("memory: parts are unmapped and protected", parts_are_unmapped_and_protected);
    self_case("memory: new code is run", new_code_is_run);
    self_case("memory: populate fills at once", populate_fills_at_once);
    self_case("memory: processes share it", processes_share_memory);
    self_case("memory: mappings change under load", mappings_change_under_load);
    self_case("memory: mapped and unmapped 100,000 times", mapped_and_unmapped_for_long);
}
