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

static status_t message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                        struct sk_reply *reply)
{
    return sk_provider_message(&syscon_provider, &syscon, client, in, reply);
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
