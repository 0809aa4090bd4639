/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that serves clocks, resets or fields to others (<sk/protocol/platform.h>): keeps each
 * line's limit, and calls the driver only for what the line is for.
 */
#ifndef SK_PROVIDER_H
#define SK_PROVIDER_H

#include <sk/driver.h>
#include <sk/protocol/platform.h>

/* NULL: the provider has none of that kind (NOT_SUPPORTED). NOT_FOUND: it does not know `id`. */
struct sk_provider_ops {
    status_t (*clock_enable)(void *context, uint32_t id);
    status_t (*clock_rate)(void *context, uint32_t id, uint64_t *hz);
    status_t (*clock_set_rate)(void *context, uint32_t id, uint64_t *hz);
    status_t (*clock_set_parent)(void *context, uint32_t id, uint32_t parent);
    status_t (*reset)(void *context, uint32_t id, bool hold);
    /* `bits` bits from bit `shift` on of the register at `offset`; it fits one register. */
    status_t (*field_write)(void *context, uint32_t offset, uint32_t shift, uint32_t bits,
                            uint32_t value);
};

/* message() and disconnect() of the server, with the provider's ops and context. */
status_t sk_provider_message(const struct sk_provider_ops *ops, void *context,
                             struct sk_client *client, struct sk_in *in, struct sk_reply *reply);
void sk_provider_disconnect(struct sk_client *client);

/* main() of a driver that is nothing but a provider; init as that of struct sk_driver_ops. */
int sk_provider_main(const struct sk_provider_ops *ops, void *context,
                     status_t (*init)(struct sk_driver *driver), int argc, char **argv);

#endif
