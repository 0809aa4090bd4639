/* SPDX-License-Identifier: BSD-2-Clause */
/* A driver that is a provider and nothing else: its one process, server and main. */
#include <sk/provider.h>

static struct sk_driver driver;
static const struct sk_provider_ops *provider;
static void *provider_context;

static status_t message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                        struct sk_reply *reply)
{
    return sk_provider_message(provider, provider_context, client, in, reply);
}

static void disconnect(struct sk_server *server, struct sk_client *client)
{
    sk_provider_disconnect(client);
}

int sk_provider_main(const struct sk_provider_ops *ops, void *context,
                     status_t (*init)(struct sk_driver *driver), int argc, char **argv)
{
    const struct sk_driver_ops driver_ops = {
        .init = init, .server = {.message = message, .disconnect = disconnect}};

    provider = ops;
    provider_context = context;
    return sk_driver_main(&driver, &driver_ops, argc, argv);
}
