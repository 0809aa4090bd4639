/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads the headers of frames that lwIP made. No state. Tests: tests/host/services/net/test_parts.c.
 */
#include "frame.h"

#include <string.h>

#define ETHERNET_BYTES 14u
#define IP_BYTES_MIN 20u
#define TCP_BYTES_MIN 20u
#define TCP_FIN 1u
#define TCP_SYN 2u
#define PROTOCOL_TCP 6u
#define PROTOCOL_UDP 17u

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

/* The pseudo header's sum (RFC 9293, 3.1), folded, not complemented. */
static uint32_t pseudo_sum(const uint8_t *ip, uint32_t transport_bytes)
{
    uint32_t sum = ip[9] + transport_bytes;

    for (uint32_t i = 12; i < 20; i += 2) {
        sum += get16(ip + i);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

bool frame_prepare_offload(uint8_t *frame, uint32_t length, uint32_t total, uint32_t segment,
                           struct frame_offload *offload)
{
    uint8_t *ip = frame + ETHERNET_BYTES;

    if (length < ETHERNET_BYTES + IP_BYTES_MIN || get16(frame + 12) != 0x0800 ||
        (get16(ip + 6) & 0x3fff) != 0) {
        return false;
    }
    uint32_t header = (ip[0] & 15u) * 4;
    uint32_t start = ETHERNET_BYTES + header;
    bool tcp = ip[9] == PROTOCOL_TCP;
    uint32_t minimum = tcp ? 20 : 8;
    uint32_t ip_total = get16(ip + 2);
    if ((!tcp && ip[9] != PROTOCOL_UDP) || length < start + minimum ||
        ip_total < header + minimum || ETHERNET_BYTES + ip_total > total) {
        return false;
    }
    uint32_t field = tcp ? 16 : 6;
    uint32_t sum = pseudo_sum(ip, ip_total - header);
    frame[start + field] = (uint8_t)(sum >> 8);
    frame[start + field + 1] = (uint8_t)sum;
    offload->checksum_start = (uint16_t)start;
    offload->checksum_offset = (uint16_t)field;
    offload->segment_bytes = 0;
    if (tcp && segment != 0) {
        uint32_t payload = ip_total - header - (frame[start + 12] >> 4) * 4u;
        offload->segment_bytes = payload > segment ? (uint16_t)segment : 0;
    }
    return true;
}

bool frame_read_tcp(const uint8_t *frame, uint32_t length, struct frame_tcp *tcp)
{
    const uint8_t *ip = frame + ETHERNET_BYTES;

    if (length < ETHERNET_BYTES + IP_BYTES_MIN || get16(frame + 12) != 0x0800 ||
        (get16(ip + 6) & 0x3fff) != 0 || ip[9] != PROTOCOL_TCP) {
        return false;
    }
    uint32_t header = (ip[0] & 15u) * 4;
    const uint8_t *segment = ip + header;
    if (length < ETHERNET_BYTES + header + TCP_BYTES_MIN) {
        return false;
    }
    uint32_t headers = header + (segment[12] >> 4) * 4u;
    uint32_t total = get16(ip + 2);
    tcp->source_port = (uint16_t)get16(segment);
    tcp->destination_port = (uint16_t)get16(segment + 2);
    memcpy(&tcp->destination_ip, ip + 16, sizeof tcp->destination_ip);
    tcp->sequence = get16(segment + 4) << 16 | get16(segment + 6);
    tcp->end = tcp->sequence + (total > headers ? total - headers : 0) +
               ((segment[13] & TCP_FIN) != 0) + ((segment[13] & TCP_SYN) != 0);
    return true;
}
