/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clocks, resets, fields and properties that devmgr finds for the drivers of the JH7110, by their own
 * manifests, in the trees of real boards.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <libfdt.h>

#include "match.h"

#define V12A "jh7110-starfive-visionfive-2-v1.2a.linux-6.12"
#define V13B "jh7110-starfive-visionfive-2-v1.3b.linux-6.12"
#define V13B_UBOOT "jh7110-starfive-visionfive-2-v1.3b.u-boot-2025.01"

static const char *trees, *sources;
static char tree[1u << 20];

static size_t read_file(const char *folder, const char *name, char *to, size_t room)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t length = fread(to, 1, room, file);
    fclose(file);
    return length;
}

static void load(const char *name)
{
    char file[128];
    snprintf(file, sizeof file, "%s.dtb", name);
    assert_int_equal(fdt_check_full(tree, read_file(trees, file, tree, sizeof tree)), 0);
}

static struct driver_manifest manifest(const char *path)
{
    struct driver_manifest driver;
    char text[4096], problem[96] = "";
    size_t length = read_file(sources, path, text, sizeof text);
    if (driver_parse(text, length, &driver, problem, sizeof problem) != SK_OK) {
        fail_msg("%s: %s", path, problem);
    }
    return driver;
}

/* The n-th device that the driver is for. */
static struct device find(const struct driver_manifest *driver, uint32_t n)
{
    struct device_walk walk = {.tree = tree};
    struct device device;
    while (device_next(&walk)) {
        if (device_matches(&walk, driver) && n-- == 0) {
            device_describe(&walk, driver, &device);
            return device;
        }
    }
    fail_msg("%s: no such device", driver->name);
    return device;
}

/* "KIND name provider id a b" for each supply, by line. */
static const char *supplies_text(const struct driver_manifest *driver, const struct device *device)
{
    static char text[2048];
    static const char *const kinds[] = {"", "clock", "reset", "field", "parent", "fixed"};
    struct device_supply supplies[MATCH_SUPPLIES_MAX];
    uint32_t count = device_supplies(tree, device, driver, supplies);
    text[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        const struct sk_platform_right *right = &supplies[i].right;
        const char *provider = fdt_get_name(tree, supplies[i].provider, NULL);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s %s %u %u %u\n",
                 kinds[right->kind], supplies[i].name, provider, right->id, right->a, right->b);
    }
    return text;
}

static void property(const struct device *device, const char *name, const char *expected)
{
    char value[MATCH_VALUE_MAX];
    bool found = device_property(tree, device, name, value);
    if (expected == NULL) {
        assert_false(found);
    } else {
        assert_true(found);
        assert_string_equal(value, expected);
    }
}

#define GMAC0_COMMON                                                                               \
    "clock stmmaceth clock-controller@17000000 3 0 0\n"                                            \
    "clock pclk clock-controller@17000000 2 0 0\n"                                                 \
    "clock ptp_ref clock-controller@13020000 109 0 0\n"                                            \
    "clock tx clock-controller@17000000 6 0 0\n"                                                   \
    "clock gtx clock-controller@13020000 111 0 0\n"                                                \
    "reset stmmaceth clock-controller@17000000 0 0 0\n"                                            \
    "reset ahb clock-controller@17000000 1 0 0\n"

#define GMAC1_COMMON                                                                               \
    "clock stmmaceth clock-controller@13020000 98 0 0\n"                                           \
    "clock pclk clock-controller@13020000 97 0 0\n"                                                \
    "clock ptp_ref clock-controller@13020000 102 0 0\n"                                            \
    "clock tx clock-controller@13020000 106 0 0\n"                                                 \
    "clock gtx clock-controller@13020000 107 0 0\n"                                                \
    "reset stmmaceth clock-controller@13020000 66 0 0\n"                                           \
    "reset ahb clock-controller@13020000 67 0 0\n"                                                 \
    "field starfive,syscon syscon@13030000 144 2 3\n"

static void the_ports_of_v13b(void **state)
{
    struct driver_manifest gmac = manifest("drivers/net/dwmac/net-dwmac.driver");
    load(V13B);
    struct device port = find(&gmac, 0);
    assert_int_equal(port.ranges[0].base, 0x16030000);
    assert_int_equal(port.ranges[0].size, 0x10000);
    assert_int_equal(port.interrupt_count, 1);
    assert_int_equal(port.interrupts[0], 7);
    assert_string_equal(supplies_text(&gmac, &port),
                        GMAC0_COMMON "field starfive,syscon syscon@17010000 12 18 3\n"
                                     "parent  clock-controller@17000000 5 4 0\n");
    property(&port, "phy-mode", "rgmii-id");
    property(&port, "starfive,tx-use-rgmii-clk", "1");
    property(&port, "phy-handle/reg", "0");
    property(&port, "phy-handle/rx-internal-delay-ps", "1500");
    property(&port, "phy-handle/tx-internal-delay-ps", "1500");
    property(&port, "phy-handle/motorcomm,tx-clk-adj-enabled", "1");
    property(&port, "phy-handle/motorcomm,tx-clk-10-inverted", NULL);
    property(&port, "phy-handle/motorcomm,tx-clk-100-inverted", "1");
    property(&port, "phy-handle/motorcomm,tx-clk-1000-inverted", "1");
    property(&port, "phy-handle/motorcomm,rx-clk-drv-microamp", "3970");
    property(&port, "phy-handle/motorcomm,rx-data-drv-microamp", "2910");
    property(&port, "local-mac-address", NULL); /* the firmware adds it */

    port = find(&gmac, 1);
    assert_int_equal(port.ranges[0].base, 0x16040000);
    assert_int_equal(port.interrupts[0], 78);
    assert_string_equal(supplies_text(&gmac, &port),
                        GMAC1_COMMON "parent  clock-controller@13020000 105 101 0\n");
    property(&port, "phy-handle/rx-internal-delay-ps", "300");
    property(&port, "phy-handle/tx-internal-delay-ps", "0");
    property(&port, "phy-handle/motorcomm,tx-clk-1000-inverted", NULL);
}

static void the_ports_of_v12a(void **state)
{
    struct driver_manifest gmac = manifest("drivers/net/dwmac/net-dwmac.driver");
    load(V12A);
    struct device port = find(&gmac, 0);
    assert_string_equal(supplies_text(&gmac, &port),
                        GMAC0_COMMON "field starfive,syscon syscon@17010000 12 18 3\n");
    property(&port, "phy-mode", "rgmii-id");
    property(&port, "starfive,tx-use-rgmii-clk", NULL);
    property(&port, "phy-handle/rx-internal-delay-ps", "1900");
    property(&port, "phy-handle/tx-internal-delay-ps", "1350");
    property(&port, "phy-handle/motorcomm,tx-clk-adj-enabled", NULL);

    port = find(&gmac, 1);
    assert_string_equal(supplies_text(&gmac, &port),
                        GMAC1_COMMON "parent  clock-controller@13020000 105 101 0\n"
                                     "parent  clock-controller@13020000 103 101 0\n");
    property(&port, "phy-mode", "rmii");
    property(&port, "phy-handle/rx-internal-delay-ps", NULL);
}

/* U-Boot's own tree of v1.3b: the same, but for PHY delays that its code patches in. */
static void the_ports_of_u_boots_tree(void **state)
{
    struct driver_manifest gmac = manifest("drivers/net/dwmac/net-dwmac.driver");
    load(V13B_UBOOT);
    struct device port = find(&gmac, 0);
    assert_string_equal(supplies_text(&gmac, &port),
                        GMAC0_COMMON "field starfive,syscon aon_syscon@17010000 12 18 3\n");
}

static void providers_of_the_jh7110(void **state)
{
    struct driver_manifest crg = manifest("drivers/platform/jh7110/crg-jh7110.driver");
    struct driver_manifest syscon = manifest("drivers/platform/jh7110/syscon-jh7110.driver");
    load(V13B);
    assert_true(crg.provider && syscon.provider);
    struct device device = find(&crg, 0);
    assert_int_equal(device.ranges[0].base, 0x13020000);
    assert_string_equal(device_compatible(tree, &device, &crg), "starfive,jh7110-syscrg");
    /* The PLLs are a node in the syscon, without registers of their own. */
    assert_string_equal(supplies_text(&crg, &device),
                        "clock pll0_out syscon@13030000 0 0 0\n"
                        "fixed gmac1_rmii_refin gmac1-rmii-refin-clock 50000000 0 0\n"
                        "fixed gmac1_rgmii_rxin gmac1-rgmii-rxin-clock 125000000 0 0\n");
    device = find(&crg, 1);
    assert_string_equal(device_compatible(tree, &device, &crg), "starfive,jh7110-aoncrg");
    assert_string_equal(supplies_text(&crg, &device),
                        "clock gmac0_gtxclk clock-controller@13020000 108 0 0\n"
                        "fixed gmac0_rmii_refin gmac0-rmii-refin-clock 50000000 0 0\n"
                        "fixed gmac0_rgmii_rxin gmac0-rgmii-rxin-clock 125000000 0 0\n");
    device = find(&syscon, 0);
    assert_int_equal(device.ranges[0].base, 0x13030000);
    assert_int_equal(device.ranges[0].size, 0x1000);
    device = find(&syscon, 1);
    assert_int_equal(device.ranges[0].base, 0x17010000);
    assert_string_equal(supplies_text(&syscon, &device), "");
}

/* --- All drivers there are --- */

/* "PATH DRIVER BASE INTERRUPT" of each device that a driver is started for, in the tree's order. */
static const char *started(const char *name)
{
    static struct driver_manifest drivers[32];
    static char text[4096];
    static const char *const patterns[] = {"drivers/*/*.driver", "drivers/*/*/*.driver"};
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        char pattern[512];
        glob_t found;
        snprintf(pattern, sizeof pattern, "%s/%s", sources, patterns[i]);
        if (glob(pattern, 0, NULL, &found) != 0) {
            continue;
        }
        for (size_t j = 0; j < found.gl_pathc; j++) {
            assert_true(count < 32);
            drivers[count++] = manifest(found.gl_pathv[j] + strlen(sources) + 1);
        }
        globfree(&found);
    }
    load(name);
    text[0] = '\0';
    struct device_walk walk = {.tree = tree};
    while (device_next(&walk)) {
        for (uint32_t i = 0; i < count; i++) {
            struct device device;
            if (!device_matches(&walk, &drivers[i])) {
                continue;
            }
            device_describe(&walk, &drivers[i], &device);
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s %s %lx %u\n", device.path,
                     drivers[i].name, (unsigned long)device.ranges[0].base,
                     device.interrupt_count > 0 ? device.interrupts[0] : 0);
            break;
        }
    }
    return text;
}

#define STARTED_BEFORE_PORTS                                                                       \
    "/soc/serial@10000000 uart-ns16550 10000000 32\n"                                              \
    "/soc/clock-controller@13020000 crg-jh7110 13020000 0\n"                                       \
    "/soc/syscon@13030000 syscon-jh7110 13030000 0\n"                                              \
    "/soc/ethernet@16030000 net-dwmac 16030000 7\n"
#define STARTED_SECOND_PORT "/soc/ethernet@16040000 net-dwmac 16040000 78\n"
#define STARTED_BEHIND_PORTS                                                                       \
    "/soc/clock-controller@17000000 crg-jh7110 17000000 0\n"                                       \
    "/soc/syscon@17010000 syscon-jh7110 17010000 0\n"

static void the_right_drivers_start(void **state)
{
    static const char both[] = STARTED_BEFORE_PORTS STARTED_SECOND_PORT STARTED_BEHIND_PORTS;
    assert_string_equal(started(V12A), both);
    assert_string_equal(started(V13B), both);
    assert_string_equal(started("jh7110-pine64-star64.linux-6.12"), both);
    /* The Mars has one port. */
    assert_string_equal(started("jh7110-milkv-mars.linux-6.12"),
                        STARTED_BEFORE_PORTS STARTED_BEHIND_PORTS);
    /* Another chip's controller of the same maker is none of ours. */
    assert_null(strstr(started("jh7100-starfive-visionfive-v1.linux-6.12"), "dwmac"));
    assert_null(strstr(started("th1520-lichee-pi-4a.linux-6.12"), "dwmac"));
}

/* --- Broken trees --- */

static int gmac_node(void)
{
    return fdt_path_offset(tree, "/soc/ethernet@16040000");
}

static uint32_t count_supplies(const struct driver_manifest *driver)
{
    struct device_supply supplies[MATCH_SUPPLIES_MAX];
    struct device port = find(driver, 1);
    return device_supplies(tree, &port, driver, supplies);
}

static void what_a_tree_does_not_name_is_left_out(void **state)
{
    struct driver_manifest gmac = manifest("drivers/net/dwmac/net-dwmac.driver");
    load(V12A);
    assert_int_equal(count_supplies(&gmac), 10);
    fdt_setprop_inplace_u32(tree, fdt_path_offset(tree, "/soc/clock-controller@13020000"),
                            "#clock-cells", 2);
    assert_int_equal(count_supplies(&gmac), 3); /* no clock or parent: what are their numbers? */
    load(V12A);
    fdt_nop_property(tree, gmac_node(), "clock-names");
    assert_int_equal(count_supplies(&gmac), 5);
    load(V12A);
    fdt_nop_property(tree, fdt_path_offset(tree, "/soc/clock-controller@13020000"), "phandle");
    assert_int_equal(count_supplies(&gmac), 1);
    load(V12A);
    int length;
    fdt32_t *field = fdt_getprop_w(tree, gmac_node(), "starfive,syscon", &length);
    field[2] = cpu_to_fdt32(30); /* three bits from 30 on */
    assert_int_equal(count_supplies(&gmac), 9);
    fdt32_t *clocks = fdt_getprop_w(tree, gmac_node(), "clocks", &length);
    clocks[2] = 0; /* a hole, and what follows is out of step: never out of bounds */
    count_supplies(&gmac);
    clocks[8] = clocks[0]; /* the last phandle stands where nothing follows but its cell */
    count_supplies(&gmac);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ports_of_v13b),
        cmocka_unit_test(the_ports_of_v12a),
        cmocka_unit_test(the_ports_of_u_boots_tree),
        cmocka_unit_test(providers_of_the_jh7110),
        cmocka_unit_test(the_right_drivers_start),
        cmocka_unit_test(what_a_tree_does_not_name_is_left_out),
    };
    if (argc != 3) {
        return 1;
    }
    trees = argv[1];
    sources = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
