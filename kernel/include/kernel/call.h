/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages in flight, and the call that a thread is making. The logic is in ipc/; the data is here
 * because every thread embeds one call.
 */
#ifndef KERNEL_CALL_H
#define KERNEL_CALL_H

#include <skerry/ipc.h>

#include <kernel/object.h>

/* A message in an inbox: owned by the inbox (send), or part of the blocked caller (call). */
struct message {
    struct list_node link;  /* [channel lock] in the inbox */
    struct thread *caller;  /* a call: the thread, which is blocked; NULL: a send */
    uint64_t info;          /* length and handles */
    uint64_t words[4];      /* bytes 0..31 */
    unsigned char *payload; /* a frame with bytes 32.. at its start, or NULL */
    struct job *job;        /* pays for message and payload; +1 for a send */
    struct capability handles[SK_MESSAGE_HANDLES_MAX]; /* a send's */
};

/* Messages in inboxes, for statistics. */
extern _Atomic uint64_t message_live;

struct call {
    struct message message;
    handle_t handles[SK_MESSAGE_HANDLES_MAX]; /* reserved in the caller's table until received */
    struct process *server; /* who received it; compared, never followed; NULL: not received */
    struct thread *thread;  /* ... with which of its threads; may have ended since */
    struct endpoint *queue; /* [channel lock] whose inbox it is in, until it is received */
    struct thread *donee;   /* the thread that runs at the caller's priority meanwhile, or NULL */
    struct list_node donor_link; /* [donee's lock] in donee->donors */
};

#endif
