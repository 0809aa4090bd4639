/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside devmgr: what it knows of a device (devmgr.c), what its driver is given (grant.c), its lines
 * to other drivers (lines.c), and the lives of that driver (lives.c). One thread, no locks.
 */
#ifndef DEVMGR_H
#define DEVMGR_H

#include <sk/protocol/devmgr.h>
#include <sk/server.h>
#include <sk/spawn.h>

#include "match.h"

#define DEVICES_MAX 32u
#define LINES_MAX 4u /* to providers, of one driver */
#define ARGUMENTS_MAX (2u + MATCH_RANGES_MAX + MATCH_PROPERTIES_MAX + MATCH_SUPPLIES_MAX)
#define ARGUMENT_BYTES (MATCH_PROPERTY_NAME_MAX + MATCH_VALUE_MAX)

/* A device with a driver. */
struct found {
    struct sk_devmgr_device entry; /* as the service tells it */
    const struct driver_manifest *driver;
    struct device device;
    /* The driver's end of its service's control channel. devmgr keeps a handle to it, so that the name
     * stays up when a driver dies: who connects meanwhile waits in it for the next one. */
    handle_t control;
    handle_t lines;      /* a provider: the other end, nobody else has one */
    uint64_t line_count; /* a provider: lines made, ever */

    /* One life of the driver; SK_HANDLE_NONE between two. */
    struct sk_child child;
    handle_t job;
    handle_t dma;    /* the grant: until it is closed, no frame of it is used for anything else */
    handle_t served; /* event: the driver has answered a request */

    uint64_t began;     /* when this life did */
    uint32_t blame;     /* why devmgr ended this life: enum sk_init_cause; NONE: it did not */
    uint32_t crashes;   /* lives in a row that ended before their driver had answered anything */
    uint64_t start_due; /* when the next life begins, SK_DEADLINE_NEVER */
};

/* What a driver is given at its start: handles that move to it, and its arguments. */
struct grant {
    struct sk_spawn_handle handles[MATCH_RANGES_MAX + MATCH_INTERRUPTS_MAX + LINES_MAX + 4];
    size_t handle_count;
    char texts[ARGUMENTS_MAX][ARGUMENT_BYTES];
    const char *arguments[ARGUMENTS_MAX];
    size_t argument_count;
};

/* --- grant.c --- */

/* Everything the driver of *found is given, in the order in which it may fail; makes found->job, ->dma
 * and ->served, and at the first life offers the service. `tree` is the device tree. */
status_t grant_make(struct grant *grant, struct found *found, const void *tree);
/* For a driver that did not start. */
void grant_close(struct grant *grant);
/* Add to it: a handle, which is the grant's from now on, and an argument, copied. */
void grant_handle(struct grant *grant, const char *name, handle_t handle);
void grant_argument(struct grant *grant, const char *text);
/* Maps the page of a register at `offset` in the device's first range. *mapped: what to unmap. */
status_t registers_map(const struct device *device, uint64_t offset, uintptr_t *at,
                       uint64_t *mapped);

/* --- lines.c --- */

/* All devices, found or still to be found; borrowed. */
void lines_init(struct found *found, const uint32_t *count);
/* Makes a provider's control channel; before any driver starts that may need a line to it. */
status_t lines_open_provider(struct found *provider);
/* Adds what the device's node names of providers, in found->job. */
status_t lines_grant(struct grant *grant, const struct found *found, const void *tree);

/* --- lives.c --- */

/* What the drivers are started from; before everything else here. All are borrowed. */
void lives_init(struct sk_server *server, const void *tree, const void *archive,
                uint64_t archive_size);
/* Starts the first driver of a device; says so on the console if it cannot. */
void lives_begin(struct found *found);
/* Ends a driver because somebody who may says that it must go; it is started again. BAD_STATE: there is
 * none at the moment, or it is ending for that reason already. */
status_t lives_cut(struct found *found, enum sk_init_cause cause);
/* The driver leaves its control queue alone: the same, unless this life has only just begun. */
void lives_stuck(struct found *found);
/* Starts what is due; tells when the next one is. */
uint64_t lives_continue(struct found *found, uint32_t count);

#endif
