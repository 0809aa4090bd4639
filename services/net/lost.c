/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections of the service's former life. Their peers do not know that they have ended, and one that
 * only waits for us would wait for ever. Programs name them when they open a new session; each gets a
 * probe: a bare ACK from nowhere, which a live peer answers with an ACK of its own (RFC 9293 3.10.7.4),
 * and that ACK belongs to no connection here, so that lwIP answers it with a reset that fits.
 *
 * Owns the list. Probes wait until the interface has the address they come from, and are repeated a
 * few times, as the first may be lost while an ARP answer is awaited. One thread, no lock.
 * Tests: tests/qemu/heal/net.py.
 */
#include <string.h>

#include <lwip/priv/tcp_priv.h>

#include "net.h"
#include "session.h"

#define PROBES 4u  /* of one connection */
#define TICKS 120u /* of half a second: without an address for longer, nobody waits any more */

struct lost {
    ip_addr_t local_ip, remote_ip;
    uint16_t local_port, remote_port;
    uint8_t probes, ticks; /* left; 0 ticks: the entry is free */
};

static struct lost list[SK_NET_LOST_MAX];
static uint32_t list_used; /* entries; asked for with every packet */

static struct lost *free_entry(void)
{
    for (size_t i = 0; i < SK_NET_LOST_MAX; i++) {
        if (list[i].ticks == 0) {
            return &list[i];
        }
    }
    return NULL;
}

status_t lost_add(const struct sk_net_lost_request *request, size_t length, bool low_ports)
{
    if (length < sizeof *request || request->count > SK_NET_LOST_MAX ||
        length < sizeof *request + request->count * sizeof(struct sk_net_pair)) {
        return SK_INVALID_ARGS;
    }
    const struct sk_net_pair *pairs = (const struct sk_net_pair *)(request + 1);
    for (uint32_t i = 0; i < request->count; i++) {
        const struct sk_net_pair *pair = &pairs[i];
        bool allowed = pair->local.port >= SK_NET_LOW_PORT || low_ports;
        struct lost *entry = allowed ? free_entry() : NULL;
        if (entry != NULL) {
            *entry = (struct lost){.local_ip = address_to_lwip(&pair->local),
                                   .remote_ip = address_to_lwip(&pair->remote),
                                   .local_port = pair->local.port,
                                   .remote_port = pair->remote.port,
                                   .probes = PROBES,
                                   .ticks = TICKS};
            list_used++;
        }
    }
    return SK_OK;
}

bool lost_waits(void)
{
    return list_used > 0;
}

static bool is_among(const struct lost *lost, const struct tcp_pcb *pcbs)
{
    for (const struct tcp_pcb *pcb = pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->local_port == lost->local_port && pcb->remote_port == lost->remote_port &&
            ip_addr_eq(&pcb->local_ip, &lost->local_ip) &&
            ip_addr_eq(&pcb->remote_ip, &lost->remote_ip)) {
            return true;
        }
    }
    return false;
}

/* tcp_keepalive sends what we want, and wants no more of a pcb than these fields. */
static void probe(const struct lost *lost)
{
    static struct tcp_pcb pcb;

    memset(&pcb, 0, sizeof pcb);
    pcb.local_ip = lost->local_ip;
    pcb.remote_ip = lost->remote_ip;
    pcb.local_port = lost->local_port;
    pcb.remote_port = lost->remote_port;
    pcb.ttl = TCP_TTL;
    pcb.snd_nxt = lwip_port_rand(); /* hardly in the peer's window, and not twice */
    tcp_keepalive(&pcb);
}

void lost_run(void)
{
    const struct netif *netif = link_netif();

    for (size_t i = 0; i < SK_NET_LOST_MAX; i++) {
        struct lost *lost = &list[i];
        if (lost->ticks == 0) {
            continue;
        }
        lost->ticks--;
        if (netif == NULL || is_among(lost, tcp_active_pcbs) || is_among(lost, tcp_tw_pcbs)) {
            lost->ticks = 0; /* nobody outside, or the pair is in use anew */
        } else if (ip_addr_eq(&lost->local_ip, netif_ip_addr4(netif))) {
            probe(lost);
            lost->probes--;
            lost->ticks = lost->probes == 0 ? 0 : lost->ticks;
        }
        list_used -= lost->ticks == 0;
    }
}
