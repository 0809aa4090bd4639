/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for an interface that waits for DHCP, and then for a name: each with the headers that make lwIP look at its
 * options or records, so that only those are fuzzed. Byte 0: DHCP or DNS, and whether its length is told rightly.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/dhcp.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <netif/ethernet.h>

#define HEADERS (20 + 8)
#define FRAME_MAX 1500u
#define DHCP_OPTIONS_AT 240u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct netif netif;
/* Of the last frame out: what an answer must repeat. */
static uint8_t sent_transaction[4];
static uint16_t sent_port;
static uint64_t now;

uint32_t lwip_port_rand(void)
{
    return (uint32_t)rand();
}

uint32_t lwip_port_isn(uint32_t local_ip, uint16_t local_port, uint32_t remote_ip,
                       uint16_t remote_port)
{
    return 1;
}

void lwip_port_assert(const char *message, const char *file, int line)
{
    fprintf(stderr, "lwIP: %s (%s:%d)\n", message, file, line);
    abort();
}

void lwip_port_diag(const char *format, ...) {}

void lwip_port_set_time(uint32_t seconds, uint32_t microseconds) {}

/* No timer runs: what time does is done by hand. */
void sys_timeout(u32_t ms, sys_timeout_handler handler, void *argument) {}

void sys_untimeout(sys_timeout_handler handler, void *argument) {}

void sys_timeouts_init(void) {}

void tcp_timer_needed(void) {}

uint32_t sys_now(void)
{
    return (uint32_t)now;
}

static err_t send_packet(struct netif *from, struct pbuf *p, const ip4_addr_t *to)
{
    uint8_t frame[FRAME_MAX] = {0};
    uint16_t size = pbuf_copy_partial(p, frame, sizeof frame, 0);
    if (size >= HEADERS + 8 && frame[9] == 17) {
        sent_port = (uint16_t)(frame[20] << 8 | frame[21]);
        bool dhcp = sent_port == 68;
        memcpy(sent_transaction, &frame[HEADERS + (dhcp ? 4 : 0)], 4);
    }
    return ERR_OK;
}

/* ARP's; nothing waits for its answers here. */
static err_t send_frame(struct netif *from, struct pbuf *p)
{
    return ERR_OK;
}

static err_t start_netif(struct netif *n)
{
    n->name[0] = 'f';
    n->name[1] = 'z';
    n->mtu = 1500;
    n->hwaddr_len = 6;
    memcpy(n->hwaddr, "\2\0\0\0\0\1", 6);
    n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_LINK_UP;
    n->output = send_packet;
    n->linkoutput = send_frame;
    return ERR_OK;
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* A UDP datagram from `from` to `to`; checksums are left to the device, as with offload: 0 is none in UDP. */
static void give(const uint8_t *payload, size_t size, uint16_t from, uint16_t to)
{
    uint8_t frame[FRAME_MAX] = {0};
    uint8_t *ip = &frame[0], *udp = &frame[20];
    size = size > FRAME_MAX - HEADERS ? FRAME_MAX - HEADERS : size;
    ip[0] = 0x45;
    put16(&ip[2], (uint32_t)(28 + size));
    ip[8] = 64;
    ip[9] = 17;
    memcpy(&ip[12], "\12\0\2\2", 4);
    memcpy(&ip[16],
           ip4_addr_isany_val(*netif_ip4_addr(&netif)) ? "\377\377\377\377"
                                                       : (const char *)netif_ip4_addr(&netif),
           4);
    uint32_t sum = 0;
    for (int i = 0; i < 20; i += 2) {
        sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    put16(&ip[10], ~(sum + (sum >> 16)));
    put16(&udp[0], from);
    put16(&udp[2], to);
    put16(&udp[4], (uint32_t)(8 + size));
    memcpy(&frame[HEADERS], payload, size);
    struct pbuf *p = pbuf_alloc(PBUF_RAW, (uint16_t)(HEADERS + size), PBUF_RAM);
    if (p != NULL) {
        pbuf_take(p, frame, (uint16_t)(HEADERS + size));
        if (netif.input(p, &netif) != ERR_OK) {
            pbuf_free(p);
        }
    }
}

static void fuzz_dhcp(const uint8_t *data, size_t size)
{
    uint8_t answer[FRAME_MAX] = {2, 1, 6, 0};
    static const uint8_t cookie[4] = {99, 130, 83, 99};
    dhcp_start(&netif);
    for (int round = 0; round < 2; round++) { /* an offer, then perhaps an acknowledgement */
        memcpy(&answer[4], sent_transaction, 4);
        memcpy(&answer[16], "\12\0\2\17", 4);
        memcpy(&answer[28], netif.hwaddr, 6);
        memcpy(&answer[236], cookie, 4);
        size_t options = size < FRAME_MAX - HEADERS - DHCP_OPTIONS_AT
                             ? size
                             : FRAME_MAX - HEADERS - DHCP_OPTIONS_AT;
        memcpy(&answer[DHCP_OPTIONS_AT], data, options);
        if (options > 3 && answer[DHCP_OPTIONS_AT] == 53) {
            answer[DHCP_OPTIONS_AT + 2] = round == 0 ? 2 : data[2];
        }
        give(answer, DHCP_OPTIONS_AT + options, 67, 68);
    }
    dhcp_release_and_stop(&netif);
    netif_set_addr(&netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
}

static void found(const char *name, const ip_addr_t *address, void *context) {}

static void fuzz_dns(const uint8_t *data, size_t size)
{
    static unsigned number;
    char name[32];
    ip_addr_t address, server = IPADDR4_INIT_BYTES(10, 0, 2, 2);
    ip4_addr_t own, mask;
    IP4_ADDR(&own, 10, 0, 2, 15);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    netif_set_addr(&netif, &own, &mask, ip_2_ip4(&server));
    dns_setserver(0, &server);
    snprintf(name, sizeof name, "n%u.example", number++ % 100);
    sent_port = 0;
    if (dns_gethostbyname(name, &address, found, NULL) == ERR_INPROGRESS && sent_port != 0) {
        uint8_t answer[FRAME_MAX];
        /* Number, flags, one question and as many answers as the input says; the question; then the input. */
        size_t at = 12;
        memcpy(answer, sent_transaction, 2);
        memcpy(&answer[2], "\201\200\0\1\0\2\0\0\0\0", 10);
        answer[7] = data[0] % 4;
        size_t dot = strcspn(name, ".");
        answer[at++] = (uint8_t)dot;
        memcpy(&answer[at], name, dot);
        at += dot;
        memcpy(&answer[at], "\7example\0\0\1\0\1", 13);
        at += 13;
        size_t rest = size - 1 < FRAME_MAX - HEADERS - at ? size - 1 : FRAME_MAX - HEADERS - at;
        memcpy(&answer[at], data + 1, rest);
        give(answer, at + rest, 53, sent_port);
    }
    for (int i = 0; i < 40; i++) { /* gives up, so that the table has room */
        now += DNS_TMR_INTERVAL;
        dns_tmr();
    }
    netif_set_addr(&netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    if (!started) {
        started = true;
        lwip_init();
        netif_add(&netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4, NULL, start_netif, ip_input);
        netif_set_default(&netif);
        netif_set_up(&netif);
    }
    if (size >= 4) {
        (data[0] % 2 == 0 ? fuzz_dhcp : fuzz_dns)(data + 1, size - 1);
    }
    return 0;
}
