/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What init understands on a program's boot endpoint, and what it sends to services on their control
 * endpoints. Requests are calls; every reply starts with a 64-bit status. Programs use <sk/service.h>
 * and <sk/server.h>; only these and init itself need this page.
 */
#ifndef SK_PROTOCOL_INIT_H
#define SK_PROTOCOL_INIT_H

#include <skerry/types.h>

#define SK_INIT_NAME_MAX 32u /* of a program or a service, NUL included */

/* Calls on the boot endpoint. */
enum sk_init_operation {
    /* struct sk_init_connect -> struct sk_init_status and 1 handle: the client's end. */
    SK_INIT_CONNECT = 1,
    /* struct sk_init_offer and 1 handle: the end on which init sends SK_INIT_NEW_CLIENT. */
    SK_INIT_OFFER = 2,
    /* struct sk_init_name: this name, which the caller may offer, will not come. */
    SK_INIT_NO_DEVICE = 3,
    /* struct sk_init_name, name unused: the program is ready. */
    SK_INIT_READY = 4,
    /* struct sk_init_list -> struct sk_init_services. Needs SK_GRANT_INSPECT. */
    SK_INIT_SERVICES = 5,
    /* struct sk_init_power: orderly power-off. Needs SK_GRANT_POWER. */
    SK_INIT_POWER = 6,
    /* struct sk_init_name and 1 handle, a job: -> struct sk_init_status and 1 endpoint that may
     * connect to what the caller may, charged to that job; without grants. */
    SK_INIT_DELEGATE = 7,
    /* struct sk_init_name, a program of the manifest: it is ended as if it had crashed, and what the
     * manifest says of that follows. Needs SK_GRANT_KILL. NOT_FOUND; BAD_STATE: it does not run. */
    SK_INIT_KILL = 8,
    /* struct sk_init_name, a service that the caller may connect to: it does not answer. Init looks
     * whether its loop still turns, and ends it if not. */
    SK_INIT_COMPLAIN = 9,
    /* struct sk_init_name and at most 1 handle: init holds it, in place of what it held under this name
     * for this program before; none: it holds nothing more. The program's next life is given it as
     * "kept:NAME". Only for programs with the handle `devices`. BUSY: SK_INIT_KEPT_MAX names; ACCESS_DENIED:
     * without DUPLICATE and TRANSFER it could not be passed on. */
    SK_INIT_KEEP = 10,
};

#define SK_INIT_KEPT_MAX 8u

/* Rights that the manifest gives a program on top of its handles (key `grants`). */
enum sk_init_grant {
    SK_GRANT_LOW_PORTS = 1u << 0,  /* "low-ports": bind ports below 1024 */
    SK_GRANT_POWER = 1u << 1,      /* "power": ask init for power-off */
    SK_GRANT_INSPECT = 1u << 2,    /* "inspect": read the state of all services */
    SK_GRANT_FOREGROUND = 1u << 3, /* the run= program: gets the console's input */
    SK_GRANT_KILL = 1u << 4,       /* "kill": end programs, to see them come back */
    SK_GRANT_RESTART = 1u << 5,    /* "restart": have devmgr end and restart drivers */
};

struct sk_init_connect {
    uint64_t operation;
    uint64_t deadline; /* init gives up waiting then; SK_DEADLINE_POLL: at once */
    char name[SK_INIT_NAME_MAX];
};

struct sk_init_name {
    uint64_t operation;
    char name[SK_INIT_NAME_MAX];
};

struct sk_init_offer {
    uint64_t operation;
    char name[SK_INIT_NAME_MAX];
    uint64_t priority; /* of who serves it, at most SK_PRIORITY_MAX */
};

struct sk_init_status {
    int64_t status;
};

struct sk_init_list {
    uint64_t operation;
    uint64_t first; /* index of the first entry wanted */
};

struct sk_init_power {
    uint64_t operation;
    uint32_t power_operation; /* enum sk_power_op */
    uint32_t reason;          /* enum sk_power_reason */
};

/* States of a service or program. */
enum sk_init_state {
    SK_INIT_OFF = 0,  /* switched off in the manifest */
    SK_INIT_STARTING, /* started, and has promised to say when it is ready */
    SK_INIT_UP,
    SK_INIT_ENDED,      /* it ended with code 0 */
    SK_INIT_FAILED,     /* it ended otherwise, or could not be started, and stays so */
    SK_INIT_RESTARTING, /* it has ended and will be started again */
};

/* Why a program ended, the last time. */
enum sk_init_cause {
    SK_CAUSE_NONE = 0,    /* it has not */
    SK_CAUSE_EXITED,      /* with an exit code */
    SK_CAUSE_KILLED,      /* by somebody who may */
    SK_CAUSE_FAULT,       /* of its own */
    SK_CAUSE_OVER_BUDGET, /* of memory */
    SK_CAUSE_HUNG,        /* it did not look at its control endpoint any more, and init ended it */
    SK_CAUSE_TORN_DOWN,   /* what it depends on was restarted */
    SK_CAUSE_NOT_STARTED, /* it could not even be started */
    SK_CAUSE_NONSENSE,    /* a driver: it wrote what its protocol does not allow, and was ended */
};

/* One service, or one program that offers none (service is empty then). */
struct sk_init_service {
    char service[SK_INIT_NAME_MAX];
    char program[SK_INIT_NAME_MAX];
    uint64_t process_id; /* 0 when there is none */
    uint32_t state;      /* enum sk_init_state */
    uint32_t restarts;
    uint32_t cause; /* of its last end: enum sk_init_cause */
    int32_t code;   /* exit code; SK_CAUSE_NOT_STARTED: the status */
};

#define SK_INIT_SERVICES_PER_REPLY 45u

struct sk_init_services {
    int64_t status;
    uint32_t total; /* entries in all */
    uint32_t count; /* entries in this reply; its length tells the same */
    struct sk_init_service entries[SK_INIT_SERVICES_PER_REPLY];
};

/*
 * On a control endpoint, from init to the service: a new connection, 1 handle. `sequence` counts 1,
 * 2, ... per control endpoint. The service sends back struct sk_init_accepted with the largest
 * sequence it has taken off the queue, so that init can bound what waits per client.
 */
enum sk_control_operation {
    SK_INIT_NEW_CLIENT = 1,
    SK_INIT_ACCEPTED = 2,
    SK_INIT_PING = 3,   /* struct sk_init_ping: to be accepted like a connection, in its turn */
    SK_INIT_SERVED = 4, /* the operation alone, from the service: its first good response */
    /* The operation alone, from the service, before the first thing that it does in its life or after a
     * ping: the system is not idle, and init will look at everybody's queue a little later. */
    SK_INIT_WORKING = 5,
    /* struct sk_init_name, from init, of a name that the program has put up for another (a driver): who
     * serves it leaves its control queue alone. Needs no acceptance. */
    SK_INIT_STUCK = 6,
};

struct sk_init_new_client {
    uint64_t operation;
    uint64_t sequence;
    uint64_t client_id; /* kernel object id of the client's process */
    uint32_t grants;
    uint32_t reserved;
    char client_name[SK_INIT_NAME_MAX];
};

/*
 * A service that turns a client away sends it, on the new connection, one struct sk_init_status, and closes
 * it: BUSY when it has no room or no memory for one more.
 */

struct sk_init_ping {
    uint64_t operation;
    uint64_t sequence;
};

struct sk_init_accepted {
    uint64_t operation;
    uint64_t sequence;
};

#define SK_INIT_UNACCEPTED_MAX 8u /* connections of one client that no service has taken yet */

_Static_assert(sizeof(struct sk_init_services) <= 4096, "fits one message");

#endif
