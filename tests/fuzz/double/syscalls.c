/* SPDX-License-Identifier: BSD-2-Clause */
/* All system calls but those of messages (ipc.c) and of memory (memory.c). See double.h. */
#include "internal.h"

#include <string.h>

#include <sk/service.h>
#include <sk/syscalls.h>

struct sk_result failed(status_t status)
{
    return (struct sk_result){.status = status};
}

struct sk_result gave(uint64_t a, uint64_t b)
{
    return (struct sk_result){.status = SK_OK, .value = {a, b}};
}

struct sk_result gave_handle(struct held held)
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
    if ((rights & ~handle_held(handle)->rights) != 0) {
        return failed(SK_INVALID_ARGS);
    }
    return double_must_fail() ? failed(SK_OVER_BUDGET) : gave_handle(object_hold(object, rights));
}

static struct sk_result sys_handle_info(handle_t handle)
{
    const struct held *held = handle_held(handle);
    if (held == NULL) {
        return failed(SK_BAD_HANDLE);
    }
    return gave(held->object->type | (uint64_t)held->rights << 32, held->object->id);
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
    struct sk_job_info job = {.limit = {.pages = double_job_pages,
                                        .objects = 100000,
                                        .handles = 100000,
                                        .messages = 100000,
                                        .threads = 1000}};
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

static struct sk_result sys_resource_create(handle_t parent, uint64_t base)
{
    struct sk_result made = sys_make(parent, SK_TYPE_RESOURCE, SK_TYPE_RESOURCE);
    if (made.status == SK_OK) {
        handle_object((handle_t)made.value[0], SK_TYPE_NONE, 0, &(status_t){0})->physical = base;
    }
    return made;
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
        if (handle_held(handle) == NULL) {
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
        return sys_resource_create(handle, arg2);
    case SK_SYS_interrupt_create:
        return sys_make(handle, SK_TYPE_RESOURCE, SK_TYPE_INTERRUPT);
    case SK_SYS_waitset_add:
        return sys_waitset(handle, (handle_t)arg1, (uint32_t)arg2, arg3, true);
    case SK_SYS_waitset_remove:
        return sys_waitset(handle, (handle_t)arg1, 0, 0, false);
    case SK_SYS_event_signal:
        return sys_event_signal(handle);
    case SK_SYS_clock_read:
        double_now += double_clock_step;
        return gave(double_now, 0);
    case SK_SYS_thread_sleep:
        if (arg0 == SK_DEADLINE_NEVER) {
            double_broke("the service sleeps for ever");
        }
        double_now = arg0 > double_now ? arg0 : double_now;
        return failed(SK_OK);
    case SK_SYS_memory_create:
        return sys_memory_create(handle, arg1);
    case SK_SYS_memory_create_dma:
        return sys_memory_create_dma(handle, arg2);
    case SK_SYS_memory_create_physical:
        return sys_memory_create_physical(handle, arg1, arg2);
    case SK_SYS_memory_slice:
        return sys_memory_slice(handle, arg2, arg3);
    case SK_SYS_memory_map:
        return sys_memory_map(handle, (handle_t)arg1, arg2, arg3, arg4, arg5);
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
