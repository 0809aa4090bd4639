/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Priority lent along queued calls and along chains of calls.
 *
 * Owns: thread.source and the `servers` of endpoints and wait sets. Locks: the source's for both; a chain
 * is followed with one channel's lock at a time. Thread memory keeps its type, so a thread that has ended
 * meanwhile is looked at, and found to wait for nothing. Tests: tests/host/ipc/test_lend.c.
 */
#include <ipc/lend.h>
#include <ipc/waitset.h>

void lend_leave_source(struct thread *self, const struct object *source)
{
    if (atomic_load_explicit(&self->source, memory_order_acquire) != source) {
        thread_leave_source(self);
        lend_end_queue(self);
    }
}

void lend_forget_source(struct list_node *servers, uint32_t *left)
{
    for (; *left > 0 && !list_empty(servers); (*left)--) {
        struct list_node *node = list_pop(servers);
        struct thread *thread = container_of(node, struct thread, source_link);
        store_release(&thread->source, NULL); /* after the last use of its link here */
        lend_end_queue(thread);
    }
}

/* Lends to *left of them at most; the first whose priority changed, or `first`. The source's lock is held. */
static struct thread *lend_servers(struct list_node *servers, uint32_t priority, uint32_t *left,
                                   struct thread *first)
{
    for (struct list_node *node = servers->next; node != servers && *left > 0; node = node->next) {
        (*left)--;
        struct thread *thread = container_of(node, struct thread, source_link);
        if (priority > atomic_load_explicit(&thread->priority, memory_order_relaxed) &&
            thread_lend_queue(thread, priority) && first == NULL) {
            first = thread;
        }
    }
    return first;
}

struct thread *lend_queued(struct endpoint *endpoint, const struct thread *caller)
{
    uint32_t priority = atomic_load_explicit(&caller->priority, memory_order_relaxed);
    uint32_t left = LEND_SERVERS;
    struct thread *first = lend_servers(&endpoint->servers, priority, &left, NULL);
    list_for_each(node, &endpoint->object.observers) {
        struct observer *observer = list_entry(node, struct observer, link);
        if (observer->notify == member_activate && (observer->signals & SK_SIGNAL_READABLE)) {
            struct waitset *waitset = member_from_observer(observer)->waitset;
            lock_acquire(waitset->object.lock);
            first = lend_servers(&waitset->servers, priority, &left, first);
            lock_release(waitset->object.lock);
        }
    }
    return first;
}

/* One step: lends on what `thread` has to those that serve its call, received or queued; the one whose
 * priority changed, or NULL. */
static struct thread *lend_step(struct thread *thread)
{
    struct spinlock *lock = atomic_load_explicit(&thread->wait.lock, memory_order_acquire);
    struct thread *next = NULL;
    if (lock == NULL || lock->level != LOCK_OBJECT) {
        return NULL;
    }
    lock_acquire(lock);
    if (atomic_load_explicit(&thread->wait.lock, memory_order_relaxed) == lock) {
        struct call *call = &thread->call;
        if (call->server != NULL) {
            struct thread *server = call->thread;
            bool its = server->process ==
                       call->server; /* it may have ended, its memory be another's */
            next = its && thread_donate(server, thread) ? server : NULL;
        } else if (call->queue != NULL) {
            next = lend_queued(call->queue, thread);
        }
    }
    lock_release(lock);
    return next;
}

void lend_on(struct thread *thread)
{
    for (uint32_t depth = 0; thread != NULL && depth < LEND_DEPTH; depth++) {
        thread = lend_step(thread);
    }
}
