/* SPDX-License-Identifier: BSD-2-Clause */
/* What is put between parts of lwIP (LWIP_HOOK_FILENAME): included by its sources behind all else. */
#ifndef NET_PORT_HOOKS_H
#define NET_PORT_HOOKS_H

#include <lwip/ip4_frag.h>
#include <lwip/pbuf.h>

/*
 * Fragments that wait for the rest are linked by pointers that lwIP writes over their IP headers. Those lie in the
 * driver's memory, and it must not have such pointers to write: so fragments wait in memory of ours.
 */
static inline struct pbuf *hook_ip4_reass(struct pbuf *fragment)
{
    struct pbuf *own = pbuf_clone(PBUF_RAW, PBUF_RAM, fragment);

    pbuf_free(fragment);
    return own != NULL ? ip4_reass(own) : NULL;
}

#define ip4_reass(fragment) hook_ip4_reass(fragment)

#endif
