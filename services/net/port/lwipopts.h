/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's configuration: one thread, raw API, IPv4. Only what differs from lwip/opt.h, with the reason.
 * Memory: pools are linked through at start, so each entry below costs real pages; the heap does not
 * until it is used.
 */
#ifndef NET_PORT_LWIPOPTS_H
#define NET_PORT_LWIPOPTS_H

/* --- Shape: one event loop calls everything, no locks, no sockets of lwIP's own. --- */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
/* Timers are the service's own (timers.c): each runs only while it has something to time. */
#define LWIP_TIMERS 1
#define LWIP_TIMERS_CUSTOM 1
#define LWIP_IPV4 1
#define LWIP_IPV6 0

/* --- Memory --- */
#define MEM_ALIGNMENT 8
#define MEM_SIZE (1024 * 1024) /* copied data to send, headers, loopback packets */
#define MEMP_NUM_PBUF 1024     /* one for each unacknowledged tcp_write without copying */
#define MEMP_NUM_TCP_PCB 384
#define MEMP_NUM_TCP_PCB_LISTEN 32
#define MEMP_NUM_TCP_SEG 1024
#define MEMP_NUM_UDP_PCB 32
#define MEMP_NUM_RAW_PCB 4
#define MEMP_NUM_IGMP_GROUP 64 /* SK_NIC_GROUPS_MAX; one of them is that of all hosts */
#define MEMP_NUM_REASSDATA 8
#define PBUF_POOL_SIZE 0 /* received packets are custom pbufs over the driver's buffers */
#define LWIP_SUPPORT_CUSTOM_PBUF 1

/* --- Ethernet, ARP, IP --- */
#define ETH_PAD_SIZE 2 /* two bytes before each frame: so headers are aligned, see arch/cc.h */
#define ARP_TABLE_SIZE 32
/* Without it a second datagram replaces the one that waits for the address. */
#define ARP_QUEUEING 1
#define IP_REASS_MAX_PBUFS 32
#define LWIP_HOOK_FILENAME "hooks.h" /* fragments wait in memory of ours */
#define IP_DEFAULT_TTL 64
#define LWIP_RAW 1 /* echo requests of our own */
#define LWIP_IGMP 1

/* --- Checksums: a driver that has them done by the device switches them off for its netif. --- */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM_ALGORITHM 3

/* --- TCP --- */
#define TCP_MSS 1460
#define LWIP_WND_SCALE 1
/* The window is a socket's receive ring (sk/protocol/net.h) and needs no scale; peers' may. */
#define TCP_RCV_SCALE 0
#define TCP_WND 32768
#define TCP_SND_BUF 65536 /* a socket's transmit ring */
#define TCP_SND_QUEUELEN 256
#define LWIP_TCP_SACK_OUT 1
/* Segments out of order hold the driver's packets: bound what one connection can pin. */
#define TCP_OOSEQ_MAX_PBUFS 64
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 255
/* Twice this may pass in LAST_ACK between two segments: longer than a time-out that has backed off, or
 * data is lost. TIME_WAIT is shorter than that, see timers.c. */
#define TCP_MSL 15000UL
#define LWIP_TCP_KEEPALIVE 1
#define SO_REUSE 1
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port)                            \
    lwip_port_isn(ip_2_ip4(local_ip)->addr, local_port, ip_2_ip4(remote_ip)->addr, remote_port)

/* --- Loopback: a whole window may wait, several packets at a time. --- */
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_HAVE_LOOPIF 1
#define LWIP_LOOPBACK_MAX_PBUFS 256

/* --- Netif events --- */
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LINK_CALLBACK 1

/* --- DHCP, DNS, SNTP --- */
#define LWIP_DHCP 1
/* Probing the address before use delays it by seconds on every boot. */
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_DNS 1
#define DNS_MAX_SERVERS 2
#define LWIP_DHCP_MAX_DNS_SERVERS DNS_MAX_SERVERS /* more would overrun, they must be equal */
#define DNS_TABLE_SIZE 8
#define LWIP_DHCP_GET_NTP_SRV 1
#define LWIP_DHCP_MAX_NTP_SERVERS 2
#define SNTP_SERVER_DNS 1
#define SNTP_CHECK_RESPONSE 1
#define SNTP_STARTUP_DELAY 0
#define SNTP_SET_SYSTEM_TIME_US(seconds, microseconds) lwip_port_set_time(seconds, microseconds)

/* --- Counters, 32 bits each, read by the net service; no printing of lwIP's own. --- */
#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1
#define LWIP_STATS_DISPLAY 0

#endif
