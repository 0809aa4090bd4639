/* SPDX-License-Identifier: BSD-2-Clause */
/* The system calls: what each must return by the model, and what it does to the model. */
#include "syscalls.h"

void do_create(struct mthread *t, enum kind kind)
{
    static const uint32_t numbers[] = {SK_SYS_channel_create, SK_SYS_event_create,
                                       SK_SYS_waitset_create};
    const uint32_t rights[] = {endpoint_type.rights, event_type.rights, waitset_type.rights};
    uint32_t ends = kind == END ? 2 : 1;
    if (m.object_count + 2 > OBJECTS || room(t->process) < 2) {
        return;
    }
    MODEL(syscall_as(t->thread, numbers[kind], m.users[t->process].job_handle) == SK_OK);
    m.object_count += m.object_count % 2;
    for (uint32_t i = 0; i < ends; i++) {
        int32_t object = (int32_t)m.object_count++;
        m.objects[object] = (struct mobject){.kind = kind, .handles = 1};
        handle_new(t->process, (handle_t)value_of(t->thread, i), object, rights[kind]);
    }
}

void do_close(struct mthread *t, struct mhandle *handle)
{
    status_t status = syscall_as(t->thread, SK_SYS_handle_close, handle->value);
    MODEL(status == (handle->object < 0 ? SK_BAD_HANDLE : SK_OK));
    if (status == SK_OK) {
        int32_t object = handle->object;
        handle->object = -1; /* its value stays: a stale handle for later */
        model_release(object);
    }
}

void do_duplicate(struct mthread *t, const struct mhandle *handle, uint8_t mask)
{
    static const uint32_t takes[] = {
        0, SK_RIGHT_READ, SK_RIGHT_WRITE, SK_RIGHT_TRANSFER, SK_RIGHT_DUPLICATE, SK_RIGHT_WAIT};
    uint32_t rights = handle->rights & ~takes[mask % 6];
    rights |= mask == 255 ? SK_RIGHT_EXECUTE : 0; /* which none of them has */
    status_t expected = lookup(handle, -1, SK_RIGHT_DUPLICATE);
    expected = expected == SK_OK && mask == 255 ? SK_INVALID_ARGS : expected;
    if (room(t->process) == 0) {
        return;
    }
    MODEL(syscall_as(t->thread, SK_SYS_handle_duplicate, handle->value, rights) == expected);
    if (expected == SK_OK) {
        m.objects[handle->object].handles++;
        handle_new(t->process, (handle_t)value_of(t->thread, 0), handle->object, rights);
    }
}

/* Whether the handles may go through this end, as the kernel looks at them. */
static status_t sendable(int32_t end, struct mhandle *const *handles, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (handles[i]->object < 0) {
            return SK_BAD_HANDLE;
        }
        if (i == 1 && handles[0] == handles[1]) {
            return SK_INVALID_ARGS;
        }
        if (!(handles[i]->rights & SK_RIGHT_TRANSFER)) {
            return SK_ACCESS_DENIED;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (handles[i]->object == end || handles[i]->object == peer_of(end)) {
            return SK_INVALID_ARGS;
        }
    }
    return SK_OK;
}

void do_send(struct mthread *t, const struct mhandle *through, struct mhandle *const *handles,
             uint32_t count)
{
    uint64_t id = m.next_id++;
    status_t expected = lookup(through, END, SK_RIGHT_WRITE);
    struct mobject *to = NULL;
    if (expected == SK_OK) {
        to = &m.objects[peer_of(through->object)];
        expected = sendable(through->object, handles, count);
    }
    if (expected == SK_OK) {
        expected = to->closed                                ? SK_PEER_CLOSED
                   : to->queued >= SK_INBOX_MESSAGES_MAX - 3 ? SK_FULL
                                                             : SK_OK;
        if (expected == SK_FULL) {
            return; /* calls do not count, so this model does not know exactly */
        }
    }
    const handle_t values[2] = {handles[0]->value, handles[1]->value};
    MODEL(user_write(t->thread, m.pages[t->process], values, sizeof values));
    struct ipc ipc = {.handle = through->value,
                      .info = SK_INFO(8, count),
                      .words = {id},
                      .out_handles = m.pages[t->process]};
    MODEL(ipc_as(t->thread, SK_SYS_channel_send, &ipc) == expected);
    if (expected == SK_OK) {
        struct mmessage *message = &to->queue[to->queued++];
        *message = (struct mmessage){.id = id, .count = count, .caller = -1};
        for (uint32_t i = 0; i < count; i++) {
            message->handles[i] = *handles[i];
            handles[i]->object = -1;
        }
    }
}

void do_receive(struct mthread *t, const struct mhandle *from, bool polled)
{
    status_t expected = lookup(from, -1, SK_RIGHT_READ);
    if (expected == SK_OK && m.objects[from->object].kind == EVENT) {
        expected = SK_WRONG_TYPE;
    }
    if (room(t->process) < 2) {
        return;
    }
    struct ipc ipc = {.handle = from->value,
                      .deadline = polled ? SK_DEADLINE_POLL : SK_DEADLINE_NEVER,
                      .in_room = SK_ROOM(0, 2),
                      .in_handles = m.pages[t->process] + 64};
    status_t status = ipc_as(t->thread, SK_SYS_channel_receive, &ipc);
    if (expected != SK_OK) {
        MODEL(status == expected);
        return;
    }
    t->source = from->object;
    t->waits = status == BLOCKED;
    MODEL(!polled || !t->waits);
    if (!t->waits) {
        check_receive(t, polled);
    }
}

void do_call(struct mthread *t, const struct mhandle *through, bool polled)
{
    uint64_t id = m.next_id++;
    status_t expected = lookup(through, END, SK_RIGHT_READ | SK_RIGHT_WRITE);
    struct mobject *to = expected == SK_OK ? &m.objects[peer_of(through->object)] : NULL;
    if (to != NULL) {
        expected = to->closed ? SK_PEER_CLOSED : polled ? SK_TIMED_OUT : BLOCKED;
        if (to->queued >= SK_INBOX_MESSAGES_MAX) {
            return;
        }
    }
    struct ipc ipc = {.handle = through->value,
                      .info = 8,
                      .words = {id},
                      .deadline = polled ? SK_DEADLINE_POLL : SK_DEADLINE_NEVER};
    MODEL(ipc_as(t->thread, SK_SYS_channel_call, &ipc) == expected);
    if (expected == BLOCKED) {
        to->queue[to->queued++] = (struct mmessage){.id = id, .caller = (int32_t)(t - m.threads)};
        t->calls = true;
        t->answered = t->refused = false;
    }
}

void do_reply(struct mthread *t, uint8_t n, bool ours)
{
    struct mtoken *token = &m.tokens[ours ? t->process : !t->process][n % TOKENS];
    if (token->token == SK_TOKEN_NONE) {
        return;
    }
    uint64_t id = m.next_id++;
    struct ipc ipc = {.info = 8, .words = {id}, .token = token->token};
    MODEL(ipc_as(t->thread, SK_SYS_channel_reply, &ipc) ==
          (ours && token->caller >= 0 ? SK_OK : SK_NOT_FOUND));
    if (ours && token->caller >= 0) {
        m.threads[token->caller].answered = true;
        m.threads[token->caller].id = id;
        token->caller = -1; /* it stays, to be found stale */
    }
}

void do_add(struct mthread *t, const struct mhandle *set, const struct mhandle *of)
{
    status_t expected = lookup(set, SET, SK_RIGHT_WRITE);
    expected = expected == SK_OK ? lookup(of, -1, SK_RIGHT_WAIT) : expected;
    uint32_t signals = of->object >= 0 && m.objects[of->object].kind == END
                           ? SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED
                           : SK_SIGNAL_EVENT;
    if (expected == SK_OK && m.objects[of->object].kind == END && !(of->rights & SK_RIGHT_READ)) {
        expected = SK_ACCESS_DENIED;
    }
    for (uint32_t i = 0; expected == SK_OK && i < m.member_count; i++) {
        bool same = m.members[i].set == set->object && m.members[i].object == of->object;
        expected = same ? SK_EXISTS : SK_OK;
    }
    if (m.member_count == MEMBERS) {
        return;
    }
    MODEL(syscall_as(t->thread, SK_SYS_waitset_add, set->value, of->value, signals,
                     (uint64_t)of->object) == expected);
    if (expected == SK_OK) {
        m.members[m.member_count++] = (struct mmember){set->object, of->object, signals};
    }
}

void do_remove(struct mthread *t, const struct mhandle *set, const struct mhandle *of)
{
    status_t expected = lookup(set, SET, SK_RIGHT_WRITE);
    expected = expected == SK_OK ? lookup(of, -1, 0) : expected;
    uint32_t at = m.member_count;
    for (uint32_t i = 0; expected == SK_OK && i < m.member_count; i++) {
        bool same = m.members[i].set == set->object && m.members[i].object == of->object;
        at = same ? i : at;
    }
    expected = expected == SK_OK && at == m.member_count ? SK_NOT_FOUND : expected;
    MODEL(syscall_as(t->thread, SK_SYS_waitset_remove, set->value, of->value) == expected);
    if (expected == SK_OK) {
        m.members[at] = m.members[--m.member_count];
    }
}

void do_signal(struct mthread *t, const struct mhandle *event)
{
    status_t expected = lookup(event, EVENT, SK_RIGHT_WRITE);
    MODEL(syscall_as(t->thread, SK_SYS_event_signal, event->value) == expected);
    if (expected == SK_OK) {
        m.objects[event->object].set = true;
    }
}
