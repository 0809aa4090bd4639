/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP and UDP for programs: a session with the net service and its sockets (struct layout of the
 * shared memory: <sk/protocol/net.h>). Reading, writing, accepting, shutting down and closing are
 * operations on shared rings without a system call; listen, connect and resolve are calls.
 *
 * An event loop, any number of sockets in one thread:
 *
 *      sk_net_open(&net, 256, deadline);
 *      sk_tcp_listen(net, sk_net_any(80), 128, deadline, &listener);
 *      while (sk_net_wait(net, deadline, &socket) == SK_OK) {
 *          if (socket == listener) {
 *              while (sk_tcp_accept(listener, &connection) == SK_OK) { ... set its context ... }
 *          } else {
 *              ... sk_tcp_peek / sk_tcp_consume, sk_tcp_reserve / sk_tcp_commit until PENDING ...
 *          }
 *      }
 *
 * Inside another loop (sk/server.h): watch sk_net_event (SK_SIGNAL_EVENT) and sk_net_endpoint
 * (SK_SIGNAL_PEER_CLOSED: the service died), and on either take sockets with sk_net_next until it
 * gives NULL; do so once before the loop starts, too.
 *
 * A simple client: sk_tcp_connect, sk_socket_wait_for(CONNECTED), sk_tcp_write_all, sk_tcp_read_wait,
 * sk_socket_close.
 *
 * A socket is reported by sk_net_next and sk_net_wait when something happened to it (bytes, room after
 * a PENDING write, a new connection, end, error), once per happening: go on until PENDING, or ask
 * sk_socket_events for the state as it is now. Reports never get lost; spurious ones are possible.
 *
 * What was written or consumed, and requests, reach the service when the program next calls
 * sk_net_wait, sk_net_flush or any function that waits, or sk_net_next gives NULL; so the service is
 * woken once for a whole batch. (A service that is awake sees them at once.)
 *
 * A session and its sockets belong to one thread at a time. Nothing here blocks but the functions
 * with a deadline. If the service dies every socket is FAILED with PEER_CLOSED, sk_net_wait returns
 * PEER_CLOSED; close the session and open a new one.
 */
#ifndef SK_SOCKET_H
#define SK_SOCKET_H

#include <stdbool.h>

#include <sk/protocol/net.h>
#include <skerry/status.h>
#include <skerry/types.h>

struct sk_net;    /* a session */
struct sk_socket; /* a TCP connection, a TCP listener or a UDP socket; owned by its session */

/* --- Session --- */

/*
 * Opens a session for at most `sockets` (1..SK_NET_SLOTS_MAX) sockets at once, connections that the
 * service accepted on its behalf included; the service may grant fewer. *net is ours until sk_net_close. Errors: those of
 * sk_connect; INVALID_ARGS, BUSY (the service has too many sessions), NO_MEMORY, OVER_BUDGET.
 */
status_t sk_net_open(struct sk_net **net, uint32_t sockets, uint64_t deadline);

/* How many sockets the session got: as many as asked for, or fewer where memory is short. */
uint32_t sk_net_capacity(const struct sk_net *net);

/* Closes every socket as sk_socket_close does, but of what a UDP socket has not sent only 64 datagrams
 * go out, and the session. NULL is allowed. */
void sk_net_close(struct sk_net *net);

/*
 * Waits until a socket has something to report: SK_OK and *socket (borrowed). TIMED_OUT, PEER_CLOSED
 * (the service died; sockets are FAILED), PENDING (see sk_net_watch).
 */
status_t sk_net_wait(struct sk_net *net, uint64_t deadline, struct sk_socket **socket);

/*
 * The next socket that has something to report, or NULL; never blocks. NULL also tells the service
 * what was done since, and that sk_net_event is being waited for.
 */
struct sk_socket *sk_net_next(struct sk_net *net);

/* Tells the service now what was written, consumed or requested. */
void sk_net_flush(struct sk_net *net);

/*
 * Has sk_net_wait, while it waits, answer init on the control endpoint (sk_control_answer), and return PENDING
 * when init has closed that. Once per session; close the session before the endpoint.
 */
status_t sk_net_watch(struct sk_net *net, handle_t control);

/* For a wait set of the program's own; borrowed. */
handle_t sk_net_event(const struct sk_net *net);
handle_t sk_net_endpoint(const struct sk_net *net);

/* Looks a name up, or reads a dotted address. NOT_FOUND, TIMED_OUT, UNREACHABLE, BUSY, PEER_CLOSED. */
status_t sk_net_resolve(struct sk_net *net, const char *name, uint64_t deadline, uint8_t ip[4]);

/* The interface's state and the stack's counters. */
status_t sk_net_info(struct sk_net *net, uint64_t deadline, struct sk_net_info_reply *info);

/*
 * The time of day as net learnt it from a time server; for machines without the service "rtc". The
 * reply's two times belong to the same moment (sk_wall_clock_set). NOT_FOUND: not known, or not yet.
 */
status_t sk_net_time(struct sk_net *net, uint64_t deadline, struct sk_net_time_reply *time);

/* --- Addresses --- */

static inline struct sk_net_address sk_net_any(uint16_t port)
{
    return (struct sk_net_address){.port = port};
}

static inline struct sk_net_address sk_net_loopback(uint16_t port)
{
    return (struct sk_net_address){.ip = {127, 0, 0, 1}, .port = port};
}

/* "a.b.c.d", nothing else: INVALID_ARGS. No system call. */
status_t sk_net_parse_ip(const char *text, uint8_t ip[4]);

/* --- Any socket --- */

enum sk_socket_event {
    SK_SOCKET_READABLE = 1u << 0,  /* bytes or a datagram are there; listener: a connection */
    SK_SOCKET_WRITABLE = 1u << 1,  /* there is room to write */
    SK_SOCKET_END = 1u << 2,       /* the peer sent FIN; READABLE tells whether bytes are left */
    SK_SOCKET_CONNECTED = 1u << 3, /* connection established */
    SK_SOCKET_FAILED = 1u << 4,    /* sk_socket_status says why */
    SK_SOCKET_DRAINED = 1u << 5,   /* everything written has been acknowledged by the peer */
};

/* The socket's state now. */
uint32_t sk_socket_events(struct sk_socket *socket);

/*
 * Waits until the socket shows one of `events`, or FAILED, or END when READABLE is waited for;
 * *shown (may be NULL) = its state. Reports of other sockets are kept for sk_net_next. TIMED_OUT, PEER_CLOSED.
 */
status_t sk_socket_wait_for(struct sk_socket *socket, uint32_t events, uint64_t deadline,
                            uint32_t *shown);

/*
 * SK_OK; PENDING while connecting; else why it failed: CONNECTION_REFUSED, CONNECTION_RESET, TIMED_OUT,
 * UNREACHABLE, NO_MEMORY, PEER_CLOSED (the service died).
 */
status_t sk_socket_status(struct sk_socket *socket);

/* A pointer of the program's own, NULL at first. */
void sk_socket_set_context(struct sk_socket *socket, void *context);
void *sk_socket_context(const struct sk_socket *socket);

struct sk_net_address sk_socket_local(const struct sk_socket *socket);
struct sk_net_address sk_socket_remote(const struct sk_socket *socket);

/*
 * Closes: what was written is still sent, then FIN; what comes in is dropped. The socket is gone at
 * once and is never reported again. Closing a listener leaves the connections that were accepted
 * with sk_tcp_accept alive, and resets the others.
 */
void sk_socket_close(struct sk_socket *socket);

/* Resets the connection: RST, nothing more is sent. The socket is gone at once. */
void sk_socket_abort(struct sk_socket *socket);

/* --- TCP --- */

/*
 * Listens. `backlog` (1..255): connections made that the program has not accepted yet. ADDRESS_IN_USE,
 * NOT_ALLOWED (a port below 1024 without the grant), UNREACHABLE (no such local address), BUSY.
 */
status_t sk_tcp_listen(struct sk_net *net, struct sk_net_address local, uint32_t backlog,
                       uint64_t deadline, struct sk_socket **listener);

/* The next connection, to be closed by the caller. PENDING: none now. */
status_t sk_tcp_accept(struct sk_socket *listener, struct sk_socket **connection);

/*
 * Starts to connect; sk_socket_status tells how it went, after a report. The deadline is the call's.
 * UNREACHABLE (no route), BUSY (out of sockets or ports), INVALID_ARGS.
 */
status_t sk_tcp_connect(struct sk_net *net, struct sk_net_address remote, uint64_t deadline,
                        struct sk_socket **connection);

/*
 * Reading without a copy: *length bytes in one piece lie at *data and stay there until consumed.
 * SK_OK with *length 0: the peer's FIN, no more bytes. PENDING: nothing now. A failed connection's
 * bytes can still be read; then its error. sk_tcp_available: bytes in all, which may be two pieces.
 */
status_t sk_tcp_peek(struct sk_socket *connection, const void **data, uint32_t *length);
void sk_tcp_consume(struct sk_socket *connection, uint32_t length);
uint32_t sk_tcp_available(struct sk_socket *connection);

/* Reading with a copy, across the wrap: *length bytes, at least 1, 0 = end; PENDING; errors. */
status_t sk_tcp_read(struct sk_socket *connection, void *buffer, uint32_t size, uint32_t *length);

/*
 * Writing without a copy: *room bytes in one piece at *space may be filled and then committed, in
 * whole or in part. PENDING: no room now (a report comes when there is). BAD_STATE after
 * sk_tcp_shutdown; a failed connection's error.
 */
status_t sk_tcp_reserve(struct sk_socket *connection, void **space, uint32_t *room);
void sk_tcp_commit(struct sk_socket *connection, uint32_t length);

/* Writing with a copy: as much as fits, *written at least 1, or PENDING; errors of reserve. */
status_t sk_tcp_write(struct sk_socket *connection, const void *data, uint32_t length,
                      uint32_t *written);

/* FIN after what was written. Reading goes on. */
status_t sk_tcp_shutdown(struct sk_socket *connection);

/* Blocking forms. *length 0 = end of the stream. */
status_t sk_tcp_read_wait(struct sk_socket *connection, void *buffer, uint32_t size,
                          uint64_t deadline, uint32_t *length);
status_t sk_tcp_write_all(struct sk_socket *connection, const void *data, uint32_t length,
                          uint64_t deadline);
/* Connects and waits for it: CONNECTION_REFUSED, TIMED_OUT, ... and then there is no socket. */
status_t sk_tcp_connect_wait(struct sk_net *net, struct sk_net_address remote, uint64_t deadline,
                             struct sk_socket **connection);

/* --- UDP --- */

#define SK_UDP_BYTES_MAX 8192u

/* A UDP socket on a local address; port 0: one is chosen. ADDRESS_IN_USE, NOT_ALLOWED, BUSY. */
status_t sk_udp_open(struct sk_net *net, struct sk_net_address local, uint64_t deadline,
                     struct sk_socket **socket);

/*
 * Joins a multicast group (IGMPv2), and leaves it: the socket, on any address, receives what is sent to the group
 * at its port. Closing it leaves. What this machine sends to a group does not come back to it. INVALID_ARGS (not a
 * group, or 224.0.0.1, which needs none), EXISTS, NOT_FOUND, BUSY (SK_NET_GROUPS_MAX in the session; about 60 in
 * all), UNREACHABLE (no network device).
 */
status_t sk_udp_join(struct sk_socket *socket, const uint8_t group[4], uint64_t deadline);
status_t sk_udp_leave(struct sk_socket *socket, const uint8_t group[4], uint64_t deadline);

/* Sends one datagram. PENDING: no room now; TOO_BIG: more than SK_UDP_BYTES_MAX. May be lost. */
status_t sk_udp_send(struct sk_socket *socket, struct sk_net_address to, const void *data,
                     uint32_t length);

/* Takes one datagram; *length is its own length, and what does not fit in `size` is cut. PENDING. */
status_t sk_udp_receive(struct sk_socket *socket, struct sk_net_address *from, void *buffer,
                        uint32_t size, uint32_t *length);

#endif
