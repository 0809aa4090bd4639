/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program with a device, for the test of what init keeps across its lives: its first life makes DMA
 * memory and has init keep the grant. Serves "keeper"; answers whether it was given one, and KEEPER_FREE
 * gives it back as after a reset of the device.
 */
#include "keeper.h"

#include <sk/print.h>
#include <sk/server.h>
#include <sk/service.h>

static handle_t grant;
static bool inherited;

static status_t make_grant(void)
{
    handle_t memory, kept;
    uint64_t physical;
    status_t status = sk_resource_create(sk_boot_handle("resource"), SK_RESOURCE_DMA, 0,
                                         (uint64_t)1 << 32, &grant);
    if (status == SK_OK) {
        status = sk_memory_create_dma(grant, sk_self_job, KEEPER_PAGES * SK_PAGE_SIZE, &memory,
                                      &physical);
    }
    if (status == SK_OK) {
        status = sk_handle_duplicate(grant, SK_RIGHT_TRANSFER | SK_RIGHT_DUPLICATE, &kept);
    }
    return status == SK_OK ? sk_keep("grant", kept) : status;
}

static status_t on_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    int64_t *words = (int64_t *)reply->bytes;
    reply->length = 2 * sizeof words[0];
    words[0] = SK_OK;
    words[1] = inherited;
    if (sk_operation(in) == KEEPER_FREE && grant != SK_HANDLE_NONE) {
        sk_handle_close(grant);
        grant = SK_HANDLE_NONE;
        return sk_keep("grant", SK_HANDLE_NONE);
    }
    return SK_OK;
}

int main(void)
{
    static const struct sk_server_ops ops = {.message = on_message};
    static struct sk_server server;
    grant = sk_boot_handle_take("kept:grant");
    inherited = grant != SK_HANDLE_NONE;
    status_t status = inherited ? SK_OK : make_grant();
    if (status == SK_OK) {
        status = sk_server_init(&server, &ops, NULL);
    }
    if (status == SK_OK) {
        status = sk_server_offer(&server, "keeper");
    }
    if (status != SK_OK) {
        sk_die("cannot serve: %s", sk_status_words(status));
    }
    return sk_server_run(&server);
}
