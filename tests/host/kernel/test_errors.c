/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors of system calls that no other host test makes: every handle argument that is no handle, of the wrong
 * type, without its right; then argument by argument. Each leaves everything as it was. pairs_test.py compares
 * what all of them have seen with abi/syscalls.tbl; budgets and full tables are in test_failures.c.
 */
#include "harness.h"
#include "job_kill.h"

#include <string.h>

#include <kernel/event.h>
#include <kernel/memory.h>
#include <kernel/resource.h>
#include <kernel/thread.h>
#include <skerry/info.h>

struct shape {
    uint32_t number;
    const char *name;
    bool ipc;
    uint32_t count;
    struct {
        uint32_t at;
        uint32_t types; /* one bit each; 0: any */
        uint32_t rights;
    } handles[3];
};

static const struct shape shapes[] = {
#include "syscall_shapes.h"
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

#define BAD_POINTER 0x7000000000ull

/* A user with an object of each type. */
struct zoo {
    struct user user;
    struct object *objects[SK_TYPE_COUNT];
    handle_t handles[SK_TYPE_COUNT];
    handle_t other_end;
    vaddr_t page;
};

static handle_t handle_with(struct zoo *zoo, struct object *object, uint32_t rights)
{
    handle_t handle;
    assert_int_equal(handle_add(zoo->user.process, capability_make(object, rights), &handle),
                     SK_OK);
    return handle;
}

/* Takes what a create call returned into the zoo. */
static void zoo_keep(struct zoo *zoo, enum sk_type type, handle_t handle)
{
    struct capability capability;
    assert_int_equal(handle_get(zoo->user.process, handle, type, 0, &capability), SK_OK);
    zoo->objects[type] = capability.object;
    zoo->handles[type] = handle;
    object_put(capability.object); /* the handle keeps it */
}

static handle_t made(struct zoo *zoo, uint32_t number, uint64_t a, uint64_t b, uint64_t c,
                     uint64_t d)
{
    assert_int_equal(syscall_as(zoo->user.thread, number, a, b, c, d), SK_OK);
    return (handle_t)value_of(zoo->user.thread, 0);
}

static struct zoo zoo_open(void)
{
    struct zoo zoo = {.user = user_start(SK_PRIORITY_DEFAULT)};
    struct thread *self = zoo.user.thread;
    handle_t job = zoo.user.job_handle, memory;
    struct resource *root;
    zoo.page = map_pages(self, 2, SK_PROT_READ | SK_PROT_WRITE, &memory);
    assert_true(user_write(self, zoo.page, "zoo", 4));
    zoo_keep(&zoo, SK_TYPE_JOB, job);
    zoo_keep(&zoo, SK_TYPE_PROCESS, zoo.user.process_handle);
    zoo_keep(&zoo, SK_TYPE_MEMORY, memory);
    zoo_keep(&zoo, SK_TYPE_THREAD, handle_with(&zoo, &self->object, thread_type.rights));
    zoo_keep(&zoo, SK_TYPE_WAITSET, made(&zoo, SK_SYS_waitset_create, job, 0, 0, 0));
    zoo_keep(&zoo, SK_TYPE_EVENT, made(&zoo, SK_SYS_event_create, job, 0, 0, 0));
    zoo_keep(&zoo, SK_TYPE_TIMER, made(&zoo, SK_SYS_timer_create, job, 0, 0, 0));
    zoo_keep(&zoo, SK_TYPE_ENDPOINT, made(&zoo, SK_SYS_channel_create, job, 0, 0, 0));
    zoo.other_end = (handle_t)value_of(self, 1);
    assert_int_equal(resource_create(zoo.user.job, SK_RESOURCE_ROOT, 0, 0, &root), SK_OK);
    handle_t resource;
    assert_int_equal(handle_add_new(zoo.user.process, &root->object, &resource), SK_OK);
    zoo_keep(&zoo, SK_TYPE_RESOURCE, resource);
    zoo_keep(&zoo, SK_TYPE_INTERRUPT, made(&zoo, SK_SYS_interrupt_create, resource, 5, job, 0));
    return zoo;
}

static void zoo_close(struct zoo *zoo)
{
    job_kill_all(zoo->user.job);
    user_stop(&zoo->user);
}

/* The call must end with `expected` and change nothing. */
static void refused(struct zoo *zoo, const char *what, uint32_t number, const uint64_t arguments[8],
                    status_t expected)
{
    settle();
    struct census before = census_take(&zoo->user);
    status_t status = syscall_array(zoo->user.thread, number, arguments);
    if (status != expected) {
        print_error("%s (%u) gives %d, not %d\n", what, number, status, expected);
    }
    assert_int_equal(status, expected);
    settle();
    struct census after = census_take(&zoo->user);
    census_assert_equal(&before, &after, what);
}

static void ipc_refused(struct zoo *zoo, const char *what, uint32_t number, struct ipc ipc,
                        status_t expected)
{
    settle();
    struct census before = census_take(&zoo->user);
    status_t status = ipc_as(zoo->user.thread, number, &ipc);
    if (status != expected) {
        print_error("%s (%u) gives %d, not %d\n", what, number, status, expected);
    }
    assert_int_equal(status, expected);
    settle();
    struct census after = census_take(&zoo->user);
    census_assert_equal(&before, &after, what);
}

/* Some type that fits the argument; `fits` false: one that does not. */
static enum sk_type type_for(uint32_t types, bool fits)
{
    for (uint32_t type = SK_TYPE_JOB; type < SK_TYPE_COUNT; type++) {
        if (((types >> type & 1) != 0) == fits) {
            return (enum sk_type)type;
        }
    }
    return SK_TYPE_JOB; /* any: a job */
}

static void refuse_handle(struct zoo *zoo, const struct shape *shape, uint32_t which, handle_t bad,
                          status_t expected)
{
    uint64_t arguments[8] = {0};
    for (uint32_t i = 0; i < shape->count; i++) {
        arguments[shape->handles[i].at] = zoo->handles[type_for(shape->handles[i].types, true)];
    }
    arguments[shape->handles[which].at] = bad;
    if (shape->ipc) {
        ipc_refused(zoo, shape->name, shape->number,
                    (struct ipc){.handle = bad, .deadline = SK_DEADLINE_POLL}, expected);
    } else {
        refused(zoo, shape->name, shape->number, arguments, expected);
    }
}

static void test_handles(void **state)
{
    for (uint32_t s = 0; s < SHAPES; s++) {
        const struct shape *shape = &shapes[s];
        struct zoo zoo = zoo_open();
        for (uint32_t i = 0; i < shape->count; i++) {
            uint32_t types = shape->handles[i].types, rights = shape->handles[i].rights;
            enum sk_type good = type_for(types, true);
            refuse_handle(&zoo, shape, i, SK_HANDLE_NONE, SK_BAD_HANDLE);
            refuse_handle(&zoo, shape, i, zoo.handles[good] + (1u << HANDLE_INDEX_BITS),
                          SK_BAD_HANDLE);
            if (types != 0) {
                enum sk_type wrong = type_for(types, false);
                refuse_handle(&zoo, shape, i, handle_with(&zoo, zoo.objects[wrong], SK_RIGHTS_ALL),
                              SK_WRONG_TYPE);
            }
            for (uint32_t right = 1; right != 0 && right <= rights; right <<= 1) {
                if (rights & right) {
                    refuse_handle(&zoo, shape, i,
                                  handle_with(&zoo, zoo.objects[good], SK_RIGHTS_ALL & ~right),
                                  SK_ACCESS_DENIED);
                }
            }
        }
        zoo_close(&zoo);
    }
}

#define R(number, expected, ...)                                                                   \
    refused(&zoo, #number, SK_SYS_##number, (const uint64_t[8]){__VA_ARGS__}, SK_##expected)
#define I(number, expected, ...)                                                                   \
    ipc_refused(&zoo, #number, SK_SYS_##number, (struct ipc){__VA_ARGS__}, SK_##expected)

static void test_objects(void **state)
{
    struct zoo zoo = zoo_open();
    const handle_t *h = zoo.handles;
    R(handle_close, BAD_HANDLE, 0);
    R(handle_info, BAD_HANDLE, 0);
    R(handle_duplicate, INVALID_ARGS, h[SK_TYPE_EVENT], SK_RIGHT_EXECUTE);
    R(object_wait, INVALID_ARGS, h[SK_TYPE_EVENT], 0, 0);
    R(object_wait, INVALID_ARGS, h[SK_TYPE_EVENT], SK_SIGNAL_TIMER, 0);
    R(object_wait, TIMED_OUT, h[SK_TYPE_EVENT], SK_SIGNAL_EVENT, SK_DEADLINE_POLL);
    R(object_info, TOO_SMALL, h[SK_TYPE_JOB], zoo.page, 3);
    R(object_info, BAD_ADDRESS, h[SK_TYPE_JOB], BAD_POINTER, 4096);
    R(object_info, NOT_SUPPORTED, h[SK_TYPE_RESOURCE], zoo.page, 4096);
    R(waitset_add, INVALID_ARGS, h[SK_TYPE_WAITSET], h[SK_TYPE_EVENT], SK_SIGNAL_READABLE, 0);
    R(waitset_add, INVALID_ARGS, h[SK_TYPE_WAITSET], h[SK_TYPE_EVENT], 0, 0);
    R(waitset_remove, NOT_FOUND, h[SK_TYPE_WAITSET], h[SK_TYPE_EVENT]);
    R(thread_resume, BAD_STATE, h[SK_TYPE_THREAD]);
    R(thread_set_priority, INVALID_ARGS, h[SK_TYPE_THREAD], 99);
    R(futex_wake, INVALID_ARGS, zoo.page + 1, 1);
    R(futex_wake, BAD_ADDRESS, BAD_POINTER, 1);
    R(futex_wait, INVALID_ARGS, zoo.page + 1, 1, SK_DEADLINE_NEVER);
    R(futex_wait, BAD_ADDRESS, BAD_POINTER, 1, SK_DEADLINE_NEVER);
    R(futex_wait, BAD_STATE, zoo.page, 12345, SK_DEADLINE_NEVER);
    R(interrupt_ack, BAD_STATE, h[SK_TYPE_INTERRUPT]);
    zoo_close(&zoo);
}

static void test_memory(void **state)
{
    struct zoo zoo = zoo_open();
    handle_t job = zoo.user.job_handle, memory = zoo.handles[SK_TYPE_MEMORY];
    handle_t root = zoo.handles[SK_TYPE_RESOURCE], process = zoo.user.process_handle;
    handle_t mmio = made(&zoo, SK_SYS_resource_create, root, SK_RESOURCE_MMIO, 0x10000000, 0x2000);
    handle_t registers = made(&zoo, SK_SYS_memory_create_physical, mmio, 0, 0x1000, 0);
    R(memory_create, INVALID_ARGS, job, 0, 0);
    R(memory_create, INVALID_ARGS, job, 4096, 0x80);
    R(memory_create_dma, INVALID_ARGS, root, job, 0);
    R(memory_create_physical, INVALID_ARGS, mmio, 0, 0);
    R(memory_create_physical, INVALID_ARGS, mmio, 8, 4096);
    R(memory_create_physical, OUT_OF_RANGE, mmio, 0x1000, 0x2000);
    R(memory_create_physical, WRONG_TYPE, root, 0, 0x1000);
    R(memory_read, INVALID_ARGS, memory, 0, zoo.page, 0x10001);
    R(memory_read, INVALID_ARGS, registers, 0, zoo.page, 4);
    R(memory_read, OUT_OF_RANGE, memory, 2 * PAGE_SIZE, zoo.page, 1);
    R(memory_read, BAD_ADDRESS, memory, 0, BAD_POINTER, 16);
    R(memory_write, INVALID_ARGS, memory, 0, zoo.page, 0x10001);
    R(memory_write, INVALID_ARGS, registers, 0, zoo.page, 4);
    R(memory_write, OUT_OF_RANGE, memory, ~0ull, zoo.page, 2);
    R(memory_write, BAD_ADDRESS, memory, 0, BAD_POINTER, 16);
    R(memory_slice, INVALID_ARGS, memory, job, 1, PAGE_SIZE);
    R(memory_slice, OUT_OF_RANGE, memory, job, 0, 64 * PAGE_SIZE);
    R(memory_unmap, INVALID_ARGS, process, 1, PAGE_SIZE);
    R(memory_unmap, NOT_FOUND, process, 0x4000000, PAGE_SIZE);
    R(memory_protect, INVALID_ARGS, process, zoo.page, PAGE_SIZE, ~0u);
    R(resource_create, INVALID_ARGS, root, 99, 0, 0);
    R(resource_create, OUT_OF_RANGE, mmio, SK_RESOURCE_MMIO, 0x10001000, 0x2000);
    R(interrupt_create, BUSY, root, 5, job);
    R(interrupt_create, OUT_OF_RANGE, root, 0, job);
    R(interrupt_create, OUT_OF_RANGE, root, 1u << 20, job);
    zoo_close(&zoo);
}

static void test_processes(void **state)
{
    struct zoo zoo = zoo_open();
    handle_t job = zoo.user.job_handle;
    handle_t fresh = made(&zoo, SK_SYS_process_create, job, zoo.page, 3, 0);
    handle_t event = zoo.handles[SK_TYPE_EVENT];
    R(job_create, BAD_ADDRESS, job, BAD_POINTER);
    handle_t deepest = job;
    for (uint32_t depth = zoo.user.job->depth; depth < SK_JOB_DEPTH_MAX; depth++) {
        const struct sk_budget budget = {.objects = SK_JOB_DEPTH_MAX - depth};
        assert_true(user_write(zoo.user.thread, zoo.page + 2048, &budget, sizeof(budget)));
        deepest = made(&zoo, SK_SYS_job_create, deepest, zoo.page + 2048, 0, 0);
    }
    R(job_create, OUT_OF_RANGE, deepest, zoo.page + 1024);
    R(process_create, INVALID_ARGS, job, zoo.page, 32);
    R(process_create, INVALID_ARGS, job, zoo.page, 4); /* its last byte is not printable */
    R(process_create, BAD_ADDRESS, job, BAD_POINTER, 4);
    R(process_start, INVALID_ARGS, fresh, 0x10000, 0x20000, event, 99);
    R(process_start, ACCESS_DENIED, fresh, 0x10000, 0x20000, event, SK_PRIORITY_DEFAULT + 1);
    R(process_start, BAD_HANDLE, fresh, 0x10000, 0x20000, 0, SK_PRIORITY_DEFAULT);
    R(process_start, BAD_STATE, zoo.user.process_handle, 0x10000, 0x20000, event,
      SK_PRIORITY_DEFAULT);
    R(thread_create, BAD_STATE, fresh, 0x10000, 0x20000, 0, SK_PRIORITY_DEFAULT);
    R(thread_create, INVALID_ARGS, zoo.user.process_handle, 0x10000, 0x20000, 0, 99);
    R(thread_create, ACCESS_DENIED, zoo.user.process_handle, 0x10000, 0x20000, 0,
      SK_PRIORITY_DEFAULT + 1);
    R(thread_set_priority, ACCESS_DENIED, zoo.handles[SK_TYPE_THREAD], SK_PRIORITY_DEFAULT + 1);

    struct user other = user_start_in(zoo.user.job, SK_PRIORITY_DEFAULT);
    handle_t thread = handle_with(&zoo, &other.thread->object, thread_type.rights);
    handle_t process = handle_with(&zoo, &other.process->object, process_type.rights);
    other.thread->suspend_count = UINT32_MAX;
    R(thread_suspend, OUT_OF_RANGE, thread);
    other.thread->suspend_count = 0;
    user_stop(&other);
    R(thread_suspend, BAD_STATE, thread);
    R(thread_resume, BAD_STATE, thread);
    R(thread_set_priority, BAD_STATE, thread, 1);
    R(memory_map, BAD_STATE, process, zoo.handles[SK_TYPE_MEMORY], 0, PAGE_SIZE, 0, SK_PROT_READ);

    const struct sk_budget small = {
        .pages = 4, .objects = 4, .handles = 4, .messages = 4, .threads = 1};
    assert_true(user_write(zoo.user.thread, zoo.page + 1024, &small, sizeof small));
    handle_t killed = made(&zoo, SK_SYS_job_create, job, zoo.page + 1024, 0, 0);
    assert_int_equal(syscall_as(zoo.user.thread, SK_SYS_job_kill, killed), SK_OK);
    R(process_create, BAD_STATE, killed, zoo.page, 3);
    zoo_close(&zoo);
}

static void test_system(void **state)
{
    struct zoo zoo = zoo_open();
    handle_t root = zoo.handles[SK_TYPE_RESOURCE], event = zoo.handles[SK_TYPE_EVENT];
    handle_t irq = made(&zoo, SK_SYS_resource_create, root, SK_RESOURCE_IRQ, 1, 4);
    R(log_write, INVALID_ARGS, root, zoo.page, 1025);
    R(log_write, BAD_ADDRESS, root, BAD_POINTER, 10);
    R(log_write, WRONG_TYPE, irq, zoo.page, 1);
    assert_int_equal(syscall_as(zoo.user.thread, SK_SYS_log_write, root, zoo.page, 3), SK_OK);
    R(log_read, BAD_ADDRESS, root, 0, BAD_POINTER, 10);
    R(system_power, INVALID_ARGS, root, 99, 0);
    R(system_power, NOT_SUPPORTED, root, SK_POWER_OFF, SK_POWER_SUCCESS); /* the host has none */
    R(system_info, INVALID_ARGS, root, 99, zoo.page, 4096);
    R(system_info, BAD_ADDRESS, root, SK_SYSTEM_GENERAL, BAD_POINTER, 4096);
    R(handle_list, NOT_FOUND, root, 1ull << 60, 0, zoo.page, 4096);
    R(handle_list, BAD_ADDRESS, root, zoo.user.process->object.id, 0, BAD_POINTER, 4096);
    assert_int_equal(syscall_as(zoo.user.thread, SK_SYS_log_take_console, root, event), SK_OK);
    R(log_take_console, BUSY, root, event);
    R(handle_list, WRONG_TYPE, irq, 1, 0, zoo.page, 4096);
    zoo_close(&zoo);
}

static void test_messages(void **state)
{
    struct zoo zoo = zoo_open();
    struct thread *self = zoo.user.thread;
    handle_t end = zoo.handles[SK_TYPE_ENDPOINT];
    handle_t kept = handle_with(&zoo, zoo.objects[SK_TYPE_EVENT],
                                event_type.rights & ~(uint32_t)SK_RIGHT_TRANSFER);
    const handle_t lists[4] = {end, kept, zoo.handles[SK_TYPE_EVENT], zoo.handles[SK_TYPE_EVENT]};
    assert_true(user_write(self, zoo.page + 2048, lists, sizeof lists));
    vaddr_t own = zoo.page + 2048, untransferable = own + 4, twice = own + 8, nothing = own + 16;
    const uint32_t sends[3] = {SK_SYS_channel_send, SK_SYS_channel_call, SK_SYS_channel_reply};
    for (uint32_t i = 0; i < 3; i++) {
        const struct {
            const char *what;
            uint64_t info, buffer, handles;
            status_t expected;
        } cases[] = {
            {"flags", 1ull << 40, 0, 0, SK_INVALID_ARGS},
            {"too long", SK_INFO(4097, 0), zoo.page, 0, SK_TOO_BIG},
            {"too many handles", SK_INFO(0, 9), 0, own, SK_TOO_BIG},
            {"bad bytes", SK_INFO(100, 0), BAD_POINTER, 0, SK_BAD_ADDRESS},
            {"bad handles", SK_INFO(0, 1), 0, BAD_POINTER, SK_BAD_ADDRESS},
            {"own end", SK_INFO(0, 1), 0, own, SK_INVALID_ARGS},
            {"no right", SK_INFO(0, 1), 0, untransferable, SK_ACCESS_DENIED},
            {"no handle", SK_INFO(0, 1), 0, nothing, SK_BAD_HANDLE},
            {"named twice", SK_INFO(0, 2), 0, twice, SK_INVALID_ARGS},
        };
        for (uint32_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            /* A reply's handles are looked at after its token. */
            bool reply = sends[i] == SK_SYS_channel_reply;
            if (reply && cases[c].handles == own) {
                continue;
            }
            ipc_refused(&zoo, cases[c].what, sends[i],
                        (struct ipc){.handle = end,
                                     .info = cases[c].info,
                                     .out_buffer = cases[c].buffer,
                                     .out_handles = cases[c].handles,
                                     .deadline = SK_DEADLINE_NEVER},
                        cases[c].expected);
        }
    }
    I(channel_reply, NOT_FOUND, .info = 8, .token = 0x10001);
    I(channel_call, TIMED_OUT, .handle = end, .info = 8, .deadline = SK_DEADLINE_POLL);
    I(channel_receive, TIMED_OUT, .handle = end, .deadline = SK_DEADLINE_POLL);
    zoo_close(&zoo);
}

/* Full: by the number of messages; then by bytes; then closed, which is told before. */
static void test_inboxes(void **state)
{
    struct zoo zoo = zoo_open();
    struct thread *self = zoo.user.thread;
    handle_t end = zoo.handles[SK_TYPE_ENDPOINT], other = zoo.other_end;

    for (uint32_t i = 0; i < SK_INBOX_MESSAGES_MAX; i++) {
        assert_int_equal(ipc_as(self, SK_SYS_channel_send, &(struct ipc){.handle = end, .info = 8}),
                         SK_OK);
    }
    I(channel_send, FULL, .handle = end, .info = 8);
    for (uint32_t i = 0; i < SK_INBOX_MESSAGES_MAX; i++) {
        assert_int_equal(ipc_as(self, SK_SYS_channel_receive, &(struct ipc){.handle = other}),
                         SK_OK);
    }
    for (uint32_t round = 0; round < 2; round++) { /* and again after all were received */
        for (uint32_t i = 0; i < SK_INBOX_BYTES_MAX / 4096; i++) {
            assert_int_equal(
                ipc_as(self, SK_SYS_channel_send,
                       &(struct ipc){.handle = end, .info = 4096, .out_buffer = zoo.page}),
                SK_OK);
        }
        I(channel_send, FULL, .handle = end, .info = 33, .out_buffer = zoo.page);
        I(channel_receive, TOO_SMALL, .handle = other, .in_room = SK_ROOM(4095, 0));
        I(channel_receive, BAD_ADDRESS, .handle = other, .in_buffer = BAD_POINTER,
          .in_room = SK_ROOM(4096, 0));
        I(channel_reply_receive, BAD_ADDRESS, .handle = other, .in_buffer = BAD_POINTER,
          .in_room = SK_ROOM(4096, 0));
        I(channel_reply_receive, TOO_SMALL, .handle = other, .in_room = SK_ROOM(4095, 0));
        for (uint32_t i = 0; i < SK_INBOX_BYTES_MAX / 4096; i++) {
            assert_int_equal(ipc_as(self, SK_SYS_channel_receive,
                                    &(struct ipc){.handle = other,
                                                  .in_buffer = zoo.page,
                                                  .in_room = SK_ROOM(4096, 0)}),
                             SK_OK);
        }
    }
    /* No place for the handle's number: the room made for it is given back. */
    const handle_t events[2] = {zoo.handles[SK_TYPE_EVENT]};
    assert_true(user_write(self, zoo.page, events, sizeof events));
    assert_int_equal(
        ipc_as(self, SK_SYS_channel_send,
               &(struct ipc){.handle = end, .info = SK_INFO(0, 1), .out_handles = zoo.page}),
        SK_OK);
    I(channel_receive, BAD_ADDRESS, .handle = other, .in_handles = BAD_POINTER,
      .in_room = SK_ROOM(0, 1));
    assert_int_equal(syscall_as(self, SK_SYS_handle_close, other), SK_OK);
    I(channel_send, PEER_CLOSED, .handle = end, .info = 8);
    I(channel_call, PEER_CLOSED, .handle = end, .info = 8, .deadline = SK_DEADLINE_NEVER);
    I(channel_receive, PEER_CLOSED, .handle = end, .deadline = SK_DEADLINE_NEVER);
    I(channel_reply_receive, PEER_CLOSED, .handle = end, .deadline = SK_DEADLINE_NEVER);
    zoo_close(&zoo);
}

/* Two threads: one waits, the other ends its wait with an error. */
static void test_waits(void **state)
{
    struct zoo zoo = zoo_open();
    struct thread *self = zoo.user.thread, *waiter = user_thread(&zoo.user, SK_PRIORITY_DEFAULT);
    handle_t end = zoo.handles[SK_TYPE_ENDPOINT], other = zoo.other_end;
    const uint32_t receives[2] = {SK_SYS_channel_receive, SK_SYS_channel_reply_receive};
    on_hart(1);
    run(waiter);
    on_hart(0);
    for (uint32_t i = 0; i < 2; i++) {
        handle_t set = made(&zoo, SK_SYS_waitset_create, zoo.user.job_handle, 0, 0, 0);
        struct ipc forever = {.handle = set, .deadline = SK_DEADLINE_NEVER};
        assert_int_equal(ipc_as(waiter, receives[i], &forever), BLOCKED);
        assert_int_equal(syscall_as(self, SK_SYS_handle_close, set), SK_OK);
        assert_int_equal(status_of(waiter), SK_BAD_STATE);
        forever.handle = other;
        forever.deadline = clock_now_ns() + 1000;
        assert_int_equal(ipc_as(waiter, receives[i], &forever), BLOCKED);
        advance_to(forever.deadline);
        settle();
        assert_int_equal(status_of(waiter), SK_TIMED_OUT);
    }
    /* A reply that does not fit ends the call so. */
    const struct ipc call = {.handle = end, .info = 8, .deadline = SK_DEADLINE_NEVER};
    assert_int_equal(ipc_as(waiter, SK_SYS_channel_call, &call), BLOCKED);
    assert_int_equal(ipc_as(self, SK_SYS_channel_receive, &(struct ipc){.handle = other}), SK_OK);
    assert_int_equal(
        ipc_as(self, SK_SYS_channel_reply,
               &(struct ipc){.info = 100, .out_buffer = zoo.page, .token = self->frame.arg[6]}),
        SK_NOT_DELIVERED);
    assert_int_equal(status_of(waiter), SK_TOO_SMALL);
    /* The end that a thread is parked on closes; then the other one. */
    assert_int_equal(ipc_as(waiter, SK_SYS_channel_receive,
                            &(struct ipc){.handle = other, .deadline = SK_DEADLINE_NEVER}),
                     BLOCKED);
    assert_int_equal(syscall_as(self, SK_SYS_handle_close, end), SK_OK);
    assert_int_equal(status_of(waiter), SK_PEER_CLOSED);
    channel_make(self, &end, &other);
    assert_int_equal(ipc_as(waiter, SK_SYS_channel_receive,
                            &(struct ipc){.handle = other, .deadline = SK_DEADLINE_NEVER}),
                     BLOCKED);
    assert_int_equal(syscall_as(self, SK_SYS_handle_close, other), SK_OK);
    assert_int_equal(status_of(waiter), SK_BAD_STATE);
    zoo_close(&zoo);
}

/* The short way looks at the same rights as the long one. */
static void test_short_way(void **state)
{
    struct zoo zoo = zoo_open();
    struct thread *self = zoo.user.thread, *server = user_thread(&zoo.user, SK_PRIORITY_DEFAULT);
    const uint32_t rights[2] = {SK_RIGHT_READ, SK_RIGHT_WRITE};
    assert_int_equal(ipc_as(server, SK_SYS_channel_receive,
                            &(struct ipc){.handle = zoo.other_end, .deadline = SK_DEADLINE_NEVER}),
                     BLOCKED);
    for (uint32_t i = 0; i < 2; i++) {
        handle_t half = handle_with(&zoo, zoo.objects[SK_TYPE_ENDPOINT], rights[i]);
        I(channel_call, ACCESS_DENIED, .handle = half, .info = 8, .deadline = SK_DEADLINE_NEVER);
        assert_true(is_blocked(server));
    }
    assert_int_equal(ipc_as(self, SK_SYS_channel_send,
                            &(struct ipc){.handle = zoo.handles[SK_TYPE_ENDPOINT], .info = 8}),
                     SK_OK);
    zoo_close(&zoo);
}

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_handles, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_objects, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_memory, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_processes, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_system, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_messages, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_inboxes, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_waits, census_setup, census_teardown),
        cmocka_unit_test_setup_teardown(test_short_way, census_setup, census_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
