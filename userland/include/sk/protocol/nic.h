/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Service "nicN": the contract between a network driver and the net service. One client at a time
 * (BUSY); when the client goes the driver resets the device, and the next one starts anew.
 *
 * ATTACH hands the client two memory objects and two events:
 *
 *   pool     packet buffers, memory that the device can reach. The driver never looks into packets,
 *            except that it writes its own header into the headroom. First rx_buffers of
 *            rx_buffer_bytes each, then tx_buffers of tx_buffer_bytes; both are numbered from 0.
 *   rings    struct sk_nic_rings
 *
 * Who owns a receive buffer: the driver; from rx_ready on, the client; from rx_free on, the driver.
 * Who owns a transmit buffer: the client; from tx_submit on, the driver (and the device); from
 * tx_done on, the client. A transmit packet may be several descriptors: all but the last carry
 * SK_NIC_MORE, and they are published together. tx_done gives them back one by one, in any order. A
 * received packet may be several too, as it arrives in buffers that were too small for it.
 *
 * A received packet's first byte lies at an offset of 2 mod 4, at least 2, so that the IP header is
 * aligned.
 *
 * When the client has no transmit buffer left it sets tx_starved; the driver then clears it and wakes
 * the client as soon as some are back. Without it buffers come back unannounced. Likewise the driver
 * sets rx_starved before it sleeps while the device has few buffers to receive into; only then is it
 * woken for buffers that come back.
 *
 * Frames to the device's address and to all are always received, frames to groups only as the client asks:
 * it writes the groups' addresses into `groups`, group_count, sets groups_changed and wakes the driver, which
 * clears that, reads them and sets the device's filter. Frames to other groups may pass too, as far as the
 * filter does not tell them apart; all do where a device has none. At ATTACH there are no groups.
 *
 * Descriptors name a buffer by its number and bytes by offset and length inside it, and both sides
 * check every one. A driver drops a transmit descriptor that is not valid; a client that finds one
 * drops the driver.
 */
#ifndef SK_PROTOCOL_NIC_H
#define SK_PROTOCOL_NIC_H

#include <assert.h>
#include <sk/ring.h>
#include <skerry/types.h>

enum sk_nic_op {
    /* sk_nic_request -> sk_nic_attach_reply + 4 handles: pool, rings, event to the driver, event to
     * the client */
    SK_NIC_OP_ATTACH = 1,
    SK_NIC_OP_INFO = 2, /* sk_nic_request -> sk_nic_info_reply; any client */
};

/* attach_reply.features: what the device does for the client. */
enum sk_nic_feature {
    SK_NIC_TX_CHECKSUM = 1u << 0, /* SK_NIC_NEEDS_CHECKSUM is allowed */
    SK_NIC_RX_CHECKSUM = 1u << 1, /* SK_NIC_CHECKSUM_VALID may be set */
    SK_NIC_TSO4 = 1u << 2,        /* segment_bytes may be set: TCP over IPv4 */
};

/* descriptor.flags */
enum sk_nic_descriptor_flag {
    SK_NIC_MORE = 1u << 0, /* the packet goes on in the next descriptor */
    /* Transmit: sum from checksum_start to the end, store at checksum_start + checksum_offset, which
     * holds the pseudo header's sum. Received: the sender is on this machine and left that out. */
    SK_NIC_NEEDS_CHECKSUM = 1u << 1,
    SK_NIC_CHECKSUM_VALID = 1u << 2, /* received: the device has checked it */
};

struct sk_nic_descriptor {
    uint16_t buffer;
    uint16_t offset; /* of the first byte in the buffer; transmit: at least headroom in the first */
    uint32_t length;
    uint16_t flags;
    uint16_t checksum_start, checksum_offset; /* from the packet's first byte */
    uint16_t segment_bytes; /* 0, or TSO: TCP payload of each packet on the wire */
};

#define SK_NIC_RING_ENTRIES 512u
#define SK_NIC_GROUPS_MAX 64u

struct sk_nic_rings {
    struct sk_sleeper driver_sleeps, client_sleeps;
    struct sk_ring_shared rx_free, tx_submit; /* client to driver: uint16_t, descriptors */
    struct sk_ring_shared rx_ready, tx_done;  /* driver to client: descriptors, uint16_t */
    _Alignas(64) _Atomic uint32_t link_up;    /* written by the driver, then the client is woken */
    _Alignas(64) _Atomic uint32_t tx_starved; /* set by the client, then the driver is woken */
    _Atomic uint32_t groups_changed;          /* likewise; the driver clears it before it reads */
    _Atomic uint32_t group_count;             /* written by the client before that, as is */
    uint8_t groups[SK_NIC_GROUPS_MAX][6];
    _Alignas(64) _Atomic uint32_t rx_starved; /* written by the driver before it sleeps */
    _Alignas(64) uint16_t rx_free_entries[SK_NIC_RING_ENTRIES];
    _Alignas(64) uint16_t tx_done_entries[SK_NIC_RING_ENTRIES];
    _Alignas(64) struct sk_nic_descriptor tx_submit_entries[SK_NIC_RING_ENTRIES];
    _Alignas(64) struct sk_nic_descriptor rx_ready_entries[SK_NIC_RING_ENTRIES];
};

struct sk_nic_request {
    uint64_t op;
};

struct sk_nic_attach_reply {
    int64_t status; /* BUSY (also: no memory), IO_ERROR (the device does not answer) */
    uint8_t mac[6];
    uint16_t mtu;
    uint32_t features;                         /* enum sk_nic_feature */
    uint32_t rx_buffer_bytes, tx_buffer_bytes; /* at most 65536; offsets and lengths stay inside */
    uint32_t rx_buffers, tx_buffers;           /* each at most SK_NIC_RING_ENTRIES */
    uint32_t headroom;    /* bytes before a transmitted packet that the driver may write */
    uint32_t segment_max; /* TSO: longest packet, bytes in all */
    uint32_t reserved;
};

struct sk_nic_info_reply {
    int64_t status;
    uint8_t mac[6];
    uint8_t link_up, attached;
    uint64_t interrupts, rx_packets, tx_packets, rx_dropped, tx_rejected, resets;
};

_Static_assert(sizeof(struct sk_nic_descriptor) == 16, "ABI layout");
_Static_assert(sizeof(struct sk_nic_attach_reply) == 48, "ABI layout");

#endif
