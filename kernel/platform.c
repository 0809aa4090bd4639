/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the device tree into struct platform. Pure: no hardware, no allocation, and nothing in the
 * tree is believed before its length was checked. Written once at boot by one hart; read-only then.
 * Tests: tests/host/kernel/test_platform.c.
 */
#include <kernel/platform.h>

#include <stdio.h>
#include <string.h>

#include <libfdt.h>

#define SUPERVISOR_EXTERNAL 9u /* the interrupt of a hart's controller that a PLIC drives */
#define NO_CONTEXT (~0u)

struct platform platform;

/* While reading. */
struct reader {
    struct platform *platform;
    const void *tree;
    uint32_t intc[PLATFORM_HARTS_MAX]; /* phandle of each usable hart's own controller */
};

static bool refuse(struct reader *r, const char *node, const char *property, const char *why)
{
    snprintf(r->platform->problem, sizeof r->platform->problem, "%s: %s %s", node, property, why);
    return false;
}

/* An unsigned number of one or two cells; false for any other length. */
static bool number_of(const void *data, int length, uint64_t *value)
{
    const fdt32_t *cells = data;
    if (data == NULL || (length != 4 && length != 8)) {
        return false;
    }
    *value = fdt32_ld(cells);
    if (length == 8) {
        *value = *value << 32 | fdt32_ld(cells + 1);
    }
    return true;
}

static bool get_number(struct reader *r, int node, const char *name, uint64_t *value)
{
    int length = 0;
    const void *data = fdt_getprop(r->tree, node, name, &length);
    return number_of(data, length, value);
}

static bool has_string(struct reader *r, int node, const char *name, const char *value)
{
    return fdt_stringlist_search(r->tree, node, name, value) >= 0;
}

static bool is_enabled(struct reader *r, int node)
{
    return fdt_getprop(r->tree, node, "status", NULL) == NULL ||
           has_string(r, node, "status", "okay") || has_string(r, node, "status", "ok");
}

static void copy_string(struct reader *r, int node, const char *name, char *to, size_t size)
{
    int length = 0;
    const char *text = node >= 0 ? fdt_getprop(r->tree, node, name, &length) : NULL;
    if (text != NULL && length > 0) {
        size_t used = strnlen(text, (size_t)length);
        used = used < size ? used : size - 1;
        memcpy(to, text, used);
        to[used] = '\0';
    }
}

/* Appends the ranges of a "reg" property, whose cells the parent defines. */
static bool add_ranges(struct reader *r, int parent, int node, struct platform_range *ranges,
                       uint32_t *count)
{
    const char *name = fdt_get_name(r->tree, node, NULL);
    int address_cells = fdt_address_cells(r->tree, parent);
    int size_cells = fdt_size_cells(r->tree, parent);
    int length = 0;
    const fdt32_t *cells = fdt_getprop(r->tree, node, "reg", &length);
    if (cells == NULL) {
        return true;
    }
    if (address_cells < 1 || address_cells > 2 || size_cells < 1 || size_cells > 2) {
        return refuse(r, name, "reg", "has cells of a size that is not supported");
    }
    int step = address_cells + size_cells;
    if (length % (step * 4) != 0) {
        return refuse(r, name, "reg", "has a length that is not one of whole entries");
    }
    for (int left = length / 4; left >= step; left -= step, cells += step) {
        uint64_t start = 0;
        uint64_t size = 0;
        number_of(cells, address_cells * 4, &start);
        number_of(cells + address_cells, size_cells * 4, &size);
        if (size > ~start) {
            return refuse(r, name, "reg", "wraps around");
        }
        if (size > 0 && *count == PLATFORM_RANGES_MAX) {
            return refuse(r, name, "reg", "has too many ranges");
        }
        if (size > 0) {
            ranges[(*count)++] = (struct platform_range){start, start + size};
        }
    }
    return true;
}

static bool read_memory(struct reader *r)
{
    struct platform *p = r->platform;
    int node;
    fdt_for_each_subnode(node, r->tree, 0)
    {
        if (has_string(r, node, "device_type", "memory") && is_enabled(r, node) &&
            !add_ranges(r, 0, node, p->memory, &p->memory_count)) {
            return false;
        }
    }
    if (p->memory_count == 0) {
        return refuse(r, "/memory", "reg", "names no memory");
    }
    return true;
}

static bool read_reserved(struct reader *r)
{
    struct platform *p = r->platform;
    int count = fdt_num_mem_rsv(r->tree);
    for (int i = 0; i < count; i++) {
        uint64_t start = 0;
        uint64_t size = 0;
        if (fdt_get_mem_rsv(r->tree, i, &start, &size) != 0 || size > ~start ||
            p->reserved_count == PLATFORM_RANGES_MAX) {
            return refuse(r, "device tree", "memory reserve block:",
                          size > ~start ? "an entry wraps around" : "too many entries");
        }
        p->reserved[p->reserved_count++] = (struct platform_range){start, start + size};
    }
    int parent = fdt_path_offset(r->tree, "/reserved-memory");
    int node;
    if (parent < 0) {
        return true;
    }
    fdt_for_each_subnode(node, r->tree, parent)
    {
        if (!add_ranges(r, parent, node, p->reserved, &p->reserved_count)) {
            return false;
        }
    }
    return true;
}

static const struct {
    const char *name;
    uint32_t bit;
} extensions[] = {
    {"f", PLATFORM_ISA_F},           {"d", PLATFORM_ISA_D},
    {"sstc", PLATFORM_ISA_SSTC},     {"svinval", PLATFORM_ISA_SVINVAL},
    {"zicbom", PLATFORM_ISA_ZICBOM},
};

static uint32_t extension_bit(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++) {
        if (strlen(extensions[i].name) == length && memcmp(extensions[i].name, name, length) == 0) {
            return extensions[i].bit;
        }
    }
    return 0;
}

/* "rv64imafdc_zicsr_sstc": single letters up to the first '_', then names. */
static uint32_t parse_isa(const char *isa)
{
    uint32_t bits = 0;
    size_t single = strcspn(isa, "_");
    for (size_t i = 4; i < single; i++) {
        bits |= isa[i] == 'g' ? PLATFORM_ISA_F | PLATFORM_ISA_D : extension_bit(isa + i, 1);
    }
    for (const char *at = isa + single; *at == '_';) {
        size_t length = strcspn(at + 1, "_");
        bits |= extension_bit(at + 1, length);
        at += 1 + length;
    }
    return bits;
}

static uint32_t read_isa(struct reader *r, int node)
{
    uint32_t bits = 0;
    int count = fdt_stringlist_count(r->tree, node, "riscv,isa-extensions");
    for (int i = 0; i < count; i++) {
        int length = 0;
        const char *name = fdt_stringlist_get(r->tree, node, "riscv,isa-extensions", i, &length);
        bits |= name != NULL ? extension_bit(name, (size_t)length) : 0;
    }
    char isa[256] = "";
    if (count <= 0) {
        copy_string(r, node, "riscv,isa", isa, sizeof isa);
        bits = strlen(isa) > 4 ? parse_isa(isa) : 0;
    }
    return bits;
}

static uint32_t intc_phandle(struct reader *r, int cpu)
{
    int node;
    fdt_for_each_subnode(node, r->tree, cpu)
    {
        if (fdt_getprop(r->tree, node, "interrupt-controller", NULL) != NULL) {
            return fdt_get_phandle(r->tree, node);
        }
    }
    return 0;
}

static bool read_hart(struct reader *r, int node)
{
    struct platform *p = r->platform;
    uint64_t id = 0;
    /* A monitor core has no MMU; firmware disables those that are not ours. */
    bool usable = is_enabled(r, node) && fdt_getprop(r->tree, node, "mmu-type", NULL) != NULL &&
                  p->hart_count < PLATFORM_HARTS_MAX;
    if (!usable) {
        p->harts_skipped++;
        return true;
    }
    if (!get_number(r, node, "reg", &id)) {
        return refuse(r, fdt_get_name(r->tree, node, NULL), "reg", "is missing or not a number");
    }
    r->intc[p->hart_count] = intc_phandle(r, node);
    p->harts[p->hart_count++] = (struct platform_hart){id, NO_CONTEXT, read_isa(r, node)};
    return true;
}

static bool read_harts(struct reader *r)
{
    struct platform *p = r->platform;
    int cpus = fdt_path_offset(r->tree, "/cpus");
    if (cpus < 0) {
        return refuse(r, "/cpus", "node", "is missing");
    }
    bool timed = get_number(r, cpus, "timebase-frequency", &p->timebase_hz);
    int node;
    fdt_for_each_subnode(node, r->tree, cpus)
    {
        if (has_string(r, node, "device_type", "cpu")) {
            timed = timed || get_number(r, node, "timebase-frequency", &p->timebase_hz);
            if (!read_hart(r, node)) {
                return false;
            }
        }
    }
    if (!timed || p->timebase_hz < 1000) {
        return refuse(r, "/cpus", "timebase-frequency", "is missing or not a frequency");
    }
    if (p->hart_count == 0) {
        return refuse(r, "/cpus", "mmu-type", "is on no enabled hart");
    }
    return true;
}

static int find_plic(struct reader *r)
{
    static const char *const names[] = {"sifive,plic-1.0.0", "riscv,plic0", "thead,c900-plic"};
    int node = -1;
    for (size_t i = 0; node < 0 && i < sizeof names / sizeof names[0]; i++) {
        node = fdt_node_offset_by_compatible(r->tree, -1, names[i]);
    }
    return node;
}

/* Which context is whose: "interrupts-extended" has a pair of cells for each, the controller of a hart
 * and its interrupt there. False: none is of a hart that is in use. */
static bool read_contexts(struct reader *r, const fdt32_t *pairs, int length)
{
    struct platform *p = r->platform;
    bool any = false;
    for (uint32_t context = 0; context < (uint32_t)length / 8; context++) {
        uint32_t phandle = fdt32_ld(pairs + 2 * context);
        bool ours = fdt32_ld(pairs + 2 * context + 1) == SUPERVISOR_EXTERNAL;
        for (uint32_t i = 0; ours && i < p->hart_count; i++) {
            if (r->intc[i] != 0 && r->intc[i] == phandle) {
                p->harts[i].irq_context = context;
                any = true;
            }
        }
    }
    return any;
}

/* The APLIC of supervisor mode, if it delivers to harts and not by messages. */
static int find_aplic(struct reader *r)
{
    int node = fdt_node_offset_by_compatible(r->tree, -1, "riscv,aplic");
    for (; node >= 0; node = fdt_node_offset_by_compatible(r->tree, node, "riscv,aplic")) {
        int length = 0;
        const fdt32_t *pairs = fdt_getprop(r->tree, node, "interrupts-extended", &length);
        bool by_message = fdt_getprop(r->tree, node, "msi-parent", NULL) != NULL;
        if (!by_message && pairs != NULL && length % 8 == 0 && read_contexts(r, pairs, length)) {
            return node;
        }
    }
    return node;
}

static bool read_controller(struct reader *r, int node, const char *count_property)
{
    struct platform *p = r->platform;
    const char *name = fdt_get_name(r->tree, node, NULL);
    struct platform_range ranges[PLATFORM_RANGES_MAX];
    uint32_t count = 0;
    if (!add_ranges(r, fdt_parent_offset(r->tree, node), node, ranges, &count)) {
        return false;
    }
    if (count == 0) {
        return refuse(r, name, "reg", "is missing or empty");
    }
    uint64_t sources = 0;
    if (!get_number(r, node, count_property, &sources) || sources > 1023) {
        return refuse(r, name, count_property, "is missing or no number up to 1023");
    }
    int length = 0;
    const fdt32_t *pairs = fdt_getprop(r->tree, node, "interrupts-extended", &length);
    if (pairs == NULL || length % 8 != 0) {
        return refuse(r, name, "interrupts-extended", "is missing or not a list of pairs");
    }
    p->irq_registers = ranges[0];
    p->irq_sources = (uint32_t)sources;
    return read_contexts(r, pairs, length) ||
           refuse(r, name, "interrupts-extended", "names no hart that is in use");
}

/* A machine with neither runs, but no driver gets an interrupt. */
static bool read_controllers(struct reader *r)
{
    struct platform *p = r->platform;
    int node = find_plic(r);
    if (node >= 0) {
        return read_controller(r, node, "riscv,ndev");
    }
    p->has_imsics = fdt_node_offset_by_compatible(r->tree, -1, "riscv,imsics") >= 0;
    node = find_aplic(r);
    p->irq_is_aplic = node >= 0;
    return node < 0 || read_controller(r, node, "riscv,num-sources");
}

static void add_seed(struct reader *r, int chosen, const char *name)
{
    struct platform *p = r->platform;
    int length = 0;
    const void *seed = fdt_getprop(r->tree, chosen, name, &length);
    size_t room = sizeof p->random_seed - p->random_seed_length;
    if (seed != NULL && length > 0) {
        size_t used = (size_t)length < room ? (size_t)length : room;
        memcpy(p->random_seed + p->random_seed_length, seed, used);
        p->random_seed_length += (uint32_t)used;
    }
}

static bool read_initrd(struct reader *r, int chosen)
{
    struct platform_range initrd;
    bool start = get_number(r, chosen, "linux,initrd-start", &initrd.start);
    bool end = get_number(r, chosen, "linux,initrd-end", &initrd.end);
    if (start != end) {
        return refuse(r, "/chosen", start ? "linux,initrd-end" : "linux,initrd-start",
                      "is missing or not a number");
    }
    if (start && initrd.end < initrd.start) {
        return refuse(r, "/chosen", "linux,initrd-end", "lies before its start");
    }
    r->platform->initrd = start ? initrd : r->platform->initrd;
    return true;
}

static bool read_chosen(struct reader *r)
{
    struct platform *p = r->platform;
    int chosen = fdt_path_offset(r->tree, "/chosen");
    if (chosen < 0) {
        return true;
    }
    copy_string(r, chosen, "bootargs", p->command_line, sizeof p->command_line);
    add_seed(r, chosen, "rng-seed");
    add_seed(r, chosen, "kaslr-seed");
    return read_initrd(r, chosen);
}

bool platform_read(struct platform *p, const void *tree)
{
    struct reader r = {.platform = p, .tree = tree};
    memset(p, 0, sizeof *p);
    int error = tree != NULL ? fdt_check_header(tree) : -FDT_ERR_BADMAGIC;
    if (error != 0) {
        return refuse(&r, "device tree", "header:", fdt_strerror(error));
    }
    if (fdt_totalsize(tree) > PLATFORM_TREE_BYTES_MAX) {
        return refuse(&r, "device tree", "header:", "too large");
    }
    if (fdt_off_mem_rsvmap(tree) % 8 != 0 || fdt_off_dt_struct(tree) % 4 != 0) {
        return refuse(&r, "device tree", "header:", "misaligned blocks");
    }
    error = fdt_check_full(tree, fdt_totalsize(tree));
    if (error != 0) {
        return refuse(&r, "device tree", "structure:", fdt_strerror(error));
    }
    copy_string(&r, 0, "model", p->model, sizeof p->model);
    return read_memory(&r) && read_reserved(&r) && read_harts(&r) && read_controllers(&r) &&
           read_chosen(&r);
}

bool platform_option(const char *name, char *value, size_t size)
{
    size_t length = strlen(name);
    for (const char *word = platform.command_line; *word != '\0';) {
        word += strspn(word, " ");
        size_t used = strcspn(word, " ");
        if (used > length && memcmp(word, name, length) == 0 && word[length] == '=') {
            size_t copied = used - length - 1;
            copied = copied < size ? copied : size - 1;
            memcpy(value, word + length + 1, copied);
            value[copied] = '\0';
            return true;
        }
        word += used;
    }
    return false;
}
