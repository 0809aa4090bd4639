/* SPDX-License-Identifier: BSD-2-Clause */
/* User processes, their memory and handles, and counting what is live. */
#include "harness.h"

#include <string.h>

#include <kernel/page.h>

static struct job *job_make(struct job *parent, const uint64_t budget[BUDGET_KINDS])
{
    struct job *job;
    assert_int_equal(job_create(parent, budget, 0, &job), SK_OK);
    return job;
}

struct user user_start_in(struct job *job, uint32_t priority)
{
    struct user user = {.job = job};
    object_get(&job->object);
    assert_int_equal(process_create(job, "user", &user.process), SK_OK);
    struct capability own_job = capability_make(&job->object, job_type.rights);
    assert_int_equal(handle_add(user.process, own_job, &user.job_handle), SK_OK);
    struct capability own = capability_make(&user.process->object, process_type.rights);
    assert_int_equal(handle_add(user.process, own, &user.process_handle), SK_OK);
    assert_int_equal(process_start(user.process, 0x10000, 0, NULL, 0, priority, &user.thread),
                     SK_OK);
    return user;
}

struct user user_start_budget(struct job *parent, uint32_t priority,
                              const uint64_t budget[BUDGET_KINDS])
{
    struct job *job = job_make(parent, budget);
    struct user user = user_start_in(job, priority);
    object_put(&job->object);
    return user;
}

struct user user_start(uint32_t priority)
{
    return user_start_budget(root_job, priority, (const uint64_t[BUDGET_KINDS])USER_BUDGET);
}

struct thread *user_thread(struct user *user, uint32_t priority)
{
    struct thread *thread;
    assert_int_equal(thread_create(user->process, 0x10000, 0, 0, priority, &thread), SK_OK);
    thread_ready(thread);
    object_put(&thread->object); /* its process keeps it */
    return thread;
}

void user_forget(struct user *user)
{
    settle();
    /* Its threads end when it is their turn to run. */
    for (uint32_t turn = 0; turn < 100 && user->process->state != SK_PROCESS_DEAD; turn++) {
        advance_to(clock_now_ns() + SCHED_PERIOD_NS);
        settle();
    }
    assert_int_equal(user->process->state, SK_PROCESS_DEAD);
    object_put(&user->thread->object);
    object_put(&user->process->object);
    object_put(&user->job->object);
    settle();
}

void user_stop(struct user *user)
{
    process_end(user->process, SK_EXIT_KILLED, 0);
    user_forget(user);
}

void channel_make(struct thread *thread, handle_t *end0, handle_t *end1)
{
    handle_t job = SK_HANDLE_NONE;
    struct handle_entry *entries = thread->process->handles.pages[0];
    for (uint32_t i = 0; i < HANDLES_PER_PAGE && job == SK_HANDLE_NONE; i++) {
        bool is_job = entries[i].object != NULL && entries[i].object->type == SK_TYPE_JOB;
        job = is_job ? entries[i].name : job;
    }
    assert_int_equal(syscall_as(thread, SK_SYS_channel_create, job), SK_OK);
    *end0 = (handle_t)value_of(thread, 0);
    *end1 = (handle_t)value_of(thread, 1);
}

handle_t give(struct thread *from, handle_t handle, struct thread *to)
{
    struct capability capability;
    handle_t given;
    assert_int_equal(handle_reserve(from->process, &handle, 1), SK_OK);
    handle_take(from->process, &handle, 1, &capability);
    assert_int_equal(handle_add(to->process, capability, &given), SK_OK);
    return given;
}

handle_t share(struct thread *from, handle_t handle, struct thread *to)
{
    assert_int_equal(syscall_as(from, SK_SYS_handle_info, handle), SK_OK);
    uint64_t rights = value_of(from, 0) >> 32;
    assert_int_equal(syscall_as(from, SK_SYS_handle_duplicate, handle, rights), SK_OK);
    return give(from, (handle_t)value_of(from, 0), to);
}

vaddr_t map_pages(struct thread *thread, uint64_t pages, uint32_t prot, handle_t *memory)
{
    struct memory *object;
    vaddr_t at;
    struct process *process = thread->process;
    assert_int_equal(memory_create(process->job, pages * PAGE_SIZE, &object), SK_OK);
    assert_int_equal(
        space_map(&process->space, object, memory_type.rights, 0, pages * PAGE_SIZE, 0, prot, &at),
        SK_OK);
    if (memory != NULL) {
        assert_int_equal(handle_add_new(process, &object->object, memory), SK_OK);
    } else {
        object_put(&object->object);
    }
    return at;
}

static bool user_copy(struct thread *thread, vaddr_t va, void *to, const void *from, size_t size)
{
    run(thread);
    bool lives = host_user_copy(thread, va, to, from, size);
    if (!lives) {
        pass();
    }
    return lives;
}

bool user_write(struct thread *thread, vaddr_t va, const void *from, size_t size)
{
    return user_copy(thread, va, NULL, from, size);
}

bool user_read(struct thread *thread, vaddr_t va, void *to, size_t size)
{
    return user_copy(thread, va, to, NULL, size);
}

struct census census_take(const struct user *user)
{
    struct census census = {.messages = message_live};
    for (uint32_t i = 0; i < SK_TYPE_COUNT; i++) {
        census.live[i] = object_live[i];
    }
    const struct job *job = user != NULL ? user->job : root_job;
    memcpy(census.used, job->used, sizeof census.used);
    census.frames = page_total() - page_free_count() - page_kernel_count();
    census.handles = user != NULL ? user->process->handles.used : 0;
    return census;
}

void census_assert_equal(const struct census *a, const struct census *b, const char *where)
{
    bool same = true;
    for (uint32_t i = 0; i < SK_TYPE_COUNT; i++) {
        if (a->live[i] != b->live[i]) {
            print_error("%s: objects of type %u: %lu, then %lu\n", where, i, a->live[i],
                        b->live[i]);
            same = false;
        }
    }
    for (uint32_t i = 0; i < BUDGET_KINDS; i++) {
        if (a->used[i] != b->used[i]) {
            print_error("%s: used of kind %u: %lu, then %lu\n", where, i, a->used[i], b->used[i]);
            same = false;
        }
    }
    if (a->messages != b->messages || a->frames != b->frames || a->handles != b->handles) {
        print_error("%s: messages %lu, then %lu; frames %lu, then %lu; handles %u, then %u\n",
                    where, a->messages, b->messages, a->frames, b->frames, a->handles, b->handles);
        same = false;
    }
    assert_true(same);
}

static struct census at_setup;

int census_setup(void **state)
{
    settle();
    at_setup = census_take(NULL);
    return 0;
}

int census_teardown(void **state)
{
    settle();
    struct census now = census_take(NULL);
    census_assert_equal(&at_setup, &now, "after the test");
    return 0;
}
