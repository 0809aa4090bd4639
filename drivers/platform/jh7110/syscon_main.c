/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of one block of system registers of the JH7110, over syscon.c. */
#include "syscon.h"

static struct syscon syscon;

static status_t init(struct sk_driver *driver)
{
    const char *compatible = sk_driver_text(driver, "compatible");

    if (driver->range_count != 1 || driver->ranges[0].size < 4 || compatible == NULL) {
        return SK_INVALID_ARGS;
    }
    syscon.base = driver->ranges[0].base;
    syscon.size = driver->ranges[0].size;
    syscon.has_plls = strcmp(compatible, "starfive,jh7110-sys-syscon") == 0;
    return SK_OK;
}

int main(int argc, char **argv)
{
    return sk_provider_main(&syscon_provider, &syscon, init, argc, argv);
}
