/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/platform.c over the device trees of real boards (tests/data/dtb) and over damaged ones. The
 * only argument is the folder of the trees.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include <kernel/platform.h>

#define NO_CONTEXT (~0u)
#define FD (PLATFORM_ISA_F | PLATFORM_ISA_D)
#define DAMAGED_TREES 3000u

static const char *folder;

struct tree {
    unsigned char *data;
    size_t size;
};

static struct tree load(const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s.dtb", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    rewind(file);
    struct tree tree = {malloc(size), size}; /* exact, so that the sanitizer sees any overrun */
    assert_int_equal(fread(tree.data, 1, size, file), size);
    fclose(file);
    return tree;
}

struct board {
    const char *name;
    uint64_t timebase_hz;
    struct platform_range memory;
    uint32_t memory_count, reserved_count;
    uint32_t hart_count, harts_skipped;
    uint64_t first_id;
    uint32_t first_context, isa;
    uint64_t plic;
    uint32_t sources;
};

#define GIB ((uint64_t)1 << 30)
#define RANGE(start, size)                                                                         \
    {                                                                                              \
        (start), (start) + (size)                                                                  \
    }

static const struct board boards[] = {
    {"hifive-unleashed-a00.linux-6.12", 1000000, RANGE(2 * GIB, 8 * GIB), 1, 0, 4, 1, 1, 2, FD,
     0xc000000, 53},
    {"hifive-unleashed-a00.u-boot-2025.01", 1000000, RANGE(2 * GIB, 8 * GIB), 1, 0, 4, 1, 1, 2, FD,
     0xc000000, 53},
    {"hifive-unmatched-a00.linux-6.12", 1000000, RANGE(2 * GIB, 16 * GIB), 1, 0, 4, 1, 1, 2, FD,
     0xc000000, 69},
    {"hifive-unmatched-a00.u-boot-2025.01", 1000000, RANGE(2 * GIB, 16 * GIB), 1, 0, 4, 1, 1, 2, FD,
     0xc000000, 69},
    {"jh7100-starfive-visionfive-v1.linux-6.12", 6250000, RANGE(2 * GIB, 8 * GIB), 1, 2, 2, 0, 0, 1,
     FD, 0xc000000, 133},
    {"jh7110-milkv-mars.linux-6.12", 4000000, RANGE(GIB, 4 * GIB), 1, 0, 4, 1, 1, 2, FD, 0xc000000,
     136},
    {"jh7110-pine64-star64.linux-6.12", 4000000, RANGE(GIB, 4 * GIB), 1, 0, 4, 1, 1, 2, FD,
     0xc000000, 136},
    {"jh7110-starfive-visionfive-2-v1.2a.linux-6.12", 4000000, RANGE(GIB, 4 * GIB), 1, 0, 4, 1, 1,
     2, FD, 0xc000000, 136},
    {"jh7110-starfive-visionfive-2-v1.3b.linux-6.12", 4000000, RANGE(GIB, 4 * GIB), 1, 0, 4, 1, 1,
     2, FD, 0xc000000, 136},
    {"jh7110-starfive-visionfive-2-v1.3b.u-boot-2025.01", 4000000, RANGE(GIB, 8 * GIB), 1, 0, 4, 1,
     1, 2, FD, 0xc000000, 136},
    {"mpfs-icicle-kit.linux-6.12", 1000000, RANGE(2 * GIB, GIB), 2, 1, 4, 1, 1, 2, FD, 0xc000000,
     186},
    {"qemu-sifive_u-q10", 1000000, RANGE(2 * GIB, GIB / 2), 1, 0, 4, 1, 1, 2, FD, 0xc000000, 53},
    {"qemu-sifive_u-q7", 1000000, RANGE(2 * GIB, GIB / 2), 1, 0, 4, 1, 1, 2, FD, 0xc000000, 53},
    {"qemu-virt-aia-q10", 10000000, RANGE(2 * GIB, GIB / 4), 1, 0, 4, 0, 0, NO_CONTEXT,
     FD | PLATFORM_ISA_SSTC | PLATFORM_ISA_ZICBOM, 0, 0},
    {"qemu-virt-aia-q7", 10000000, RANGE(2 * GIB, GIB / 4), 1, 0, 4, 0, 0, NO_CONTEXT,
     FD | PLATFORM_ISA_SSTC, 0, 0},
    {"qemu-virt-q10", 10000000, RANGE(2 * GIB, GIB / 4), 1, 0, 4, 0, 0, 1,
     FD | PLATFORM_ISA_SSTC | PLATFORM_ISA_ZICBOM, 0xc000000, 95},
    {"qemu-virt-q7", 10000000, RANGE(2 * GIB, GIB / 4), 1, 0, 4, 0, 0, 1, FD | PLATFORM_ISA_SSTC,
     0xc000000, 96},
    {"th1520-lichee-pi-4a.linux-6.12", 3000000, RANGE(0, 8 * GIB), 1, 0, 4, 0, 0, 1, FD,
     0xffd8000000, 240},
};

static void reads_every_board(void **state)
{
    for (size_t i = 0; i < sizeof(boards) / sizeof(boards[0]); i++) {
        const struct board *board = &boards[i];
        struct tree tree = load(board->name);
        struct platform p;
        if (!platform_read(&p, tree.data)) {
            fail_msg("%s: %s", board->name, p.problem);
        }
        assert_int_equal(p.timebase_hz, board->timebase_hz);
        assert_int_equal(p.memory_count, board->memory_count);
        assert_int_equal(p.memory[0].start, board->memory.start);
        assert_int_equal(p.memory[0].end, board->memory.end);
        assert_int_equal(p.reserved_count, board->reserved_count);
        assert_int_equal(p.hart_count, board->hart_count);
        assert_int_equal(p.harts_skipped, board->harts_skipped);
        assert_int_equal(p.irq_registers.start, board->plic);
        assert_int_equal(p.irq_sources, board->sources);
        assert_false(p.irq_is_aplic);
        for (uint32_t h = 0; h < p.hart_count; h++) {
            /* On all of these a supervisor context follows a machine one. */
            uint32_t context = board->first_context == NO_CONTEXT ? NO_CONTEXT
                                                                  : board->first_context + 2 * h;
            assert_int_equal(p.harts[h].id, board->first_id + h);
            assert_int_equal(p.harts[h].irq_context, context);
            assert_int_equal(p.harts[h].isa, board->isa);
        }
        free(tree.data);
    }
}

/* A tree with room for what the firmware adds. */
static unsigned char *open_tree(const char *name, size_t room)
{
    struct tree tree = load(name);
    unsigned char *data = malloc(tree.size + room);
    assert_int_equal(fdt_open_into(tree.data, data, (int)(tree.size + room)), 0);
    free(tree.data);
    return data;
}

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define CELL(value) 0, 0, (value) >> 8 & 0xff, (value)&0xff

/* One of each kind of error that a tree of QEMU's virt can have: a property is gone (no bytes) or
 * has other bytes; the line that says so names node and property. */
static const struct {
    const char *node, *property;
    const uint8_t *bytes;
    int length;
    const char *problem;
} errors[] = {
    {"/memory@80000000", "reg", NULL, 0, "/memory: reg names no memory"},
    {"/memory@80000000", "device_type", NULL, 0, "/memory: reg names no memory"},
    {"/memory@80000000", "reg", BYTES(CELL(0), CELL(1), CELL(0)),
     "memory@80000000: reg has a length that is not one of whole entries"},
    {"/memory@80000000", "reg", BYTES(255, 255, 255, 255, CELL(0), 0, 0, 0, 1, CELL(0)),
     "memory@80000000: reg wraps around"},
    {"/", "#size-cells", BYTES(CELL(3)),
     "memory@80000000: reg has cells of a size that is not supported"},
    {"/cpus", "timebase-frequency", NULL, 0,
     "/cpus: timebase-frequency is missing or not a frequency"},
    {"/cpus", "timebase-frequency", BYTES(1, 2),
     "/cpus: timebase-frequency is missing or not a frequency"},
    {"/cpus", "timebase-frequency", BYTES(CELL(999)),
     "/cpus: timebase-frequency is missing or not a frequency"},
    {"/cpus/cpu@2", "reg", NULL, 0, "cpu@2: reg is missing or not a number"},
    {"/soc/plic@c000000", "reg", NULL, 0, "plic@c000000: reg is missing or empty"},
    {"/soc/plic@c000000", "riscv,ndev", NULL, 0,
     "plic@c000000: riscv,ndev is missing or no number up to 1023"},
    {"/soc/plic@c000000", "riscv,ndev", BYTES(CELL(1024)),
     "plic@c000000: riscv,ndev is missing or no number up to 1023"},
    {"/soc/plic@c000000", "interrupts-extended", NULL, 0,
     "plic@c000000: interrupts-extended is missing or not a list of pairs"},
    {"/soc/plic@c000000", "interrupts-extended", BYTES(CELL(1)),
     "plic@c000000: interrupts-extended is missing or not a list of pairs"},
    {"/soc/plic@c000000", "interrupts-extended", BYTES(CELL(1), CELL(11)),
     "plic@c000000: interrupts-extended names no hart that is in use"},
    {"/chosen", "linux,initrd-start", BYTES(CELL(1)),
     "/chosen: linux,initrd-end is missing or not a number"},
    {"/chosen", "linux,initrd-end", BYTES(CELL(1)),
     "/chosen: linux,initrd-start is missing or not a number"},
};

static void names_what_is_wrong(void **state)
{
    struct platform p;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        unsigned char *data = open_tree("qemu-virt-q7", 4096);
        int node = fdt_path_offset(data, errors[i].node);
        assert_true(node >= 0);
        if (errors[i].bytes == NULL) {
            assert_int_equal(fdt_delprop(data, node, errors[i].property), 0);
        } else {
            assert_int_equal(
                fdt_setprop(data, node, errors[i].property, errors[i].bytes, errors[i].length), 0);
        }
        assert_false(platform_read(&p, data));
        assert_string_equal(p.problem, errors[i].problem);
        free(data);
    }
    struct tree tree = load("sun20i-d1-nezha.linux-6.12"); /* its firmware adds the memory */
    assert_false(platform_read(&p, tree.data));
    assert_string_equal(p.problem, "/memory: reg names no memory");
    free(tree.data);
}

static void names_a_tree_that_is_none(void **state)
{
    struct platform p;
    assert_false(platform_read(&p, NULL));
    assert_string_equal(p.problem, "device tree: header: FDT_ERR_BADMAGIC");
    uint32_t zeroes[16] = {0};
    assert_false(platform_read(&p, zeroes));
    assert_string_equal(p.problem, "device tree: header: FDT_ERR_BADMAGIC");
    struct tree tree = load("qemu-virt-q7");
    memset(tree.data + fdt_off_dt_struct(tree.data) + 256, 0xff, 64);
    assert_false(platform_read(&p, tree.data));
    assert_string_equal(p.problem, "device tree: structure: FDT_ERR_BADSTRUCTURE");
    free(tree.data);
}

/* Structure that the tree lacks, and more of it than there is room for. */
static void names_nodes_that_are_missing_or_too_many(void **state)
{
    struct platform p;
    unsigned char *data = open_tree("qemu-virt-q7", 65536);
    for (int i = 0; i < 40; i++) {
        assert_int_equal(fdt_add_mem_rsv(data, 0x90000000u + 0x1000u * (unsigned)i, 0x800), 0);
    }
    assert_false(platform_read(&p, data));
    assert_string_equal(p.problem, "device tree: memory reserve block: too many entries");
    free(data);
    data = open_tree("qemu-virt-q7", 65536);
    assert_int_equal(fdt_add_mem_rsv(data, ~0ull, 2), 0);
    assert_false(platform_read(&p, data));
    assert_string_equal(p.problem, "device tree: memory reserve block: an entry wraps around");
    free(data);
    data = open_tree("qemu-virt-q7", 65536);
    int reserved = fdt_add_subnode(data, 0, "reserved-memory");
    int node = fdt_add_subnode(data, reserved, "many@90000000");
    static const uint8_t pages[40][16] = {[0 ... 39] = {CELL(0), CELL(16), CELL(0), CELL(1)}};
    assert_int_equal(fdt_setprop(data, node, "reg", pages, sizeof pages), 0);
    reserved = fdt_path_offset(data, "/reserved-memory");
    assert_int_equal(fdt_setprop_u32(data, reserved, "#address-cells", 2), 0);
    assert_int_equal(fdt_setprop_u32(data, reserved, "#size-cells", 2), 0);
    assert_false(platform_read(&p, data));
    assert_string_equal(p.problem, "many@90000000: reg has too many ranges");
    free(data);
    data = open_tree("qemu-virt-q7", 0);
    assert_int_equal(fdt_del_node(data, fdt_path_offset(data, "/cpus")), 0);
    assert_false(platform_read(&p, data));
    assert_string_equal(p.problem, "/cpus: node is missing");
    free(data);
    data = open_tree("qemu-virt-q7", 0);
    for (int i = 0; i < 4; i++) {
        char path[16];
        snprintf(path, sizeof path, "/cpus/cpu@%d", i);
        assert_int_equal(fdt_delprop(data, fdt_path_offset(data, path), "mmu-type"), 0);
    }
    assert_false(platform_read(&p, data));
    assert_string_equal(p.problem, "/cpus: mmu-type is on no enabled hart");
    free(data);
}

static void skips_harts_that_are_not_ours(void **state)
{
    struct tree tree = load("qemu-virt-q7");
    struct platform p;
    int offset = fdt_path_offset(tree.data, "/cpus/cpu@0");
    assert_int_equal(fdt_nop_property(tree.data, offset, "mmu-type"), 0);
    offset = fdt_path_offset(tree.data, "/cpus/cpu@2");
    assert_int_equal(fdt_setprop_inplace(tree.data, offset, "status", "fail", 5), 0);
    assert_true(platform_read(&p, tree.data));
    assert_int_equal(p.hart_count, 2);
    assert_int_equal(p.harts_skipped, 2);
    assert_int_equal(p.harts[0].id, 1);
    assert_int_equal(p.harts[0].irq_context, 3);
    assert_int_equal(p.harts[1].id, 3);
    assert_int_equal(p.harts[1].irq_context, 7);
    free(tree.data);
}

/* The controller of supervisor mode is used, wherever that of machine mode stands; one that sends
 * messages is not. */
static void finds_the_aplic_of_its_mode(void **state)
{
    unsigned char *data = open_tree("qemu-virt-aplic-q7", 64);
    struct platform p;
    assert_true(platform_read(&p, data));
    assert_true(p.irq_is_aplic && !p.has_imsics);
    assert_int_equal(p.irq_registers.start, 0xd000000);
    assert_int_equal(p.irq_registers.end, 0xd008000);
    assert_int_equal(p.irq_sources, 96);
    for (uint32_t h = 0; h < 4; h++) {
        assert_int_equal(p.harts[h].id, h);
        assert_int_equal(p.harts[h].irq_context, h);
    }
    int node = fdt_path_offset(data, "/soc/aplic@d000000");
    assert_int_equal(fdt_setprop_u32(data, node, "msi-parent", 1), 0);
    assert_true(platform_read(&p, data));
    assert_true(!p.irq_is_aplic && p.irq_registers.end == 0);
    assert_int_equal(fdt_delprop(data, node, "msi-parent"), 0);
    assert_int_equal(fdt_delprop(data, node, "riscv,num-sources"), 0);
    assert_false(platform_read(&p, data));
    assert_string_equal(p.problem,
                        "aplic@d000000: riscv,num-sources is missing or no number up to 1023");
    free(data);
}

static void reads_what_the_firmware_adds(void **state)
{
    unsigned char *data = open_tree("jh7110-starfive-visionfive-2-v1.3b.linux-6.12", 4096);
    int chosen = fdt_path_offset(data, "/chosen");
    assert_int_equal(fdt_setprop_u64(data, chosen, "linux,initrd-start", 0x46100000), 0);
    assert_int_equal(fdt_setprop_u64(data, chosen, "linux,initrd-end", 0x46200000), 0);
    assert_int_equal(fdt_setprop_string(data, chosen, "bootargs", "a=1  run=test,x panic=off"), 0);
    assert_int_equal(fdt_setprop(data, chosen, "rng-seed", "0123456789abcdef", 16), 0);
    assert_int_equal(fdt_setprop_u64(data, chosen, "kaslr-seed", 7), 0);
    assert_int_equal(fdt_add_mem_rsv(data, 0x46000000, 0x9000), 0);
    int reserved = fdt_add_subnode(data, 0, "reserved-memory");
    assert_int_equal(fdt_setprop_u32(data, reserved, "#address-cells", 2), 0);
    assert_int_equal(fdt_setprop_u32(data, reserved, "#size-cells", 2), 0);
    int node = fdt_add_subnode(data, reserved, "mmode_resv0@40000000");
    const fdt64_t reg[2] = {cpu_to_fdt64(0x40000000), cpu_to_fdt64(0x80000)};
    assert_int_equal(fdt_setprop(data, node, "reg", reg, sizeof(reg)), 0);

    assert_true(platform_read(&platform, data));
    assert_int_equal(platform.initrd.start, 0x46100000);
    assert_int_equal(platform.initrd.end, 0x46200000);
    assert_int_equal(platform.random_seed_length, 24);
    assert_int_equal(platform.reserved_count, 2);
    assert_int_equal(platform.reserved[0].start, 0x46000000);
    assert_int_equal(platform.reserved[0].end, 0x46009000);
    assert_int_equal(platform.reserved[1].end, 0x40080000);

    char value[8];
    assert_true(platform_option("panic", value, sizeof(value)));
    assert_string_equal(value, "off");
    assert_true(platform_option("run", value, sizeof(value)));
    assert_string_equal(value, "test,x");
    assert_true(platform_option("a", value, 1));
    assert_string_equal(value, "");
    assert_false(platform_option("pani", value, sizeof(value)));
    assert_false(platform_option("off", value, sizeof(value)));
    free(data);
}

static void refuses_an_archive_that_ends_before_its_start(void **state)
{
    unsigned char *data = open_tree("qemu-virt-q7", 4096);
    int chosen = fdt_path_offset(data, "/chosen");
    assert_int_equal(fdt_setprop_u32(data, chosen, "linux,initrd-start", 0x2000), 0);
    assert_int_equal(fdt_setprop_u32(data, chosen, "linux,initrd-end", 0x1000), 0);
    struct platform p;
    assert_false(platform_read(&p, data));
    assert_non_null(strstr(p.problem, "/chosen: linux,initrd-end"));
    free(data);
}

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Whatever the bytes, it comes back with an answer and reads nothing outside; the sanitizers watch. */
static void survives_damaged_trees(void **state)
{
    struct tree whole = load("qemu-sifive_u-q7");
    uint64_t seed = 0x5eed;
    uint32_t refused = 0;
    for (uint32_t round = 0; round < DAMAGED_TREES; round++) {
        size_t size = round % 2 == 0 ? whole.size : 64 + random_next(&seed) % (whole.size - 64);
        unsigned char *data = malloc(size);
        memcpy(data, whole.data, size);
        for (uint32_t i = 0; i < 1 + round % 8; i++) {
            data[random_next(&seed) % size] = (unsigned char)random_next(&seed);
        }
        fdt_set_totalsize(data, (uint32_t)size);
        struct platform p;
        if (!platform_read(&p, data)) {
            assert_true(strlen(p.problem) > 0);
            refused++;
        } else {
            assert_true(p.hart_count > 0 && p.hart_count <= PLATFORM_HARTS_MAX);
            assert_true(p.memory_count > 0 && p.memory_count <= PLATFORM_RANGES_MAX);
        }
        free(data);
    }
    assert_true(refused > DAMAGED_TREES / 10);
    free(whole.data);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_board),
        cmocka_unit_test(names_what_is_wrong),
        cmocka_unit_test(names_a_tree_that_is_none),
        cmocka_unit_test(names_nodes_that_are_missing_or_too_many),
        cmocka_unit_test(skips_harts_that_are_not_ours),
        cmocka_unit_test(finds_the_aplic_of_its_mode),
        cmocka_unit_test(reads_what_the_firmware_adds),
        cmocka_unit_test(refuses_an_archive_that_ends_before_its_start),
        cmocka_unit_test(survives_damaged_trees),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
