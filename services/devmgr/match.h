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

/*
 * Walks the enabled devices that a driver is compatible with: start with *node = -1. NOT_FOUND at
 * the end. `tree` has been checked with fdt_check_full.
 */
status_t device_next(const void *tree, const struct driver_manifest *driver, int *node,
                     struct device *device);
/* A property of one cell; false if the node has none. */
bool device_property(const void *tree, const struct device *device, const char *name,
                     uint32_t *value);

#endif
