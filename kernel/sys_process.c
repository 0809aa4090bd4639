/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on processes, threads and the clock: they check, then call one function.
 */
#include <string.h>

#include <kernel/clock.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/syscalls.h>

static bool name_is_good(const char *name, uint64_t length)
{
    for (uint64_t i = 0; i < length; i++) {
        if (name[i] < 0x20 || name[i] > 0x7e) {
            return false;
        }
    }
    return length > 0;
}

status_t sys_process_create(struct thread *self, struct capability job, vaddr_t name,
                            uint64_t name_length, handle_t *handle)
{
    char text[SK_NAME_MAX] = {0};
    if (name_length >= sizeof(text)) {
        return SK_INVALID_ARGS;
    }
    status_t status = space_copy_in(&self->process->space, text, name, name_length);
    if (status != SK_OK) {
        return status;
    }
    if (!name_is_good(text, name_length)) {
        return SK_INVALID_ARGS;
    }
    struct process *process;
    status = process_create(container_of(job.object, struct job, object), text, &process);
    if (status != SK_OK) {
        return status;
    }
    return handle_add_new(self->process, &process->object, handle);
}

/* A priority that the caller may give to others. */
static status_t priority_check(struct thread *self, uint32_t priority)
{
    if (priority < SK_PRIORITY_MIN || priority > SK_PRIORITY_MAX) {
        return SK_INVALID_ARGS;
    }
    return priority > self->base_priority ? SK_ACCESS_DENIED : SK_OK;
}

static status_t entry_check(uint64_t entry, uint64_t stack)
{
    bool outside = entry < SK_USER_BASE || entry >= SK_USER_LIMIT || stack > SK_USER_LIMIT;
    return outside || entry % 2 != 0 || stack % 16 != 0 ? SK_INVALID_ARGS : SK_OK;
}

status_t sys_process_start(struct thread *self, struct capability process, uint64_t entry,
                           uint64_t stack, uint32_t argument, uint32_t priority, handle_t *handle)
{
    status_t status = entry_check(entry, stack);
    if (status == SK_OK) {
        status = priority_check(self, priority);
    }
    if (status != SK_OK) {
        return status;
    }
    status = handle_room(self->process, handle, 1);
    if (status != SK_OK) {
        return status;
    }
    struct thread *thread;
    status = process_start(process_from_object(process.object), entry, stack, self->process,
                           argument, priority, &thread);
    if (status != SK_OK) {
        handle_room_cancel(self->process, handle, 1);
        return status;
    }
    struct capability capability = capability_make(&thread->object, thread_type.rights);
    handle_fill(self->process, handle, 1, &capability);
    object_put(&thread->object);
    return SK_OK;
}

status_t sys_process_exit(struct thread *self, uint64_t code)
{
    process_end(self->process, SK_EXIT_EXITED, (int64_t)code);
    return SK_OK;
}

status_t sys_process_kill(struct thread *self, struct capability process, uint64_t code)
{
    process_end(process_from_object(process.object), SK_EXIT_KILLED, (int64_t)code);
    return SK_OK;
}

status_t sys_thread_create(struct thread *self, struct capability capability, uint64_t entry,
                           uint64_t stack, uint64_t argument, uint32_t priority, handle_t *handle)
{
    struct process *process = process_from_object(capability.object);
    status_t status = entry_check(entry, stack);
    if (status == SK_OK) {
        status = priority_check(self, priority);
    }
    if (status != SK_OK) {
        return status;
    }
    lock_acquire(&process->lock);
    bool running = process->state == SK_PROCESS_RUNNING;
    lock_release(&process->lock);
    if (!running) {
        return SK_BAD_STATE;
    }
    status = handle_room(self->process, handle, 1);
    if (status != SK_OK) {
        return status;
    }
    struct thread *thread;
    status = thread_create(process, entry, stack, argument, priority, &thread);
    if (status != SK_OK) {
        handle_room_cancel(self->process, handle, 1);
        return status;
    }
    struct capability new = capability_make(&thread->object, thread_type.rights);
    handle_fill(self->process, handle, 1, &new);
    thread_ready(thread);
    object_put(&thread->object);
    return SK_OK;
}

status_t sys_thread_exit(struct thread *self)
{
    thread_kill(self);
    return SK_OK;
}

status_t sys_thread_suspend(struct thread *self, struct capability thread)
{
    return thread_suspend(thread_from_object(thread.object));
}

status_t sys_thread_resume(struct thread *self, struct capability thread)
{
    return thread_resume(thread_from_object(thread.object));
}

status_t sys_thread_set_priority(struct thread *self, struct capability thread, uint32_t priority)
{
    status_t status = priority_check(self, priority);
    return status != SK_OK ? status
                           : thread_set_priority(thread_from_object(thread.object), priority);
}

status_t sys_clock_read(struct thread *self, uint64_t *now)
{
    *now = clock_now_ns();
    return SK_OK;
}

static void sleep_over(struct thread *thread, status_t status)
{
    syscall_result(thread, SK_OK, 0, 0);
}

status_t sys_thread_sleep(struct thread *self, uint64_t deadline)
{
    if (deadline <= clock_now_ns()) {
        return SK_OK;
    }
    /* Nothing but the deadline ends it, so the thread's own object lock will do. */
    lock_acquire(self->object.lock);
    wait_begin(self, self->object.lock, NULL, sleep_over);
    wait_deadline(self, deadline);
    lock_release(self->object.lock);
    return SYSCALL_BLOCKED;
}

status_t sys_thread_yield(struct thread *self)
{
    syscall_result(self, SK_OK, 0, 0);
    sched_yield(self);
    return SYSCALL_DONE;
}
