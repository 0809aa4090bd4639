/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel against the model: each message, its sender and its handles, who is woken and who must not be. */
#include "syscalls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void model_differs(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: the kernel and the model differ: %s\n", file, line, condition);
    abort();
}

/* The thread has received the first message of this end: it must be that one, whole. */
static void check_message(struct mthread *t, int32_t end)
{
    struct arch_frame *frame = &t->thread->frame;
    struct mobject *o = &m.objects[end];
    MODEL(o->queued > 0);
    struct mmessage message = o->queue[0];
    memmove(&o->queue[0], &o->queue[1], --o->queued * sizeof o->queue[0]);
    MODEL(frame->arg[2] == message.id);
    MODEL(SK_INFO_HANDLES(frame->arg[1]) == message.count);
    MODEL(((frame->arg[1] & SK_INFO_CALL) != 0) == (message.caller >= 0));
    handle_t handles[2];
    if (message.count > 0) {
        MODEL(user_read(t->thread, m.pages[t->process] + 64, handles, sizeof handles));
    }
    for (uint32_t i = 0; i < message.count; i++) {
        MODEL(handle_new(t->process, handles[i], message.handles[i].object,
                         message.handles[i].rights) != NULL);
    }
    if (message.caller >= 0) {
        struct mtoken *token = &m.tokens[t->process][message.id % TOKENS];
        *token = (struct mtoken){frame->arg[6], message.caller};
    } else {
        MODEL(frame->arg[6] == SK_TOKEN_NONE);
    }
}

/* The thread's receive from an end has ended. */
static void check_end_receive(struct mthread *t, int32_t end, bool polled)
{
    status_t status = status_of(t->thread);
    const struct mobject *o = &m.objects[end];
    bool peer_closed = m.objects[peer_of(end)].closed;
    if (status == SK_OK) {
        check_message(t, end);
    } else if (o->closed) {
        /* Both ends may have gone in one step, in either order. */
        MODEL(status == SK_BAD_STATE || (peer_closed && status == SK_PEER_CLOSED));
    } else {
        MODEL(o->queued == 0);
        MODEL(peer_closed ? status == SK_PEER_CLOSED : polled && status == SK_TIMED_OUT);
    }
}

/* The thread's receive from a wait set has ended: with something that one of its members shows. */
static void check_set_receive(struct mthread *t, int32_t set, bool polled)
{
    const struct arch_frame *frame = &t->thread->frame;
    status_t status = status_of(t->thread);
    if (status != SK_OK) {
        MODEL(m.objects[set].closed ? status == SK_BAD_STATE
                                    : polled && status == SK_TIMED_OUT && !set_ready(set));
        return;
    }
    const struct mmember *member = NULL;
    for (uint32_t i = 0; i < m.member_count; i++) {
        bool same = m.members[i].set == set && (uint64_t)m.members[i].object == frame->extra[0];
        member = same ? &m.members[i] : member;
    }
    MODEL(member != NULL);
    uint32_t shows = shown(member->object, member->signals);
    if (shows & SK_SIGNAL_READABLE) {
        check_message(t, member->object);
        return;
    }
    MODEL(frame->arg[1] == SK_INFO_SIGNALS && frame->arg[2] == shows && shows != 0);
    m.objects[member->object].set = false;
}

void check_receive(struct mthread *t, bool polled)
{
    if (m.objects[t->source].kind == END) {
        check_end_receive(t, t->source, polled);
    } else {
        check_set_receive(t, t->source, polled);
    }
}

void check_threads(void)
{
    for (uint32_t i = 0; i < THREADS; i++) {
        struct mthread *t = &m.threads[i];
        if (t->waits && !is_blocked(t->thread)) {
            t->waits = false;
            check_receive(t, false);
        }
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        struct mthread *t = &m.threads[i];
        const struct mobject *o = &m.objects[t->source];
        if (t->waits && o->kind == END) {
            MODEL(o->queued == 0 && !o->closed && !m.objects[peer_of(t->source)].closed);
        } else if (t->waits) {
            MODEL(!o->closed && !set_ready(t->source));
        }
        if (!t->calls) {
            continue;
        }
        MODEL(is_blocked(t->thread) == !(t->answered || t->refused));
        if (t->answered) {
            MODEL(status_of(t->thread) == SK_OK && t->thread->frame.arg[2] == t->id);
        } else if (t->refused) {
            MODEL(status_of(t->thread) == SK_PEER_CLOSED && t->thread->frame.arg[1] == 0);
        }
        t->calls = is_blocked(t->thread);
    }
}
