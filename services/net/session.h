/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sessions of programs, their sockets, and lwIP's connections behind them. All of it belongs to the
 * service's one thread. Needs no system call, so that it runs in host tests: session.c is given its
 * memory, and tells of wake-ups by session->wanted.
 *
 *   session --owns--> sockets[slot] --owns--> pcb (TCP, listening or UDP)
 *                     sockets[slot] <--arg--- pcb (lwIP's callbacks)
 *   session --maps--> control and data memory, shared with the program (<sk/protocol/net.h>)
 *
 * A session whose program has gone lives on, `orphaned`, until its last byte is acknowledged.
 */
#ifndef NET_SESSION_H
#define NET_SESSION_H

#include <lwip/tcp.h>
#include <lwip/udp.h>

#include <sk/protocol/net.h>
#include <skerry/status.h>

enum net_kind { NET_UNUSED = 0, NET_LISTENER, NET_TCP, NET_UDP };

struct net_session;

struct net_socket {
    struct net_session *session;
    struct sk_net_slot *shared;
    struct sk_ring rx, tx; /* we produce rx, consume tx */
    uint32_t given;        /* TCP: position in tx up to which lwIP has the bytes */
    uint32_t consumed;     /* TCP: position in rx up to which lwIP knows of the reading */
    uint32_t generation;
    uint16_t slot;
    uint16_t next_free; /* in the session's list of free slots */
    uint8_t kind;       /* enum net_kind */
    uint32_t turn;      /* TCP: when it was last given transmit buffers, of those that waited */
    struct net_socket *next_listener;  /* in the session's list of listeners */
    struct net_socket *next_behind;    /* while is_behind */
    struct net_socket *listener;       /* while is_pending_accept */
    uint16_t backlog, pending, parked; /* listener: wanted; is_pending_accept; without a socket */
    bool is_shut;                      /* FIN is wanted, after what is in the ring */
    bool is_closing;        /* the program has closed it; its slot is freed when all is sent */
    bool is_finished;       /* lwIP has been told to send FIN */
    bool is_starved;        /* lwIP had no memory for what is to be sent */
    bool is_behind;         /* it has more to do than went at once: see turns.c */
    bool has_ended;         /* no pcb any more; waits for the program to close it */
    bool is_pending_accept; /* counts against its listener's backlog */
    union {
        struct tcp_pcb *tcp;
        struct udp_pcb *udp;
    };
};

/* A socket's membership in a group. */
struct net_member {
    struct net_socket *socket; /* NULL: none */
    ip4_addr_t group;
};

struct net_session {
    struct net_session *next;
    struct sk_net_control *control;
    uint8_t *data;
    uint32_t slots;
    uint32_t in_use; /* sockets of any kind */
    struct sk_ring to_net, to_program;
    struct net_socket *listeners;
    struct net_socket *behind, **behind_end; /* see turns.c */
    struct net_session *next_behind;         /* while it has sockets that are behind */
    uint32_t at_once;                        /* sockets that may still be served in this look */
    struct net_member members[SK_NET_GROUPS_MAX];
    uint16_t first_free; /* NET_NO_SLOT: none */
    bool may_use_low_ports;
    bool orphaned; /* the program has gone */
    bool broken;   /* the program broke the protocol: to be dropped */
    bool wanted;   /* something was put into to_program since session_flush */
    void *owner;   /* the service's own */
    struct net_socket sockets[];
};

#define NET_NO_SLOT UINT16_MAX

/* --- session.c --- */

/* Bytes of a session with that many slots. */
size_t session_bytes(uint32_t slots);

/* Sets up a session in zeroed memory of session_bytes(), over zeroed shared memory. All borrowed. */
void session_init(struct net_session *session, uint32_t slots, struct sk_net_control *control,
                  uint8_t *data);

/* Looks at every socket that the program named. True: there were some. */
bool session_poll(struct net_session *session);

/* True, once: the program sleeps and must be woken. */
bool session_must_wake(struct net_session *session);

/*
 * The program has gone: what it wrote is still sent, everything else ends. When session->in_use is
 * then 0, now or later, the session's memory can be freed.
 */
void session_orphan(struct net_session *session);

/* Ends everything at once: connections are reset. in_use is 0 afterwards. */
void session_reset(struct net_session *session);

/* A request of the program: see SK_NET_OP_LISTEN, _CONNECT, _UDP. */
status_t session_socket(struct net_session *session, const struct sk_net_socket_request *request,
                        uint32_t *slot);

/* --- For tcp_socket.c and udp_socket.c --- */

/* A free slot, taken; NULL: none. Its shared state stays FREE until socket_publish. */
struct net_socket *socket_alloc(struct net_session *session, uint8_t kind);

/* Makes the state visible to the program. */
void socket_publish(struct net_socket *socket, uint32_t state, const ip_addr_t *local,
                    uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port);

/* The slot is free again. */
void socket_free(struct net_socket *socket);

/* Tells the program to look at the socket. */
void socket_tell(struct net_socket *socket);

/* The socket is FAILED for the program, or free if the program has closed it. Its pcb is gone. */
void socket_fail(struct net_socket *socket, status_t status);

/* After tx.own moved: tells the program if it wants to know. */
void socket_tell_room(struct net_socket *socket);

/* Bytes in the ring that the program wrote and are not yet released; validated, see `broken`. */
uint32_t socket_pending(struct net_socket *socket);

status_t status_of(err_t error);
ip_addr_t address_to_lwip(const struct sk_net_address *address);

/* --- tcp_listener.c --- */

status_t tcp_socket_listen(struct net_session *session, const struct sk_net_address *address,
                           uint32_t backlog, uint32_t *slot);
/*
 * Gives parked connections sockets, as far as there are any; not from within lwIP. A connection is parked
 * when its listener's backlog or its session's sockets are exhausted: the peer is connected and waits.
 */
void tcp_socket_admit(struct net_session *session);
/* The listener ends: parked connections are reset. */
void tcp_listener_forget(struct net_socket *listener);

/* --- tcp_socket.c --- */

/* Makes the pcb the socket's. */
void tcp_socket_attach(struct net_socket *socket, struct tcp_pcb *pcb);
status_t tcp_socket_connect(struct net_session *session, const struct sk_net_address *address,
                            uint32_t *slot);
/* The program named the socket: takes note of what it read, wrote and requested. */
void tcp_socket_serve(struct net_socket *socket, uint32_t requests);
/* Its turn has come. */
void tcp_socket_go_on(struct net_socket *socket);
void tcp_socket_abort(struct net_socket *socket);

/*
 * Lets one connection that found no transmit buffer try again: the one that has waited longest, so that
 * none starves while others are quick. False: none waits.
 */
bool tcp_socket_retry_one(void);

/* How many wire segments lwIP hands the link in one: TCP_SOCKET_BUNDLE_MAX with TSO, else 1. Set by the
 * link. To a peer on this machine there are always as many as its window makes useful. */
#define TCP_SOCKET_BUNDLE_MAX 10u
extern uint32_t tcp_socket_bundle;
/* Sockets that lwIP had no memory for: its timer must run until there are none. */
extern uint32_t tcp_socket_starved;

/* --- udp_socket.c --- */

status_t udp_socket_open(struct net_session *session, const struct sk_net_address *address,
                         uint32_t *slot);
/* See SK_NET_OP_JOIN, _LEAVE. */
status_t udp_socket_join(struct net_session *session, const struct sk_net_group_request *request);
status_t udp_socket_leave(struct net_session *session, const struct sk_net_group_request *request);
/* The program named the socket: sends some of what it wrote. A close waits for the rest. */
void udp_socket_serve(struct net_socket *socket, uint32_t requests);
/* Its turn has come. */
void udp_socket_go_on(struct net_socket *socket);
/* Closes it at once, or when its program has gone: after some more of what was written. */
void udp_socket_close(struct net_socket *socket);
void udp_socket_end(struct net_socket *socket);

/*
 * --- turns.c ---
 * Datagrams, and bytes to a peer on this machine, cost a program next to nothing and the service much. So of a
 * session one such socket is served at once, a little; what more there is to do waits its turn.
 */

/* True: the session may have one more socket served at once, and it counts. If not, the socket waits its turn. */
bool turn_at_once(struct net_socket *socket);
void turn_wait(struct net_socket *socket);
/* It waits no more, if it did. */
void turn_forget(struct net_socket *socket);
/* Is anybody behind? And if so: the next has its turn. */
bool turn_waits(void);
void turn_serve(void);

#endif
