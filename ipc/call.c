/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls: from the caller's side to the reply.
 *
 * Owns: thread.call. Lock: the caller's channel lock, which is also that of its wait. A call that was
 * received has left every list: it is found by its token, or by scanning all threads when its server
 * dies. Tests: tests/host/ipc/test_call.c.
 */
#include <string.h>

#include <ipc/call.h>
#include <ipc/lend.h>
#include <ipc/message.h>
#include <kernel/hart.h>
#include <kernel/panic.h>
#include <kernel/step.h>
#include <kernel/syscall.h>

/* Ends a call that was received, one way or another. Channel lock held, wait over. */
static void served_over(struct thread *caller)
{
    store_relaxed(&caller->call.server, NULL);
    thread_donation_end(caller);
}

/* Time-out or kill of a call that was received. */
void call_cancel_served(struct thread *caller, status_t status)
{
    served_over(caller);
    message_fail(caller, status, SK_INFO_DELIVERED);
}

/* What a queued call holds, when it ends without having been received. */
static void queued_over(struct thread *caller)
{
    struct message *message = &caller->call.message;
    inbox_remove(message);
    caller->call.queue = NULL;
    message_drop_payload(message, caller->process->job);
    if (SK_INFO_HANDLES(message->info) > 0) {
        handle_unreserve(caller->process, caller->call.handles, SK_INFO_HANDLES(message->info));
    }
}

/* Time-out or kill of a queued call. */
static void cancel_queued(struct thread *caller, status_t status)
{
    queued_over(caller);
    message_fail(caller, status, 0);
}

void call_refuse(struct thread *caller, status_t status)
{
    queued_over(caller);
    message_fail(caller, status, 0);
    wait_end(caller);
    thread_ready(caller);
}

void call_received(struct thread *caller, struct thread *server)
{
    message_drop_payload(&caller->call.message, caller->process->job);
    caller->call.thread = server;
    caller->call.queue = NULL;
    store_relaxed(&caller->call.server, server->process);
    caller->wait.cancel = call_cancel_served;
    thread_donate(server, caller);
}

/* Copies the message into the caller, to wait in the inbox. */
static status_t call_keep(struct thread *self, const struct outgoing *out)
{
    struct message *message = &self->call.message;
    status_t status = message_keep_payload(message, self->process->job, out);
    if (status != SK_OK) {
        return status;
    }
    message->info = out->info;
    memcpy(message->words, out->words, sizeof(message->words));
    for (uint32_t i = 0; i < SK_INFO_HANDLES(out->info); i++) {
        self->call.handles[i] = out->handles[i];
    }
    return SK_OK;
}

status_t channel_call(struct thread *self, struct endpoint *endpoint, const struct outgoing *out,
                      uint64_t deadline)
{
    struct endpoint *peer = endpoint_peer(endpoint);
    struct spinlock *lock = endpoint->object.lock;
    struct thread *receiver, *raised = NULL;
    status_t status;
    lock_acquire(lock);
    if (peer->closed || deadline == SK_DEADLINE_POLL) {
        status = peer->closed ? SK_PEER_CLOSED : SK_TIMED_OUT;
        goto out;
    }
    store_relaxed(&self->call.server, NULL);
    self->call.queue = NULL;
    while ((receiver = endpoint_unpark(peer)) != NULL) {
        status = message_deliver(receiver, out, SK_INFO_CALL, call_token_next(self),
                                 peer->object.id);
        if (status == SK_OK) {
            wait_begin(self, lock, NULL, call_cancel_served);
            wait_deadline(self, deadline);
            call_received(self, receiver);
            thread_ready(receiver);
            status = SYSCALL_BLOCKED;
            goto out;
        }
        message_fail(receiver, status, status == SK_TOO_SMALL ? out->info : 0);
        thread_ready(receiver);
    }
    status = call_keep(self, out);
    if (status == SK_OK) {
        inbox_append(peer, &self->call.message);
        self->call.queue = peer;
        wait_begin(self, lock, NULL, cancel_queued);
        wait_deadline(self, deadline);
        object_notify(&peer->object, SK_SIGNAL_READABLE);
        if (self->call.queue != NULL) { /* nobody took it */
            raised = lend_queued(peer, self);
        }
        status = SYSCALL_BLOCKED;
    }
out:
    lock_release(lock);
    lend_on(raised);
    return status;
}

/* Takes the lock of a thread's wait if it waits for a reply from `server`; NULL if it does not. */
static struct spinlock *lock_served(struct thread *caller, const struct process *server)
{
    struct spinlock *lock = atomic_load_explicit(&caller->wait.lock, memory_order_acquire);
    if (lock == NULL) {
        return NULL;
    }
    lock_acquire(lock);
    bool same = atomic_load_explicit(&caller->wait.lock, memory_order_relaxed) == lock;
    if (same && caller->call.server == server) {
        return lock;
    }
    lock_release(lock);
    return NULL;
}

status_t call_reply(struct thread *self, token_t token, const struct outgoing *out)
{
    struct thread *caller = token_thread(token);
    struct spinlock *lock = caller == NULL ? NULL : lock_served(caller, self->process);
    if (lock == NULL) {
        return SK_NOT_FOUND;
    }
    if (call_token(caller) != token) {
        lock_release(lock);
        return SK_NOT_FOUND;
    }
    status_t status = message_deliver(caller, out, 0, SK_TOKEN_NONE, 0);
    served_over(caller);
    wait_end(caller);
    if (status != SK_OK) {
        message_fail(caller, status, SK_INFO_DELIVERED | (status == SK_TOO_SMALL ? out->info : 0));
        status = SK_NOT_DELIVERED;
    }
    thread_ready(caller);
    lock_release(lock);
    return status;
}

bool call_break_step(struct process *server, uint32_t *slot)
{
    uint32_t count = atomic_load_explicit(&thread_slot_count, memory_order_acquire);
    for (; *slot < count; (*slot)++) {
        if (*slot % 8 == 0 && !step_take(1)) {
            return false;
        }
        struct thread *caller = atomic_load_explicit(&thread_slots[*slot], memory_order_acquire);
        if (caller == NULL || __atomic_load_n(&caller->call.server, __ATOMIC_RELAXED) != server) {
            continue;
        }
        if (!step_take(4)) {
            return false;
        }
        struct spinlock *lock = lock_served(caller, server);
        if (lock != NULL) {
            served_over(caller);
            wait_end(caller);
            message_fail(caller, SK_PEER_CLOSED, SK_INFO_DELIVERED);
            thread_ready(caller);
            lock_release(lock);
        }
    }
    return true;
}
