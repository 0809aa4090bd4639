/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feeds device trees that libfdt calls well-formed to devmgr: what devices it finds, what their drivers would
 * be told and given. Whatever a tree says, nothing is read outside it, and what comes out holds together.
 */
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "match.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const texts[] = {
    "driver a\nservice a\ncompatible starfive,jh7110-dwmac\ninterrupts 2\nranges 2\n"
    "clocks stmmaceth pclk ptp_ref tx gtx\nresets stmmaceth ahb\nfields starfive,syscon:3\n"
    "properties phy-mode phy-handle/reg phy-handle/rx-internal-delay-ps reg clock-names\n"
    "properties phy-handle/phandle interrupts/reg snps,txpbl starfive,tx-use-rgmii-clk\n",
    "driver b\nprovider\ncompatible starfive,jh7110-syscrg starfive,jh7110-aoncrg\n"
    "clocks osc pll0_out gmac0_gtxclk gmac0_rmii_refin gmac1_rgmii_rxin\n",
    "driver c\nprovider\ncompatible syscon\nfields reg:32\n",
    "driver d\nservice d\ncompatible snps,dw-apb-uart sifive,plic-1.0.0 fixed-clock\n"
    "properties reg-shift clock-frequency interrupt-parent/reg\nclocks baudclk\nresets x\n",
};

#define DRIVERS (sizeof texts / sizeof texts[0])

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_device(struct device_walk *walk, const struct driver_manifest *driver)
{
    struct device device;
    struct device_supply supplies[MATCH_SUPPLIES_MAX];
    char value[MATCH_VALUE_MAX];
    device_describe(walk, driver, &device);
    require(device.range_count <= driver->ranges && device.interrupt_count <= driver->interrupts);
    require(memchr(device.path, 0, sizeof device.path) != NULL);
    for (uint32_t i = 0; i < device.range_count; i++) {
        require(device.ranges[i].size != 0);
    }
    require(device_compatible(walk->tree, &device, driver)[0] != '\0');
    for (uint32_t i = 0; i < driver->property_count; i++) {
        if (device_property(walk->tree, &device, driver->properties[i], value)) {
            require(memchr(value, 0, sizeof value) != NULL && value[0] != '\0');
        }
    }
    uint32_t count = device_supplies(walk->tree, &device, driver, supplies);
    require(count <= MATCH_SUPPLIES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const struct sk_platform_right *right = &supplies[i].right;
        require(memchr(supplies[i].name, 0, sizeof supplies[i].name) != NULL);
        require(fdt_get_name(walk->tree, supplies[i].provider, NULL) != NULL);
        require(supplies[i].provider != device.node);
        require(right->kind != SK_PLATFORM_FIELD || (right->b > 0 && right->a + right->b <= 32));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct driver_manifest drivers[DRIVERS];
    if (drivers[0].name[0] == '\0') {
        for (size_t i = 0; i < DRIVERS; i++) {
            char problem[96];
            require(driver_parse(texts[i], strlen(texts[i]), &drivers[i], problem,
                                 sizeof problem) == SK_OK);
        }
    }
    /* libfdt does not look at the alignment, which it needs (specification, 5.6); the kernel copies. */
    if (size < sizeof(struct fdt_header) || fdt_off_dt_struct(data) % 4 != 0 ||
        fdt_off_mem_rsvmap(data) % 8 != 0 || fdt_check_full(data, size) != 0) {
        return 0;
    }
    struct device_walk walk = {.tree = data};
    while (device_next(&walk)) {
        for (size_t i = 0; i < DRIVERS; i++) {
            if (device_matches(&walk, &drivers[i])) {
                check_device(&walk, &drivers[i]);
            }
        }
    }
    return 0;
}
