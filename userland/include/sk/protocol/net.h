/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Service "net": the contract between the TCP/IP service and programs. Programs use <sk/socket.h>.
 *
 * A session is one connection to the service. Rare things are calls (below). Everything that happens
 * per connection, per request or per byte goes through two memory objects that the service makes in
 * OPEN and both map, with one event for each direction:
 *
 *   control   struct sk_net_control: for every socket a struct sk_net_slot, and two rings of slot
 *             numbers: `to_net` (look at this socket: bytes to send, room to receive, a request) and
 *             `to_program` (look at this socket: bytes, room, a new connection, an error). A slot is
 *             in a ring at most once, by its `named_*` flag, so the rings never overflow.
 *   data      for every slot SK_NET_RX_BYTES of received bytes, then SK_NET_TX_BYTES of bytes to
 *             send. A TCP byte stays in the transmit ring until the peer has acknowledged it.
 *
 * Taking a slot number out of a ring: clear the flag, full fence, then look at the slot. Putting one
 * in: publish what changed, full fence, then exchange the flag with 1; only if it was 0, put it in.
 *
 * A socket's life: the service makes a slot not FREE (listen, connect, UDP, an accepted connection);
 * the program ends it with SK_NET_REQUEST_CLOSE or _ABORT and touches it no more; the service makes
 * it FREE, with the next generation, when the last byte is acknowledged, and nothing is told.
 *
 * UDP: each datagram is a struct sk_net_datagram and its bytes, padded to 16; a ring holds whole
 * ones only.
 *
 * Both sides validate everything they read from the other's fields (<sk/ring.h>). A program that
 * writes nonsense loses its session, nothing more.
 */
#ifndef SK_PROTOCOL_NET_H
#define SK_PROTOCOL_NET_H

#include <assert.h>
#include <sk/ring.h>
#include <skerry/types.h>

#define SK_NET_RX_BYTES 32768u /* per slot; the TCP receive window */
#define SK_NET_TX_BYTES 65536u
#define SK_NET_SLOTS_MAX 256u
#define SK_NET_NAME_MAX 255u
#define SK_NET_LOW_PORT 1024u /* below: needs the grant "low-ports" */

enum sk_net_op {
    SK_NET_OP_OPEN = 1, /* sk_net_open_request -> sk_net_open_reply + 4 handles: control, data,
                           event to the service, event to the program. Once (BAD_STATE). */
    SK_NET_OP_LISTEN,   /* sk_net_socket_request -> sk_net_socket_reply */
    SK_NET_OP_CONNECT,  /* sk_net_socket_request -> sk_net_socket_reply; CONNECTING at first */
    SK_NET_OP_UDP,      /* sk_net_socket_request -> sk_net_socket_reply */
    SK_NET_OP_RESOLVE,  /* sk_net_resolve_request -> sk_net_resolve_reply */
    SK_NET_OP_INFO,     /* op only -> sk_net_info_reply */
    SK_NET_OP_TIME,     /* op only -> sk_net_time_reply; NOT_FOUND: not known (yet) */
    SK_NET_OP_JOIN,     /* sk_net_group_request -> status only */
    SK_NET_OP_LEAVE,    /* likewise */
    SK_NET_OP_LOST, /* sk_net_lost_request, a message: connections of a session whose service died.
                           Their peers are told, which else might wait for ever. */
};

struct sk_net_address {
    uint8_t ip[4]; /* 0.0.0.0: any */
    uint16_t port; /* host byte order; 0: any */
    uint16_t reserved;
};

struct sk_net_request {
    uint64_t op;
};

struct sk_net_open_request {
    uint64_t op;
    uint32_t slots; /* 1..SK_NET_SLOTS_MAX */
    uint32_t reserved;
};

struct sk_net_open_reply {
    int64_t status; /* INVALID_ARGS, BAD_STATE, BUSY (too many sessions, or no memory) */
    uint32_t slots; /* granted: 1 to what was asked, as the service's memory allows */
    uint32_t reserved;
};

/*
 * LISTEN: `address` is the local one; errors ADDRESS_IN_USE, NOT_ALLOWED (low port), UNREACHABLE (not
 * an address of ours), BUSY (out of sockets), BAD_STATE (not open).
 * CONNECT: the remote one; UNREACHABLE (no route), BUSY, INVALID_ARGS. UDP: the local one.
 */
struct sk_net_socket_request {
    uint64_t op;
    struct sk_net_address address;
    uint32_t backlog; /* LISTEN: connections not yet looked at, 1..255 */
    uint32_t reserved;
};

struct sk_net_socket_reply {
    int64_t status;
    uint32_t slot;
    uint32_t generation;
};

/* Memberships of all sockets of a session. */
#define SK_NET_GROUPS_MAX 8u

/*
 * JOIN: an open UDP socket receives what is sent to the group at its port, if it is bound to any address. It ends
 * with the socket or LEAVE. INVALID_ARGS (no UDP socket of this generation, not a group's address, that of all
 * hosts), EXISTS, BUSY (SK_NET_GROUPS_MAX, or too many groups of all sessions), UNREACHABLE (no network
 * device). LEAVE: NOT_FOUND.
 */
struct sk_net_group_request {
    uint64_t op;
    uint32_t slot, generation;
    uint8_t ip[4]; /* 224.0.0.2 to 239.255.255.255 */
    uint32_t reserved;
};

struct sk_net_pair {
    struct sk_net_address local, remote;
};

#define SK_NET_LOST_MAX 255u /* in one message */

/* Followed by `count` struct sk_net_pair. */
struct sk_net_lost_request {
    uint64_t op;
    uint32_t count;
    uint32_t reserved;
};

struct sk_net_resolve_request {
    uint64_t op;
    uint32_t length; /* of name */
    char name[SK_NET_NAME_MAX + 1];
};

struct sk_net_resolve_reply {
    int64_t status; /* NOT_FOUND, TIMED_OUT, UNREACHABLE (no DNS server), BUSY */
    uint8_t ip[4];
    uint32_t reserved;
};

struct sk_net_info_reply {
    int64_t status;
    uint8_t mac[6];
    uint8_t link_up;
    uint8_t configured; /* the address is valid */
    uint8_t ip[4];
    uint8_t netmask[4];
    uint8_t gateway[4];
    uint8_t dns[2][4];
    uint32_t mtu; /* 0: no network device */
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped;
    uint32_t sessions, sockets;
    uint32_t tcp_retransmits, reserved;
};

struct sk_net_time_reply {
    int64_t status;
    uint64_t unix_ns;      /* nanoseconds since 1970 UTC ... */
    uint64_t monotonic_ns; /* ... at this moment of the monotonic clock */
};

enum sk_net_state {
    SK_NET_FREE = 0,
    SK_NET_LISTENING,
    SK_NET_CONNECTING,
    SK_NET_OPEN,   /* TCP connected, or UDP */
    SK_NET_FAILED, /* `status` says why; nothing is sent or received any more */
};

enum sk_net_request_flag {
    SK_NET_REQUEST_SHUTDOWN = 1u << 0, /* FIN once everything in the ring is sent */
    SK_NET_REQUEST_CLOSE = 1u << 1,    /* the same, and received bytes are not wanted any more */
    SK_NET_REQUEST_ABORT = 1u << 2,    /* RST now */
};

/* What the program wants to be told of; the service clears a bit when it tells. */
enum sk_net_want_flag {
    SK_NET_WANT_ROOM = 1u << 0,    /* half of the transmit ring is free */
    SK_NET_WANT_DRAINED = 1u << 1, /* all of it is: everything was acknowledged */
};

struct sk_net_slot {
    /* Written by the service. */
    _Alignas(64) _Atomic uint32_t state; /* enum sk_net_state; stored last, with release */
    uint32_t generation;                 /* counts the slot's sockets */
    uint32_t parent;                     /* accepted: slot of the listener; else the slot itself */
    int32_t status;                      /* FAILED */
    struct sk_net_address local, remote;
    _Atomic uint32_t rx_end; /* 1: the peer's FIN came; the bytes up to rx.head are the last */
    /* Written by the program. */
    _Alignas(64) _Atomic uint32_t requests; /* enum sk_net_request_flag; zeroed by the service */
    _Atomic uint32_t wants;                 /* enum sk_net_want_flag; set, full fence, look again */
    /* Set by the side that puts the slot in the ring, cleared by the side that takes it. */
    _Alignas(64) _Atomic uint32_t named_to_net;
    _Atomic uint32_t named_to_program;
    struct sk_ring_shared rx, tx;
};

struct sk_net_control {
    struct sk_sleeper net_sleeps, program_sleeps;
    struct sk_ring_shared to_net, to_program;
    _Alignas(64) uint16_t to_net_slots[SK_NET_SLOTS_MAX];
    _Alignas(64) uint16_t to_program_slots[SK_NET_SLOTS_MAX];
    struct sk_net_slot slots[]; /* as many as OPEN replied */
};

struct sk_net_datagram {
    struct sk_net_address address; /* received: from; to send: to */
    uint32_t length;               /* bytes that follow */
    uint32_t reserved;
};

_Static_assert(sizeof(struct sk_net_address) == 8, "ABI layout");
_Static_assert(sizeof(struct sk_net_datagram) == 16, "ABI layout");
_Static_assert(sizeof(struct sk_net_slot) == 448, "ABI layout");
_Static_assert((SK_NET_SLOTS_MAX & (SK_NET_SLOTS_MAX - 1)) == 0, "rings are powers of two");

static inline uint64_t sk_net_control_bytes(uint32_t slots)
{
    return (sizeof(struct sk_net_control) + slots * sizeof(struct sk_net_slot) + 4095) & ~4095ull;
}

static inline uint64_t sk_net_data_bytes(uint32_t slots)
{
    return (uint64_t)slots * (SK_NET_RX_BYTES + SK_NET_TX_BYTES);
}

static inline uint64_t sk_net_rx_offset(uint32_t slot)
{
    return (uint64_t)slot * (SK_NET_RX_BYTES + SK_NET_TX_BYTES);
}

static inline uint64_t sk_net_tx_offset(uint32_t slot)
{
    return sk_net_rx_offset(slot) + SK_NET_RX_BYTES;
}

#endif
