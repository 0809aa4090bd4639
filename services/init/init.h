/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Init's state, shared by its files: init.c (start and end of the system), programs.c (start of
 * programs), ends.c (their ends, and what follows), requests.c (what programs ask for). One thread,
 * no lock.
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include <sk/server.h>
#include <sk/spawn.h>

#include "broker.h"
#include "manifest.h"
#include "supervise.h"
#include "words.h"

#define PROGRAMS_MAX (MANIFEST_PROGRAMS_MAX + 1u) /* and the foreground one */
#define DELEGATES_PER_PROGRAM 64u
/* How long the foreground program waits for those that promise to say when they are ready. */
#define READY_PATIENCE (30 * SK_SECOND)
/* How long a service has to end by itself at power-off. */
#define STOP_PATIENCE (500 * SK_MS)
/* How long a service may leave its control queue alone: once it has started, and before. The manifest
 * may name another limit. Longer than any pause that a busy machine makes: a virtual one whose
 * harts the host lets run in turn had one hart stand still for more than 5 seconds. */
#define SERVICE_LIMIT (10 * SK_SECOND)
#define START_LIMIT (30 * SK_SECOND)
/* So long after somebody has said that it has something to do, everybody is pinged. */
#define PING_PAUSE SK_SECOND

/* What a program wants its next life to have: handles that are init's. */
struct kept {
    char name[SK_INIT_NAME_MAX + 8]; /* "kept:NAME" */
    handle_t handle;                 /* SK_HANDLE_NONE: the entry is free */
};

/* One program of the manifest. */
struct program {
    const struct manifest_program *entry;
    const char *name; /* of the process; the entry's unless that is the template */
    enum sk_init_state state;
    bool foreground;
    bool settled;   /* no name that it may offer will come any more */
    bool torn_down; /* its end was wanted, for what it depends on is started again */
    bool hung;      /* its end was wanted, for it looked at its control endpoint no more */
    uint32_t delegates;
    struct kept kept[SK_INIT_KEPT_MAX]; /* across its lives */
    struct supervision history;
    uint64_t restart_at; /* SK_INIT_RESTARTING: not before */
    uint64_t pause;      /* ... which was so long after the end */
    bool untold;         /* ... of which the console does not know yet */
    /* SK_HANDLE_NONE when it does not run. The job outlives the process by what that had started. */
    handle_t job, process;
    uint64_t process_id;
    struct requester *requester;
};

/*
 * Something that asks init for connections: a program by its boot endpoint, or a child of one by a
 * delegated endpoint. The data of its struct sk_client; freed when that goes.
 */
struct requester {
    struct broker_client client;
    struct program *program; /* whose permissions it has */
    struct sk_client *endpoint;
    bool delegated; /* a child's: client.job is its own handle */
    char name[SK_INIT_NAME_MAX];
    /* A connect that waits for a device to be found; token SK_TOKEN_NONE: none. */
    token_t token;
    uint64_t deadline;
    status_t late; /* its answer at the deadline */
    char wanted[SK_INIT_NAME_MAX];
};

/* What init's struct sk_client is for: its `service` field. */
enum endpoint_use { ENDPOINT_REQUESTER, ENDPOINT_CONTROL };

struct init {
    struct sk_server server;
    struct manifest manifest;
    struct words words;
    struct broker broker;
    uint32_t program_count;
    struct program programs[PROGRAMS_MAX]; /* in the order of starting */
    struct program *foreground;            /* started when all others are ready; NULL: none */
    uint64_t foreground_deadline;
    uint64_t ping_due;       /* when everybody is pinged; SK_DEADLINE_NEVER: nobody does anything */
    struct sk_budget budget; /* what init's job had at the start: what percentages are of */
    handle_t root, log, inspect, bootfs, dtb;
    const void *archive; /* the boot archive, mapped */
    uint64_t archive_size;
};

/* init.c */

/* Prints "init: ..." on the kernel log. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Stops everything in reverse order and powers off. */
_Noreturn void power_off(struct init *init, enum sk_power_op operation,
                         enum sk_power_reason reason);
/* Starts the foreground program if nothing is left to wait for. */
void maybe_start_foreground(struct init *init);

/* programs.c */

/* The rights of a handle that init holds. */
uint32_t rights_of(handle_t handle);
/* Makes known, still down, what the program offers. */
void program_register(struct init *init, struct program *program);
/* Starts it; a failure is an end like others (ends.c). */
void program_start(struct init *init, struct program *program);
/* Closes what init has for a program whose process has ended, or never began, but its job. */
void program_clean_up(struct init *init, struct program *program);
/* Ends it, politely first if it is a service. Waits at most STOP_PATIENCE, twice. */
void program_stop(struct init *init, struct program *program);
/* Takes `control` (init's end) as the service's way in. The handle is init's in any case. */
status_t service_up(struct init *init, struct broker_service *service, handle_t control);

/* ends.c */

/* Watches for the end of a program that was started. */
status_t program_watch(struct init *init, struct program *program);
/* It could not be started. */
void program_not_started(struct init *init, struct program *program, status_t reason);
/* Will it be there again, or is it there? Then who wants to connect to it may wait. */
bool program_returns(const struct program *program);
/* Starts again what is due and has nothing to wait for. */
void restart_due(struct init *init);
/* When restart_due has something to do next. */
uint64_t earliest_restart(const struct init *init);
/* Somebody has something to do: everybody is looked at a little later. */
void ping_later(struct init *init);
/* Pings everybody when that is due; ends who has left its control queue alone for too long. */
void end_stuck(struct init *init);
/* When end_stuck wants to be called next. */
uint64_t earliest_look(const struct init *init);

/* requests.c */

/* Makes a record for `program`, or a child of it, to ask with. No endpoint yet; NULL: no memory. */
struct requester *requester_new(struct program *program, const char *name, handle_t job,
                                uint64_t id);
/* Listens to its requests. `endpoint` is the requester's on success. */
status_t requester_attach(struct init *init, struct requester *requester, handle_t endpoint);
void requester_gone(struct init *init, struct requester *requester);
/* Ends waits that have become decidable, and those whose time is over. */
void settle_waits(struct init *init);
/* The earliest deadline of a wait. */
uint64_t earliest_wait(const struct init *init);
status_t handle_request(struct init *init, struct requester *requester, struct sk_in *in,
                        struct sk_reply *reply);

#endif
