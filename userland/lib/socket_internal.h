/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of the socket library share: struct sk_net and struct sk_socket.
 *
 *   sk_net --owns--> sockets[slot]      one for each slot of the session, made once
 *   ready list:      sockets to report, each at most once
 *   accept queue:    of a listener; connections the program has not taken yet
 */
#ifndef SOCKET_INTERNAL_H
#define SOCKET_INTERNAL_H

#include <sk/socket.h>
#include <string.h>

/* Keys in the session's wait set. */
enum { SOCKET_KEY_EVENT = 1, SOCKET_KEY_ENDPOINT = 2, SOCKET_KEY_WATCHED = 3 };

enum socket_kind { SOCKET_UNUSED = 0, SOCKET_LISTENER, SOCKET_CONNECTION, SOCKET_DATAGRAM };

struct sk_socket {
    struct sk_net *net;
    struct sk_net_slot *shared;
    uint8_t *rx_data, *tx_data;
    struct sk_ring rx, tx;
    void *context;
    struct sk_socket *next_ready;
    struct sk_socket *next_accept;                /* in the listener's accept queue */
    struct sk_socket *first_accept, *last_accept; /* listener */
    uint32_t generation;                          /* of the slot's last socket that we know */
    uint32_t unreported;                          /* bytes consumed since the service was told */
    uint16_t slot;
    uint8_t kind;
    bool is_ready;   /* in the ready list */
    bool unaccepted; /* in an accept queue */
    bool is_shut;    /* sk_tcp_shutdown was called */
};

struct sk_net {
    handle_t endpoint, waitset;
    handle_t event_to_net, event_to_program;
    handle_t watched; /* sk_net_watch */
    struct sk_net_control *control;
    uint8_t *data;
    uint32_t slots;
    struct sk_ring to_net, to_program;
    struct sk_socket *first_ready, *last_ready;
    bool unflushed; /* something was put into to_net since the service was last woken */
    bool dead;      /* the service has gone, or wrote nonsense */
    struct sk_socket sockets[];
};

/* Tells the service, at the next flush, to look at the socket. */
void socket_name(struct sk_socket *socket);

/* Puts the socket into the ready list. */
void socket_make_ready(struct sk_socket *socket);

/* A call that makes a socket: its slot, taken into use as `kind`. Errors of the operation. */
status_t socket_request(struct sk_net *net, uint64_t op, struct sk_net_address address,
                        uint32_t backlog, uint8_t kind, uint64_t deadline,
                        struct sk_socket **socket);

/* A call to the service: request and reply are whole structs, the reply's status first. */
status_t socket_net_call(struct sk_net *net, const void *request, size_t request_length,
                         void *reply, size_t reply_length, uint64_t deadline);

/* Why nothing can be done with the socket: PENDING (connecting), its error, or SK_OK. */
status_t socket_state(const struct sk_socket *socket);

/* Asks to be told of those of the SK_SOCKET_* that the service tells only when asked; look again. */
void socket_ask_for(struct sk_socket *socket, uint32_t events);

/* Waits until the service has something to tell, and takes it in. TIMED_OUT, PEER_CLOSED. */
status_t socket_net_sleep(struct sk_net *net, uint64_t deadline);

/* Bytes out of and into a data ring, across its wrap. Moves no index. */
static inline void socket_copy_out(const struct sk_ring *ring, const uint8_t *data, uint32_t index,
                                   void *to, uint32_t length)
{
    uint32_t first = sk_ring_contiguous(ring, index, length);
    memcpy(to, data + sk_ring_slot(ring, index), first);
    memcpy((uint8_t *)to + first, data, length - first);
}

static inline void socket_copy_in(const struct sk_ring *ring, uint8_t *data, uint32_t index,
                                  const void *from, uint32_t length)
{
    uint32_t first = sk_ring_contiguous(ring, index, length);
    memcpy(data + sk_ring_slot(ring, index), from, first);
    memcpy(data, (const uint8_t *)from + first, length - first);
}

#endif
