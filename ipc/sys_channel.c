/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system calls on channels: registers in, one function, registers out (<skerry/ipc.h>).
 */
#include <ipc/call.h>
#include <ipc/lend.h>
#include <ipc/message.h>
#include <ipc/waitset.h>
#include <kernel/glance.h>
#include <kernel/hart.h>
#include <kernel/syscall.h>
#include <kernel/syscalls.h>

/* Registers that a call or receive leaves when it ends with an error before it began. */
static status_t finish(struct thread *self, status_t status)
{
    if (status != SYSCALL_BLOCKED && status != SYSCALL_DONE) {
        message_fail(self, status, 0); /* with the status of the reply, which has been made */
        status = SYSCALL_DONE;
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

/* A message that is not in registers alone is read before the channel is locked. */
static RARELY UNGUARDED status_t send_long(struct thread *self, handle_t handle, uint64_t info,
                                           const uint64_t *words)
{
    struct capability endpoint;
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct outgoing out;
    status_t status = handle_get(self->process, handle, SK_TYPE_ENDPOINT, SK_RIGHT_WRITE,
                                 &endpoint);
    if (status != SK_OK) {
        return status;
    }
    struct endpoint *end = endpoint_from_object(endpoint.object);
    status = outgoing_prepare(self, info, words, &out, handles, end->channel);
    if (status == SK_OK) {
        lock_acquire(endpoint.object->lock);
        status = channel_send(end, &out, self->process->job);
        if (status != SK_OK) {
            outgoing_cancel(&out);
        }
    }
    object_put(endpoint.object);
    return status;
}

UNGUARDED struct syscall_return sys_channel_send(uint64_t in0, uint64_t in1, uint64_t in2,
                                                 uint64_t in3, uint64_t in4, uint64_t in5,
                                                 uint64_t in6)
{
    struct thread *self = cpu_hart()->current;
    const uint64_t words[4] = {in2, in3, in4, in5};
    struct object *object;
    status_t status;
    if (in1 > SK_MESSAGE_REGISTER_BYTES) {
        status = send_long(self, (handle_t)in0, in1, words);
    } else {
        status = handle_lock(self->process, in0, SK_TYPE_ENDPOINT, SK_RIGHT_WRITE, &object);
        if (status == SK_OK) {
            const struct outgoing out = {.info = in1, .words = words};
            status = channel_send(endpoint_from_object(object), &out, self->process->job);
        }
    }
    return (struct syscall_return){status, 0};
}

/* Receives from the handle. The frame holds everything. */
static UNGUARDED status_t receive(struct thread *self, handle_t handle, uint64_t deadline)
{
    struct capability source;
    status_t status = handle_get(self->process, handle, SK_TYPE_NONE, SK_RIGHT_READ, &source);
    if (status != SK_OK) {
        return finish(self, status);
    }
    lend_leave_source(self, source.object);
    if (source.object->type == SK_TYPE_ENDPOINT) {
        lock_acquire(source.object->lock);
        status = endpoint_receive(self, endpoint_from_object(source.object), deadline);
    } else if (source.object->type == SK_TYPE_WAITSET) {
        status = waitset_receive(self, waitset_from_object(source.object), deadline);
    } else {
        status = SK_WRONG_TYPE;
    }
    object_put(source.object);
    return finish(self, status);
}

/* The second part of a receive that may have to wait. */
static struct syscall_return receive_waiting(uint64_t in0, uint64_t in1, uint64_t in2, uint64_t in3,
                                             uint64_t in4, uint64_t in5, uint64_t in6)
{
    return (struct syscall_return){receive(cpu_hart()->current, (handle_t)in0, in6), 0};
}

struct syscall_return sys_channel_receive(uint64_t in0, uint64_t in1, uint64_t in2, uint64_t in3,
                                          uint64_t in4, uint64_t in5, uint64_t in6)
{
    struct thread *self = cpu_hart()->current;
    struct glance glance;
    self->reply_status = SK_OK;
    if (glance_at(self->process, (handle_t)in0, &glance) &&
        glance_type(&glance) == SK_TYPE_ENDPOINT &&
        atomic_load_explicit(&self->source, memory_order_relaxed) == glance.object &&
        atomic_load_explicit(&self->queue_priority, memory_order_relaxed) == 0 &&
        glance_lock(&glance, SK_RIGHT_READ)) {
        struct endpoint *endpoint = endpoint_from_object(glance.object);
        struct spinlock *lock = glance.object->lock;
        if (endpoint->shows & SK_SIGNAL_READABLE) {
            endpoint_hand_over(self, endpoint, endpoint->object.id);
            lock_release(lock);
            return (struct syscall_return){SYSCALL_DONE, 0};
        }
        lock_release(lock);
    }
    self->frame.arg[0] = in0;
    self->frame.arg[6] = in6;
    return syscall_saved(receive_waiting);
}

static status_t call(struct thread *self, handle_t handle, uint64_t info, const uint64_t *words,
                     uint64_t deadline)
{
    struct capability endpoint;
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct outgoing out;
    self->reply_status = SK_OK;
    status_t status = handle_get(self->process, handle, SK_TYPE_ENDPOINT,
                                 SK_RIGHT_READ | SK_RIGHT_WRITE, &endpoint);
    if (status != SK_OK) {
        return finish(self, status);
    }
    struct endpoint *end = endpoint_from_object(endpoint.object);
    status = outgoing_prepare(self, info, words, &out, handles, end->channel);
    if (status == SK_OK) {
        status = channel_call(self, end, &out, deadline);
        if (status != SYSCALL_BLOCKED) {
            outgoing_cancel(&out);
        }
    }
    object_put(endpoint.object);
    return finish(self, status);
}

struct syscall_return sys_channel_call(uint64_t in0, uint64_t in1, uint64_t in2, uint64_t in3,
                                       uint64_t in4, uint64_t in5, uint64_t in6)
{
    const uint64_t words[4] = {in2, in3, in4, in5};
    return (struct syscall_return){call(cpu_hart()->current, (handle_t)in0, in1, words, in6), 0};
}

/* Answers the call that the token in the frame names. */
static UNGUARDED status_t reply(struct thread *self, uint64_t info, const uint64_t *words)
{
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct outgoing out;
    status_t status = outgoing_prepare(self, info, words, &out, handles, NULL);
    if (status == SK_OK) {
        status = call_reply(self, self->frame.extra[MESSAGE_TOKEN], &out);
        if (status != SK_OK) {
            outgoing_cancel(&out);
        }
    }
    return status;
}

struct syscall_return sys_channel_reply(uint64_t in0, uint64_t in1, uint64_t in2, uint64_t in3,
                                        uint64_t in4, uint64_t in5, uint64_t in6)
{
    const uint64_t words[4] = {in2, in3, in4, in5};
    return (struct syscall_return){reply(cpu_hart()->current, in1, words), 0};
}

struct syscall_return sys_channel_reply_receive(uint64_t in0, uint64_t in1, uint64_t in2,
                                                uint64_t in3, uint64_t in4, uint64_t in5,
                                                uint64_t in6)
{
    struct thread *self = cpu_hart()->current;
    const uint64_t words[4] = {in2, in3, in4, in5};
    bool owes = self->frame.extra[MESSAGE_TOKEN] != SK_TOKEN_NONE;
    self->reply_status = owes ? reply(self, in1, words) : SK_OK;
    return (struct syscall_return){receive(self, (handle_t)in0, in6), 0};
}
