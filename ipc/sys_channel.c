/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls on channels: registers in, one function, registers out (<skerry/ipc.h>).
 */
#include <ipc/call.h>
#include <ipc/message.h>
#include <ipc/waitset.h>
#include <kernel/syscall.h>
#include <kernel/syscalls.h>

/* Registers that a call or receive leaves when it ends with an error before it began. */
static status_t finish(struct thread *self, status_t status)
{
    if (status != SYSCALL_BLOCKED && status != SYSCALL_DONE) {
        message_fail(self, status, 0);
    }
    return status;
}

status_t sys_channel_create(struct thread *self, struct capability job, handle_t *handle0,
                            handle_t *handle1)
{
    struct endpoint *end0, *end1;
    status_t status = channel_create(container_of(job.object, struct job, object), &end0, &end1);
    if (status != SK_OK) {
        return status;
    }
    handle_t handles[2];
    status = handle_room(self->process, handles, 2);
    if (status == SK_OK) {
        struct capability ends[2] = {capability_make(&end0->object, endpoint_type.rights),
                                     capability_make(&end1->object, endpoint_type.rights)};
        handle_fill(self->process, handles, 2, ends);
        *handle0 = handles[0];
        *handle1 = handles[1];
    }
    object_put(&end0->object);
    object_put(&end1->object);
    return status;
}

status_t sys_channel_send(struct thread *self)
{
    struct capability endpoint;
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct outgoing out;
    handle_t handle = (handle_t)self->frame.arg[0];
    status_t status = handle_get(self->process, handle, SK_TYPE_ENDPOINT, SK_RIGHT_WRITE,
                                 &endpoint);
    if (status != SK_OK) {
        return syscall_finish(self, status, 0, 0);
    }
    struct endpoint *end = endpoint_from_object(endpoint.object);
    status = outgoing_prepare(self, &out, handles, end->channel);
    if (status == SK_OK) {
        status = channel_send(end, &out, self->process->job);
        if (status != SK_OK) {
            outgoing_cancel(&out);
        }
    }
    object_put(endpoint.object);
    return syscall_finish(self, status, 0, 0);
}

/* Receives from the handle in a0. */
static UNGUARDED status_t receive(struct thread *self)
{
    struct capability source;
    handle_t handle = (handle_t)self->frame.arg[0];
    uint64_t deadline = self->frame.arg[6];
    status_t status = handle_get(self->process, handle, SK_TYPE_NONE, SK_RIGHT_READ, &source);
    if (status != SK_OK) {
        return finish(self, status);
    }
    if (source.object->type == SK_TYPE_ENDPOINT) {
        status = endpoint_receive(self, endpoint_from_object(source.object), deadline);
    } else if (source.object->type == SK_TYPE_WAITSET) {
        status = waitset_receive(self, waitset_from_object(source.object), deadline);
    } else {
        status = SK_WRONG_TYPE;
    }
    object_put(source.object);
    return finish(self, status);
}

status_t sys_channel_receive(struct thread *self)
{
    self->reply_status = SK_OK;
    return receive(self);
}

status_t sys_channel_call(struct thread *self)
{
    struct capability endpoint;
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct outgoing out;
    handle_t handle = (handle_t)self->frame.arg[0];
    self->reply_status = SK_OK;
    status_t status = handle_get(self->process, handle, SK_TYPE_ENDPOINT,
                                 SK_RIGHT_READ | SK_RIGHT_WRITE, &endpoint);
    if (status != SK_OK) {
        return finish(self, status);
    }
    struct endpoint *end = endpoint_from_object(endpoint.object);
    status = outgoing_prepare(self, &out, handles, end->channel);
    if (status == SK_OK) {
        status = channel_call(self, end, &out, self->frame.arg[6]);
        if (status != SYSCALL_BLOCKED) {
            outgoing_cancel(&out);
        }
    }
    object_put(endpoint.object);
    return finish(self, status);
}

/* Answers with the outgoing message in the registers. */
static UNGUARDED status_t reply(struct thread *self)
{
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct outgoing out;
    status_t status = outgoing_prepare(self, &out, handles, NULL);
    if (status == SK_OK) {
        status = call_reply(self, self->frame.extra[5], &out);
        if (status != SK_OK) {
            outgoing_cancel(&out);
        }
    }
    return status;
}

status_t sys_channel_reply(struct thread *self)
{
    return syscall_finish(self, reply(self), 0, 0);
}

status_t sys_channel_reply_receive(struct thread *self)
{
    self->reply_status = self->frame.extra[5] == SK_TOKEN_NONE ? SK_OK : reply(self);
    return receive(self);
}
