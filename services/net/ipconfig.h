/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel command line's `ip=`, in Linux's form:
 *
 *   ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1:NTP0
 *   ip=dhcp|on|any|both      ip=off|none
 *
 * Trailing fields may be missing. SERVER and DEVICE are accepted and not used. AUTOCONF off, none or
 * empty with a CLIENT means static; without a NETMASK the address's class tells it, as in Linux.
 */
#ifndef NET_IPCONFIG_H
#define NET_IPCONFIG_H

#include <stdint.h>

#include <skerry/status.h>
#include <skerry/types.h>

enum ipconfig_mode { IPCONFIG_DHCP = 0, IPCONFIG_STATIC, IPCONFIG_OFF };

#define IPCONFIG_HOSTNAME_MAX 32u

struct ipconfig {
    enum ipconfig_mode mode;
    uint8_t ip[4], gateway[4], netmask[4], dns[2][4], ntp[4]; /* 0.0.0.0: not given */
    char hostname[IPCONFIG_HOSTNAME_MAX];                     /* "": not given */
};

/* Reads what follows "ip=". *config is written only on success. BAD_FORMAT. */
status_t ipconfig_parse(const char *text, struct ipconfig *config);

#endif
