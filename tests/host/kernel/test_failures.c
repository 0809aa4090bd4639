/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every system call that allocates, with the first, second, ... of its allocations failing; with each kind of
 * its job's budget used up; with a full handle table. The status says so, nothing has changed, and the same
 * call works afterwards.
 */
#include "harness.h"
#include "job_kill.h"

#include <string.h>

#include <kernel/page.h>
#include <kernel/resource.h>

#define FIRST_PAGE ((vaddr_t)0x200000)

struct context {
    struct user user;
    struct user other;
    vaddr_t page; /* of touched memory */
    handle_t memory, end0, end1, one, two;
    handle_t many[SK_MESSAGE_HANDLES_MAX];
    uint64_t limits[BUDGET_KINDS];
    bool limited;
};

struct operation {
    const char *name;
    void (*prepare)(struct context *c);
    status_t (*act)(struct context *c);
    bool keeps_pages; /* tables (of pages, of handles) and frames made so far stay where they are */
    bool makes_handle; /* NO_HANDLES when the table is full */
};

/* Nothing more of this kind, until the limits are restored. */
static void limit_reach(struct context *c, uint32_t kind)
{
    struct job *job = c->user.job;
    memcpy(c->limits, job->limit, sizeof c->limits);
    job->limit[kind] = job->used[kind];
    c->limited = true;
}

static void limits_restore(struct context *c)
{
    if (c->limited) {
        memcpy(c->user.job->limit, c->limits, sizeof c->limits);
        c->limited = false;
    }
}

/* Fills the table, so that the next handle needs a page of it. */
static void fill_table(struct process *process, handle_t source)
{
    struct capability capability;
    while (process->handles.used % HANDLES_PER_PAGE != 0) {
        handle_t handle;
        assert_int_equal(handle_get(process, source, SK_TYPE_NONE, 0, &capability), SK_OK);
        struct capability copy = capability_make(capability.object, capability.rights);
        object_put(capability.object);
        assert_int_equal(handle_add(process, copy, &handle), SK_OK);
    }
}

static void prepare_full(struct context *c)
{
    fill_table(c->user.process, c->user.job_handle);
}

static void prepare_events(struct context *c)
{
    struct thread *self = c->user.thread;
    channel_make(self, &c->end0, &c->end1);
    for (uint32_t i = 0; i < SK_MESSAGE_HANDLES_MAX; i++) {
        assert_int_equal(syscall_as(self, SK_SYS_event_create, c->user.job_handle), SK_OK);
        c->many[i] = (handle_t)value_of(self, 0);
    }
    assert_true(user_write(self, c->page + 2048, c->many, sizeof c->many));
}

static status_t duplicate(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_handle_duplicate, c->memory, SK_RIGHT_READ);
}

static status_t create_channel(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_channel_create, c->user.job_handle);
}

static status_t create_event(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_event_create, c->user.job_handle);
}

static status_t create_timer(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_timer_create, c->user.job_handle);
}

static status_t create_waitset(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_waitset_create, c->user.job_handle);
}

static status_t create_memory(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_create, c->user.job_handle, 40 * PAGE_SIZE, 0);
}

static status_t commit_memory(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_create, c->user.job_handle, 40 * PAGE_SIZE,
                      SK_MEMORY_COMMIT);
}

static status_t create_job(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_job_create, c->user.job_handle, c->page);
}

static status_t create_process(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_process_create, c->user.job_handle, c->page + 1024, 4);
}

static void prepare_start(struct context *c)
{
    assert_int_equal(create_process(c), SK_OK);
    c->one = (handle_t)value_of(c->user.thread, 0);
    assert_int_equal(create_event(c), SK_OK);
    c->two = (handle_t)value_of(c->user.thread, 0);
    prepare_full(c);
}

static status_t start_process(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_process_start, c->one, 0x10000, 0x20000, c->two, 16);
}

static status_t create_thread(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_thread_create, c->user.process_handle, 0x10000,
                      0x20000, 0, 16);
}

static void prepare_member(struct context *c)
{
    assert_int_equal(create_waitset(c), SK_OK);
    c->one = (handle_t)value_of(c->user.thread, 0);
    assert_int_equal(create_event(c), SK_OK);
    c->two = (handle_t)value_of(c->user.thread, 0);
}

static status_t add_member(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_waitset_add, c->one, c->two, SK_SIGNAL_EVENT, 5);
}

static status_t send_much(struct context *c)
{
    return ipc_as(c->user.thread, SK_SYS_channel_send,
                  &(struct ipc){.handle = c->end0,
                                .info = SK_INFO(2000, SK_MESSAGE_HANDLES_MAX),
                                .out_buffer = c->page,
                                .out_handles = c->page + 2048});
}

static status_t call_much(struct context *c)
{
    return ipc_as(c->user.thread, SK_SYS_channel_call,
                  &(struct ipc){.handle = c->end0,
                                .info = SK_INFO(2000, SK_MESSAGE_HANDLES_MAX),
                                .out_buffer = c->page,
                                .out_handles = c->page + 2048,
                                .deadline = SK_DEADLINE_NEVER});
}

/* The other process has a full table and has not touched its buffer yet. */
static void prepare_receive(struct context *c)
{
    prepare_events(c);
    c->one = give(c->user.thread, c->end1, c->other.thread);
    assert_int_equal(send_much(c), SK_OK);
    fill_table(c->other.process, c->other.job_handle);
}

static status_t take_much(struct context *c, uint64_t call)
{
    return ipc_as(c->other.thread, call,
                  &(struct ipc){.handle = c->one,
                                .deadline = SK_DEADLINE_POLL,
                                .in_buffer = c->page,
                                .in_room = SK_ROOM(4096, 8),
                                .in_handles = c->page + 2048});
}

static status_t receive_much(struct context *c)
{
    return take_much(c, SK_SYS_channel_receive);
}

static status_t reply_receive_much(struct context *c)
{
    return take_much(c, SK_SYS_channel_reply_receive);
}

static void prepare_reply(struct context *c)
{
    prepare_events(c);
    c->one = give(c->user.thread, c->end0, c->other.thread);
    fill_table(c->other.process, c->other.job_handle);
    /* The other calls, ready to take much; this one serves. */
    assert_int_equal(ipc_as(c->other.thread, SK_SYS_channel_call,
                            &(struct ipc){.handle = c->one,
                                          .info = 8,
                                          .in_buffer = c->page,
                                          .in_room = SK_ROOM(4096, 8),
                                          .in_handles = c->page + 2048,
                                          .deadline = SK_DEADLINE_NEVER}),
                     BLOCKED);
    assert_int_equal(ipc_as(c->user.thread, SK_SYS_channel_receive,
                            &(struct ipc){.handle = c->end1, .deadline = SK_DEADLINE_NEVER}),
                     SK_OK);
    c->two = 0;
}

/* A reply that does not fit ends the call, so there is a new one for the next try. Returns why it did not. */
static status_t reply_much(struct context *c)
{
    status_t status = ipc_as(c->user.thread, SK_SYS_channel_reply,
                             &(struct ipc){.info = SK_INFO(2000, SK_MESSAGE_HANDLES_MAX),
                                           .token = c->user.thread->frame.arg[6],
                                           .out_buffer = c->page,
                                           .out_handles = c->page + 2048});
    if (status != SK_NOT_DELIVERED) {
        return status;
    }
    page_fail_after(0);
    limits_restore(c);
    status = status_of(c->other.thread);
    assert_int_equal(c->other.thread->frame.arg[1], SK_INFO_DELIVERED);
    assert_int_equal(ipc_as(c->other.thread, SK_SYS_channel_call,
                            &(struct ipc){.handle = c->one,
                                          .info = 8,
                                          .in_buffer = c->page,
                                          .in_room = SK_ROOM(4096, 8),
                                          .in_handles = c->page + 2048,
                                          .deadline = SK_DEADLINE_NEVER}),
                     BLOCKED);
    assert_int_equal(ipc_as(c->user.thread, SK_SYS_channel_receive,
                            &(struct ipc){.handle = c->end1, .deadline = SK_DEADLINE_NEVER}),
                     SK_OK);
    return status;
}

static status_t map(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_map, c->user.process_handle, c->memory, 0,
                      16 * PAGE_SIZE, 0x1000000, SK_PROT_READ | SK_MAP_FIXED);
}

static status_t map_populated(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_map, c->user.process_handle, c->memory, 0,
                      16 * PAGE_SIZE, 0x1000000,
                      SK_PROT_READ | SK_PROT_WRITE | SK_MAP_FIXED | SK_MAP_POPULATE);
}

static void prepare_mapped(struct context *c)
{
    assert_int_equal(map_populated(c), SK_OK);
}

static status_t unmap_middle(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_unmap, c->user.process_handle,
                      0x1000000 + 4 * PAGE_SIZE, 2 * PAGE_SIZE);
}

static status_t protect_middle(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_protect, c->user.process_handle,
                      0x1000000 + 4 * PAGE_SIZE, 2 * PAGE_SIZE, SK_PROT_READ);
}

static status_t write_memory(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_write, c->memory, 9 * PAGE_SIZE, c->page, 16);
}

static status_t wait_on_futex(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_futex_wait, c->page + PAGE_SIZE, 1, SK_DEADLINE_NEVER);
}

static void prepare_resource(struct context *c)
{
    struct resource *resource;
    assert_int_equal(resource_create(c->user.job, SK_RESOURCE_ROOT, 0, 0, &resource), SK_OK);
    assert_int_equal(handle_add_new(c->user.process, &resource->object, &c->one), SK_OK);
    assert_int_equal(
        syscall_as(c->user.thread, SK_SYS_resource_create, c->one, SK_RESOURCE_DMA, 1ull << 32, 64),
        SK_OK);
    c->two = (handle_t)value_of(c->user.thread, 0);
    assert_int_equal(
        syscall_as(c->user.thread, SK_SYS_resource_create, c->one, SK_RESOURCE_IRQ, 1, 8), SK_OK);
    c->many[0] = (handle_t)value_of(c->user.thread, 0);
    prepare_full(c);
}

static status_t create_resource(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_resource_create, c->one, SK_RESOURCE_MMIO, 0x10000000,
                      4096);
}

static status_t create_dma(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_create_dma, c->two, c->user.job_handle,
                      4 * PAGE_SIZE);
}

static void prepare_registers(struct context *c)
{
    prepare_resource(c);
    assert_int_equal(create_resource(c), SK_OK);
    c->two = (handle_t)value_of(c->user.thread, 0);
    prepare_full(c);
}

static status_t create_physical(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_create_physical, c->two, 0, PAGE_SIZE);
}

static status_t create_slice(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_slice, c->memory, c->user.job_handle, PAGE_SIZE,
                      PAGE_SIZE);
}

/* Into a page that has not been touched yet. */
static status_t read_memory(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_memory_read, c->memory, 0, c->page + PAGE_SIZE, 16);
}

static status_t create_interrupt(struct context *c)
{
    return syscall_as(c->user.thread, SK_SYS_interrupt_create, c->many[0], 3, c->user.job_handle);
}

static const struct operation operations[] = {
    {"handle_duplicate", prepare_full, duplicate, false, true},
    {"channel_create", prepare_full, create_channel, false, true},
    {"event_create", prepare_full, create_event, false, true},
    {"timer_create", prepare_full, create_timer, false, true},
    {"waitset_create", prepare_full, create_waitset, false, true},
    {"memory_create", prepare_full, create_memory, false, true},
    {"memory_create, committed", prepare_full, commit_memory, false, true},
    {"job_create", prepare_full, create_job, false, true},
    {"process_create", prepare_full, create_process, false, true},
    {"process_start", prepare_start, start_process, true, true},
    {"thread_create", prepare_full, create_thread, true, true},
    {"waitset_add", prepare_member, add_member, false, false},
    {"channel_send", prepare_events, send_much, false, false},
    {"channel_call", prepare_events, call_much, false, false},
    {"channel_receive", prepare_receive, receive_much, true, true},
    {"channel_reply_receive", prepare_receive, reply_receive_much, true, true},
    {"channel_reply", prepare_reply, reply_much, true, true},
    {"memory_map", NULL, map, false, false},
    {"memory_map, populated", NULL, map_populated, true, false},
    {"memory_unmap in the middle", prepare_mapped, unmap_middle, false, false},
    {"memory_protect in the middle", prepare_mapped, protect_middle, false, false},
    {"memory_write", NULL, write_memory, true, false},
    {"futex_wait", NULL, wait_on_futex, true, false},
    {"resource_create", prepare_resource, create_resource, false, true},
    {"memory_create_physical", prepare_registers, create_physical, false, true},
    {"memory_slice", prepare_full, create_slice, true, true},
    {"memory_read", NULL, read_memory, true, false},
    {"memory_create_dma", prepare_resource, create_dma, true, true},
    {"interrupt_create", prepare_resource, create_interrupt, false, true},
};

static void begin(struct context *c)
{
    *c = (struct context){.user = user_start(SK_PRIORITY_DEFAULT)};
    c->other = user_start_in(c->user.job, SK_PRIORITY_DEFAULT);
    struct thread *threads[2] = {c->user.thread, c->other.thread};
    for (uint32_t i = 0; i < 2; i++) {
        struct memory *memory;
        vaddr_t at;
        assert_int_equal(memory_create(c->user.job, 16 * PAGE_SIZE, &memory), SK_OK);
        assert_int_equal(space_map(&threads[i]->process->space, memory, memory_type.rights, 0,
                                   2 * PAGE_SIZE, FIRST_PAGE,
                                   SK_PROT_READ | SK_PROT_WRITE | SK_MAP_FIXED, &at),
                         SK_OK);
        handle_t handle;
        assert_int_equal(handle_add_new(threads[i]->process, &memory->object, &handle), SK_OK);
        c->memory = i == 0 ? handle : c->memory;
    }
    c->page = FIRST_PAGE;
    const struct sk_budget budget = {
        .pages = 4, .objects = 4, .handles = 4, .messages = 4, .threads = 1};
    assert_true(user_write(c->user.thread, c->page, &budget, sizeof budget));
    assert_true(user_write(c->user.thread, c->page + 1024, "name", 4));
}

static void end(struct context *c)
{
    job_kill_all(c->user.job);
    user_stop(&c->other);
    user_stop(&c->user);
}

static void sweep(const struct operation *operation)
{
    struct context c;
    begin(&c);
    if (operation->prepare != NULL) {
        operation->prepare(&c);
    }
    run(c.user.thread);
    for (uint64_t n = 1;; n++) {
        struct census before = census_take(&c.user);
        uint32_t other = c.other.process->handles.used;
        page_fail_after(n);
        status_t status = operation->act(&c);
        page_fail_after(0);
        if (status == SK_OK || status == BLOCKED || status == SK_BAD_STATE) {
            assert_true(n > 1); /* it does allocate */
            break;
        }
        if (status != SK_NO_MEMORY) {
            print_error("%s: failing allocation %lu gives %d\n", operation->name, n, status);
        }
        assert_int_equal(status, SK_NO_MEMORY);
        settle();
        struct census after = census_take(&c.user);
        if (operation->keeps_pages) {
            after.used[BUDGET_PAGES] = before.used[BUDGET_PAGES];
            after.frames = before.frames;
        }
        census_assert_equal(&before, &after, operation->name);
        assert_int_equal(other, c.other.process->handles.used);
        assert_true(n < 100);
    }
    end(&c);
}

static void test_sweep(void **state)
{
    for (uint32_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        struct census before = census_take(NULL);
        sweep(&operations[i]);
        struct census after = census_take(NULL);
        census_assert_equal(&before, &after, operations[i].name);
    }
}

/* With one kind of budget used up it fails, for one kind at least, or does not need that kind. */
static void starve(const struct operation *operation)
{
    uint32_t refusals = 0;
    for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
        struct context c;
        begin(&c);
        if (operation->prepare != NULL) {
            operation->prepare(&c);
        }
        run(c.user.thread);
        struct census before = census_take(&c.user);
        limit_reach(&c, kind);
        status_t status = operation->act(&c);
        limits_restore(&c);
        if (status == SK_OVER_BUDGET) {
            settle();
            struct census after = census_take(&c.user);
            /* A table that has grown stays so. */
            after.used[BUDGET_PAGES] = before.used[BUDGET_PAGES];
            after.frames = before.frames;
            census_assert_equal(&before, &after, operation->name);
            refusals++;
        } else if (status != SK_OK && status != BLOCKED && status != SK_BAD_STATE) {
            print_error("%s: kind %u used up gives %d\n", operation->name, kind, status);
            assert_true(false);
        }
        end(&c);
    }
    if (refusals == 0) {
        print_error("%s is free of charge\n", operation->name);
    }
    assert_true(refusals > 0);
}

static void test_budgets(void **state)
{
    for (uint32_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        starve(&operations[i]);
    }
}

/* Puts the same handle into every free entry. */
static void fill_whole_table(struct user *user)
{
    struct capability copy = capability_make(&user->job->object, job_type.rights);
    handle_t handle;
    while (handle_add(user->process, copy, &handle) == SK_OK) {
        copy = capability_make(&user->job->object, job_type.rights);
    }
    capability_drop(copy);
    assert_int_equal(user->process->handles.used, HANDLE_PAGES_MAX * HANDLES_PER_PAGE);
}

static void test_full_tables(void **state)
{
    for (uint32_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        const struct operation *operation = &operations[i];
        if (!operation->makes_handle) {
            continue;
        }
        struct context c;
        begin(&c);
        if (operation->prepare != NULL) {
            operation->prepare(&c);
        }
        run(c.user.thread);
        memcpy(c.limits, c.user.job->limit, sizeof c.limits);
        for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
            c.user.job->limit[kind] += 3 * HANDLE_PAGES_MAX * HANDLES_PER_PAGE;
        }
        fill_whole_table(&c.user);
        fill_whole_table(&c.other);
        struct census before = census_take(&c.user);
        status_t status = operation->act(&c);
        if (status != SK_NO_HANDLES) {
            print_error("%s: a full table gives %d\n", operation->name, status);
        }
        assert_int_equal(status, SK_NO_HANDLES);
        settle();
        struct census after = census_take(&c.user);
        if (operation->keeps_pages) {
            after.used[BUDGET_PAGES] = before.used[BUDGET_PAGES];
            after.frames = before.frames;
        }
        census_assert_equal(&before, &after, operation->name);
        for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
            c.user.job->limit[kind] = c.limits[kind] + c.user.job->used[kind];
        }
        end(&c);
    }
}

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sweep, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_budgets, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_full_tables, census_setup, census_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
