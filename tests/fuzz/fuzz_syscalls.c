/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sequences of system calls on handles, channels, calls, events and wait sets, by three threads of two processes,
 * against a model: each status, each message, its sender and its handles, who is woken and who must not be; at the end
 * nothing is left. The input is the sequence: four bytes for each call.
 */
#include "harness.h"
#include "job_kill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ipc/channel.h>
#include <ipc/waitset.h>
#include <kernel/event.h>

#define OBJECTS 48
#define HANDLES 96
#define MEMBERS 48
#define QUEUE (SK_INBOX_MESSAGES_MAX + 4)
#define TOKENS 16
#define THREADS 3
#define STEPS 120
#define MODEL(condition) ((condition) ? (void)0 : model_differs(__LINE__, #condition))

enum kind { END, EVENT, SET };

struct mhandle {
    handle_t value;
    int32_t object; /* -1: free */
    uint32_t rights;
};

struct mmessage {
    uint64_t id;
    uint32_t count;
    struct mhandle handles[2]; /* object and rights */
    int32_t caller;            /* -1: a send */
};

struct mobject {
    enum kind kind;
    uint32_t handles; /* in tables and messages */
    bool closed, set; /* the last handle is gone; the event is signalled */
    uint32_t queued;
    struct mmessage queue[QUEUE];
};

struct mmember {
    int32_t set, object;
    uint32_t signals;
};

struct mthread {
    struct thread *thread;
    uint32_t process;
    bool waits, calls; /* blocked in a receive, in a call */
    int32_t source;    /* that it receives from */
    uint64_t id;       /* of its call, then of the answer */
    bool answered, refused;
};

struct mtoken {
    token_t token;
    int32_t caller;
};

static struct {
    struct user users[2];
    struct mthread threads[THREADS];
    struct mobject objects[OBJECTS]; /* ends of a channel are neighbours */
    uint32_t object_count;
    struct mhandle tables[2][HANDLES];
    struct mmember members[MEMBERS];
    uint32_t member_count;
    struct mtoken tokens[2][TOKENS];
    vaddr_t pages[2];
    uint64_t next_id;
} m;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static _Noreturn void model_differs(int line, const char *condition)
{
    fprintf(stderr, "fuzz_syscalls.c:%d: the kernel and the model differ: %s\n", line, condition);
    abort();
}

/* ---- the model ---- */

static int32_t peer_of(int32_t end)
{
    return end ^ 1;
}

static void model_release(int32_t object);

static void members_drop(int32_t object)
{
    for (uint32_t i = 0; i < m.member_count; i++) {
        if (m.members[i].object == object || m.members[i].set == object) {
            m.members[i--] = m.members[--m.member_count];
        }
    }
}

/* The last handle is gone. */
static void model_close(int32_t object)
{
    struct mobject *o = &m.objects[object];
    o->closed = true;
    members_drop(object);
    for (; o->queued > 0; o->queued--) {
        struct mmessage message = o->queue[0];
        memmove(&o->queue[0], &o->queue[1], (o->queued - 1) * sizeof o->queue[0]);
        if (message.caller >= 0) {
            m.threads[message.caller].refused = true;
        }
        for (uint32_t i = 0; i < message.count; i++) {
            model_release(message.handles[i].object);
        }
    }
}

static void model_release(int32_t object)
{
    if (--m.objects[object].handles == 0) {
        model_close(object);
    }
}

static uint32_t shown(int32_t object, uint32_t signals)
{
    const struct mobject *o = &m.objects[object];
    uint32_t all = 0;
    if (o->kind == END) {
        all |= o->queued > 0 ? SK_SIGNAL_READABLE : 0;
        all |= m.objects[peer_of(object)].closed ? SK_SIGNAL_PEER_CLOSED : 0;
    } else if (o->kind == EVENT) {
        all |= o->set ? SK_SIGNAL_EVENT : 0;
    }
    return all & signals;
}

static bool set_ready(int32_t set)
{
    for (uint32_t i = 0; i < m.member_count; i++) {
        if (m.members[i].set == set && shown(m.members[i].object, m.members[i].signals) != 0) {
            return true;
        }
    }
    return false;
}

static struct mhandle *handle_new(uint32_t process, handle_t value, int32_t object, uint32_t rights)
{
    for (uint32_t i = 0; i < HANDLES; i++) {
        struct mhandle *handle = &m.tables[process][i];
        MODEL(handle->object < 0 || handle->value != value);
    }
    for (uint32_t i = 0; i < HANDLES; i++) {
        struct mhandle *handle = &m.tables[process][i];
        if (handle->object < 0) {
            *handle = (struct mhandle){value, object, rights};
            return handle;
        }
    }
    return NULL;
}

/* The nth handle to an object of this kind; one time in eight, and if there is none, any entry: a free one stands
 * for a handle that is stale. */
static struct mhandle *handle_at(uint32_t process, uint8_t n, enum kind kind)
{
    struct mhandle *table = m.tables[process];
    uint32_t fitting = 0;
    for (uint32_t i = 0; i < HANDLES; i++) {
        fitting += table[i].object >= 0 && m.objects[table[i].object].kind == kind;
    }
    if (n % 8 == 0 || fitting == 0) {
        return &table[n / 8];
    }
    uint32_t which = n / 8 % fitting;
    for (uint32_t i = 0;; i++) {
        bool fits = table[i].object >= 0 && m.objects[table[i].object].kind == kind;
        if (fits && which-- == 0) {
            return &table[i];
        }
    }
}

static uint32_t room(uint32_t process)
{
    uint32_t free = 0;
    for (uint32_t i = 0; i < HANDLES; i++) {
        free += m.tables[process][i].object < 0;
    }
    return free;
}

/* What the look-up of a handle gives; kind -1: any. */
static status_t lookup(const struct mhandle *handle, int32_t kind, uint32_t rights)
{
    if (handle->object < 0) {
        return SK_BAD_HANDLE;
    }
    if (kind >= 0 && m.objects[handle->object].kind != (enum kind)kind) {
        return SK_WRONG_TYPE;
    }
    return (handle->rights & rights) == rights ? SK_OK : SK_ACCESS_DENIED;
}

/* ---- comparing ---- */

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
    if (status == SK_OK) {
        check_message(t, end);
    } else if (o->closed) {
        MODEL(status == SK_BAD_STATE);
    } else {
        MODEL(o->queued == 0);
        MODEL(m.objects[peer_of(end)].closed ? status == SK_PEER_CLOSED
                                             : polled && status == SK_TIMED_OUT);
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

static void check_receive(struct mthread *t, bool polled)
{
    if (m.objects[t->source].kind == END) {
        check_end_receive(t, t->source, polled);
    } else {
        check_set_receive(t, t->source, polled);
    }
}

/* Those whose wait has ended, and those who sleep on. */
static void check_threads(void)
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

/* ---- the calls ---- */

static void do_create(struct mthread *t, enum kind kind)
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

static void do_close(struct mthread *t, struct mhandle *handle)
{
    status_t status = syscall_as(t->thread, SK_SYS_handle_close, handle->value);
    MODEL(status == (handle->object < 0 ? SK_BAD_HANDLE : SK_OK));
    if (status == SK_OK) {
        int32_t object = handle->object;
        handle->object = -1; /* its value stays: a stale handle for later */
        model_release(object);
    }
}

static void do_duplicate(struct mthread *t, const struct mhandle *handle, uint8_t mask)
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

static void do_send(struct mthread *t, const struct mhandle *through,
                    struct mhandle *const *handles, uint32_t count)
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

static void do_receive(struct mthread *t, const struct mhandle *from, bool polled)
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

static void do_call(struct mthread *t, const struct mhandle *through, bool polled)
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

static void do_reply(struct mthread *t, uint8_t n, bool ours)
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

static void do_add(struct mthread *t, const struct mhandle *set, const struct mhandle *of)
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

static void do_remove(struct mthread *t, const struct mhandle *set, const struct mhandle *of)
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

static void do_signal(struct mthread *t, const struct mhandle *event)
{
    status_t expected = lookup(event, EVENT, SK_RIGHT_WRITE);
    MODEL(syscall_as(t->thread, SK_SYS_event_signal, event->value) == expected);
    if (expected == SK_OK) {
        m.objects[event->object].set = true;
    }
}

static void step(const uint8_t bytes[4])
{
    struct mthread *t = &m.threads[bytes[0] / 16 % THREADS];
    if (t->waits || t->calls) {
        return;
    }
    uint8_t call = bytes[0] % 16;
    enum kind kinds[2] = {END, bytes[2] % 4 < 2 ? END : EVENT};
    kinds[0] = call == 11 || call == 12 || call == 15 ? SET : call == 13 ? EVENT : END;
    kinds[0] = call == 2 || call == 3 ? (enum kind)(bytes[3] % 3) : kinds[0];
    struct mhandle *a = handle_at(t->process, bytes[1], kinds[0]);
    struct mhandle *b = handle_at(t->process, bytes[2], kinds[1]);
    struct mhandle *c = handle_at(t->process, bytes[3], (enum kind)(bytes[3] % 3));
    struct mhandle *const pair[2] = {b, c};
    ipc_slow = bytes[0] >= 128;
    switch (call) {
    case 0:
        do_create(t, END);
        break;
    case 1:
        do_create(t, bytes[1] % 2 == 0 ? EVENT : SET);
        break;
    case 2:
        do_close(t, a);
        break;
    case 3:
        do_duplicate(t, a, bytes[2]);
        break;
    case 4:
        do_send(t, a, pair, 0);
        break;
    case 5:
        do_send(t, a, pair, 1);
        break;
    case 6:
        do_send(t, a, pair, 2);
        break;
    case 7:
        do_receive(t, a, true);
        break;
    case 8:
        do_receive(t, a, false);
        break;
    case 9:
        do_call(t, a, bytes[2] == 0);
        break;
    case 10:
        do_reply(t, bytes[1], bytes[2] % 8 != 0);
        break;
    case 11:
        do_add(t, a, b);
        break;
    case 12:
        do_remove(t, a, b);
        break;
    case 13:
        do_signal(t, a);
        break;
    case 14:
        do_receive(t, a, true);
        break;
    default:
        do_receive(t, a, bytes[2] % 4 != 0);
        break;
    }
    check_threads();
}

static void begin(void)
{
    memset(&m, 0, sizeof m);
    m.next_id = 1;
    for (uint32_t p = 0; p < 2; p++) {
        /* One job: ends that hold each other in inboxes are only found among one job's channels. */
        m.users[p] = p == 0 ? user_start(SK_PRIORITY_DEFAULT)
                            : user_start_in(m.users[0].job, SK_PRIORITY_DEFAULT);
        m.pages[p] = map_pages(m.users[p].thread, 1, SK_PROT_READ | SK_PROT_WRITE, NULL);
        for (uint32_t i = 0; i < HANDLES; i++) {
            m.tables[p][i].object = -1;
        }
        for (uint32_t i = 0; i < TOKENS; i++) {
            m.tokens[p][i].caller = -1;
        }
    }
    m.threads[0] = (struct mthread){.thread = m.users[0].thread, .process = 0};
    m.threads[1] = (struct mthread){.thread = m.users[1].thread, .process = 1};
    m.threads[2] = (struct mthread){.thread = user_thread(&m.users[1], SK_PRIORITY_DEFAULT),
                                    .process = 1};
    /* One channel between the two to begin with. */
    do_create(&m.threads[0], END);
    struct mhandle *end = &m.tables[0][1];
    handle_new(1, give(m.users[0].thread, end->value, m.users[1].thread), end->object, end->rights);
    end->object = -1;
}

static void end(void)
{
    job_kill_all(m.users[0].job);
    user_stop(&m.users[0]);
    user_stop(&m.users[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kernel_start(1);
    settle();
    struct census before = census_take(NULL);
    begin();
    for (size_t at = 0; at + 4 <= size && at < 4 * STEPS; at += 4) {
        step(&data[at]);
    }
    end();
    settle();
    struct census after = census_take(NULL);
    census_assert_equal(&before, &after, "at the end");
    return 0;
}
