/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions that lwIP calls and the net service supplies; u32_t sys_now(void), milliseconds of the
 * monotonic clock, belongs to them too and is declared by lwip/sys.h. All of them are called from the
 * service's one lwIP thread only. Included by arch/cc.h, so before any type of lwIP exists.
 */
#ifndef NET_PORT_LWIP_PORT_H
#define NET_PORT_LWIP_PORT_H

#include <stdint.h>

/* 32 unpredictable bits: DNS identifiers, source ports, DHCP transaction numbers. Never fails. */
uint32_t lwip_port_rand(void);

/*
 * The initial sequence number of a connection, RFC 6528: a clock plus a keyed hash of the four values.
 * Addresses in network byte order, ports in host byte order.
 */
uint32_t lwip_port_isn(uint32_t local_ip, uint16_t local_port, uint32_t remote_ip,
                       uint16_t remote_port);

/* An invariant of lwIP does not hold, so its state cannot be trusted: says so and ends the service. */
__attribute__((noreturn)) void lwip_port_assert(const char *message, const char *file, int line);

/* One debugging line, in printf's form; only with LWIP_DEBUG or stats_display(). */
__attribute__((format(printf, 1, 2))) void lwip_port_diag(const char *format, ...);

/* The time of day from SNTP, seconds and microseconds since 1970 UTC. */
void lwip_port_set_time(uint32_t seconds, uint32_t microseconds);

#endif
