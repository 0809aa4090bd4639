/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of one clock and reset generator of the JH7110: a provider (<sk/provider.h>) over crg.c.
 * Which one it is says the node's compatible. One thread, no locks, no state.
 */
#include <sk/provider.h>

#include "crg.h"

static struct crg crg;

static status_t enable(void *context, uint32_t id)
{
    return crg_clock_enable(context, id);
}

static status_t rate(void *context, uint32_t id, uint64_t *hz)
{
    return crg_clock_rate(context, id, hz);
}

static status_t set_rate(void *context, uint32_t id, uint64_t *hz)
{
    return crg_clock_set_rate(context, id, hz);
}

static status_t set_parent(void *context, uint32_t id, uint32_t parent)
{
    return crg_clock_set_parent(context, id, parent);
}

static status_t reset(void *context, uint32_t id, bool hold)
{
    return crg_reset(context, id, hold);
}

static const struct sk_provider_ops provider = {.clock_enable = enable,
                                                .clock_rate = rate,
                                                .clock_set_rate = set_rate,
                                                .clock_set_parent = set_parent,
                                                .reset = reset};

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

static status_t message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                        struct sk_reply *reply)
{
    return sk_provider_message(&provider, &crg, client, in, reply);
}

static void disconnect(struct sk_server *server, struct sk_client *client)
{
    sk_provider_disconnect(client);
}

static struct sk_driver driver;

int main(int argc, char **argv)
{
    static const struct sk_driver_ops ops = {
        .init = init, .server = {.message = message, .disconnect = disconnect}};

    return sk_driver_main(&driver, &ops, argc, argv);
}
