/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model that the kernel is compared with (syscalls_model.c), the comparison (syscalls_check.c), and the system calls
 * that are made of both (syscalls_calls.c). fuzz_syscalls.c chooses them.
 */
#ifndef SYSCALLS_H
#define SYSCALLS_H

#include "harness.h"

#include <ipc/channel.h>
#include <ipc/waitset.h>
#include <kernel/event.h>

#define OBJECTS 48
#define HANDLES 96
#define MEMBERS 48
#define QUEUE (SK_INBOX_MESSAGES_MAX + 4)
#define TOKENS 16
#define THREADS 3

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

struct model {
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
};

extern struct model m;

/* ---- the model ---- */

int32_t peer_of(int32_t end);
/* A handle to the object is gone; with the last one the object is closed, and what is in it goes, too. */
void model_release(int32_t object);
/* Which of the signals the object shows; whether any member of the set does. */
uint32_t shown(int32_t object, uint32_t signals);
bool set_ready(int32_t set);
/* A new handle, which must differ from all that the process has; NULL: the model's table is full. */
struct mhandle *handle_new(uint32_t process, handle_t value, int32_t object, uint32_t rights);
/* The nth handle to an object of this kind; one time in eight, and if there is none, any entry: a free one stands
 * for a handle that is stale. */
struct mhandle *handle_at(uint32_t process, uint8_t n, enum kind kind);
uint32_t room(uint32_t process);
/* What the look-up of a handle gives; kind -1: any. */
status_t lookup(const struct mhandle *handle, int32_t kind, uint32_t rights);

/* ---- comparing ---- */

#define MODEL(condition) ((condition) ? (void)0 : model_differs(__FILE__, __LINE__, #condition))
_Noreturn void model_differs(const char *file, int line, const char *condition);
/* The thread's receive from its source has ended: with what the model has there, and only then. */
void check_receive(struct mthread *t, bool polled);
/* After each call: those whose wait has ended, and those who sleep on. */
void check_threads(void);

/* ---- the calls: each is made, and its effect on the model ---- */

void do_create(struct mthread *t, enum kind kind);
void do_close(struct mthread *t, struct mhandle *handle);
void do_duplicate(struct mthread *t, const struct mhandle *handle, uint8_t mask);
void do_send(struct mthread *t, const struct mhandle *through, struct mhandle *const *handles,
             uint32_t count);
void do_receive(struct mthread *t, const struct mhandle *from, bool polled);
void do_call(struct mthread *t, const struct mhandle *through, bool polled);
void do_reply(struct mthread *t, uint8_t n, bool ours);
void do_add(struct mthread *t, const struct mhandle *set, const struct mhandle *of);
void do_remove(struct mthread *t, const struct mhandle *set, const struct mhandle *of);
void do_signal(struct mthread *t, const struct mhandle *event);

#endif
