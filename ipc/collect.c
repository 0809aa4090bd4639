/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Endpoints that nobody can reach: each is held only by messages in the inboxes of others of the kind.
 * They are looked for when the job that pays for them ends, among that job's channels.
 *
 * An endpoint is reached if it has a handle that is not in an inbox of the job's channels, or if it is
 * in the inbox of one that is reached. This is computed while others go on using the channels that
 * are reached: `activity` counts what leaves an inbox, and if it has changed anywhere between the
 * first look and the last, the result says nothing and the search starts again. What nobody can
 * reach, nobody can change.
 *
 * Owns: nothing. Runs from kernel_exit, a few channels a step, on the hart that ended the job.
 * Locks: channel.lock, job.budget_lock for the list, one at a time. Tests: tests/qemu/broker.
 */
#include <ipc/channel.h>
#include <kernel/call.h>
#include <kernel/hart.h>
#include <kernel/job.h>
#include <kernel/sched.h>
#include <kernel/step.h>

/* What looking into a channel costs, in units of step_take: its inboxes hold at most 128 sends of 8 handles. */
#define CHANNEL_UNITS 100
/* Searches that others may disturb before it is given up: the charges then stay with the parent. */
#define ATTEMPTS 4u

enum phase {
    PHASE_RESET,
    PHASE_COUNT,  /* handles in the job's own inboxes */
    PHASE_MARK,   /* what is reached by itself, and then what is inside of that */
    PHASE_VERIFY, /* that nothing has moved since */
    PHASE_SWEEP,  /* empties the inboxes of what is not reached */
};

/* Calls `visit` for each endpoint of the job that a queued send holds. Channel lock held. */
static void for_each_held(struct job *job, struct endpoint *endpoint,
                          void (*visit)(struct job *job, struct endpoint *held))
{
    list_for_each(node, &endpoint->inbox) {
        struct message *message = list_entry(node, struct message, link);
        uint32_t count = message->caller == NULL ? SK_INFO_HANDLES(message->info) : 0;
        for (uint32_t i = 0; i < count; i++) {
            struct object *object = message->handles[i].object;
            if (object->type == SK_TYPE_ENDPOINT && object->job == job) {
                visit(job, endpoint_from_object(object));
            }
        }
    }
}

static void count_held(struct job *job, struct endpoint *held)
{
    held->inside++;
    job->collection.changed = true;
}

/* Reached: it waits, pinned, for its inbox to be looked into. */
static void mark(struct job *job, struct endpoint *endpoint)
{
    if (!endpoint->reached && channel_pin(endpoint->channel)) {
        endpoint->reached = true;
        list_append(&job->collection.reached, &endpoint->reached_link);
    }
}

static void sweep(struct endpoint *endpoint)
{
    for (struct list_node *node = endpoint->inbox.next, *next; node != &endpoint->inbox;
         node = next) {
        next = node->next;
        if (list_entry(node, struct message, link)->caller == NULL) {
            inbox_remove(list_entry(node, struct message, link));
            list_append(&cpu_hart()->dead_messages, node);
            sched_chore();
        }
    }
    endpoint->inbox_sends = 0;
    endpoint->inbox_bytes = 0;
}

/* Channel lock held. */
static void visit(struct job *job, struct endpoint *endpoint)
{
    if (endpoint->closed) {
        return;
    }
    switch ((enum phase)job->collection.phase) {
    case PHASE_RESET:
        endpoint->inside = 0;
        endpoint->reached = false;
        endpoint->activity_seen = endpoint->activity;
        break;
    case PHASE_COUNT:
        for_each_held(job, endpoint, count_held);
        break;
    case PHASE_MARK:
        if (atomic_load_explicit(&endpoint->object.handles, memory_order_relaxed) >
            endpoint->inside) {
            mark(job, endpoint);
        }
        break;
    case PHASE_VERIFY:
        if (endpoint->activity != endpoint->activity_seen) {
            job->collection.changed = true;
        }
        break;
    case PHASE_SWEEP:
        if (!endpoint->reached && endpoint->inside > 0) {
            sweep(endpoint);
        }
        break;
    }
}

/* A pass over all channels is over. False: so is the search. */
static bool next_phase(struct job_collection *collection)
{
    bool changed = collection->changed;
    collection->changed = false;
    switch ((enum phase)collection->phase) {
    case PHASE_COUNT:
        if (!changed) {
            return false; /* no endpoint is inside another */
        }
        break;
    case PHASE_VERIFY:
        if (changed) {
            collection->phase = PHASE_RESET;
            return ++collection->attempts < ATTEMPTS;
        }
        break;
    case PHASE_SWEEP:
        return false;
    case PHASE_RESET:
    case PHASE_MARK:
        break;
    }
    collection->phase++;
    return true;
}

/* The channel after `channel`, pinned; NULL at the end. */
static struct channel *next_channel(struct job *job, struct channel *channel)
{
    struct channel *found = NULL;
    lock_acquire(&job->budget_lock);
    struct list_node *node = channel != NULL ? channel->job_link.next : job->channels.next;
    for (; node != &job->channels && found == NULL; node = node->next) {
        struct channel *candidate = list_entry(node, struct channel, job_link);
        found = channel_pin(candidate) ? candidate : NULL;
    }
    lock_release(&job->budget_lock);
    return found;
}

/* Marks what is inside of the next endpoint that is reached; false: there is none. */
static bool mark_inside(struct job *job)
{
    struct list_node *node = list_pop(&job->collection.reached);
    if (node == NULL) {
        return false;
    }
    struct endpoint *endpoint = list_entry(node, struct endpoint, reached_link);
    lock_acquire(endpoint->object.lock);
    for_each_held(job, endpoint, mark);
    lock_release(endpoint->object.lock);
    channel_unpin(endpoint->channel);
    return true;
}

bool channels_collect_step(struct job *job)
{
    struct job_collection *collection = &job->collection;
    while (step_take(CHANNEL_UNITS)) {
        if (mark_inside(job)) {
            continue;
        }
        struct channel *channel = next_channel(job, collection->cursor);
        if (collection->cursor != NULL) {
            channel_unpin(collection->cursor);
        }
        collection->cursor = channel;
        if (channel == NULL) {
            if (!next_phase(collection)) {
                return true;
            }
            continue;
        }
        lock_acquire(&channel->lock);
        visit(job, &channel->end[0]);
        visit(job, &channel->end[1]);
        lock_release(&channel->lock);
    }
    return false;
}
