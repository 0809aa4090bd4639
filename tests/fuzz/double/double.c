/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects, the service's handle table, and all system calls but those of ipc.c. See double.h. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sk/service.h>
#include <sk/syscalls.h>

#define HANDLES_MAX 4096u
#define INDEX_BITS 12

static struct entry {
    struct held held;
    uint32_t generation;
    uint32_t number; /* counts all handles ever made */
} table[HANDLES_MAX];
static uint32_t table_used;

struct object *double_objects;
uint64_t double_now = 1000000000;
bool double_power_is_allowed;
void (*double_fill)(void *buffer, size_t size);
void (*double_process)(struct object *process, bool started);

static uint64_t next_id = 100;
static uint32_t fail_in;

void double_fail_in(uint32_t n)
{
    fail_in = n;
}

bool double_must_fail(void)
{
    return fail_in != 0 && --fail_in == 0;
}

/* --- Objects --- */

struct object *object_new(enum sk_type type)
{
    struct object *object = calloc(1, sizeof *object);
    object->type = type;
    object->id = next_id += 2;
    object->next = double_objects;
    double_objects = object;
    return object;
}

void object_free_if_unused(struct object *object)
{
    if (object->handles != 0 || object->maps != 0) {
        return;
    }
    struct object **link = &double_objects;
    while (*link != object) {
        link = &(*link)->next;
    }
    *link = object->next;
    struct object *whole = object->whole;
    if (whole == NULL) {
        free(object->bytes);
    }
    free(object);
    if (whole != NULL) {
        whole->maps--;
        object_free_if_unused(whole);
    }
}

void object_drop(struct object *object)
{
    if (--object->handles != 0) {
        return;
    }
    object_leave_waitsets(object);
    if (object->type == SK_TYPE_ENDPOINT) {
        endpoint_closed(object);
    } else if (object->type == SK_TYPE_WAITSET) {
        waitset_clear(object);
    }
    object_free_if_unused(object);
}

static struct held hold(struct object *object, uint32_t rights)
{
    object->handles++;
    return (struct held){object, rights};
}

struct held object_make(enum sk_type type)
{
    return hold(object_new(type), DOUBLE_ALL_RIGHTS);
}

struct held memory_make(const void *bytes, uint64_t size)
{
    struct object *memory = object_new(SK_TYPE_MEMORY);
    memory->size = (size + SK_PAGE_SIZE - 1) / SK_PAGE_SIZE * SK_PAGE_SIZE;
    memory->bytes = aligned_alloc(SK_PAGE_SIZE, memory->size);
    memset(memory->bytes, 0, memory->size);
    if (bytes != NULL) {
        memcpy(memory->bytes, bytes, size);
    }
    return hold(memory, DOUBLE_ALL_RIGHTS);
}

void channel_make(struct held ends[2])
{
    struct object *a = object_new(SK_TYPE_ENDPOINT), *b = object_new(SK_TYPE_ENDPOINT);
    b->id = a->id | 1;
    a->peer = b;
    b->peer = a;
    ends[0] = hold(a, DOUBLE_ALL_RIGHTS);
    ends[1] = hold(b, DOUBLE_ALL_RIGHTS);
}

void held_drop(struct held *held)
{
    if (held->object != NULL) {
        object_drop(held->object);
        held->object = NULL;
    }
}

struct held held_copy(struct held held, uint32_t rights)
{
    return hold(held.object, held.rights & rights);
}

void object_signal(struct object *object, uint32_t signals)
{
    object->signals |= signals;
}

void process_end(struct object *process)
{
    if ((process->signals & SK_SIGNAL_TERMINATED) != 0) {
        return;
    }
    process->signals |= SK_SIGNAL_TERMINATED;
    if (double_process != NULL) {
        double_process(process, false);
    }
}

/* --- The table --- */

static struct entry *entry_of(handle_t handle)
{
    struct entry *entry = &table[handle % HANDLES_MAX];
    return entry->held.object != NULL && entry->generation == handle >> INDEX_BITS ? entry : NULL;
}

struct object *handle_object(handle_t handle, enum sk_type type, uint32_t rights, status_t *status)
{
    struct entry *entry = entry_of(handle);
    if (entry == NULL) {
        *status = SK_BAD_HANDLE;
    } else if (type != SK_TYPE_NONE && entry->held.object->type != type) {
        *status = SK_WRONG_TYPE;
    } else if ((entry->held.rights & rights) != rights) {
        *status = SK_ACCESS_DENIED;
    } else {
        return entry->held.object;
    }
    return NULL;
}

handle_t handle_insert(struct held held)
{
    static uint32_t next = 1;
    for (uint32_t i = 0; i < HANDLES_MAX; i++, next++) {
        struct entry *entry = &table[next % HANDLES_MAX];
        if (next % HANDLES_MAX != 0 && entry->held.object == NULL) {
            entry->held = held;
            entry->number = next;
            entry->generation = (entry->generation + 1) % (1u << 18);
            table_used++;
            return entry->generation << INDEX_BITS | next++ % HANDLES_MAX;
        }
    }
    double_broke("the service has %u handles", HANDLES_MAX);
}

struct held handle_remove(handle_t handle)
{
    struct entry *entry = entry_of(handle);
    struct held held = entry->held;
    entry->held.object = NULL;
    table_used--;
    return held;
}

uint32_t double_handles(void)
{
    return table_used;
}

void double_tell_handles(void)
{
    for (uint32_t i = 0; i < HANDLES_MAX; i++) {
        const struct object *object = table[i].held.object;
        if (object != NULL) {
            fprintf(stderr, "handle: type %u, object %llu%s, rights %x, made as number %u\n",
                    object->type, (unsigned long long)object->id,
                    object->type == SK_TYPE_ENDPOINT && object->peer == NULL ? " without peer" : "",
                    table[i].held.rights, table[i].number);
        }
    }
}

handle_t double_give(struct held held)
{
    return handle_insert(held);
}

struct held outside_take(handle_t handle)
{
    return entry_of(handle) != NULL ? handle_remove(handle) : (struct held){NULL, 0};
}

/* --- System calls --- */

static struct sk_result failed(status_t status)
{
    return (struct sk_result){.status = status};
}

static struct sk_result gave(uint64_t a, uint64_t b)
{
    return (struct sk_result){.status = SK_OK, .value = {a, b}};
}

static struct sk_result gave_handle(struct held held)
{
    return gave(handle_insert(held), 0);
}

static struct sk_result sys_handle_duplicate(handle_t handle, uint32_t rights)
{
    status_t status;
    struct object *object = handle_object(handle, SK_TYPE_NONE, SK_RIGHT_DUPLICATE, &status);
    if (object == NULL) {
        return failed(status);
    }
    if ((rights & ~entry_of(handle)->held.rights) != 0) {
        return failed(SK_INVALID_ARGS);
    }
    return double_must_fail() ? failed(SK_OVER_BUDGET) : gave_handle(hold(object, rights));
}

static struct sk_result sys_handle_info(handle_t handle)
{
    struct entry *entry = entry_of(handle);
    if (entry == NULL) {
        return failed(SK_BAD_HANDLE);
    }
    return gave(entry->held.object->type | (uint64_t)entry->held.rights << 32,
                entry->held.object->id);
}

static struct sk_result sys_object_wait(handle_t handle, uint32_t signals, uint64_t deadline)
{
    status_t status;
    struct object *object = handle_object(handle, SK_TYPE_NONE, SK_RIGHT_WAIT, &status);
    if (object == NULL) {
        return failed(status);
    }
    uint32_t observed = object_signals(object, signals);
    if (observed == 0) {
        /* Nobody else acts while the service waits like this: it waits to the end. */
        double_now = deadline != SK_DEADLINE_NEVER && deadline > double_now ? deadline : double_now;
        return failed(SK_TIMED_OUT);
    }
    return gave(observed, 0);
}

static struct sk_result sys_object_info(handle_t handle, void *buffer, uint64_t size)
{
    status_t status;
    struct object *object = handle_object(handle, SK_TYPE_NONE, SK_RIGHT_INSPECT, &status);
    if (object == NULL) {
        return failed(status);
    }
    struct sk_memory_info memory = {.size = object->size};
    struct sk_process_info process = {
        .id = object->id, .state = SK_PROCESS_DEAD, .exit_reason = SK_EXIT_EXITED, .exit_code = 1};
    struct sk_job_info job = {.limit = {100000, 100000, 100000, 100000, 1000}};
    const void *from = &memory;
    uint64_t bytes = sizeof memory;
    if (object->type == SK_TYPE_PROCESS) {
        from = &process;
        bytes = sizeof process;
    } else if (object->type == SK_TYPE_JOB) {
        from = &job;
        bytes = sizeof job;
    } else if (object->type != SK_TYPE_MEMORY) {
        return failed(SK_NOT_SUPPORTED);
    }
    if (size < bytes) {
        return failed(SK_TOO_SMALL);
    }
    memcpy(buffer, from, bytes);
    return gave(bytes, 0);
}

/* Makes what only its type distinguishes; `job` pays. */
static struct sk_result sys_make(handle_t job, enum sk_type parent, enum sk_type type)
{
    status_t status;
    if (handle_object(job, parent, 0, &status) == NULL) {
        return failed(status);
    }
    return double_must_fail() ? failed(SK_OVER_BUDGET) : gave_handle(object_make(type));
}

static struct sk_result sys_channel_create(handle_t job)
{
    status_t status;
    struct held ends[2];
    if (handle_object(job, SK_TYPE_JOB, SK_RIGHT_MANAGE, &status) == NULL) {
        return failed(status);
    }
    if (double_must_fail()) {
        return failed(SK_OVER_BUDGET);
    }
    channel_make(ends);
    handle_t a = handle_insert(ends[0]);
    return gave(a, handle_insert(ends[1]));
}

static struct sk_result sys_waitset(handle_t handle, handle_t member, uint32_t signals,
                                    uint64_t key, bool add)
{
    status_t status;
    struct object *waitset = handle_object(handle, SK_TYPE_WAITSET, 0, &status);
    uint32_t rights = !add                                  ? 0
                      : (signals & SK_SIGNAL_READABLE) != 0 ? SK_RIGHT_WAIT | SK_RIGHT_READ
                                                            : SK_RIGHT_WAIT;
    struct object *object = handle_object(member, SK_TYPE_NONE, rights, &status);
    if (waitset == NULL || object == NULL) {
        return failed(status);
    }
    return failed(add ? waitset_add(waitset, object, signals, key)
                      : waitset_remove(waitset, object));
}

static struct sk_result sys_memory_create(handle_t job, uint64_t size)
{
    status_t status;
    if (handle_object(job, SK_TYPE_JOB, 0, &status) == NULL) {
        return failed(status);
    }
    return double_must_fail() ? failed(SK_OVER_BUDGET) : gave_handle(memory_make(NULL, size));
}

static struct sk_result sys_memory_slice(handle_t handle, uint64_t offset, uint64_t size)
{
    status_t status;
    struct object *whole = handle_object(handle, SK_TYPE_MEMORY, SK_RIGHT_READ, &status);
    if (whole == NULL) {
        return failed(status);
    }
    if (offset % SK_PAGE_SIZE != 0 || size > whole->size || offset > whole->size - size) {
        return failed(SK_OUT_OF_RANGE);
    }
    if (double_must_fail()) {
        return failed(SK_OVER_BUDGET);
    }
    struct object *slice = object_new(SK_TYPE_MEMORY);
    slice->whole = whole;
    slice->bytes = whole->bytes + offset;
    slice->size = size;
    whole->maps++;
    return gave_handle(hold(slice, DOUBLE_ALL_RIGHTS));
}

/* Mapped where its bytes are; into another process: nowhere, but it counts. */
static struct sk_result sys_memory_map(handle_t process, handle_t handle, uint64_t offset,
                                       uint64_t length)
{
    status_t status;
    struct object *memory = handle_object(handle, SK_TYPE_MEMORY, SK_RIGHT_MAP, &status);
    if (memory == NULL || handle_object(process, SK_TYPE_PROCESS, 0, &status) == NULL) {
        return failed(status);
    }
    if (length > memory->size || offset > memory->size - length) {
        return failed(SK_OUT_OF_RANGE);
    }
    if (double_must_fail()) {
        return failed(SK_OVER_BUDGET);
    }
    if (process == sk_self_process) {
        memory->maps++;
    }
    return gave((uintptr_t)memory->bytes + offset, 0);
}

static struct sk_result sys_memory_unmap(handle_t process, uint64_t address)
{
    if (process != sk_self_process) {
        return failed(SK_OK);
    }
    for (struct object *object = double_objects; object != NULL; object = object->next) {
        uint64_t start = (uintptr_t)object->bytes;
        if (object->type == SK_TYPE_MEMORY && object->whole == NULL && address >= start &&
            address < start + object->size) {
            if (object->maps == 0) {
                double_broke("memory is unmapped that is not mapped");
            }
            object->maps--;
            object_free_if_unused(object);
            return failed(SK_OK);
        }
    }
    return failed(SK_NOT_FOUND);
}

static struct sk_result sys_memory_copy(handle_t handle, uint64_t offset, void *buffer,
                                        uint64_t size, bool write)
{
    status_t status;
    struct object *memory = handle_object(handle, SK_TYPE_MEMORY, 0, &status);
    if (memory == NULL) {
        return failed(status);
    }
    if (size > memory->size || offset > memory->size - size) {
        return failed(SK_OUT_OF_RANGE);
    }
    if (write) {
        memcpy(memory->bytes + offset, buffer, size);
    } else {
        memcpy(buffer, memory->bytes + offset, size);
    }
    return failed(SK_OK);
}

static struct sk_result sys_process_create(handle_t handle)
{
    status_t status;
    struct object *job = handle_object(handle, SK_TYPE_JOB, SK_RIGHT_MANAGE, &status);
    if (job == NULL) {
        return failed(status);
    }
    if (double_must_fail()) {
        return failed(SK_OVER_BUDGET);
    }
    struct held process = object_make(SK_TYPE_PROCESS);
    process.object->job = job;
    return gave_handle(process);
}

/* The argument, an endpoint with the boot message, moves to the process: outside plays it. */
static struct sk_result sys_process_start(handle_t handle, handle_t argument)
{
    status_t status;
    struct object *process = handle_object(handle, SK_TYPE_PROCESS, 0, &status);
    if (process == NULL ||
        handle_object(argument, SK_TYPE_ENDPOINT, SK_RIGHT_TRANSFER, &status) == NULL) {
        return failed(status);
    }
    if (double_must_fail()) {
        return failed(SK_OVER_BUDGET);
    }
    struct held boot = handle_remove(argument);
    process->boot = boot.object;
    if (double_process != NULL) {
        double_process(process, true);
    } else {
        held_drop(&boot);
    }
    return gave_handle(object_make(SK_TYPE_THREAD));
}

static struct sk_result sys_job_kill(handle_t handle)
{
    status_t status;
    struct object *job = handle_object(handle, SK_TYPE_JOB, SK_RIGHT_MANAGE, &status);
    if (job == NULL) {
        return failed(status);
    }
    for (struct object *object = double_objects, *next; object != NULL; object = next) {
        next = object->next;
        if (object->type == SK_TYPE_PROCESS && object->job == job) {
            process_end(object);
        }
    }
    job->signals |= SK_SIGNAL_TERMINATED;
    return failed(SK_OK);
}

static struct sk_result sys_process_kill(handle_t handle)
{
    status_t status;
    struct object *process = handle_object(handle, SK_TYPE_PROCESS, SK_RIGHT_MANAGE, &status);
    if (process == NULL) {
        return failed(status);
    }
    process_end(process);
    return failed(SK_OK);
}

static struct sk_result sys_event_signal(handle_t handle)
{
    status_t status;
    struct object *event = handle_object(handle, SK_TYPE_EVENT, SK_RIGHT_WRITE, &status);
    if (event != NULL) {
        object_signal(event, SK_SIGNAL_EVENT);
    }
    return failed(event != NULL ? SK_OK : status);
}

static struct sk_result sys_fill(void *buffer, uint64_t size, uint64_t each)
{
    size -= each != 0 ? size % each : 0;
    memset(buffer, 0, size);
    if (double_fill != NULL) {
        double_fill(buffer, size);
    }
    return gave(size, 0);
}

static struct sk_result sys_system_info(handle_t handle, uint32_t topic, void *buffer,
                                        uint64_t size)
{
    static const uint64_t each[] = {[SK_SYSTEM_GENERAL] = sizeof(struct sk_system_info),
                                    [SK_SYSTEM_PROCESSES] = sizeof(struct sk_process_info),
                                    [SK_SYSTEM_HARTS] = sizeof(struct sk_hart_info),
                                    [SK_SYSTEM_JOBS] = sizeof(struct sk_job_info)};
    status_t status;
    if (handle_object(handle, SK_TYPE_RESOURCE, 0, &status) == NULL) {
        return failed(status);
    }
    uint64_t most = 4 * each[topic];
    return sys_fill(buffer, size < most ? size : most, each[topic]);
}

struct sk_result sk_syscall6(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
                             uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
    handle_t handle = (handle_t)arg0;
    switch (number) {
    case SK_SYS_handle_close:
        if (entry_of(handle) == NULL) {
            return failed(SK_BAD_HANDLE);
        }
        object_drop(handle_remove(handle).object);
        return failed(SK_OK);
    case SK_SYS_handle_duplicate:
        return sys_handle_duplicate(handle, (uint32_t)arg1);
    case SK_SYS_handle_info:
        return sys_handle_info(handle);
    case SK_SYS_object_wait:
        return sys_object_wait(handle, (uint32_t)arg1, arg2);
    case SK_SYS_object_info:
        return sys_object_info(handle, (void *)(uintptr_t)arg1, arg2);
    case SK_SYS_channel_create:
        return sys_channel_create(handle);
    case SK_SYS_waitset_create:
        return sys_make(handle, SK_TYPE_JOB, SK_TYPE_WAITSET);
    case SK_SYS_event_create:
        return sys_make(handle, SK_TYPE_JOB, SK_TYPE_EVENT);
    case SK_SYS_timer_create:
        return sys_make(handle, SK_TYPE_JOB, SK_TYPE_TIMER);
    case SK_SYS_job_create:
        return sys_make(handle, SK_TYPE_JOB, SK_TYPE_JOB);
    case SK_SYS_resource_create:
        return sys_make(handle, SK_TYPE_RESOURCE, SK_TYPE_RESOURCE);
    case SK_SYS_interrupt_create:
        return sys_make(handle, SK_TYPE_RESOURCE, SK_TYPE_INTERRUPT);
    case SK_SYS_waitset_add:
        return sys_waitset(handle, (handle_t)arg1, (uint32_t)arg2, arg3, true);
    case SK_SYS_waitset_remove:
        return sys_waitset(handle, (handle_t)arg1, 0, 0, false);
    case SK_SYS_event_signal:
        return sys_event_signal(handle);
    case SK_SYS_clock_read:
        return gave(double_now, 0);
    case SK_SYS_thread_sleep:
        if (arg0 == SK_DEADLINE_NEVER) {
            double_broke("the service sleeps for ever");
        }
        double_now = arg0 > double_now ? arg0 : double_now;
        return failed(SK_OK);
    case SK_SYS_memory_create:
        return sys_memory_create(handle, arg1);
    case SK_SYS_memory_slice:
        return sys_memory_slice(handle, arg2, arg3);
    case SK_SYS_memory_map:
        return sys_memory_map(handle, (handle_t)arg1, arg2, arg3);
    case SK_SYS_memory_unmap:
        return sys_memory_unmap(handle, arg1);
    case SK_SYS_memory_protect:
    case SK_SYS_interrupt_ack:
    case SK_SYS_log_write:
    case SK_SYS_log_take_console:
        return failed(SK_OK);
    case SK_SYS_memory_read:
    case SK_SYS_memory_write:
        return sys_memory_copy(handle, arg1, (void *)(uintptr_t)arg2, arg3,
                               number == SK_SYS_memory_write);
    case SK_SYS_process_create:
        return sys_process_create(handle);
    case SK_SYS_process_start:
        return sys_process_start(handle, (handle_t)arg3);
    case SK_SYS_process_kill:
        return sys_process_kill(handle);
    case SK_SYS_job_kill:
        return sys_job_kill(handle);
    case SK_SYS_log_read:
        return gave(0, arg1);
    case SK_SYS_system_info:
        return sys_system_info(handle, (uint32_t)arg1, (void *)(uintptr_t)arg2, arg3);
    default:
        double_broke("system call %llu is not in the double", (unsigned long long)number);
    }
}
