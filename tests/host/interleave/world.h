/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * User programs for the explored harts. An actor is one thread of a process; what it does is a C function that makes
 * system calls, on a stack of its own, on whatever hart the kernel runs its thread.
 */
#ifndef WORLD_H
#define WORLD_H

#include "explore.h"

#include <kernel/process.h>
#include <kernel/syscall.h>
#include <skerry/ipc.h>

#define ACTORS_MAX 12u

/* A process, in a job of its own unless it is made in another's. */
struct party {
    const char *name;
    struct job *job;
    struct process *process;
    uint32_t priority;         /* of its actors */
    handle_t job_handle, self; /* with all rights */
    struct memory *memory;     /* the page of its actors' buffers */
};

struct actor {
    const char *name;
    struct party *party;
    void (*play)(struct actor *actor);
    struct thread *thread; /* +1 */
    handle_t handle;       /* in its own process, when it was asked for */
    bool done;             /* has come to the end of `play` */
    const char *doing;     /* the system call it is in, for reports */
    vaddr_t area;          /* its part of the page ... */
    handle_t *handles;     /* ... as the program sees it: 4 that go out, and 4 that came in */
};

/* A message that came, or the signals of a member of a wait set. */
struct message_in {
    uint64_t info, word, key;
    token_t token;
    uint32_t count;
    handle_t handles[2];
    status_t reply_status; /* of act_reply_receive */
};

extern struct job *world_root;
extern bool world_verbose;

/* Boots the kernel, and keeps what all of memory is like then; once. */
void world_begin(void);
/* Memory is like that again, for a run with this seed. */
void world_again(uint64_t seed);
/* After that, all the actors of a scenario. `parent` NULL: the root job. */
struct party *party_make(const char *name, struct job *parent);
/* `share`: of the processors, in thousandths of a hart, so soon used up; 0: the root job's, which never is. */
struct party *party_make_poor(const char *name, uint64_t share);
struct party *party_make_in(const char *name, struct party *other);
handle_t party_give(struct party *party, struct object *object, uint32_t rights);
/* Both ends of a channel that the first party's job pays for. */
void party_connect(struct party *a, handle_t *end_a, struct party *b, handle_t *end_b);
struct actor *actor_make(struct party *party, const char *name, void (*play)(struct actor *));
/* Lets them play to the end, and checks that each came to its own, or was killed. */
void world_play(uint64_t seed);
/* Gives everything up and checks that nothing is left. */
void world_end(void);

/* What actors do. Each returns the status of the system call; those of a killed actor never return. */
status_t act(struct actor *self, uint32_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d);
uint64_t act_value(const struct actor *self, uint32_t index);
/* `moved`: one handle that goes along, or NONE. By the short way or the long one, as the seed will have it. */
status_t act_send(struct actor *self, handle_t end, uint64_t word, handle_t moved);
status_t act_call(struct actor *self, handle_t end, uint64_t word, handle_t moved,
                  uint64_t deadline, struct message_in *reply);
status_t act_receive(struct actor *self, handle_t source, uint64_t deadline,
                     struct message_in *message);
status_t act_reply(struct actor *self, token_t token, uint64_t word, handle_t moved);
status_t act_reply_receive(struct actor *self, token_t token, uint64_t word, handle_t source,
                           uint64_t deadline, struct message_in *message);
/* Goes on in user mode for a part of its turn. */
void act_compute(struct actor *self);
/* Does so until the condition holds, or the thread is killed. */
void act_spin(struct actor *self, const bool *until);
/* The same in so little time that the turn does not end: no clock sets right what was forgotten. */
void act_hold(struct actor *self, const bool *until);
/* A deadline soon, now and then a poll, seldom never. */
uint64_t act_soon(struct actor *self);

#define CHECK(condition)                                                                           \
    ((condition) ? (void)0 : explore_fail("%s:%d: %s", __FILE__, __LINE__, #condition))

#endif
