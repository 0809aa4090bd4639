/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names (DNS) and the time of day (SNTP, on machines without a clock). A look-up that must ask a
 * server is a kept reply token, so nobody waits here. One thread, no lock.
 */
#include <stdio.h>
#include <string.h>

#include <lwip/apps/sntp.h>
#include <lwip/dns.h>
#include <sk/service.h>
#include <sk/time.h>

#include "net.h"
#include "session.h"

#define LOOKUPS_MAX 16u
#define LOOKUPS_PER_CLIENT_MAX 4u

struct lookup {
    token_t token; /* SK_TOKEN_NONE: the client has gone, the answer is dropped */
    void *client;
    bool in_use; /* lwIP has it as its argument */
};

static struct lookup lookups[LOOKUPS_MAX];

static struct {
    bool known;
    uint64_t unix_ns, monotonic_ns;
} wall;

static void write_ip(uint8_t out[4], const ip_addr_t *ip)
{
    uint32_t raw = ip_addr_get_ip4_u32(ip);
    memcpy(out, &raw, 4);
}

static void on_found(const char *name, const ip_addr_t *ip, void *arg)
{
    struct lookup *lookup = arg;
    struct sk_net_resolve_reply reply = {.status = ip != NULL ? SK_OK : SK_NOT_FOUND};

    lookup->in_use = false;
    if (lookup->token == SK_TOKEN_NONE) {
        return;
    }
    if (ip == NULL) {
        sk_server_answer_status(lookup->token, SK_NOT_FOUND);
        return;
    }
    write_ip(reply.ip, ip);
    sk_server_answer(lookup->token, &reply, sizeof reply, NULL, 0);
}

/* A free entry, within the client's limit. */
static struct lookup *lookup_alloc(void *client)
{
    struct lookup *found = NULL;
    uint32_t of_client = 0;

    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        if (!lookups[i].in_use) {
            found = &lookups[i];
        } else if (lookups[i].client == client) {
            of_client++;
        }
    }
    return of_client < LOOKUPS_PER_CLIENT_MAX ? found : NULL;
}

status_t resolve_request(const struct sk_net_resolve_request *request, token_t token, void *client,
                         struct sk_net_resolve_reply *reply)
{
    char name[SK_NET_NAME_MAX + 1];
    ip_addr_t ip;

    if (request->length == 0 || request->length > SK_NET_NAME_MAX ||
        memchr(request->name, '\0', request->length) != NULL) {
        return SK_INVALID_ARGS;
    }
    memcpy(name, request->name, request->length);
    name[request->length] = '\0';
    struct lookup *lookup = lookup_alloc(client);
    if (lookup == NULL) {
        return SK_BUSY;
    }
    if (ip_addr_isany(dns_getserver(0)) && strcmp(name, "localhost") != 0) {
        return SK_UNREACHABLE;
    }
    *lookup = (struct lookup){.token = token, .client = client, .in_use = true};
    err_t error = dns_gethostbyname(name, &ip, on_found, lookup);
    if (error == ERR_INPROGRESS) {
        timers_note_dns();
        return SK_PENDING;
    }
    lookup->in_use = false;
    if (error != ERR_OK) {
        return error == ERR_MEM ? SK_BUSY : SK_INVALID_ARGS;
    }
    write_ip(reply->ip, &ip);
    return SK_OK;
}

/* It may still wait, if it was dropped for what it did meanwhile. */
void resolve_forget(void *client)
{
    for (size_t i = 0; i < LOOKUPS_MAX; i++) {
        struct lookup *lookup = &lookups[i];
        if (lookup->in_use && lookup->client == client) {
            sk_server_answer_status(lookup->token, SK_PEER_CLOSED);
            lookup->token = SK_TOKEN_NONE;
            lookup->client = NULL; /* the next client may lie where this one did */
        }
    }
}

/* --- The time of day --- */

void lwip_port_set_time(uint32_t seconds, uint32_t microseconds)
{
    wall.known = true;
    wall.unix_ns = (uint64_t)seconds * SK_SECOND + (uint64_t)microseconds * SK_US;
    wall.monotonic_ns = sk_now();
}

static void on_time_server(const char *name, const ip_addr_t *ip, void *arg)
{
    if (ip == NULL) {
        printf("time server %s not found\n", name);
        return;
    }
    sntp_setserver(0, ip);
    sntp_init();
}

/* True: a clock on this machine knows the date, so nobody has to be asked. */
static bool machine_has_clock(void)
{
    handle_t rtc;

    if (sk_connect("rtc", sk_deadline_after(SK_SECOND), &rtc) != SK_OK) {
        return false;
    }
    sk_handle_close(rtc);
    return true;
}

void clock_start(const char *server)
{
    ip_addr_t ip;

    if (sntp_enabled() || machine_has_clock()) {
        return;
    }
    sntp_setoperatingmode(SNTP_OPMODE_POLL);
    if (server == NULL) {
        if (!ip_addr_isany(sntp_getserver(0))) { /* DHCP has named one */
            sntp_init();
        }
        return;
    }
    err_t error = dns_gethostbyname(server, &ip, on_time_server, NULL);
    if (error == ERR_INPROGRESS) {
        timers_note_dns();
    } else if (error == ERR_OK) {
        on_time_server(server, &ip, NULL);
    }
}

status_t clock_read_wall(struct sk_net_time_reply *reply)
{
    if (!wall.known) {
        return SK_NOT_FOUND;
    }
    reply->unix_ns = wall.unix_ns;
    reply->monotonic_ns = wall.monotonic_ns;
    return SK_OK;
}
