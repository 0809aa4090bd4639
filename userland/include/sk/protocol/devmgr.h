/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service "devmgr": which devices were found, and what became of them.
 */
#ifndef SK_PROTOCOL_DEVMGR_H
#define SK_PROTOCOL_DEVMGR_H

#include <sk/protocol/init.h>
#include <skerry/types.h>

#define SK_DEVMGR_PATH_MAX 64u
#define SK_DEVMGR_NAME_MAX 32u

enum sk_devmgr_operation {
    /* struct sk_devmgr_list -> struct sk_devmgr_devices */
    SK_DEVMGR_LIST = 1,
    /* struct sk_devmgr_restart -> a bare status. Ends the service's driver, which is started again as
     * after any end. Needs SK_GRANT_RESTART. NOT_FOUND: no such service; BAD_STATE: no driver runs at
     * the moment. */
    SK_DEVMGR_RESTART = 2,
};

enum sk_devmgr_state {
    SK_DEVMGR_RUNNING = 1, /* its driver runs */
    SK_DEVMGR_FAILED,      /* its driver could not be started or was given up; see cause */
    SK_DEVMGR_ENDED,       /* its driver has ended, and is not started again */
    SK_DEVMGR_WAITING,     /* its driver has ended, and will be started again in a moment */
};

struct sk_devmgr_restart {
    uint64_t operation;
    char service[SK_DEVMGR_NAME_MAX];
    uint64_t cause; /* enum sk_init_cause: KILLED, HUNG or NONSENSE, for those who read of it */
};

struct sk_devmgr_list {
    uint64_t operation;
    uint64_t first; /* index of the first device wanted */
};

struct sk_devmgr_device {
    char path[SK_DEVMGR_PATH_MAX];    /* in the device tree; its end, if it is too long */
    char driver[SK_DEVMGR_NAME_MAX];  /* program */
    char service[SK_DEVMGR_NAME_MAX]; /* as it can be connected to */
    uint64_t process_id;              /* of the driver; 0 when there is none */
    uint32_t state;                   /* enum sk_devmgr_state */
    int32_t error;                    /* status_t */
    uint32_t restarts;                /* how often the driver was started again */
    uint32_t cause;                   /* of its last end: enum sk_init_cause */
    int64_t code;                     /* exit code; SK_CAUSE_NOT_STARTED: the status */
};

#define SK_DEVMGR_DEVICES_PER_REPLY 24u

struct sk_devmgr_devices {
    int64_t status;
    uint32_t total; /* devices in all */
    uint32_t count; /* in this reply; its length tells the same */
    struct sk_devmgr_device entries[SK_DEVMGR_DEVICES_PER_REPLY];
};

_Static_assert(sizeof(struct sk_devmgr_device) == 160, "protocol layout");
_Static_assert(sizeof(struct sk_devmgr_devices) <= 4096, "fits one message");

#endif
