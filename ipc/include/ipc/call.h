/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls: a thread sends and waits for the answer to that very message.
 *
 * A call is queued (wait.cancel is call_cancel_queued) or served (call_cancel_served). Both belong to
 * the lock of the caller's channel. A served call is named by its token, the caller's slot and the
 * sequence number of its wait, and ends by the reply, the deadline, the caller's death, or the death of the server.
 */
#ifndef IPC_CALL_H
#define IPC_CALL_H

#include <ipc/channel.h>

#define TOKEN_SLOT_BITS 12u

_Static_assert(THREADS_MAX == 1u << TOKEN_SLOT_BITS, "every slot of a token exists");

/* The token of the call that the thread waits in. */
static inline token_t call_token(const struct thread *caller)
{
    return caller->wait.sequence << TOKEN_SLOT_BITS | caller->token_slot;
}

/* The token of the call that the running thread is about to wait in. */
static inline token_t call_token_next(const struct thread *caller)
{
    return call_token(caller) + (1u << TOKEN_SLOT_BITS);
}

/* The thread whose call a token may name, from its slot alone; NULL: none. */
static inline struct thread *token_thread(token_t token)
{
    return atomic_load_explicit(&thread_slots[token & (THREADS_MAX - 1)], memory_order_acquire);
}

/* The running thread calls from `endpoint`: always ends SYSCALL_BLOCKED unless an error. */
status_t channel_call(struct thread *self, struct endpoint *endpoint, const struct outgoing *out,
                      uint64_t deadline);
/* Time-out or kill of a call that was received: the wait's cancel. */
void call_cancel_served(struct thread *caller, status_t status);
/* A queued or directly delivered call has been received by `server`. Channel lock held. */
void call_received(struct thread *caller, struct thread *server);
/* Ends a queued call that will not be received. Channel lock held. */
void call_refuse(struct thread *caller, status_t status);
/* Answers for the process of `self`. NOT_FOUND, NOT_DELIVERED. */
status_t call_reply(struct thread *self, token_t token, const struct outgoing *out);

#endif
