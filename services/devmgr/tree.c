/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices in the device tree (Devicetree Specification v0.4): compatible, status, reg through the
 * ranges of the buses above, interrupts of the platform's interrupt controller.
 */
#include <libfdt.h>
#include <stdio.h>
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

/* Translates an address of the children of the node at `depth` to the root's (section 2.3.8); false if
 * no range of a bus on the way holds it. */
static bool translate(const struct device_walk *walk, int depth, uint64_t *address)
{
    const void *tree = walk->tree;
    for (; depth > 0; depth--) {
        int length, bus = walk->above[depth];
        const fdt32_t *ranges = fdt_getprop(tree, bus, "ranges", &length);
        if (ranges == NULL) {
            return false;
        }
        int child = fdt_address_cells(tree, bus);
        int above = fdt_address_cells(tree, walk->above[depth - 1]);
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

static void read_ranges(const struct device_walk *walk, uint32_t most, struct device *device)
{
    int length, parent = walk->above[walk->depth - 1];
    const fdt32_t *reg = fdt_getprop(walk->tree, walk->node, "reg", &length);
    int address = fdt_address_cells(walk->tree, parent), size = fdt_size_cells(walk->tree, parent);
    if (reg == NULL || address < 1 || address > 2 || size < 1 || size > 2) {
        return;
    }
    int entry = (address + size) * 4;
    for (int at = 0; at + entry <= length && device->range_count < most; at += entry) {
        struct device_range range = {read_cells(reg + at / 4, address),
                                     read_cells(reg + at / 4 + address, size)};
        if (range.size == 0 || range.base + range.size < range.base ||
            !translate(walk, walk->depth - 1, &range.base)) {
            return;
        }
        device->ranges[device->range_count++] = range;
    }
}

/* The phandle of the node whose interrupts these are (section 2.4): the property may stand further
 * up. 0: there is none. */
static uint32_t interrupt_parent(const struct device_walk *walk)
{
    for (int depth = walk->depth; depth >= 0; depth--) {
        int length;
        const fdt32_t *phandle = fdt_getprop(walk->tree, walk->above[depth], "interrupt-parent",
                                             &length);
        if (phandle != NULL && length == 4) {
            return fdt32_to_cpu(*phandle);
        }
    }
    return 0;
}

/* A PLIC, or an APLIC that delivers to harts and not by messages: those that the kernel drives. */
static bool is_controller(const void *tree, int node)
{
    static const char *const kinds[] = {"riscv,plic0", "sifive,plic-1.0.0", "thead,c900-plic"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (fdt_node_check_compatible(tree, node, kinds[i]) == 0) {
            return true;
        }
    }
    return fdt_node_check_compatible(tree, node, "riscv,aplic") == 0 &&
           fdt_getprop(tree, node, "msi-parent", NULL) == NULL;
}

/* How many cells an interrupt of this controller takes: the source, and on some its kind. 0: it is none
 * of ours. Devices mostly share one controller: it is looked for once. */
static int interrupt_cells(struct device_walk *walk, uint32_t phandle)
{
    if (phandle == 0 || phandle == walk->controller) {
        return phandle != 0 ? walk->interrupt_cells : 0;
    }
    int length, node = fdt_node_offset_by_phandle(walk->tree, phandle);
    if (node < 0 || !is_controller(walk->tree, node)) {
        return 0;
    }
    const fdt32_t *cells = fdt_getprop(walk->tree, node, "#interrupt-cells", &length);
    walk->controller = phandle;
    walk->interrupt_cells = cells != NULL && length == 4 && fdt32_to_cpu(*cells) == 2 ? 2 : 1;
    return walk->interrupt_cells;
}

static void read_interrupts(struct device_walk *walk, uint32_t most, struct device *device)
{
    int length;
    const fdt32_t *cells = most > 0 ? fdt_getprop(walk->tree, walk->node, "interrupts", &length)
                                    : NULL;
    if (cells != NULL) {
        int step = interrupt_cells(walk, interrupt_parent(walk));
        int end = step > 0 ? length / 4 / step * step : 0;
        for (int i = 0; i < end && device->interrupt_count < most; i += step) {
            device->interrupts[device->interrupt_count++] = fdt32_to_cpu(cells[i]);
        }
        return;
    }
    cells = fdt_getprop(walk->tree, walk->node, "interrupts-extended", &length);
    for (int i = 0; cells != NULL && i < length / 4 && device->interrupt_count < most;) {
        int step = interrupt_cells(walk, fdt32_to_cpu(cells[i]));
        if (step == 0 || i + step >= length / 4) {
            return;
        }
        device->interrupts[device->interrupt_count++] = fdt32_to_cpu(cells[i + 1]);
        i += 1 + step;
    }
}

static bool is_enabled(const void *tree, int node)
{
    int length;
    const char *status = fdt_getprop(tree, node, "status", &length);
    return status == NULL || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

/* The path, or as much of its end as fits. */
static void read_path(const struct device_walk *walk, struct device *device)
{
    char path[256] = "";
    size_t length = 0;
    for (int depth = 1; depth <= walk->depth; depth++) {
        int size;
        const char *name = fdt_get_name(walk->tree, walk->above[depth], &size);
        if (name == NULL || length + 1 + (size_t)size >= sizeof path) {
            break;
        }
        path[length++] = '/';
        memcpy(path + length, name, (size_t)size + 1);
        length += (size_t)size;
    }
    size_t skip = length >= sizeof device->path ? length - sizeof device->path + 1 : 0;
    strcpy(device->path, path + skip);
}

bool device_next(struct device_walk *walk)
{
    for (;;) {
        walk->node = fdt_next_node(walk->tree, walk->node, &walk->depth);
        if (walk->node < 0 || walk->depth < 1) {
            return false;
        }
        if (walk->depth >= (int)MATCH_DEPTH_MAX) {
            continue;
        }
        walk->above[walk->depth] = walk->node;
        walk->compatible = fdt_getprop(walk->tree, walk->node, "compatible",
                                       &walk->compatible_length);
        if (walk->compatible != NULL && is_enabled(walk->tree, walk->node)) {
            return true;
        }
    }
}

bool device_matches(const struct device_walk *walk, const struct driver_manifest *driver)
{
    for (uint32_t i = 0; i < driver->compatible_count; i++) {
        if (fdt_stringlist_contains(walk->compatible, walk->compatible_length,
                                    driver->compatible[i])) {
            return true;
        }
    }
    return false;
}

void device_describe(struct device_walk *walk, const struct driver_manifest *driver,
                     struct device *device)
{
    *device = (struct device){.node = walk->node};
    read_path(walk, device);
    read_ranges(walk, driver->ranges, device);
    read_interrupts(walk, driver->interrupts, device);
}

const char *device_compatible(const void *tree, const struct device *device,
                              const struct driver_manifest *driver)
{
    for (uint32_t i = 0; i < driver->compatible_count; i++) {
        if (fdt_node_check_compatible(tree, device->node, driver->compatible[i]) == 0) {
            return driver->compatible[i];
        }
    }
    return "";
}

/* True: `value` is the text of a string property. */
static bool write_string(const char *bytes, int length, char value[MATCH_VALUE_MAX])
{
    if (length < 2 || length > (int)MATCH_VALUE_MAX || bytes[length - 1] != '\0' ||
        strlen(bytes) != (size_t)length - 1) {
        return false;
    }
    for (int i = 0; i < length - 1; i++) {
        if (bytes[i] <= ' ' || bytes[i] > '~') {
            return false;
        }
    }
    memcpy(value, bytes, (size_t)length);
    return true;
}

/* Four bytes are always a number: the tree does not tell, and few strings are that short. */
static bool write_value(const void *property, int length, char value[MATCH_VALUE_MAX])
{
    const uint8_t *bytes = property;
    if (length == 0) {
        strcpy(value, "1");
        return true;
    }
    if (length == 4) {
        snprintf(value, MATCH_VALUE_MAX, "%lu",
                 (unsigned long)fdt32_to_cpu(*(const fdt32_t *)property));
        return true;
    }
    if (write_string(property, length, value)) {
        return true;
    }
    if (length * 3 > (int)MATCH_VALUE_MAX) {
        return false;
    }
    for (int i = 0; i < length; i++) {
        snprintf(value + 3 * i, 4, i + 1 < length ? "%02x:" : "%02x", bytes[i]);
    }
    return true;
}

bool device_property(const void *tree, const struct device *device, const char *name,
                     char value[MATCH_VALUE_MAX])
{
    int length, node = device->node;
    const char *slash = strchr(name, '/');
    if (slash != NULL) {
        const fdt32_t *phandle = fdt_getprop_namelen(tree, node, name, (int)(slash - name),
                                                     &length);
        if (phandle == NULL || length != 4) {
            return false;
        }
        node = fdt_node_offset_by_phandle(tree, fdt32_to_cpu(*phandle));
        name = slash + 1;
    }
    const void *property = node >= 0 ? fdt_getprop(tree, node, name, &length) : NULL;
    return property != NULL && write_value(property, length, value);
}
