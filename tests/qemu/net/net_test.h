/* SPDX-License-Identifier: BSD-2-Clause */
/* What the parts of test-net share. */
#ifndef NET_TEST_H
#define NET_TEST_H

#include <string.h>

#include <sk/socket.h>
#include <sk/thread.h>

#include "guest_test.h"

/* A deadline that only a hang reaches, for cases with many connections. */
static inline uint64_t net_deadline(void)
{
    return sk_deadline_after(60 * SK_SECOND);
}

/* A session of `sockets`; fails the case and gives NULL when there is none. */
struct sk_net *net_session(uint32_t sockets);

/*
 * A server in a thread and a session of its own: sends back what it receives, on every connection,
 * and ends each when its peer does. Serves until net_echo_stop.
 */
struct net_echo {
    struct sk_thread thread;
    uint16_t port;
    _Atomic uint32_t is_up, stop;
};

bool net_echo_start(struct net_echo *echo, uint16_t port);
void net_echo_stop(struct net_echo *echo);

/* Sends a text over a new connection to the port and expects it back. */
bool net_round_trip(struct sk_net *net, uint16_t port, const char *text);

void run_loopback_cases(void);
void run_many_cases(void);
void run_hostile_cases(void);

#endif
