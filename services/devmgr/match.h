/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pure part of devmgr: what drivers say of themselves, and what the device tree says of devices.
 * No system calls. Tests: tests/host/services/devmgr/.
 */
#ifndef DEVMGR_MATCH_H
#define DEVMGR_MATCH_H

#include <stdbool.h>

#include <sk/protocol/platform.h>
#include <skerry/info.h>
#include <skerry/status.h>

#define MATCH_NAME_MAX 32u
#define MATCH_COMPATIBLES_MAX 8u
#define MATCH_PROPERTIES_MAX 24u
#define MATCH_PROPERTY_NAME_MAX 48u
#define MATCH_VALUE_MAX 40u /* of a property, as text */
#define MATCH_RANGES_MAX 2u
#define MATCH_INTERRUPTS_MAX 2u
#define MATCH_CLOCKS_MAX 8u
#define MATCH_RESETS_MAX 4u
#define MATCH_FIELDS_MAX 2u
#define MATCH_SUPPLIES_MAX 16u
#define MATCH_PATH_MAX 64u
#define MATCH_DEPTH_MAX 12u /* deeper nodes are no devices of ours */

/* One driver's manifest: etc/drivers/NAME.driver (docs/howto/add-a-driver.md has the grammar). */
struct driver_manifest {
    char name[MATCH_NAME_MAX]; /* of the program in bin/ */
    char service
        [MATCH_NAME_MAX]; /* a name, or a stem and '*' for numbered ones; empty: a provider */
    bool provider;        /* serves clocks, resets or fields to other drivers */
    char compatible[MATCH_COMPATIBLES_MAX][MATCH_NAME_MAX];
    uint32_t compatible_count;
    /* Properties that it wants to know, of its node or, "REFERENCE/NAME", of one that the node names. */
    char properties[MATCH_PROPERTIES_MAX][MATCH_PROPERTY_NAME_MAX];
    uint32_t property_count;
    /* What it needs of providers, by clock-names, by reset-names, by the property of a field. */
    char clocks[MATCH_CLOCKS_MAX][MATCH_NAME_MAX], resets[MATCH_RESETS_MAX][MATCH_NAME_MAX];
    char fields[MATCH_FIELDS_MAX][MATCH_NAME_MAX];
    uint32_t field_bits[MATCH_FIELDS_MAX];
    uint32_t clock_count, reset_count, field_count;
    uint32_t virtio;             /* device id behind a virtio transport, 0: not one */
    uint32_t ranges, interrupts; /* how many it is given at most */
    bool dma;
    /* This value, written there in the first range, stops all its DMA; the register then reads 0. */
    bool has_dma_stop;
    uint32_t dma_stop_offset, dma_stop_value;
    bool restarts; /* it is started again when it has ended */
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
    uint32_t
        controller; /* phandle of an interrupt controller that the kernel drives, 0: none yet */
    int interrupt_cells;
};

/* Goes on to the next enabled node that is compatible with something; false at the end. */
bool device_next(struct device_walk *walk);
/* True if the driver is for the device where the walk is. */
bool device_matches(const struct device_walk *walk, const struct driver_manifest *driver);
/* What the driver is to know of it: as many ranges and interrupts as it asks for, at most. */
void device_describe(struct device_walk *walk, const struct driver_manifest *driver,
                     struct device *device);
/*
 * A property as text, of the node or, with a name "REFERENCE/NAME", of the node whose phandle the
 * property REFERENCE is: one cell is a number, an empty property is 1, a string is itself, anything
 * else up to 12 bytes is hexadecimal with colons. False if there is none, or it is none of these.
 */
bool device_property(const void *tree, const struct device *device, const char *name,
                     char value[MATCH_VALUE_MAX]);
/* The string among the driver's compatible ones that made it match. */
const char *device_compatible(const void *tree, const struct device *device,
                              const struct driver_manifest *driver);

/* --- supply.c: what a device's node names of other nodes --- */

struct device_supply {
    char name[MATCH_NAME_MAX]; /* as the manifest has it; empty for PARENT */
    int provider;              /* the node that has the registers for it; of FIXED the clock */
    struct sk_platform_right right;
};

/*
 * What the driver's manifest asks for and the node has, in the manifest's order, and the parents that
 * the node assigns to clocks. What the node does not name is left out. Returns how many.
 */
uint32_t device_supplies(const void *tree, const struct device *device,
                         const struct driver_manifest *driver,
                         struct device_supply supplies[MATCH_SUPPLIES_MAX]);

#endif
