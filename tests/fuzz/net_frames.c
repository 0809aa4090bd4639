/* SPDX-License-Identifier: BSD-2-Clause */
/* See net_world.h. Headers are right, so that what is behind them is looked at, and then some bytes are changed. */
#include "net_world.h"

#include <string.h>

#define ETHERNET 14u
#define IP 20u

enum { ICMP = 1, IGMP = 2, TCP = 6, UDP = 17 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, their_mac[6] = {2, 0, 0, 0, 0, 2};

/* Of the last frames sent: what an answer must repeat. */
static uint8_t sent_tcp[IP + 20], sent_udp[IP + 8 + 64];
static uint32_t sent_tcp_bytes;

void address_make(uint8_t ip[4])
{
    static const uint8_t addresses[8][4] = {{10, 0, 2, 2},   {127, 0, 0, 1}, {10, 0, 2, 15},
                                            {0, 0, 0, 0},    {10, 0, 2, 3},  {224, 0, 0, 5},
                                            {10, 0, 2, 255}, {8, 8, 8, 8}};
    memcpy(ip, addresses[input_byte() % 8], 4);
}

uint16_t port_make(void)
{
    static const uint16_t ports[8] = {1024, 1025, 80, 0, 53, 7000, 1023, UINT16_MAX};
    return ports[input_byte() % 8];
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static uint32_t sum16(const uint8_t *bytes, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < length; i += 2) {
        sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return ~(sum + (sum >> 16));
}

void frame_sent(const uint8_t *frame, size_t length)
{
    if (length < ETHERNET + IP + 8 || frame[12] != 8 || frame[13] != 0 || frame[14] != 0x45) {
        return;
    }
    const uint8_t *ip = frame + ETHERNET;
    uint32_t rest = (uint32_t)length - ETHERNET;
    if (ip[9] == TCP && rest >= sizeof sent_tcp) {
        memcpy(sent_tcp, ip, sizeof sent_tcp);
        sent_tcp_bytes = rest - IP - (ip[IP + 12] >> 4) * 4u;
    } else if (ip[9] == UDP) {
        memcpy(sent_udp, ip, rest < sizeof sent_udp ? rest : sizeof sent_udp);
    }
}

/* The IP header, and Ethernet's, before `length` bytes. */
static size_t finish(uint8_t *frame, uint8_t protocol, const uint8_t from[4], const uint8_t to[4],
                     size_t length)
{
    uint8_t *ip = frame + ETHERNET;
    uint8_t how = input_byte();
    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, their_mac, 6);
    put16(frame + 12, 0x0800);
    memset(ip, 0, IP);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(IP + length));
    if (how >= 240) { /* a fragment */
        put16(ip + 6, (how % 2 != 0 ? 0x2000u : 0) | how / 2 % 8u);
    }
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, from, 4);
    memcpy(ip + 16, to, 4);
    put16(ip + 10, sum16(ip, IP));
    return ETHERNET + IP + length;
}

static size_t make_arp(uint8_t *frame)
{
    uint8_t *arp = frame + ETHERNET;
    memcpy(frame, our_mac, 6);
    memcpy(frame + 6, their_mac, 6);
    put16(frame + 12, 0x0806);
    memcpy(arp, "\0\1\10\0\6\4\0", 7);
    arp[7] = 1 + input_byte() % 2; /* request, reply */
    memcpy(arp + 8, their_mac, 6);
    address_make(arp + 14);
    memcpy(arp + 18, our_mac, 6);
    memcpy(arp + 24, "\12\0\2\17", 4);
    return ETHERNET + 28;
}

static void tcp_header(uint8_t *tcp, uint32_t sequence, uint32_t acknowledged, uint8_t flags)
{
    put32(tcp + 4, sequence);
    put32(tcp + 8, acknowledged);
    tcp[12] = 5 << 4;
    tcp[13] = flags;
    put16(tcp + 14, input_byte() % 8 == 1 ? 0 : 8192);
    put32(tcp + 16, 0);
}

/* To a port that may be a listener's. */
static size_t make_syn(uint8_t *frame)
{
    uint8_t *tcp = frame + ETHERNET + IP;
    put16(tcp, 2000u + input_byte() % 4);
    put16(tcp + 2, port_make());
    tcp_header(tcp, 1000, 0, SYN);
    return finish(frame, TCP, (const uint8_t *)"\12\0\2\2", (const uint8_t *)"\12\0\2\17", 20);
}

/* To the last segment that was sent; mostly as it should be. */
static size_t make_tcp_answer(uint8_t *frame)
{
    static const uint8_t flags[8] = {ACK,       ACK | PSH, ACK | FIN, RST,
                                     SYN | ACK, ACK,       RST | ACK, FIN};
    uint8_t *tcp = frame + ETHERNET + IP, *sent = sent_tcp + IP;
    uint8_t how = input_byte();
    size_t bytes = how % 8 == 1 ? input_byte() : 0;
    bool was_syn = (sent[13] & SYN) != 0, was_fin = (sent[13] & FIN) != 0;
    memcpy(tcp, sent + 2, 2);
    memcpy(tcp + 2, sent, 2);
    tcp_header(tcp, get32(sent + 8) + (how >= 224 ? input_byte() : 0),
               get32(sent + 4) + sent_tcp_bytes + was_syn + was_fin - (how >= 240 ? 1 : 0),
               was_syn && how % 4 != 3 && (sent[13] & ACK) == 0 ? SYN | ACK : flags[how % 8]);
    input_fill(tcp + 20, bytes % 16);
    return finish(frame, TCP, sent_tcp + 16, sent_tcp + 12, 20 + bytes);
}

/* To the last datagram that was sent (of DNS: with its question), or to some port. */
static size_t make_udp(uint8_t *frame)
{
    uint8_t *udp = frame + ETHERNET + IP;
    uint8_t how = input_byte();
    size_t bytes = how % 64;
    memcpy(udp, sent_udp + IP + 2, 2);
    memcpy(udp + 2, sent_udp + IP, 2);
    memcpy(udp + 8, sent_udp + IP + 8, 64);
    if (how % 4 == 0) {
        put16(udp + 2, port_make());
    } else if (how % 4 == 1) { /* an answer: there is an address */
        static const uint8_t record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 2, 77};
        memcpy(udp + 10, "\201\200\0\1\0\1", 6);
        bytes = 12 + 11 + 4 + sizeof record; /* "a.example" */
        memcpy(udp + 8 + 27, record, sizeof record);
    } else {
        input_fill(udp + 8, bytes);
    }
    put16(udp + 4, (uint32_t)(8 + bytes));
    put16(udp + 6, 0);
    bool known = sent_udp[0] != 0;
    return finish(frame, UDP, known ? sent_udp + 16 : (const uint8_t *)"\12\0\2\2",
                  (const uint8_t *)"\12\0\2\17", 8 + bytes);
}

/* An echo, or a query for groups. */
static size_t make_other(uint8_t *frame)
{
    uint8_t *at = frame + ETHERNET + IP;
    bool igmp = input_byte() % 2 != 0;
    memset(at, 0, 16);
    at[0] = igmp ? 0x11 + input_byte() % 8 : input_byte() % 16;
    at[1] = input_byte();
    if (igmp) {
        address_make(at + 4);
    }
    put16(at + 2, sum16(at, igmp ? 8 : 16));
    return finish(frame, igmp ? IGMP : ICMP, (const uint8_t *)"\12\0\2\2",
                  (const uint8_t *)(igmp ? "\340\0\0\1" : "\12\0\2\17"), igmp ? 8 : 16);
}

size_t frame_make(uint8_t frame[FRAME_MAX])
{
    static size_t (*const makers[])(uint8_t * frame) = {make_arp, make_syn,        make_tcp_answer,
                                                        make_udp, make_tcp_answer, make_other};
    uint8_t how = input_byte();
    memset(frame, 0, FRAME_MAX);
    size_t length = makers[how % 6](frame);
    for (uint32_t changes = how >= 240 ? how % 4 : 0; changes > 0; changes--) {
        frame[input_byte() % length] = input_byte();
    }
    return how == 239 ? length % 61 + 1 : length;
}
