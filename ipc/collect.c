/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Endpoints that nobody can reach: each is held only by messages in the inboxes of others of the kind.
 * They are looked for whenever a job ends, among the channels that its heir keeps then: its own, and
 * those of all that ended below it (kernel/job.c).
 *
 * The search begins with all of these endpoints as candidates and goes round. In each round it counts
 * the handles that are in candidates' inboxes. A candidate with a handle elsewhere is reached, and so
 * is what is in its inbox. A round that finds nothing more to be reached leaves those that are held by
 * each other alone; if none of them has lost a message meanwhile (`activity`), they were so all the
 * time, and as nobody can reach them, nobody can change that. Others go on using the rest all the
 * while, as they like.
 *
 * Endpoints that come to the list during a search are no candidates: `search` has its number.
 *
 * Owns: nothing. Runs from kernel_exit, a few channels a step, on the hart where the search was asked
 * for. Locks: channel.lock, job.budget_lock for the list, one at a time. Tests:
 * tests/host/ipc/test_collect.c, tests/qemu/broker.
 */
#include <ipc/channel.h>
#include <kernel/call.h>
#include <kernel/hart.h>
#include <kernel/job.h>
#include <kernel/sched.h>
#include <kernel/step.h>

/* What looking into a channel costs, in units of step_take: its inboxes hold at most 128 sends of 8 handles. */
#define CHANNEL_UNITS 100
/* Two are enough unless somebody moves endpoints just then; the next job to end has them looked at again. */
#define ROUNDS_MAX 8u

enum phase {
    PHASE_BEGIN,  /* all are candidates */
    PHASE_COUNT,  /* handles in candidates' inboxes */
    PHASE_MARK,   /* what is reached by itself, and then what is inside of that */
    PHASE_RESET,  /* of the candidates that are left, for another round */
    PHASE_VERIFY, /* that nothing has left their inboxes since */
    PHASE_SWEEP,  /* empties the inboxes of what is not reached */
};

static _Atomic uint64_t searches;

/* By the search alone, as no two have an endpoint in common, but read by others that see it in an inbox. */
static bool is_candidate(const struct job_search *search, const struct endpoint *endpoint)
{
    return atomic_load_explicit(&endpoint->search, memory_order_relaxed) == search->number &&
           !endpoint->reached;
}

/* Calls `visit` for each candidate that a queued send holds. Channel lock held. */
static void for_each_held(struct job_search *search, struct endpoint *endpoint,
                          void (*visit)(struct job_search *search, struct endpoint *held))
{
    list_for_each(node, &endpoint->inbox) {
        struct message *message = list_entry(node, struct message, link);
        uint32_t count = message->caller == NULL ? SK_INFO_HANDLES(message->info) : 0;
        for (uint32_t i = 0; i < count; i++) {
            struct object *object = message->handles[i].object;
            if (object->type == SK_TYPE_ENDPOINT &&
                is_candidate(search, endpoint_from_object(object))) {
                visit(search, endpoint_from_object(object));
            }
        }
    }
}

static void count_held(struct job_search *search, struct endpoint *held)
{
    held->inside++;
    search->found = true;
}

/* Reached: it waits, pinned, for its inbox to be looked into. */
static void mark(struct job_search *search, struct endpoint *endpoint)
{
    if (channel_pin(endpoint->channel)) {
        endpoint->reached = true;
        search->found = true;
        list_append(&search->reached, &endpoint->reached_link);
    }
}

static void reset(struct endpoint *endpoint)
{
    endpoint->inside = 0;
    endpoint->activity_seen = endpoint->activity;
}

static void sweep(struct endpoint *endpoint)
{
    for (struct list_node *node = endpoint->inbox.next, *next; node != &endpoint->inbox;
         node = next) {
        next = node->next;
        if (list_entry(node, struct message, link)->caller == NULL) {
            inbox_remove(list_entry(node, struct message, link));
            list_append(&chores_here()->messages, node);
        }
    }
    endpoint->inbox_sends = 0;
    endpoint->inbox_bytes = 0;
}

/* Channel lock held. */
static void visit(struct job_search *search, struct endpoint *endpoint)
{
    if (endpoint->closed) {
        return;
    }
    if (search->phase == PHASE_BEGIN) {
        atomic_store_explicit(&endpoint->search, search->number, memory_order_relaxed);
        endpoint->reached = false;
        reset(endpoint);
    }
    if (!is_candidate(search, endpoint)) {
        return;
    }
    switch ((enum phase)search->phase) {
    case PHASE_BEGIN:
        break;
    case PHASE_COUNT:
        for_each_held(search, endpoint, count_held);
        break;
    case PHASE_MARK:
        if (atomic_load_explicit(&endpoint->object.handles, memory_order_relaxed) >
            endpoint->inside) {
            mark(search, endpoint);
        }
        break;
    case PHASE_RESET:
        reset(endpoint);
        break;
    case PHASE_VERIFY:
        if (endpoint->activity != endpoint->activity_seen) {
            search->found = true;
        }
        break;
    case PHASE_SWEEP:
        if (endpoint->inside > 0) {
            sweep(endpoint);
        }
        break;
    }
}

/* A pass over all channels is over. False: so is the search. */
static bool next_phase(struct job_search *search)
{
    bool found = search->found;
    search->found = false;
    switch ((enum phase)search->phase) {
    case PHASE_BEGIN:
    case PHASE_RESET:
        search->phase = PHASE_COUNT;
        return true;
    case PHASE_COUNT:
        search->phase = PHASE_MARK;
        return found; /* or no candidate is inside another */
    case PHASE_MARK:
        search->phase = found ? PHASE_RESET : PHASE_VERIFY;
        return ++search->rounds < ROUNDS_MAX;
    case PHASE_VERIFY:
        search->phase = found ? PHASE_RESET : PHASE_SWEEP;
        return true;
    case PHASE_SWEEP:
        break;
    }
    return false;
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
static bool mark_inside(struct job_search *search)
{
    struct list_node *node = list_pop(&search->reached);
    if (node == NULL) {
        return false;
    }
    struct endpoint *endpoint = list_entry(node, struct endpoint, reached_link);
    lock_acquire(endpoint->object.lock);
    for_each_held(search, endpoint, mark);
    lock_release(endpoint->object.lock);
    channel_unpin(endpoint->channel);
    return true;
}

void channels_search_begin(struct job *job)
{
    struct job_search *search = &job->search;
    search->phase = PHASE_BEGIN;
    search->rounds = 0;
    search->found = false;
    search->number = atomic_fetch_add_explicit(&searches, 1, memory_order_relaxed) + 1;
}

bool channels_search_step(struct job *job)
{
    struct job_search *search = &job->search;
    while (step_take(CHANNEL_UNITS)) {
        if (mark_inside(search)) {
            continue;
        }
        struct channel *channel = next_channel(job, search->cursor);
        if (search->cursor != NULL) {
            channel_unpin(search->cursor);
        }
        search->cursor = channel;
        if (channel == NULL) {
            if (!next_phase(search)) {
                return true;
            }
            continue;
        }
        lock_acquire(&channel->lock);
        visit(search, &channel->end[0]);
        visit(search, &channel->end[1]);
        lock_release(&channel->lock);
    }
    return false;
}

bool channels_search_end(struct job *job)
{
    struct job_search *search = &job->search;
    while (!list_empty(&search->reached)) {
        if (!step_take(1)) {
            return false;
        }
        struct list_node *node = list_pop(&search->reached);
        channel_unpin(list_entry(node, struct endpoint, reached_link)->channel);
    }
    if (search->cursor != NULL) {
        channel_unpin(search->cursor);
        search->cursor = NULL;
    }
    return true;
}
