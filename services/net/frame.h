/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device must be told of an outgoing frame whose checksum, or segments, it is to make. */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include <stdbool.h>
#include <stdint.h>

struct frame_offload {
    uint16_t checksum_start, checksum_offset; /* from the frame's first byte */
    uint16_t segment_bytes;                   /* 0: one packet */
};

/*
 * Looks at a frame of `total` bytes, the first `length` of which are at `frame`. True for an
 * unfragmented TCP or UDP packet over IPv4: its checksum field is set to the pseudo header's sum, and
 * *offload is filled in. TCP with more than `segment` bytes of payload (0: no limit) is to be cut.
 */
bool frame_prepare_offload(uint8_t *frame, uint32_t length, uint32_t total, uint32_t segment,
                           struct frame_offload *offload);

/* A TCP segment's place in its connection, in host order. */
struct frame_tcp {
    uint16_t source_port, destination_port;
    uint32_t destination_ip; /* in network order, as lwIP has it */
    uint32_t sequence, end;  /* `end` is after its payload, SYN and FIN included */
};

/* Reads the headers of an outgoing frame of which `length` bytes are at `frame`. False: not TCP. */
bool frame_read_tcp(const uint8_t *frame, uint32_t length, struct frame_tcp *tcp);

#endif
