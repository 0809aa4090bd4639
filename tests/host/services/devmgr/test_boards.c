/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What devmgr finds on every board whose tree is in tests/data/dtb: its console and its Ethernet, with
 * exact values. Arguments: the folder of the trees, and the project's, whose driver manifests are used.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "match.h"

#define TREE_BYTES (1u << 20)
#define ETHERNETS_MAX 2u

/* One serial port driver takes the console, and drivers of these kinds the Ethernet, if they are there. */
static const char *const uart_manifests[] = {"drivers/uart/ns16550/uart-ns16550.driver",
                                             "drivers/uart/sifive/uart-sifive.driver"};
static const char ethernet_manifest[] =
    "driver e\nservice e\nranges 2\ninterrupts 2\n"
    "compatible snps,dwmac-5.20 snps,dwmac cdns,macb sifive,fu540-c000-gem "
    "allwinner,sun20i-d1-emac\n";

static const char *trees, *project;
static char tree[TREE_BYTES];

struct ethernet {
    uint64_t base;
    uint32_t ranges, interrupts[2]; /* 0: none */
};

struct board {
    const char *name;
    uint32_t ports; /* serial ports that are enabled */
    uint64_t console, size;
    uint32_t interrupt; /* 0: the kernel does not drive its controller */
    const char *shift, *width;
    uint32_t ethernet_count;
    struct ethernet ethernets[ETHERNETS_MAX];
};

#define GEM(irq)                                                                                   \
    1,                                                                                             \
    {                                                                                              \
        {                                                                                          \
            0x10090000, 2,                                                                         \
            {                                                                                      \
                irq, 0                                                                             \
            }                                                                                      \
        }                                                                                          \
    }
#define GMAC0                                                                                      \
    {                                                                                              \
        0x16030000, 1,                                                                             \
        {                                                                                          \
            7, 6                                                                                   \
        }                                                                                          \
    }
#define GMAC1                                                                                      \
    {                                                                                              \
        0x16040000, 1,                                                                             \
        {                                                                                          \
            78, 77                                                                                 \
        }                                                                                          \
    }

static const struct board boards[] = {
    {"hifive-unleashed-a00.linux-6.12", 2, 0x10010000, 0x1000, 4, "", "", GEM(53)},
    {"hifive-unleashed-a00.u-boot-2025.01", 2, 0x10010000, 0x1000, 4, "", "", GEM(53)},
    {"hifive-unmatched-a00.linux-6.12", 2, 0x10010000, 0x1000, 39, "", "", GEM(55)},
    {"hifive-unmatched-a00.u-boot-2025.01", 2, 0x10010000, 0x1000, 39, "", "", GEM(55)},
    {"jh7100-starfive-visionfive-v1.linux-6.12",
     1,
     0x12440000,
     0x10000,
     73,
     "2",
     "4",
     1,
     {{0x10020000, 1, {6, 7}}}},
    {"jh7110-milkv-mars.linux-6.12", 1, 0x10000000, 0x10000, 32, "2", "4", 1, {GMAC0}},
    {"jh7110-pine64-star64.linux-6.12", 1, 0x10000000, 0x10000, 32, "2", "4", 2, {GMAC0, GMAC1}},
    {"jh7110-starfive-visionfive-2-v1.2a.linux-6.12",
     1,
     0x10000000,
     0x10000,
     32,
     "2",
     "4",
     2,
     {GMAC0, GMAC1}},
    {"jh7110-starfive-visionfive-2-v1.3b.linux-6.12",
     1,
     0x10000000,
     0x10000,
     32,
     "2",
     "4",
     2,
     {GMAC0, GMAC1}},
    {"jh7110-starfive-visionfive-2-v1.3b.u-boot-2025.01",
     1,
     0x10000000,
     0x10000,
     32,
     "2",
     "4",
     2,
     {GMAC0, GMAC1}},
    {"mpfs-icicle-kit.linux-6.12",
     4,
     0x20100000,
     0x400,
     91,
     "2",
     "4",
     2,
     {{0x20110000, 1, {64, 65}}, {0x20112000, 1, {70, 71}}}},
    {"qemu-sifive_u-q10", 2, 0x10010000, 0x1000, 4, "", "", GEM(53)},
    {"qemu-sifive_u-q7", 2, 0x10010000, 0x1000, 4, "", "", GEM(53)},
    {"qemu-virt-aia-q10", 1, 0x10000000, 0x100, 0, "", "", 0, {{0}}},
    {"qemu-virt-aia-q7", 1, 0x10000000, 0x100, 0, "", "", 0, {{0}}},
    /* A controller of two cells, too, which the kernel drives. */
    {"qemu-virt-aplic-q7", 1, 0x10000000, 0x100, 10, "", "", 0, {{0}}},
    {"qemu-virt-q10", 1, 0x10000000, 0x100, 10, "", "", 0, {{0}}},
    {"qemu-virt-q7", 1, 0x10000000, 0x100, 10, "", "", 0, {{0}}},
    /* PLICs of two cells: the second is the kind of the interrupt, and none of its own. */
    {"sun20i-d1-nezha.linux-6.12", 2, 0x2500000, 0x400, 18, "2", "4", 1, {{0x4500000, 1, {62, 0}}}},
    {"th1520-lichee-pi-4a.linux-6.12", 1, 0xffe7014000, 0x100, 36, "2", "4", 0, {{0}}},
};

static size_t read_file(const char *folder, const char *name, const char *suffix, char *data,
                        size_t room)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fail_msg("%s cannot be opened", path);
        return 0;
    }
    size_t length = fread(data, 1, room, file);
    fclose(file);
    return length;
}

static struct driver_manifest parse(const char *text, size_t length)
{
    struct driver_manifest driver;
    char problem[96] = "";
    assert_int_equal(driver_parse(text, length, &driver, problem, sizeof problem), SK_OK);
    return driver;
}

/* The devices that one of the drivers is for, in the order in which devmgr starts them. */
static uint32_t find(const struct driver_manifest *drivers, size_t count, struct device *devices,
                     uint32_t room)
{
    struct device_walk walk = {.tree = tree};
    uint32_t found = 0;
    while (device_next(&walk)) {
        for (size_t i = 0; i < count; i++) {
            if (device_matches(&walk, &drivers[i]) && found < room) {
                device_describe(&walk, &drivers[i], &devices[found++]);
                break;
            }
        }
    }
    return found;
}

static void check_property(const struct device *device, const char *name, const char *expected)
{
    char value[MATCH_VALUE_MAX] = "";
    assert_true(device_property(tree, device, name, value) == (expected[0] != '\0'));
    assert_string_equal(value, expected);
}

/* The node that /chosen says the console is. */
static int stdout_node(void)
{
    int length, chosen = fdt_path_offset(tree, "/chosen");
    const char *path = fdt_getprop(tree, chosen, "stdout-path", &length);
    assert_non_null(path);
    return fdt_path_offset_namelen(tree, path, (int)strcspn(path, ":")); /* ":115200n8" */
}

static void check_console(const struct board *board)
{
    struct driver_manifest drivers[2];
    struct device ports[8];
    char text[1024];
    for (size_t i = 0; i < 2; i++) {
        drivers[i] = parse(text, read_file(project, uart_manifests[i], "", text, sizeof text));
    }
    assert_int_equal(find(drivers, 2, ports, 8), board->ports);
    /* "uart0", which the console service connects to. */
    assert_int_equal(ports[0].node, stdout_node());
    assert_int_equal(ports[0].range_count, 1);
    assert_int_equal(ports[0].ranges[0].base, board->console);
    assert_int_equal(ports[0].ranges[0].size, board->size);
    assert_int_equal(ports[0].interrupt_count, board->interrupt != 0);
    assert_int_equal(ports[0].interrupts[0], board->interrupt);
    check_property(&ports[0], "reg-shift", board->shift);
    check_property(&ports[0], "reg-io-width", board->width);
}

static void check_ethernet(const struct board *board)
{
    struct driver_manifest driver = parse(ethernet_manifest, strlen(ethernet_manifest));
    struct device devices[4];
    assert_int_equal(find(&driver, 1, devices, 4), board->ethernet_count);
    for (uint32_t i = 0; i < board->ethernet_count; i++) {
        const struct ethernet *expected = &board->ethernets[i];
        assert_int_equal(devices[i].ranges[0].base, expected->base);
        assert_int_equal(devices[i].range_count, expected->ranges);
        assert_int_equal(devices[i].interrupt_count, 1 + (expected->interrupts[1] != 0));
        assert_int_equal(devices[i].interrupts[0], expected->interrupts[0]);
        assert_int_equal(devices[i].interrupts[1], expected->interrupts[1]);
    }
}

static void finds_console_and_ethernet(void **state)
{
    const struct board *board = *state;
    size_t length = read_file(trees, board->name, ".dtb", tree, sizeof tree);
    assert_int_equal(fdt_check_full(tree, length), 0);
    check_console(board);
    check_ethernet(board);
}

/* A tree that was added has its line in the table. */
static void no_tree_is_left_out(void **state)
{
    uint32_t count = 0;
    DIR *folder = opendir(trees);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        const char *suffix = strrchr(entry->d_name, '.');
        count += suffix != NULL && strcmp(suffix, ".dtb") == 0;
    }
    closedir(folder);
    assert_int_equal(count, sizeof boards / sizeof boards[0]);
}

int main(int argc, char **argv)
{
    enum { COUNT = sizeof boards / sizeof boards[0] };
    struct CMUnitTest tests[COUNT + 1] = {[COUNT] = cmocka_unit_test(no_tree_is_left_out)};
    if (argc != 3) {
        fprintf(stderr, "usage: %s TREES PROJECT\n", argv[0]);
        return 2;
    }
    trees = argv[1];
    project = argv[2];
    for (size_t i = 0; i < COUNT; i++) {
        tests[i] = (struct CMUnitTest){boards[i].name, finds_console_and_ethernet, NULL, NULL,
                                       (void *)(uintptr_t)&boards[i]};
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
