/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A double of the kernel for one service, linked natively: handles with rights, channels with calls and
 * tokens, wait sets, memory, events, jobs, processes, time that stands until it is moved. The service is
 * its main(), under the name service_main, on a thread of its own; it runs only while double_run() waits
 * for it, so that there is never more than one that does something. Everything else in its world, init,
 * its clients, the services that it asks, is the caller of these functions: "outside".
 *
 * What must not be, whatever the messages, ends the program at once (double_broke): a call answered
 * twice or by an invented token, an answer that is none, the end of the service.
 */
#ifndef DOUBLE_H
#define DOUBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sk/ipc.h>
#include <skerry/info.h>
#include <skerry/types.h>

struct message;
struct member;

struct object {
    struct object *next; /* of all that there are */
    enum sk_type type;
    uint64_t id;
    uint32_t handles;    /* in the service's table, in messages, and outside */
    uint32_t maps;       /* memory: mappings, and slices of it */
    uint32_t signals;    /* of events, timers, processes and jobs */
    struct object *peer; /* endpoint; NULL when it is closed */
    struct message *first, *last;
    uint32_t queued;
    struct member *members; /* wait set */
    uint8_t *bytes;         /* memory */
    uint64_t size;
    struct object *whole; /* memory: what this is a slice of */
    uint64_t physical;    /* memory for devices, resources: the first address; 0: none */
    struct object *job;   /* process: ends with it */
    uint64_t due;         /* timer */
    void *boot;           /* process: what it was started with, an endpoint; outside's */
};

/* A handle that is nobody's table entry: outside's, or in a message. */
struct held {
    struct object *object;
    uint32_t rights;
};

enum call_state {
    CALL_QUEUED = 1,
    CALL_RECEIVED,
    CALL_ANSWERED,  /* or ended for another reason that its caller was told */
    CALL_ABANDONED, /* its caller has given up or gone: an answer is NOT_FOUND */
};

/* A call of outside's, from the sending until call_forget. */
struct call {
    struct call *next;
    token_t token;
    struct object *endpoint; /* not counted, for comparing */
    uint64_t operation;
    enum call_state state;
    int64_t status;                              /* ANSWERED: the first word */
    struct held handles[SK_MESSAGE_HANDLES_MAX]; /* of the answer, outside's */
    size_t handle_count;
    size_t length;
    uint8_t bytes[SK_MESSAGE_BYTES_MAX];
};

#define DOUBLE_ALL_RIGHTS 0xffffu

_Noreturn void double_broke(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* --- The service --- */

/* Starts it; it has run until it waits for the first time. `run` is its main. */
void double_start(int (*run)(void));
/* The service's end of its channel to init. */
extern struct object *double_boot;
/* Lets the service run until it waits and nothing is there for it. */
void double_run(void);
/* Moves the clock, at most to when the service wants to be woken if `bounded`. */
void double_advance(uint64_t ns, bool bounded);
/* What the service has: handles in its table, and blocks of memory. */
uint32_t double_handles(void);
uint32_t double_blocks(void);
/* Lists the handles on stderr, for who looks for a leak. */
void double_tell_handles(void);
/* From the n-th on (1: the next), one attempt to make something fails: OVER_BUDGET, or NULL. 0: none. */
void double_fail_in(uint32_t n);
/* Gives the service a handle by this name at its start. */
void double_boot_handle(const char *name, struct held held);
/* The service's number of an object's first handle; for replies of outside to outgoing calls. */
handle_t double_give(struct held held);

/*
 * How outside answers calls of the service: what sk_channel_call returns. Handles of `out` that it wants
 * it takes with double_take; the rest is dropped with the message if the result is SK_OK or in->delivered.
 */
extern status_t (*double_answer)(struct object *endpoint, const struct sk_out *out,
                                 struct sk_in *in);
/* What system_info and log_read write. */
extern void (*double_fill)(void *buffer, size_t size);
/* Registers were made a memory object: what they show may be written. May be NULL. */
extern void (*double_registers)(struct object *memory);
/* What lies at an address that a device was told; NULL: not all of it is memory for devices. */
uint8_t *double_physical(uint64_t address, uint64_t size);
/* What a look at the clock takes, ns: for those who wait by looking at it. 0 at first. */
extern uint64_t double_clock_step;
/* Pages that the service's job may have, as it is told. */
extern uint64_t double_job_pages;
/* A process was started (outside has its boot endpoint in object->boot), or ended. May be NULL. */
extern void (*double_process)(struct object *process, bool started);
/* Power was to be switched off; does not return. NULL: that ends the program as broken. */
extern bool double_power_is_allowed;

/* --- Outside --- */

struct held object_make(enum sk_type type);
struct held memory_make(const void *bytes, uint64_t size);
/* Both ends of a channel. */
void channel_make(struct held ends[2]);
void held_drop(struct held *held);
struct held held_copy(struct held held, uint32_t rights);
/* Sends; handles move, or are dropped if it fails. A call is put into the list of calls. */
status_t outside_send(struct object *endpoint, const void *bytes, size_t length,
                      const struct held *handles, size_t handle_count);
struct call *outside_call(struct object *endpoint, const void *bytes, size_t length,
                          const struct held *handles, size_t handle_count);
/* What the service has sent to an end of outside's. */
struct outside_message {
    size_t length, handle_count;
    struct held handles[SK_MESSAGE_HANDLES_MAX];
    _Alignas(8) uint8_t bytes[SK_MESSAGE_BYTES_MAX];
};
/* Takes the next one; false: none. The handles are the caller's. */
bool outside_receive(struct object *endpoint, struct outside_message *message);
/* The same, for those who do not look at it. */
bool outside_discard(struct object *endpoint);
/* A handle of the service's moves outside. */
struct held outside_take(handle_t handle);
void object_signal(struct object *object, uint32_t signals);
void process_end(struct object *process);

extern struct call *double_calls;
void call_abandon(struct call *call);
/* Frees it, and the handles of its answer. Not while it waits. */
void call_forget(struct call *call);

#endif
