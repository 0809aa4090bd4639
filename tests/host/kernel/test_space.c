/* SPDX-License-Identifier: BSD-2-Clause */
/* Address spaces and memory objects, as programs see them through a TLB that forgets nothing. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#include <kernel/page.h>

#define RW (SK_PROT_READ | SK_PROT_WRITE)

static status_t map_at(struct user *user, handle_t memory, uint64_t offset, uint64_t pages,
                       vaddr_t va, uint32_t flags)
{
    return syscall_as(user->thread, SK_SYS_memory_map, user->process_handle, memory, offset,
                      pages * PAGE_SIZE, va, flags);
}

static handle_t memory_of(struct user *user, uint64_t pages)
{
    assert_int_equal(
        syscall_as(user->thread, SK_SYS_memory_create, user->job_handle, pages * PAGE_SIZE, 0),
        SK_OK);
    return (handle_t)value_of(user->thread, 0);
}

static status_t unmap(struct user *user, vaddr_t va, uint64_t pages)
{
    return syscall_as(user->thread, SK_SYS_memory_unmap, user->process_handle, va,
                      pages * PAGE_SIZE);
}

static status_t protect(struct user *user, vaddr_t va, uint64_t pages, uint32_t prot)
{
    return syscall_as(user->thread, SK_SYS_memory_protect, user->process_handle, va,
                      pages * PAGE_SIZE, prot);
}

static void test_overlap_and_ranges(void **state)
{
    struct user user = user_start(16);
    handle_t memory = memory_of(&user, 8);
    const uint32_t fixed = RW | SK_MAP_FIXED;
    assert_int_equal(map_at(&user, memory, 0, 4, 0x100000, fixed), SK_OK);
    assert_int_equal(map_at(&user, memory, 0, 1, 0x103000, fixed), SK_EXISTS);
    assert_int_equal(map_at(&user, memory, 0, 8, 0xfc000, fixed), SK_EXISTS);
    assert_int_equal(map_at(&user, memory, 0, 4, 0x104000, fixed), SK_OK);
    assert_int_equal(map_at(&user, memory, 0, 4, 0xfc000, fixed), SK_OK);
    assert_int_equal(map_at(&user, memory, 0, 9, 0, RW), SK_OUT_OF_RANGE);
    assert_int_equal(map_at(&user, memory, 4 * PAGE_SIZE, 5, 0, RW), SK_OUT_OF_RANGE);
    assert_int_equal(map_at(&user, memory, ~0ull << 12, 2, 0, RW), SK_OUT_OF_RANGE);
    assert_int_equal(map_at(&user, memory, 0, 1, SK_USER_LIMIT, fixed), SK_INVALID_ARGS);
    assert_int_equal(map_at(&user, memory, 0, 2, SK_USER_LIMIT - PAGE_SIZE, fixed),
                     SK_INVALID_ARGS);
    assert_int_equal(map_at(&user, memory, 0, 1, SK_USER_BASE - PAGE_SIZE, fixed), SK_INVALID_ARGS);
    assert_int_equal(map_at(&user, memory, 0, 1, 0, SK_PROT_WRITE | SK_PROT_EXECUTE),
                     SK_INVALID_ARGS);
    user_stop(&user);
}

static void test_what_one_mapping_writes_another_reads(void **state)
{
    struct user user = user_start(16);
    handle_t memory = memory_of(&user, 4);
    assert_int_equal(map_at(&user, memory, 0, 4, 0x100000, RW | SK_MAP_FIXED), SK_OK);
    assert_int_equal(map_at(&user, memory, PAGE_SIZE, 2, 0x200000, SK_PROT_READ | SK_MAP_FIXED),
                     SK_OK);
    char text[32] = "";
    assert_true(user_write(user.thread, 0x100000 + PAGE_SIZE + 5, "hello", 6));
    assert_true(user_read(user.thread, 0x200005, text, 6));
    assert_string_equal(text, "hello");
    assert_int_equal(
        syscall_as(user.thread, SK_SYS_memory_read, memory, PAGE_SIZE + 5, 0x100000, 6), SK_OK);
    assert_true(user_read(user.thread, 0x100000, text, 6));
    assert_string_equal(text, "hello");
    /* A write to what may only be read ends the process. */
    assert_false(user_write(user.thread, 0x200000, "x", 1));
    user_forget(&user);
}

/* Each way that a translation goes away, seen from a hart that holds it. */
static void test_no_stale_translation(void **state)
{
    struct user user = user_start(16);
    handle_t memory = memory_of(&user, 4);
    struct arch_space *space = &user.process->space.arch;
    struct thread *second = user_thread(&user, 16);
    char byte = 'a';
    paddr_t pa;
    for (uint32_t round = 0; round < 3; round++) {
        assert_int_equal(map_at(&user, memory, 0, 4, 0x100000, RW | SK_MAP_FIXED), SK_OK);
        on_hart(1);
        run(second);
        on_hart(0);
        run(user.thread);
        for (uint32_t hart = 0; hart < 2; hart++) {
            on_hart(hart);
            struct thread *thread = hart == 0 ? user.thread : second;
            for (vaddr_t va = 0x100000; va < 0x104000; va += PAGE_SIZE) {
                assert_true(user_write(thread, va, &byte, 1));
            }
        }
        on_hart(0);
        switch (round) {
        case 0:
            assert_int_equal(protect(&user, 0x101000, 2, SK_PROT_READ), SK_OK);
            for (uint32_t hart = 0; hart < 2; hart++) {
                on_hart(hart);
                assert_int_equal(host_translate(space, 0x101000, SK_PROT_WRITE, &pa),
                                 SK_BAD_ADDRESS);
                assert_int_equal(host_translate(space, 0x102000, SK_PROT_WRITE, &pa),
                                 SK_BAD_ADDRESS);
                assert_int_equal(host_translate(space, 0x101000, SK_PROT_READ, &pa), SK_OK);
                assert_int_equal(host_translate(space, 0x103000, SK_PROT_WRITE, &pa), SK_OK);
            }
            break;
        case 1:
            assert_int_equal(protect(&user, 0x100000, 4, 0), SK_OK);
            break;
        case 2:
            assert_int_equal(unmap(&user, 0x101000, 2), SK_OK);
            for (uint32_t hart = 0; hart < 2; hart++) {
                on_hart(hart);
                assert_int_equal(host_translate(space, 0x100000, SK_PROT_READ, &pa), SK_OK);
                assert_int_equal(host_translate(space, 0x101000, SK_PROT_READ, &pa),
                                 SK_BAD_ADDRESS);
            }
            break;
        }
        on_hart(0);
        assert_int_equal(unmap(&user, 0x100000, 4), SK_OK);
        for (uint32_t hart = 0; hart < 2; hart++) {
            on_hart(hart);
            for (vaddr_t va = 0x100000; va < 0x104000; va += PAGE_SIZE) {
                assert_int_equal(host_translate(space, va, SK_PROT_READ, &pa), SK_BAD_ADDRESS);
            }
        }
        on_hart(0);
    }
    user_stop(&user);
}

/* A hart that was away while the space changed, and comes back. */
static void test_stale_after_coming_back(void **state)
{
    struct user user = user_start(16);
    struct user other = user_start(16);
    struct arch_space *space = &user.process->space.arch;
    struct thread *second = user_thread(&user, 16);
    vaddr_t at = map_pages(user.thread, 2, RW, NULL);
    char byte = 'x';
    on_hart(1);
    run(second);
    assert_true(user_write(second, at, &byte, 1));
    run(other.thread); /* hart 1 leaves the space, its TLB stays as it is */
    assert_int_equal(host_tlb_count(&harts[1], space), 1);
    on_hart(0);
    assert_int_equal(unmap(&user, at, 2), SK_OK);
    on_hart(1);
    run(second);
    paddr_t pa;
    assert_int_equal(host_translate(space, at, SK_PROT_READ, &pa), SK_BAD_ADDRESS);
    on_hart(0);
    user_stop(&other);
    user_stop(&user);
}

/* Identifiers are few here: later spaces must not see what earlier ones left in a TLB. */
static void test_identifiers_are_used_again(void **state)
{
    for (uint32_t round = 0; round < 40; round++) {
        struct user users[10];
        const uint64_t budget[BUDGET_KINDS] = {32, 32, 32, 8, 2};
        for (uint32_t i = 0; i < 10; i++) {
            users[i] = user_start_budget(root_job, 16, budget);
            handle_t memory = memory_of(&users[i], 1);
            assert_int_equal(map_at(&users[i], memory, 0, 1, 0x100000, RW | SK_MAP_FIXED), SK_OK);
            uint32_t mark = round * 100 + i;
            assert_true(user_write(users[i].thread, 0x100000, &mark, sizeof mark));
        }
        for (uint32_t i = 0; i < 10; i++) {
            on_hart(i % 2);
            uint32_t mark;
            assert_true(user_read(users[i].thread, 0x100000, &mark, sizeof mark));
            assert_int_equal(mark, round * 100 + i);
        }
        on_hart(0);
        for (uint32_t i = 0; i < 10; i++) {
            user_stop(&users[i]);
        }
    }
}

/* A page that is absent is known to be absent until the kernel says otherwise. */
static void test_absence_is_forgotten(void **state)
{
    struct user user = user_start(16);
    struct thread *second = user_thread(&user, 16);
    vaddr_t at = map_pages(user.thread, 1, RW, NULL);
    paddr_t pa;
    on_hart(1);
    run(second);
    assert_int_equal(host_translate(&user.process->space.arch, at, SK_PROT_READ, &pa),
                     SK_BAD_ADDRESS);
    on_hart(0);
    assert_true(user_write(user.thread, at, "y", 1));
    on_hart(1);
    char byte;
    assert_true(user_read(second, at, &byte, 1)); /* faults, and finds the page there */
    assert_int_equal(byte, 'y');
    on_hart(0);
    user_stop(&user);
}

static void test_new_code_is_fetched(void **state)
{
    struct user user = user_start(16);
    struct thread *second = user_thread(&user, 16);
    handle_t memory;
    uint32_t code = 1, word;
    vaddr_t at = map_pages(user.thread, 1, RW, &memory);
    for (code = 1; code < 4; code++) {
        assert_true(user_write(user.thread, at, &code, sizeof code));
        assert_int_equal(protect(&user, at, 1, SK_PROT_READ | SK_PROT_EXECUTE), SK_OK);
        for (uint32_t hart = 0; hart < 2; hart++) {
            on_hart(hart);
            struct thread *thread = hart == 0 ? user.thread : second;
            run(thread);
            assert_true(host_user_fetch(thread, at, &word));
            assert_int_equal(word, code);
        }
        on_hart(0);
        assert_int_equal(protect(&user, at, 1, RW), SK_OK);
    }
    assert_int_equal(protect(&user, at, 1, SK_PROT_WRITE | SK_PROT_EXECUTE), SK_INVALID_ARGS);
    user_stop(&user);
}

static void test_rights_bound_protection(void **state)
{
    struct user user = user_start(16);
    handle_t memory = memory_of(&user, 2);
    assert_int_equal(
        syscall_as(user.thread, SK_SYS_handle_duplicate, memory, SK_RIGHT_READ | SK_RIGHT_MAP),
        SK_OK);
    handle_t readable = (handle_t)value_of(user.thread, 0);
    assert_int_equal(map_at(&user, readable, 0, 1, 0, RW), SK_ACCESS_DENIED);
    assert_int_equal(map_at(&user, readable, 0, 1, 0x100000, SK_PROT_READ | SK_MAP_FIXED), SK_OK);
    assert_int_equal(protect(&user, 0x100000, 1, RW), SK_ACCESS_DENIED);
    assert_int_equal(protect(&user, 0x100000, 1, SK_PROT_EXECUTE), SK_ACCESS_DENIED);
    assert_int_equal(protect(&user, 0x100000, 2, SK_PROT_READ), SK_NOT_FOUND);
    assert_int_equal(protect(&user, 0x100000, 1, 0), SK_OK);
    assert_int_equal(protect(&user, 0x100000, 1, SK_PROT_READ), SK_OK);
    user_stop(&user);
}

/* Random maps, cuts and protections against an array that says what each page must be. */
#define MODEL_PAGES 64u
#define MODEL_BASE ((vaddr_t)0x400000)

struct model {
    bool mapped[MODEL_PAGES];
    uint32_t prot[MODEL_PAGES];
    uint32_t offset[MODEL_PAGES];
};

static void model_check(struct user *user, const struct model *model)
{
    struct arch_space *space = &user->process->space.arch;
    uint64_t populated = 0;
    run(user->thread);
    for (uint32_t i = 0; i < MODEL_PAGES; i++) {
        vaddr_t va = MODEL_BASE + i * PAGE_SIZE;
        for (uint32_t prot = SK_PROT_READ; prot <= SK_PROT_WRITE; prot <<= 1) {
            uint32_t effective = model->prot[i] | (model->prot[i] & SK_PROT_WRITE ? 1 : 0);
            bool allowed = model->mapped[i] && (effective & prot) != 0;
            status_t status = space_populate(&user->process->space, va, prot);
            assert_int_equal(status, allowed ? SK_OK : SK_BAD_ADDRESS);
            paddr_t pa;
            assert_int_equal(host_translate(space, va, prot, &pa),
                             allowed ? SK_OK : SK_BAD_ADDRESS);
            if (allowed && prot == SK_PROT_READ) {
                assert_int_equal(*(uint32_t *)phys_to_virt(pa), model->offset[i]);
            }
        }
        populated += model->mapped[i] && model->prot[i] != 0;
    }
    assert_int_equal(user->process->space.populated, populated);
}

static void test_against_a_model(void **state)
{
    struct user user = user_start(16);
    handle_t memory;
    vaddr_t all = map_pages(user.thread, MODEL_PAGES, RW, &memory);
    for (uint32_t i = 0; i < MODEL_PAGES; i++) {
        assert_true(user_write(user.thread, all + i * PAGE_SIZE, &i, sizeof i));
    }
    assert_int_equal(unmap(&user, all, MODEL_PAGES), SK_OK);
    static struct model model;
    static const uint32_t prots[] = {0, SK_PROT_READ, RW, SK_PROT_WRITE};
    srand(11);
    for (uint32_t step = 0; step < 1500; step++) {
        uint32_t first = (uint32_t)rand() % MODEL_PAGES;
        uint32_t pages = 1 + (uint32_t)rand() % (MODEL_PAGES - first);
        uint32_t prot = prots[rand() % 4], offset = (uint32_t)rand() % (MODEL_PAGES - pages + 1);
        pages = rand() % 2 ? pages : (pages + 7) / 8;
        uint32_t mapped = 0;
        for (uint32_t i = first; i < first + pages; i++) {
            mapped += model.mapped[i];
        }
        vaddr_t va = MODEL_BASE + first * PAGE_SIZE;
        uint32_t action = (uint32_t)rand() % 3;
        status_t expected = SK_OK, status = SK_OK;
        if (action == 0) {
            expected = mapped > 0 ? SK_EXISTS : SK_OK;
            status = map_at(&user, memory, offset * PAGE_SIZE, pages, va,
                            prot | SK_MAP_FIXED | (rand() % 2 ? SK_MAP_POPULATE : 0));
        } else if (action == 1) {
            expected = mapped == 0 ? SK_NOT_FOUND : SK_OK;
            status = unmap(&user, va, pages);
        } else {
            expected = mapped < pages ? SK_NOT_FOUND : SK_OK;
            status = protect(&user, va, pages, prot);
        }
        assert_int_equal(status, expected);
        for (uint32_t i = first; status == SK_OK && i < first + pages; i++) {
            model.mapped[i] = action == 1 ? false : true;
            model.prot[i] = prot;
            model.offset[i] = action == 0 ? offset + i - first : model.offset[i];
        }
        if (step % 10 == 0) {
            model_check(&user, &model);
        }
    }
    user_stop(&user);
}

static void test_memory_outlives_its_handle(void **state)
{
    struct user user = user_start(16);
    handle_t memory;
    vaddr_t at = map_pages(user.thread, 1, RW, &memory);
    assert_true(user_write(user.thread, at, "kept", 5));
    assert_int_equal(syscall_as(user.thread, SK_SYS_handle_close, memory), SK_OK);
    settle();
    char text[5];
    assert_true(user_read(user.thread, at, text, 5));
    assert_string_equal(text, "kept");
    uint64_t live = object_live[SK_TYPE_MEMORY];
    assert_int_equal(unmap(&user, at, 1), SK_OK);
    settle();
    assert_int_equal(object_live[SK_TYPE_MEMORY], live - 1);
    user_stop(&user);
}

static void test_over_budget_ends_the_process(void **state)
{
    const uint64_t budget[BUDGET_KINDS] = {12, 32, 32, 8, 2};
    struct user user = user_start_budget(root_job, 16, budget);
    vaddr_t at = map_pages(user.thread, 64, RW, NULL);
    bool went = true;
    uint32_t pages = 0;
    for (; went && pages < 64; pages++) {
        went = user_write(user.thread, at + pages * PAGE_SIZE, "z", 1);
    }
    assert_false(went);
    assert_true(pages < 12);
    settle();
    assert_int_equal(user.process->exit_reason, SK_EXIT_OVER_BUDGET);
    user_forget(&user);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, census_setup, census_teardown)

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        TEST(test_overlap_and_ranges),
        TEST(test_what_one_mapping_writes_another_reads),
        TEST(test_no_stale_translation),
        TEST(test_stale_after_coming_back),
        TEST(test_identifiers_are_used_again),
        TEST(test_absence_is_forgotten),
        TEST(test_new_code_is_fetched),
        TEST(test_rights_bound_protection),
        TEST(test_against_a_model),
        TEST(test_memory_outlives_its_handle),
        TEST(test_over_budget_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
