/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a device's node names of other nodes: clocks, resets, fields of system registers, and which
 * clock another is to come from. Properties: clocks, clock-names, assigned-clocks,
 * assigned-clock-parents (dt-schema, clock/clock.yaml), resets, reset-names (reset/reset.yaml); a
 * field is a property <phandle offset shift>.
 */
#include <libfdt.h>
#include <string.h>

#include "match.h"

/* One "phandle and cells" of a list. */
struct reference {
    int node;
    uint32_t id;
};

/*
 * Entry `index` of the list `name`, whose providers say by `cells` how many cells follow the phandle;
 * none or one. A phandle of 0 is a hole. False: there is none.
 */
static bool read_reference(const void *tree, int node, const char *name, const char *cells,
                           uint32_t index, struct reference *reference)
{
    int length;
    const fdt32_t *list = fdt_getprop(tree, node, name, &length);
    for (int at = 0; list != NULL && at < length / 4; index--) {
        uint32_t phandle = fdt32_to_cpu(list[at++]);
        if (phandle == 0) {
            if (index == 0) {
                return false;
            }
            continue;
        }
        int size, provider = fdt_node_offset_by_phandle(tree, phandle);
        const fdt32_t *count = provider >= 0 ? fdt_getprop(tree, provider, cells, &size) : NULL;
        if (count == NULL || size != 4 || fdt32_to_cpu(*count) > 1) {
            return false;
        }
        bool has_id = fdt32_to_cpu(*count) == 1;
        if (has_id && at >= length / 4) {
            return false;
        }
        if (index == 0) {
            *reference = (struct reference){provider, has_id ? fdt32_to_cpu(list[at]) : 0};
            return true;
        }
        at += has_id;
    }
    return false;
}

/* The node itself, or the one above if it has no registers of its own (a PLL in a syscon). */
static int with_registers(const void *tree, int node)
{
    if (fdt_getprop(tree, node, "reg", NULL) == NULL) {
        int parent = fdt_parent_offset(tree, node);
        return parent > 0 ? parent : node;
    }
    return node;
}

struct list {
    const void *tree;
    int node;
    struct device_supply *supplies;
    uint32_t count;
};

static void add(struct list *list, const char *name, int provider, struct sk_platform_right right)
{
    int with = with_registers(list->tree, provider);
    if (list->count < MATCH_SUPPLIES_MAX && with != list->node) { /* its own it can do itself */
        struct device_supply *supply = &list->supplies[list->count++];
        *supply = (struct device_supply){.provider = with, .right = right};
        strncpy(supply->name, name, sizeof supply->name - 1);
    }
}

static void add_fixed(struct list *list, const char *name, int clock)
{
    int length;
    const fdt32_t *hz = fdt_getprop(list->tree, clock, "clock-frequency", &length);
    if (hz != NULL && length == 4) {
        add(list, name, clock,
            (struct sk_platform_right){.kind = SK_PLATFORM_FIXED, .id = fdt32_to_cpu(*hz)});
    }
}

/* The wanted ones of a list, by the list of their names. */
static void add_named(struct list *list, const char *property, const char *names_property,
                      const char *cells, uint32_t kind, const char (*wanted)[MATCH_NAME_MAX],
                      uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct reference at;
        int index = fdt_stringlist_search(list->tree, list->node, names_property, wanted[i]);
        if (index < 0 ||
            !read_reference(list->tree, list->node, property, cells, (uint32_t)index, &at)) {
            continue;
        }
        if (fdt_node_check_compatible(list->tree, at.node, "fixed-clock") == 0) {
            add_fixed(list, wanted[i], at.node);
        } else {
            add(list, wanted[i], at.node, (struct sk_platform_right){.kind = kind, .id = at.id});
        }
    }
}

static void add_fields(struct list *list, const struct driver_manifest *driver)
{
    for (uint32_t i = 0; i < driver->field_count; i++) {
        int length;
        const fdt32_t *cells = fdt_getprop(list->tree, list->node, driver->fields[i], &length);
        if (cells == NULL || length != 12) {
            continue;
        }
        int provider = fdt_node_offset_by_phandle(list->tree, fdt32_to_cpu(cells[0]));
        struct sk_platform_right right = {.kind = SK_PLATFORM_FIELD,
                                          .id = fdt32_to_cpu(cells[1]),
                                          .a = fdt32_to_cpu(cells[2]),
                                          .b = driver->field_bits[i]};
        if (provider >= 0 && right.a < 32 && right.a + right.b <= 32) {
            add(list, driver->fields[i], provider, right);
        }
    }
}

/* Both clocks must be of one provider: it sets its own selector only. */
static void add_parents(struct list *list)
{
    struct reference clock, parent;
    for (uint32_t i = 0;
         read_reference(list->tree, list->node, "assigned-clocks", "#clock-cells", i, &clock);
         i++) {
        if (read_reference(list->tree, list->node, "assigned-clock-parents", "#clock-cells", i,
                           &parent) &&
            parent.node == clock.node) {
            add(list, "", clock.node,
                (struct sk_platform_right){
                    .kind = SK_PLATFORM_PARENT, .id = clock.id, .a = parent.id});
        }
    }
}

uint32_t device_supplies(const void *tree, const struct device *device,
                         const struct driver_manifest *driver,
                         struct device_supply supplies[MATCH_SUPPLIES_MAX])
{
    struct list list = {.tree = tree, .node = device->node, .supplies = supplies};
    add_named(&list, "clocks", "clock-names", "#clock-cells", SK_PLATFORM_CLOCK, driver->clocks,
              driver->clock_count);
    add_named(&list, "resets", "reset-names", "#reset-cells", SK_PLATFORM_RESET_LINE,
              driver->resets, driver->reset_count);
    add_fields(&list, driver);
    if (driver->clock_count > 0) {
        add_parents(&list);
    }
    return list.count;
}
