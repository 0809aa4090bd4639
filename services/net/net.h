/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the net service, all on its one thread:
 *
 *   main.c      requests of programs, and the loop
 *   session.c, tcp_*.c, udp_socket.c   programs' sockets (session.h)
 *   turns.c     who has more to do than goes at once
 *   link.c      the network device, as lwIP's netif
 *   config.c    the address: DHCP or ip=; what is said about it
 *   timers.c    lwIP's timers, each only while it has something to time
 *   random.c    unpredictable numbers for lwIP
 *   resolve.c   names and the time of day
 *   lost.c      what became of connections that the service's former life had
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <lwip/netif.h>

#include <sk/protocol/net.h>
#include <sk/server.h>

#include "ipconfig.h"

/* --- link.c --- */

/* Connects to the driver and makes its netif. NOT_FOUND: no device; other errors of the driver. */
status_t link_open(struct sk_server *server, uint64_t deadline);
/* The netif; NULL without a device. */
struct netif *link_netif(void);
/* Takes in what the driver has for us. True: there was something. */
bool link_poll(void);
/* Tells the driver what was handed to it since, if it sleeps. */
void link_flush(void);
/* We are about to sleep, are awake again. True from link_poll in between: do not sleep. */
void link_sleep_begin(void);
void link_sleep_end(void);
/* When link_heal_run is to be called: only while the driver owes us something. It finds drivers that hang. */
uint64_t link_heal_deadline(void);
void link_heal_run(void);
/* Interface and counters, for SK_NET_OP_INFO. */
void link_info(struct sk_net_info_reply *info);

/* --- config.c --- */

/* Takes the interface into use as the `ip=` words say. `netif` may be NULL. */
void config_start(struct netif *netif, int argc, char **argv);
/* DHCP waits for an answer: its fine timer is needed. DHCP is in use at all. */
bool config_dhcp_waits(void);
bool config_uses_dhcp(void);

/* --- timers.c --- */

/* After something happened (`active`): starts the timers that have something to time. Returns when
 * the next one is due. */
uint64_t timers_arm(bool active);
/* Runs what is due. */
void timers_run(void);
/* An ARP request was sent, a DNS query began: their timers are needed for a while. */
void timers_note_arp(void);
void timers_note_dns(void);

/* --- lost.c --- */

/* SK_NET_OP_LOST, `length` bytes of it; pairs with a low port count only with `low_ports`. */
status_t lost_add(const struct sk_net_lost_request *request, size_t length, bool low_ports);
/* Probes are to be sent; to be called every LOST_INTERVAL while lost_waits. */
#define LOST_INTERVAL_MS 500u
bool lost_waits(void);
void lost_run(void);

/* --- random.c --- */

/* Collects entropy: from the service "rng", else from timing and the device tree's seed. */
void random_start(void);

/* --- resolve.c --- */

/* SK_NET_OP_RESOLVE. PENDING: the token is kept and answered later. */
status_t resolve_request(const struct sk_net_resolve_request *request, token_t token, void *client,
                         struct sk_net_resolve_reply *reply);
/* The client has gone, or must: its look-ups end with PEER_CLOSED. */
void resolve_forget(void *client);
/* Begins to ask the time, if this machine has no clock of its own. `server`: a name or address. */
void clock_start(const char *server);
/* SK_NET_OP_TIME. NOT_FOUND: not known. */
status_t clock_read_wall(struct sk_net_time_reply *reply);

#endif
