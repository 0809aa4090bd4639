/* SPDX-License-Identifier: BSD-2-Clause */
/* What is put between parts of lwIP (LWIP_HOOK_FILENAME): included by its sources behind all else. */
#ifndef NET_PORT_HOOKS_H
#define NET_PORT_HOOKS_H

#include <stdbool.h>

#include <lwip/ip4_frag.h>
#include <lwip/pbuf.h>
#include <lwip/priv/tcp_priv.h>

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

/*
 * lwIP answers every bare acknowledgement from beyond its window; if that is closed, the expected one, too (RFC 9293,
 * 3.10.7.4, has that acceptable). When both ends see each other so, each one's answer is the other's reason for one, and
 * the two never stop: on one machine, not even to do something else. So one that tells nothing new is only a sign of life.
 * Not meant: keep-alive probes, which lie before the window, and the duplicates that start a fast retransmission.
 */
static inline err_t hook_tcp_input(struct tcp_pcb *pcb, const struct tcp_hdr *header,
                                   const struct pbuf *payload)
{
    bool is_open = pcb->state >= ESTABLISHED && pcb->state < TIME_WAIT;
    bool is_bare = payload->tot_len == 0 &&
                   (TCPH_FLAGS(header) & (TCP_SYN | TCP_FIN | TCP_RST)) == 0;

    if (!is_open || !is_bare || TCP_SEQ_LT(header->seqno, pcb->rcv_nxt + pcb->rcv_wnd) ||
        TCP_SEQ_GT(header->ackno, pcb->lastack) ||
        (tcpwnd_size_t)SND_WND_SCALE(pcb, header->wnd) > pcb->snd_wnd ||
        (pcb->unacked != NULL && pcb->dupacks < 3)) {
        return ERR_OK;
    }
    pcb->tmr = tcp_ticks;
    pcb->keep_cnt_sent = 0;
    pcb->persist_probe = 0;
    return ERR_ABRT;
}

#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, length, length1, options2, payload)                \
    hook_tcp_input(pcb, header, payload)

#endif
