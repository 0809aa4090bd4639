/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pure part of devmgr: what drivers say of themselves, and what the device tree says of devices.
 * No system calls. Tests: tests/host/services/devmgr/.
 */
#ifndef DEVMGR_MATCH_H
#define DEVMGR_MATCH_H

#include <stdbool.h>

#include <skerry/info.h>
#include <skerry/status.h>

#define MATCH_NAME_MAX 32u
#define MATCH_COMPATIBLES_MAX 8u
#define MATCH_PROPERTIES_MAX 4u
#define MATCH_RANGES_MAX 2u
#define MATCH_INTERRUPTS_MAX 2u
#define MATCH_PATH_MAX 64u
#define MATCH_DEPTH_MAX 12u /* deeper nodes are no devices of ours */

/* One driver's manifest: etc/drivers/NAME.driver (docs/howto/add-a-driver.md has the grammar). */
struct driver_manifest {
    char name[MATCH_NAME_MAX];    /* of the program in bin/ */
    char service[MATCH_NAME_MAX]; /* a name, or a stem and '*' for numbered ones */
    char compatible[MATCH_COMPATIBLES_MAX][MATCH_NAME_MAX];
    uint32_t compatible_count;
    char properties[MATCH_PROPERTIES_MAX][MATCH_NAME_MAX]; /* one-cell properties it wants */
    uint32_t property_count;
    uint32_t virtio;             /* device id behind a virtio transport, 0: not one */
    uint32_t ranges, interrupts; /* how many it is given at most */
    bool dma;
    uint32_t priority;
    struct sk_budget budget;
};

/* Reads a manifest. On BAD_FORMAT `problem` says what is wrong in which line. */
status_t driver_parse(const char *text, size_t length, struct driver_manifest *driver,
                      char *problem, size_t problem_size);

struct device_range {
    uint64_t base, size;
};

/* One device as the tree describes it. */
struct device {
    char path[MATCH_PATH_MAX]; /* its end, if it is longer */
    struct device_range ranges[MATCH_RANGES_MAX];
    uint32_t range_count;
    uint32_t interrupts[MATCH_INTERRUPTS_MAX];
    uint32_t interrupt_count;
    int node; /* offset in the tree */
};

/* A walk over the tree: where it is, and the nodes above. Zero-filled but for `tree` at the start. */
struct device_walk {
    const void *tree; /* has been checked with fdt_check_full */
    int node, depth;
    int above[MATCH_DEPTH_MAX]; /* above[depth] is the node itself */
    const char *compatible;     /* of the node: strings, one after the other */
    int compatible_length;
    uint32_t plic; /* phandle of an interrupt controller that is known to be a PLIC, 0: none yet */
};

/* Goes on to the next enabled node that is compatible with something; false at the end. */
bool device_next(struct device_walk *walk);
/* True if the driver is for the device where the walk is. */
bool device_matches(const struct device_walk *walk, const struct driver_manifest *driver);
/* What the driver is to know of it: as many ranges and interrupts as it asks for, at most. */
void device_describe(struct device_walk *walk, const struct driver_manifest *driver,
                     struct device *device);
/* A property of one cell; false if the node has none. */
bool device_property(const void *tree, const struct device *device, const char *name,
                     uint32_t *value);

#endif
