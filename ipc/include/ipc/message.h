/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving a message into a thread: registers, user memory, handles, all or nothing.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include <ipc/channel.h>

/* Reads what the running thread sends from its registers and memory, and reserves its handles.
 * `handles` has room for 8; the payload is put in this hart's bounce buffer. `channel`: whose ends
 * may not be sent (NULL: any may). INVALID_ARGS, TOO_BIG, BAD_ADDRESS, BAD_HANDLE, ACCESS_DENIED. */
status_t outgoing_prepare(struct thread *self, struct outgoing *out, handle_t *handles,
                          const struct channel *channel);
/* Puts the reserved handles back after a failure. */
void outgoing_cancel(const struct outgoing *out);

/* Delivers to a thread whose registers describe where to. On SK_OK the handles have moved and the
 * result registers are written. On error nothing has changed. TOO_SMALL, NO_HANDLES, OVER_BUDGET,
 * NO_MEMORY, BAD_ADDRESS. Any lock below LOCK_HANDLES may be held. */
status_t message_deliver(struct thread *to, const struct outgoing *out, uint64_t flags,
                         token_t token, uint64_t key);

/* Result registers of a receive or call that ended well. `words` may be the thread's own registers.
 * Those that no system call returns in are zeroed by the entry code. */
static inline void message_result(struct thread *to, uint64_t info, const uint64_t *words,
                                  token_t token, uint64_t key)
{
    struct arch_frame *frame = &to->frame;
    frame->arg[0] = SK_OK;
    frame->arg[1] = info;
    frame->arg[2] = words[0];
    frame->arg[3] = words[1];
    frame->arg[4] = words[2];
    frame->arg[5] = words[3];
    frame->arg[6] = token;
    frame->extra[0] = key;
    frame->extra[1] = (uint64_t)(int64_t)to->reply_status;
}

/* Result registers of a receive or call that ended otherwise. */
void message_fail(struct thread *to, status_t status, uint64_t info);
/* Result registers of a receive that ended with signals of a wait set member. */
void message_signals(struct thread *to, uint32_t signals, uint64_t key);

/* A queued send, holding the handles: moved in. OVER_BUDGET, NO_MEMORY. */
status_t message_create(struct job *payer, const struct outgoing *out, struct message **message);
/* Frees a send whose handles have moved on. */
void message_free(struct message *message);
/* Keeps a copy of the payload for a queued call. OVER_BUDGET, NO_MEMORY. */
status_t message_keep_payload(struct message *message, struct job *payer,
                              const struct outgoing *out);
void message_drop_payload(struct message *message, struct job *payer);

#endif
