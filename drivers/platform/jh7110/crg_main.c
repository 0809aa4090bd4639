/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of one clock and reset generator of the JH7110: a provider (<sk/provider.h>) over crg.c.
 * Which one it is says the node's compatible. One thread, no locks, no state.
 */
#include <sk/provider.h>

#include "crg.h"

static struct crg crg;

static status_t init(struct sk_driver *driver)
{
    const char *compatible = sk_driver_text(driver, "compatible");

    for (uint32_t i = 0; compatible != NULL && i < crg_map_count; i++) {
        if (strcmp(crg_maps[i].compatible, compatible) == 0) {
            crg.map = &crg_maps[i];
        }
    }
    if (crg.map == NULL || driver->range_count != 1 ||
        driver->ranges[0].size < crg.map->status_offset + 4 * ((crg.map->reset_count + 31) / 32)) {
        return SK_NOT_SUPPORTED;
    }
    crg.driver = driver;
    crg.base = driver->ranges[0].base;
    return SK_OK;
}

int main(int argc, char **argv)
{
    return sk_provider_main(&crg_provider, &crg, init, argc, argv);
}
