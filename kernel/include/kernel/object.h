/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all kernel objects have in common.
 *
 * Two counts, never mixed: `refs` keeps the memory (handles in tables and in flight, mappings,
 * waiters, whoever stores a pointer); `handles` is liveness (handles in tables and in flight only).
 * Taking a reference from a reference one has can never fail and asks nothing about state. When the
 * last handle goes, the type's `orphan` runs once: it changes what others observe (PEER_CLOSED, leave
 * wait sets, give up the interrupt). When the last reference goes, `destroy` frees.
 *
 * Object memory comes from per-type caches and keeps its type for ever, so a stale pointer can be
 * locked and checked again.
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include <stdatomic.h>

#include <kernel/list.h>
#include <kernel/lock.h>

struct job;
struct object;

struct object_type {
    const char *name;
    uint32_t signals; /* enum sk_signal that it can show */
    uint32_t rights;  /* rights of its first handle */
    /* Last handle gone; no lock held; may be NULL. It may go on in steps (object_later). */
    void (*orphan)(struct object *);
    void (*destroy)(struct object *); /* last reference gone; no lock held */
    /* Signals shown now; object->lock held. NULL: shows none. */
    uint32_t (*observe)(struct object *);
    /* Clears those of `signals` that delivery takes; object->lock held. May be NULL. */
    void (*take)(struct object *, uint32_t signals);
};

struct object {
    _Atomic uint32_t refs;
    _Atomic uint32_t handles;
    uint8_t type;               /* [I] enum sk_type */
    bool ended;                 /* [lock] what it stands for has ended: see object_end */
    struct spinlock *lock;      /* [I] guards state and observers; a channel's ends share one */
    struct spinlock own_lock;   /* what `lock` points to for most types */
    struct list_node observers; /* [lock] struct observer.link, oldest first */
    struct job *job;            /* [I] charged for it, +1 */
    uint64_t id;                /* [I] unique since boot */
};

/* A handle outside a table: one reference and one count of liveness, with rights. */
struct capability {
    struct object *object;
    uint32_t rights;
};

/* The table by enum sk_type; each entry is defined by the file that implements the type. */
extern const struct object_type *const object_types[SK_TYPE_COUNT];

/* Initialises the header: one reference (the caller's), no handles, a new id. `job` is charged one
 * object by the caller beforehand; the header takes its own reference to it. */
void object_init(struct object *object, enum sk_type type, struct job *job);
/* What destroy does last: gives the charge back and the job reference up. Then the memory may go. */
void object_fini(struct object *object);

static inline void object_get(struct object *object)
{
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
}

/* As object_get, for who has no reference but a list that destroy takes the object from; false: it is on its way. */
bool object_try_get(struct object *object);
void object_put(struct object *object);
/* Shows TERMINATED from now on, and gives up the caller's reference, which whoever is told of the end does not
 * find any more: with his own the object goes, and what it costs comes back. No lock held. */
void object_end(struct object *object);
/* The `observe` of what ends. */
uint32_t object_observe_end(struct object *object);
/* What a step on an object does at most: threads told, members and servers let go. */
#define OBJECT_PIECES 100u
/* What is left to do on an object, in steps; part of those that need it. */
struct later {
    struct list_node link;                /* in the chores of whoever came upon it */
    struct object *object;                /* +1 while linked */
    void (*go_on)(struct object *object); /* no lock held */
};
/* A step has come to its end: of OBJECT_PIECES so many are left. True: it has done as much as it may. */
bool object_step_done(uint32_t left);
/* `go_on` is called in a step of its own. `later` is not in use; the lock that says so is held. */
void object_later(struct object *object, struct later *later, void (*go_on)(struct object *object));
/* As object_put, for callers that hold a lock: if it was the last reference, it is a chore (kernel/chores.h). */
void object_put_later(struct object *object);

/* A capability to an object that the caller has a reference to. */
struct capability capability_make(struct object *object, uint32_t rights);
/* As capability_make, for an object that must not have been orphaned: false if its last handle has
 * just been closed by another thread. */
bool capability_copy(struct object *object, uint32_t rights, struct capability *copy);
/* Gives up a capability. Closing may close others (messages in an inbox hold some): those are
 * chores, in bounded steps, never by recursion. */
void capability_drop(struct capability capability);

/* Live objects of each type, for statistics and the tests' baselines. */
extern _Atomic uint64_t object_live[SK_TYPE_COUNT];
/* A new id; a channel takes an even one and the next. */
uint64_t object_new_id(void);

#endif
