/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface's address: DHCP, with the lease renewed by lwIP, or `ip=` from the kernel command
 * line. One thread, no lock.
 * Tests: tests/qemu/net.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/apps/sntp.h>
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/ip4_addr.h>
#include <lwip/prot/dhcp.h>

#include "net.h"

static struct netif *interface; /* NULL without a device */
static struct ipconfig config;
static const char *time_server; /* "ntp=" argument; NULL: what DHCP names */
static ip4_addr_t announced;    /* the address last printed */

bool config_uses_dhcp(void)
{
    return interface != NULL && netif_dhcp_data(interface) != NULL;
}

bool config_dhcp_waits(void)
{
    return config_uses_dhcp() && netif_dhcp_data(interface)->request_timeout > 0;
}

static int prefix_length(const ip4_addr_t *mask)
{
    return __builtin_popcount(ip4_addr_get_u32(mask));
}

/* lwIP: the interface's address changed. */
static void on_status(struct netif *netif)
{
    const ip4_addr_t *ip = netif_ip4_addr(netif);
    char text[IP4ADDR_STRLEN_MAX], gateway[IP4ADDR_STRLEN_MAX], dns[IP4ADDR_STRLEN_MAX];

    if (ip4_addr_eq(ip, &announced)) {
        return;
    }
    announced = *ip;
    if (ip4_addr_isany(ip)) {
        printf("address lost\n");
        return;
    }
    printf("address %s/%d gateway %s dns %s (%s)\n", ip4addr_ntoa_r(ip, text, sizeof text),
           prefix_length(netif_ip4_netmask(netif)),
           ip4addr_ntoa_r(netif_ip4_gw(netif), gateway, sizeof gateway),
           ipaddr_ntoa_r(dns_getserver(0), dns, sizeof dns),
           config.mode == IPCONFIG_STATIC ? "static" : "dhcp");
    clock_start(time_server);
}

static ip4_addr_t to_lwip(const uint8_t ip[4])
{
    ip4_addr_t out;
    IP4_ADDR(&out, ip[0], ip[1], ip[2], ip[3]);
    return out;
}

static void use_static(struct netif *netif)
{
    ip4_addr_t ip = to_lwip(config.ip), mask = to_lwip(config.netmask);
    ip4_addr_t gateway = to_lwip(config.gateway);

    for (uint8_t i = 0; i < 2; i++) {
        ip_addr_t dns = to_lwip(config.dns[i]);
        if (!ip_addr_isany_val(dns)) {
            dns_setserver(i, &dns);
        }
    }
    netif_set_addr(netif, &ip, &mask, &gateway);
}

/* `ip=` is a kernel command line word, which init hands on in the environment; `ntp=` an argument. */
static void read_words(int argc, char **argv)
{
    const char *ip = getenv("ip");

    if (ip != NULL && ipconfig_parse(ip, &config) != SK_OK) {
        printf("cannot read \"ip=%s\", using DHCP\n", ip);
        config = (struct ipconfig){.mode = IPCONFIG_DHCP};
    }
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "ntp=", 4) == 0) {
            time_server = argv[i] + 4;
        }
    }
}

void config_start(struct netif *netif, int argc, char **argv)
{
    static char ntp[IP4ADDR_STRLEN_MAX];

    interface = netif;
    read_words(argc, argv);
    ip4_addr_t ntp_ip = to_lwip(config.ntp);
    if (!ip4_addr_isany_val(ntp_ip)) {
        time_server = ip4addr_ntoa_r(&ntp_ip, ntp, sizeof ntp);
    }
    if (netif == NULL) {
        return;
    }
    if (config.mode == IPCONFIG_OFF) {
        printf("network interface left off (ip=off)\n");
        return;
    }
    netif_set_hostname(netif, config.hostname[0] != '\0' ? config.hostname : "skerry");
    netif_set_status_callback(netif, on_status);
    netif_set_default(netif);
    netif_set_up(netif);
    sntp_servermode_dhcp(1); /* a time server that DHCP names is taken */
    if (config.mode == IPCONFIG_STATIC) {
        use_static(netif);
    } else if (dhcp_start(netif) != ERR_OK) {
        printf("cannot start DHCP\n");
    }
}
