/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on any object: handles, waiting for signals, information.
 */
#include <string.h>

#include <kernel/handle.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/syscall.h>
#include <kernel/syscalls.h>
#include <kernel/wait.h>

status_t sys_handle_close(struct thread *self, uint32_t handle)
{
    return handle_close(self->process, handle);
}

status_t sys_handle_duplicate(struct thread *self, struct capability source, uint32_t rights,
                              handle_t *duplicate)
{
    if ((rights & ~source.rights) != 0) {
        return SK_INVALID_ARGS;
    }
    struct capability copy;
    if (!capability_copy(source.object, rights, &copy)) {
        return SK_BAD_HANDLE;
    }
    status_t status = handle_add(self->process, copy, duplicate);
    if (status != SK_OK) {
        capability_drop(copy);
    }
    return status;
}

status_t sys_handle_info(struct thread *self, uint32_t handle, uint64_t *type_and_rights,
                         uint64_t *id)
{
    struct capability capability;
    status_t status = handle_get(self->process, handle, SK_TYPE_NONE, 0, &capability);
    if (status != SK_OK) {
        return status;
    }
    *type_and_rights = capability.object->type | (uint64_t)capability.rights << 32;
    *id = capability.object->id;
    object_put(capability.object);
    return SK_OK;
}

/* object_wait: the thread's observer. */

static void wait_over(struct observer *observer, status_t status, uint32_t signals)
{
    struct thread *thread = container_of(observer, struct thread, observer);
    wait_end(thread);
    syscall_result(thread, status, signals, 0);
    thread_ready(thread);
}

void object_wait_notify(struct observer *observer)
{
    uint32_t shown = object_take(observer->object, observer->signals);
    if (shown != 0) {
        list_remove(&observer->link);
        wait_over(observer, SK_OK, shown);
    }
}

void object_wait_orphaned(struct observer *observer)
{
    wait_over(observer, SK_BAD_STATE, 0);
}

/* Time-out or kill. */
static void wait_cancelled(struct thread *thread, status_t status)
{
    list_remove(&thread->observer.link);
    syscall_result(thread, status, 0, 0);
}

status_t sys_object_wait(struct thread *self, struct object *object, uint32_t signals,
                         uint64_t deadline, uint64_t *observed)
{
    struct spinlock *lock = object->lock;
    status_t status = SYSCALL_BLOCKED;
    if (signals == 0 || (signals & ~object_types[object->type]->signals) != 0) {
        status = SK_INVALID_ARGS;
        goto out;
    }
    *observed = object_take(object, signals);
    if (*observed != 0) {
        status = SK_OK;
    } else if (deadline == SK_DEADLINE_POLL) {
        status = SK_TIMED_OUT;
    } else if (unlikely(object_is_crowded(object))) {
        status = SK_OUT_OF_RANGE;
    } else {
        struct observer *observer = &self->observer;
        observer->object = object;
        observer->signals = signals;
        list_append(&object->observers, &observer->link);
        wait_begin(self, lock, NULL, wait_cancelled);
        wait_deadline(self, deadline);
    }
out:
    lock_release(lock);
    return status;
}

/* Copies a structure to the user's buffer. */
static status_t give(struct thread *self, vaddr_t buffer, uint64_t size, const void *info,
                     size_t info_size, uint64_t *written)
{
    if (size < info_size) {
        return SK_TOO_SMALL;
    }
    *written = info_size;
    return space_copy_out(&self->process->space, buffer, info, info_size);
}

status_t sys_object_info(struct thread *self, struct capability capability, vaddr_t buffer,
                         uint64_t size, uint64_t *written)
{
    union {
        struct sk_job_info job;
        struct sk_process_info process;
        struct sk_thread_info thread;
        struct sk_memory_info memory;
    } info;
    memset(&info, 0, sizeof(info));
    struct object *object = capability.object;
    switch (object->type) {
    case SK_TYPE_JOB:
        job_info(container_of(object, struct job, object), &info.job);
        return give(self, buffer, size, &info.job, sizeof(info.job), written);
    case SK_TYPE_PROCESS:
        process_info(process_from_object(object), &info.process);
        return give(self, buffer, size, &info.process, sizeof(info.process), written);
    case SK_TYPE_THREAD:
        thread_info(thread_from_object(object), &info.thread);
        return give(self, buffer, size, &info.thread, sizeof(info.thread), written);
    case SK_TYPE_MEMORY:
        memory_info(container_of(object, struct memory, object), &info.memory);
        return give(self, buffer, size, &info.memory, sizeof(info.memory), written);
    default:
        return SK_NOT_SUPPORTED;
    }
}
