/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The net service in one process and thread with its programs: sk_net_open and the rest of
 * <sk/socket.h> work as in the guest, with lwIP's loopback below. Whenever a program waits, the
 * service's loop runs until the program is woken; when nothing is left to do time passes, in steps
 * of lwIP's 250 ms timer, up to the program's deadline.
 */
#ifndef FAKE_NET_H
#define FAKE_NET_H

#include "session.h"

/* Starts lwIP once, and the virtual clock anew. */
void fake_net_start(void);
/* The service's side of the session that was opened last. */
struct net_session *fake_net_session(void);
/* Sockets in use over all sessions that the service still has, and sessions. */
uint32_t fake_net_sockets(void);
uint32_t fake_net_sessions(void);
/* Runs the service as long as it has something to do; then `ticks` of its timer, each likewise. */
void fake_net_run(uint32_t ticks);
/* Whether the next sessions may bind low ports; how many slots they get at most. */
extern bool fake_net_low_ports;
extern uint32_t fake_net_slots_max;
/* The service is gone: calls and waits say PEER_CLOSED. */
extern bool fake_net_is_dead;
/* Events signalled, both ways. */
extern uint32_t fake_net_signals;

#endif
