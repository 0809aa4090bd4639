/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels: the life of endpoints, sending, receiving.
 *
 * Owns: channel memory and inboxes. Lock: channel.lock. Invariant: while a thread is parked on an
 * endpoint, or on a wait set of which it is a member, its inbox is empty. Tests: tests/host/ipc/.
 */
#include <ipc/call.h>
#include <ipc/channel.h>
#include <ipc/lend.h>
#include <ipc/message.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/sched.h>
#include <kernel/step.h>
#include <kernel/syscall.h>

static struct cache channel_cache = CACHE_INIT("channel", struct channel);

bool channel_pin(struct channel *channel)
{
    uint32_t ends = atomic_load_explicit(&channel->ends, memory_order_relaxed);
    while (ends != 0) {
        if (atomic_compare_exchange_weak_explicit(&channel->ends, &ends, ends + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
            return true;
        }
    }
    return false;
}

void channel_unpin(struct channel *channel)
{
    if (atomic_fetch_sub_explicit(&channel->ends, 1, memory_order_acq_rel) == 1) {
        struct job *job = channel->job;
        struct job *keeper = job_channels_lock(job);
        list_remove(&channel->job_link);
        lock_release(&keeper->budget_lock);
        cache_free(&channel_cache, channel);
        object_put(&job->object);
    }
}

static void endpoint_destroy(struct object *object)
{
    struct channel *channel = endpoint_from_object(object)->channel;
    object_fini(object);
    channel_unpin(channel);
}

static uint32_t endpoint_observe(struct object *object)
{
    return endpoint_from_object(object)->shows;
}

/* Ends the waits of *left threads at most that were parked on an endpoint. Channel lock held. */
static void leaving_fail(struct endpoint *endpoint, uint32_t *left)
{
    for (; *left > 0 && !list_empty(&endpoint->leaving); (*left)--) {
        struct thread *thread = list_first(&endpoint->leaving, struct thread, wait.link);
        wait_end(thread);
        message_fail(thread, endpoint->closed ? SK_BAD_STATE : SK_PEER_CLOSED, 0);
        thread_ready(thread);
    }
}

/* From now on nothing can be received here, nor sent from here. Channel lock held. */
static inline void endpoint_close(struct endpoint *endpoint, struct endpoint *peer)
{
    endpoint->closed = true;
    peer->shows |= SK_SIGNAL_PEER_CLOSED;
    list_splice(&endpoint->leaving, &endpoint->receivers);
    list_splice(&peer->leaving, &peer->receivers);
    object_notify(&peer->object, SK_SIGNAL_PEER_CLOSED);
}

static void endpoint_orphan(struct object *object);

/* Lets go of what hangs on a closed endpoint, as much as a step may. Channel lock held. */
static RARELY void endpoint_empty(struct endpoint *endpoint, struct endpoint *peer)
{
    uint32_t left = OBJECT_PIECES;
    for (; left > 0 && !list_empty(&endpoint->inbox); left--) {
        struct message *message = list_first(&endpoint->inbox, struct message, link);
        if (message->caller != NULL) {
            call_refuse(message->caller, SK_PEER_CLOSED);
        } else {
            inbox_remove(message);
            list_append(&chores_here()->messages, &message->link);
        }
    }
    endpoint->inbox_sends = 0;
    endpoint->inbox_bytes = 0;
    lend_forget_source(&endpoint->servers, &left);
    leaving_fail(endpoint, &left);
    leaving_fail(peer, &left);
    if (object_step_done(left)) {
        object_later(&endpoint->object, &endpoint->rest, endpoint_orphan);
    }
}

/* The last handle is gone. */
static void endpoint_orphan(struct object *object)
{
    struct endpoint *endpoint = endpoint_from_object(object);
    struct endpoint *peer = endpoint_peer(endpoint);
    lock_acquire(object->lock);
    if (!endpoint->closed) {
        endpoint_close(endpoint, peer);
    }
    if (!list_empty(&endpoint->inbox) || !list_empty(&endpoint->servers) ||
        !list_empty(&endpoint->leaving) || !list_empty(&peer->leaving)) {
        endpoint_empty(endpoint, peer);
    }
    lock_release(object->lock);
    object_orphan_observers(object);
}

const struct object_type endpoint_type = {
    .name = "endpoint",
    .signals = SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED,
    .rights = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_READ | SK_RIGHT_WRITE |
              SK_RIGHT_WAIT,
    .orphan = endpoint_orphan,
    .destroy = endpoint_destroy,
    .observe = endpoint_observe,
};

static void endpoint_init(struct endpoint *endpoint, struct channel *channel, struct job *job)
{
    object_init(&endpoint->object, SK_TYPE_ENDPOINT, job);
    store_relaxed(&endpoint->object.lock, &channel->lock);
    endpoint->channel = channel;
    endpoint->peer = endpoint == &channel->end[0] ? &channel->end[1] : &channel->end[0];
    list_init(&endpoint->inbox);
    endpoint->shows = 0;
    endpoint->inbox_sends = 0;
    endpoint->inbox_bytes = 0;
    list_init(&endpoint->receivers);
    list_init(&endpoint->leaving);
    list_init(&endpoint->servers);
    list_init(&endpoint->reached_link);
    endpoint->closed = false;
    endpoint->activity = 0;
    atomic_store_explicit(&endpoint->search, 0, memory_order_relaxed);
}

status_t channel_create(struct job *job, struct endpoint **end0, struct endpoint **end1)
{
    status_t status = job_charge(job, BUDGET_OBJECTS, 2);
    if (status != SK_OK) {
        return status;
    }
    struct channel *channel = cache_alloc(&channel_cache);
    if (channel == NULL) {
        job_uncharge(job, BUDGET_OBJECTS, 2);
        return SK_NO_MEMORY;
    }
    lock_init(&channel->lock, LOCK_OBJECT);
    endpoint_init(&channel->end[0], channel, job);
    endpoint_init(&channel->end[1], channel, job);
    channel->end[1].object.id = channel->end[0].object.id + 1;
    atomic_store_explicit(&channel->ends, 2, memory_order_relaxed);
    channel->job = job;
    object_get(&job->object);
    struct job *keeper = job_channels_lock(job);
    list_append(&keeper->channels, &channel->job_link);
    lock_release(&keeper->budget_lock);
    *end0 = &channel->end[0];
    *end1 = &channel->end[1];
    return SK_OK;
}

struct thread *endpoint_unpark(struct endpoint *endpoint)
{
    if (list_empty(&endpoint->receivers)) {
        return NULL;
    }
    struct thread *thread = list_first(&endpoint->receivers, struct thread, wait.link);
    wait_end(thread);
    return thread;
}

UNGUARDED status_t channel_send(struct endpoint *endpoint, const struct outgoing *out,
                                struct job *payer)
{
    struct spinlock *lock = endpoint->object.lock;
    struct endpoint *peer = endpoint_peer(endpoint);
    uint32_t length = SK_INFO_LENGTH(out->info);
    struct thread *receiver;
    struct message *message;
    status_t status;
    if (peer->closed) {
        status = SK_PEER_CLOSED;
        goto out;
    }
    while ((receiver = endpoint_unpark(peer)) != NULL) {
        status = message_deliver(receiver, out, 0, SK_TOKEN_NONE, peer->object.id);
        if (status != SK_OK) {
            message_fail(receiver, status, status == SK_TOO_SMALL ? out->info : 0);
        }
        thread_ready(receiver);
        if (status == SK_OK) {
            goto out;
        }
    }
    if (peer->inbox_sends == SK_INBOX_MESSAGES_MAX ||
        peer->inbox_bytes + length > SK_INBOX_BYTES_MAX) {
        status = SK_FULL;
        goto out;
    }
    status = message_create(payer, out, &message);
    if (status == SK_OK) {
        inbox_append(peer, message);
        peer->inbox_sends++;
        peer->inbox_bytes += length;
        object_notify(&peer->object, SK_SIGNAL_READABLE);
    }
out:
    lock_release(lock);
    return status;
}

/* A send has been delivered: it leaves the inbox. Channel lock held. */
static inline void send_received(struct endpoint *endpoint, struct message *message)
{
    inbox_remove(message);
    endpoint->activity++;
    endpoint->inbox_sends--;
    endpoint->inbox_bytes -= SK_INFO_LENGTH(message->info);
    message_free(message);
}

UNGUARDED status_t endpoint_hand_over(struct thread *to, struct endpoint *endpoint, uint64_t key)
{
    struct message *message = list_first(&endpoint->inbox, struct message, link);
    struct thread *caller = message->caller;
    if (caller == NULL && message->info <= SK_MESSAGE_REGISTER_BYTES) {
        message_result(to, message->info, message->words, SK_TOKEN_NONE, key);
        send_received(endpoint, message);
        return SK_OK;
    }
    struct outgoing out = {
        .info = message->info, .words = message->words, .payload = message->payload};
    uint64_t flags = 0;
    token_t token = SK_TOKEN_NONE;
    if (caller != NULL) {
        out.giver = SK_INFO_HANDLES(message->info) > 0 ? caller->process : NULL;
        out.handles = caller->call.handles;
        flags = SK_INFO_CALL;
        token = call_token(caller);
    } else {
        out.capabilities = message->handles;
    }
    status_t status = message_deliver(to, &out, flags, token, key);
    if (status != SK_OK) {
        message_fail(to, status, status == SK_TOO_SMALL ? out.info : 0);
        to->frame.extra[0] = key; /* so that a server knows whose message it cannot take */
        return status;
    }
    if (caller != NULL) {
        inbox_remove(message);
        call_received(caller, to);
    } else {
        send_received(endpoint, message);
    }
    return SK_OK;
}

void receive_cancelled(struct thread *thread, status_t status)
{
    message_fail(thread, status, 0);
}

status_t endpoint_receive(struct thread *self, struct endpoint *endpoint, uint64_t deadline)
{
    struct spinlock *lock = endpoint->object.lock;
    status_t outcome = SYSCALL_DONE;
    if (!endpoint->closed) {
        lend_enter_source(self, &endpoint->object, &endpoint->servers);
    }
    if (!list_empty(&endpoint->inbox)) {
        endpoint_hand_over(self, endpoint, endpoint->object.id);
        if (list_empty(&endpoint->inbox)) {
            lend_end_queue(self);
        }
    } else if (endpoint->closed) {
        message_fail(self, SK_BAD_STATE, 0);
    } else if (endpoint_peer(endpoint)->closed) {
        message_fail(self, SK_PEER_CLOSED, 0);
    } else if (deadline == SK_DEADLINE_POLL) {
        message_fail(self, SK_TIMED_OUT, 0);
    } else {
        lend_end_queue(self);
        wait_begin(self, lock, &endpoint->receivers, receive_cancelled);
        wait_deadline(self, deadline);
        outcome = SYSCALL_BLOCKED;
    }
    lock_release(lock);
    return outcome;
}
