/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lending priority along calls. A received call lends to the thread that received it, until it ends
 * (kernel/thread.h). A queued call lends to the first LEND_SERVERS of the threads that last received from where it
 * waits, until they have emptied that: whoever of them is done first receives it. Who is lent something while it waits
 * in a call of its own lends it on, LEND_DEPTH calls far at most.
 */
#ifndef IPC_LEND_H
#define IPC_LEND_H

#include <ipc/channel.h>

#define LEND_DEPTH 8u
#define LEND_SERVERS 100u

/* The running thread is about to receive from `source`, an endpoint or a wait set: it leaves what it
 * received from before. No lock held. */
void lend_leave_source(struct thread *self, const struct object *source);
/* The running thread receives from `source`, with `servers`: its lock is held. */
static inline void lend_enter_source(struct thread *self, struct object *source,
                                     struct list_node *servers)
{
    if (atomic_load_explicit(&self->source, memory_order_acquire) != source) {
        list_append(servers, &self->source_link);
        store_relaxed(&self->source, source);
    }
}

/* What queued calls lent a thread is taken back: nothing is queued any more. Source's lock held. */
static inline void lend_end_queue(struct thread *thread)
{
    if (atomic_load_explicit(&thread->queue_priority, memory_order_relaxed) != 0) {
        thread_lend_queue(thread, 0);
    }
}

/* The source is closed: nobody receives from it any more. *left threads at most. Its lock is held. */
void lend_forget_source(struct list_node *servers, uint32_t *left);
/* A call joined the endpoint's inbox. Returns a thread whose priority this changed, or NULL, for
 * lend_on. Channel lock held. */
struct thread *lend_queued(struct endpoint *endpoint, const struct thread *caller);
/* A thread's priority has changed: if it waits in a call, so do those of the threads that have to serve it.
 * No lock held; the thread may have ended. */
void lend_on(struct thread *thread);

#endif
