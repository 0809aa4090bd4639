/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices in the device tree (Devicetree Specification v0.4): compatible, status, reg through the
 * ranges of the buses above, interrupts of the platform's interrupt controller.
 */
#include <libfdt.h>
#include <string.h>

#include "match.h"

static uint64_t read_cells(const fdt32_t *cells, int count)
{
    uint64_t value = 0;
    for (int i = 0; i < count; i++) {
        value = value << 32 | fdt32_to_cpu(cells[i]);
    }
    return value;
}

/* Translates an address of `bus`'s children to the root's (section 2.3.8); false if no range of a
 * bus on the way holds it. */
static bool translate(const void *tree, int bus, uint64_t *address)
{
    for (int parent; bus > 0; bus = parent) {
        int length;
        const fdt32_t *ranges = fdt_getprop(tree, bus, "ranges", &length);
        parent = fdt_parent_offset(tree, bus);
        if (ranges == NULL || parent < 0) {
            return false;
        }
        int child = fdt_address_cells(tree, bus), above = fdt_address_cells(tree, parent);
        int size = fdt_size_cells(tree, bus);
        if (child < 1 || above < 1 || size < 1 || child > 2 || above > 2 || size > 2) {
            return false;
        }
        int entry = (child + above + size) * 4;
        bool found = length == 0; /* empty: addresses are the same */
        for (int at = 0; !found && at + entry <= length; at += entry) {
            const fdt32_t *cells = ranges + at / 4;
            uint64_t from = read_cells(cells, child), to = read_cells(cells + child, above);
            uint64_t span = read_cells(cells + child + above, size);
            if (*address - from < span) {
                *address = *address - from + to;
                found = true;
            }
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static void read_ranges(const void *tree, int node, int parent, uint32_t most,
                        struct device *device)
{
    int length;
    const fdt32_t *reg = fdt_getprop(tree, node, "reg", &length);
    int address = fdt_address_cells(tree, parent), size = fdt_size_cells(tree, parent);
    if (reg == NULL || address < 1 || address > 2 || size < 1 || size > 2) {
        return;
    }
    int entry = (address + size) * 4;
    for (int at = 0; at + entry <= length && device->range_count < most; at += entry) {
        struct device_range range = {read_cells(reg + at / 4, address),
                                     read_cells(reg + at / 4 + address, size)};
        if (range.size == 0 || range.base + range.size < range.base ||
            !translate(tree, parent, &range.base)) {
            return;
        }
        device->ranges[device->range_count++] = range;
    }
}

/* The node whose interrupts these are (section 2.4): the property may stand further up. */
static int interrupt_parent(const void *tree, int node)
{
    for (; node >= 0; node = fdt_parent_offset(tree, node)) {
        int length;
        const fdt32_t *phandle = fdt_getprop(tree, node, "interrupt-parent", &length);
        if (phandle != NULL && length == 4) {
            return fdt_node_offset_by_phandle(tree, fdt32_to_cpu(*phandle));
        }
    }
    return -1;
}

static bool is_plic(const void *tree, int node)
{
    return node >= 0 && (fdt_node_check_compatible(tree, node, "riscv,plic0") == 0 ||
                         fdt_node_check_compatible(tree, node, "sifive,plic-1.0.0") == 0 ||
                         fdt_node_check_compatible(tree, node, "thead,c900-plic") == 0);
}

/* Interrupt specifiers of one cell, which is what a PLIC has. */
static void read_interrupts(const void *tree, int node, uint32_t most, struct device *device)
{
    int length;
    const fdt32_t *cells = fdt_getprop(tree, node, "interrupts", &length);
    if (cells != NULL) {
        if (!is_plic(tree, interrupt_parent(tree, node))) {
            return;
        }
        for (int i = 0; i < length / 4 && device->interrupt_count < most; i++) {
            device->interrupts[device->interrupt_count++] = fdt32_to_cpu(cells[i]);
        }
        return;
    }
    cells = fdt_getprop(tree, node, "interrupts-extended", &length);
    for (int i = 0; cells != NULL && i + 1 < length / 4 && device->interrupt_count < most; i += 2) {
        if (!is_plic(tree, fdt_node_offset_by_phandle(tree, fdt32_to_cpu(cells[i])))) {
            return;
        }
        device->interrupts[device->interrupt_count++] = fdt32_to_cpu(cells[i + 1]);
    }
}

static bool is_enabled(const void *tree, int node)
{
    int length;
    const char *status = fdt_getprop(tree, node, "status", &length);
    return status == NULL || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

static bool is_compatible(const void *tree, int node, const struct driver_manifest *driver)
{
    for (uint32_t i = 0; i < driver->compatible_count; i++) {
        if (fdt_node_check_compatible(tree, node, driver->compatible[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The path, or as much of its end as fits. */
static void read_path(const void *tree, int node, struct device *device)
{
    char path[256];
    if (fdt_get_path(tree, node, path, sizeof path) != 0) {
        strcpy(path, "?");
    }
    size_t length = strlen(path);
    size_t skip = length >= sizeof device->path ? length - sizeof device->path + 1 : 0;
    strcpy(device->path, path + skip);
}

status_t device_next(const void *tree, const struct driver_manifest *driver, int *node,
                     struct device *device)
{
    for (*node = fdt_next_node(tree, *node, NULL); *node >= 0;
         *node = fdt_next_node(tree, *node, NULL)) {
        if (is_compatible(tree, *node, driver) && is_enabled(tree, *node)) {
            *device = (struct device){.node = *node};
            read_path(tree, *node, device);
            read_ranges(tree, *node, fdt_parent_offset(tree, *node), driver->ranges, device);
            read_interrupts(tree, *node, driver->interrupts, device);
            return SK_OK;
        }
    }
    return SK_NOT_FOUND;
}

bool device_property(const void *tree, const struct device *device, const char *name,
                     uint32_t *value)
{
    int length;
    const fdt32_t *cell = fdt_getprop(tree, device->node, name, &length);
    if (cell == NULL || length != 4) {
        return false;
    }
    *value = fdt32_to_cpu(*cell);
    return true;
}
