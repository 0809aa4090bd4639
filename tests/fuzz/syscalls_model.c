/* SPDX-License-Identifier: BSD-2-Clause */
/* What handles, channels, events and wait sets are, as simply as it can be said. */
#include "syscalls.h"

#include <string.h>

struct model m;

int32_t peer_of(int32_t end)
{
    return end ^ 1;
}

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

void model_release(int32_t object)
{
    if (--m.objects[object].handles == 0) {
        model_close(object);
    }
}

uint32_t shown(int32_t object, uint32_t signals)
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

bool set_ready(int32_t set)
{
    for (uint32_t i = 0; i < m.member_count; i++) {
        if (m.members[i].set == set && shown(m.members[i].object, m.members[i].signals) != 0) {
            return true;
        }
    }
    return false;
}

struct mhandle *handle_new(uint32_t process, handle_t value, int32_t object, uint32_t rights)
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

struct mhandle *handle_at(uint32_t process, uint8_t n, enum kind kind)
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

uint32_t room(uint32_t process)
{
    uint32_t free = 0;
    for (uint32_t i = 0; i < HANDLES; i++) {
        free += m.tables[process][i].object < 0;
    }
    return free;
}

status_t lookup(const struct mhandle *handle, int32_t kind, uint32_t rights)
{
    if (handle->object < 0) {
        return SK_BAD_HANDLE;
    }
    if (kind >= 0 && m.objects[handle->object].kind != (enum kind)kind) {
        return SK_WRONG_TYPE;
    }
    return (handle->rights & rights) == rights ? SK_OK : SK_ACCESS_DENIED;
}
