/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving a message into a thread: registers, user memory, handles, all or nothing.
 */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include <arch/mmu.h>
#include <ipc/channel.h>

/* Registers of <skerry/ipc.h>, as indices of frame.extra. */
#define MESSAGE_OUT_BYTES 0
#define MESSAGE_OUT_HANDLES 1
#define MESSAGE_IN_BYTES 2
#define MESSAGE_IN_ROOM 3
#define MESSAGE_IN_HANDLES 4
#define MESSAGE_TOKEN 5

/* Makes a message of info and words, reads its bytes and handles from where the running thread's frame
 * says, and reserves the handles. `handles` has room for 8; the payload is put in this hart's bounce buffer. `channel`: whose ends
 * may not be sent (NULL: any may). INVALID_ARGS, TOO_BIG, BAD_ADDRESS, BAD_HANDLE, ACCESS_DENIED. */
status_t outgoing_prepare(struct thread *self, uint64_t info, const uint64_t *words,
                          struct outgoing *out, handle_t *handles, const struct channel *channel);
/* Puts the reserved handles back after a failure. */
void outgoing_cancel(const struct outgoing *out);

/*
 * The short way's: moves bytes beyond 32 and handles of the running thread's message to where `to` waits
 * for them, all or nothing. False: it cannot be done at once, or not at all; nothing has changed but what
 * lies in the buffers of `to`. The lock of to's wait is held.
 */
bool message_pass(struct thread *from, struct thread *to, uint64_t info,
                  const struct channel *channel);

/* message_pass; the common case, whole words within one page on either side, without a call. */
ALWAYS_INLINE bool message_pass_quickly(struct thread *from, struct thread *to, uint64_t info,
                                        const struct channel *channel)
{
    struct address_space *giver = &from->process->space, *taker = &to->process->space;
    vaddr_t source = from->frame.extra[MESSAGE_OUT_BYTES] + SK_MESSAGE_REGISTER_BYTES;
    vaddr_t target = to->frame.extra[MESSAGE_IN_BYTES] + SK_MESSAGE_REGISTER_BYTES;
    uint64_t bytes = info - SK_MESSAGE_REGISTER_BYTES;
    paddr_t source_pa, target_pa;
    if (unlikely(info > SK_MESSAGE_BYTES_MAX || /* or it has handles */
                 info > (to->frame.extra[MESSAGE_IN_ROOM] & 0xffff) ||
                 ((source | target | bytes) & 7) != 0 || (source & PAGE_MASK) + bytes > PAGE_SIZE ||
                 (target & PAGE_MASK) + bytes > PAGE_SIZE)) {
        return message_pass(from, to, info, channel);
    }
    lock_pair_acquire(&giver->lock, &taker->lock);
    bool there = mmu_lookup(&giver->arch, source, SK_PROT_READ | MMU_MEMORY, &source_pa) &&
                 mmu_lookup(&taker->arch, target, SK_PROT_WRITE | MMU_MEMORY, &target_pa);
    if (there) {
        cpu_copy_words(phys_to_virt(target_pa), phys_to_virt(source_pa), bytes);
    }
    lock_pair_release(&giver->lock, &taker->lock);
    return there;
}

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

status_t message_deliver_long(struct thread *to, const struct outgoing *out, uint64_t flags,
                              token_t token, uint64_t key);

/* Delivers to a thread whose registers describe where to. On SK_OK the handles have moved and the
 * result registers are written. On error nothing has changed. TOO_SMALL, NO_HANDLES, OVER_BUDGET,
 * NO_MEMORY, BAD_ADDRESS. Any lock below LOCK_HANDLES may be held. */
ALWAYS_INLINE status_t message_deliver(struct thread *to, const struct outgoing *out,
                                       uint64_t flags, token_t token, uint64_t key)
{
    if (out->info > SK_MESSAGE_REGISTER_BYTES) { /* more than fits in registers, or handles */
        return message_deliver_long(to, out, flags, token, key);
    }
    message_result(to, out->info | flags, out->words, token, key);
    return SK_OK;
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
