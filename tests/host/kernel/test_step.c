/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls in steps: what is seen in the midst of one, and what a kill or a suspension does then. */
#include "harness.h"

#include <kernel/page.h>
#include <kernel/step.h>
#include <kernel/syscall.h>

#define RW (SK_PROT_READ | SK_PROT_WRITE)
#define COMMITTED 300u
#define MAPPED 16384u

/* The first step of a call that takes more than one. */
static void begin(struct thread *thread, uint32_t number, uint64_t in0, uint64_t in1, uint64_t in2)
{
    run(thread);
    struct syscall_return result = syscall_table[number].handler(in0, in1, in2, 0, 0, 0, 0);
    assert_int_equal(result.status, SYSCALL_DONE);
    assert_true(thread->pending & THREAD_PENDING_STEP);
}

static struct memory *begin_commit(struct user *user)
{
    begin(user->thread, SK_SYS_memory_create, user->job_handle, COMMITTED * PAGE_SIZE,
          SK_MEMORY_COMMIT);
    struct memory *memory = container_of(user->thread->step.object[0], struct memory, object);
    assert_in_range(memory->committed, 1, COMMITTED - 1);
    return memory;
}

static void assert_committed(struct user *user)
{
    struct capability capability;
    assert_int_equal(user->thread->pending & THREAD_PENDING_STEP, 0);
    assert_int_equal(status_of(user->thread), SK_OK);
    handle_t handle = (handle_t)value_of(user->thread, 0);
    assert_int_equal(handle_get(user->process, handle, SK_TYPE_MEMORY, 0, &capability), SK_OK);
    assert_int_equal(container_of(capability.object, struct memory, object)->committed, COMMITTED);
    object_put(capability.object);
}

static void test_comes_to_its_end(void **state)
{
    struct user user = user_start(16);
    begin_commit(&user);
    assert_ptr_equal(pass(), user.thread);
    assert_committed(&user);
    user_stop(&user);
}

static void test_no_budget_in_the_midst(void **state)
{
    struct user user = user_start(16);
    struct census before = census_take(&user);
    begin(user.thread, SK_SYS_memory_create, user.job_handle, 4096 * PAGE_SIZE, SK_MEMORY_COMMIT);
    assert_ptr_equal(pass(), user.thread);
    assert_int_equal(status_of(user.thread), SK_OVER_BUDGET);
    settle();
    struct census after = census_take(&user);
    census_assert_equal(&before, &after, "commit over budget");
    user_stop(&user);
}

/* The teardown counts what is left. */
static void test_killed_in_the_midst(void **state)
{
    struct user user = user_start(16);
    begin_commit(&user);
    process_end(user.process, SK_EXIT_KILLED, 0);
    assert_false(is_dead(user.thread));
    settle();
    assert_true(is_dead(user.thread));
    assert_int_equal(user.process->state, SK_PROCESS_DEAD);
    user_forget(&user);
}

static void test_suspended_in_the_midst(void **state)
{
    struct user user = user_start(16);
    begin_commit(&user);
    assert_int_equal(thread_suspend(user.thread), SK_OK);
    settle();
    assert_int_equal(user.thread->state, THREAD_PARKED);
    assert_committed(&user);
    assert_int_equal(thread_resume(user.thread), SK_OK);
    user_stop(&user);
}

static void test_more_urgent_threads_go_first(void **state)
{
    struct user user = user_start(16);
    struct memory *memory = begin_commit(&user);
    uint64_t committed = memory->committed;
    struct thread *urgent = user_thread(&user, 20);
    assert_ptr_equal(pass(), urgent);
    assert_int_equal(memory->committed, committed);
    assert_int_equal(syscall_as(urgent, SK_SYS_thread_sleep, SK_DEADLINE_NEVER), BLOCKED);
    assert_ptr_equal(cpu_hart()->current, user.thread);
    assert_committed(&user);
    user_stop(&user);
}

/* Below the place that an unmap has come to nothing is mapped, above everything is. */
static void test_others_see_a_prefix(void **state)
{
    struct user user = user_start(16);
    struct address_space *space = &user.process->space;
    handle_t handle;
    struct memory *memory;
    uint64_t offset;
    vaddr_t start = map_pages(user.thread, MAPPED, RW, &handle);
    vaddr_t end = start + MAPPED * PAGE_SIZE;
    begin(user.thread, SK_SYS_memory_unmap, user.process_handle, start, end - start);
    vaddr_t reached = user.thread->step.at;
    assert_in_range(reached, start + PAGE_SIZE, end - PAGE_SIZE);
    assert_int_equal(space_identify(space, start, &memory, &offset), SK_BAD_ADDRESS);
    assert_int_equal(space_identify(space, reached - 4, &memory, &offset), SK_BAD_ADDRESS);
    assert_int_equal(space_identify(space, reached, &memory, &offset), SK_OK);
    assert_int_equal(offset, reached - start);
    object_put(&memory->object);
    assert_ptr_equal(pass(), user.thread);
    assert_int_equal(status_of(user.thread), SK_OK);
    assert_int_equal(space_identify(space, reached, &memory, &offset), SK_BAD_ADDRESS);
    assert_int_equal(space_identify(space, end - 4, &memory, &offset), SK_BAD_ADDRESS);
    user_stop(&user);
}

static void test_killed_while_it_unmaps(void **state)
{
    struct user user = user_start(16);
    handle_t handle;
    vaddr_t start = map_pages(user.thread, MAPPED, RW, &handle);
    assert_true(user_write(user.thread, start + (MAPPED - 1) * PAGE_SIZE, "x", 1));
    begin(user.thread, SK_SYS_memory_unmap, user.process_handle, start, MAPPED * PAGE_SIZE);
    process_end(user.process, SK_EXIT_KILLED, 0);
    settle();
    assert_int_equal(user.process->state, SK_PROCESS_DEAD);
    user_forget(&user);
}

/* A call that closes goes on until everything is given back. */
static struct census census_before;

static void begin_close(struct user *user)
{
    handle_t handle;
    census_before = census_take(user);
    status_t status = syscall_as(user->thread, SK_SYS_memory_create, user->job_handle,
                                 COMMITTED * PAGE_SIZE, SK_MEMORY_COMMIT);
    assert_int_equal(status, SK_OK);
    handle = (handle_t)value_of(user->thread, 0);
    run(user->thread);
    struct syscall_return result = syscall_table[SK_SYS_handle_close].handler(handle, 0, 0, 0, 0, 0,
                                                                              0);
    assert_int_equal(result.status, SK_OK);
    assert_in_range(user->job->used[BUDGET_PAGES], census_before.used[BUDGET_PAGES] + 1, ~0ull);
}

static void assert_closed(struct user *user)
{
    assert_int_equal(user->thread->pending & THREAD_PENDING_CHORES, 0);
    assert_int_equal(user->job->used[BUDGET_PAGES], census_before.used[BUDGET_PAGES]);
}

static void test_what_is_closed_is_given_back(void **state)
{
    struct user user = user_start(16);
    begin_close(&user);
    assert_ptr_equal(pass(), user.thread);
    assert_closed(&user);
    user_stop(&user);
}

/* It is the thread's affair, wherever that goes. */
static void test_chores_go_with_their_thread(void **state)
{
    struct user user = user_start(16);
    begin_close(&user);
    struct thread *urgent = user_thread(&user, 20);
    assert_ptr_equal(pass(), urgent);
    assert_true(user.thread->pending & THREAD_PENDING_CHORES);
    on_hart(1);
    assert_ptr_equal(pass(), user.thread);
    assert_closed(&user);
    user_stop(&user);
}

static void test_killed_while_it_closes(void **state)
{
    struct user user = user_start(16);
    begin_close(&user);
    process_end(user.process, SK_EXIT_KILLED, 0);
    settle();
    assert_int_equal(user.process->state, SK_PROCESS_DEAD);
    assert_int_equal(user.job->used[BUDGET_PAGES], 0);
    user_forget(&user);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, census_setup, census_teardown)

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        TEST(test_comes_to_its_end),
        TEST(test_no_budget_in_the_midst),
        TEST(test_killed_in_the_midst),
        TEST(test_suspended_in_the_midst),
        TEST(test_more_urgent_threads_go_first),
        TEST(test_others_see_a_prefix),
        TEST(test_killed_while_it_unmaps),
        TEST(test_what_is_closed_is_given_back),
        TEST(test_chores_go_with_their_thread),
        TEST(test_killed_while_it_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
