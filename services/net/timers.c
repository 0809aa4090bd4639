/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's timers. Each runs only while it has something to time, so that an idle machine is not woken,
 * open connections or not: packets, requests and our own beginnings (`active`) start a timer; when it
 * has run and finds nothing left to time, it stops until the next of them.
 * One thread, no lock. Tests: the idle case of tests/qemu/net.
 */
#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/igmp.h>
#include <lwip/ip4_frag.h>
#include <lwip/memp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <sk/time.h>

#include "net.h"
#include "session.h"

#define NEVER SK_DEADLINE_NEVER

/* After an ARP request: lwIP gives up on an address after 5 s. */
#define ARP_SECONDS 6u
/* After a look-up began: 4 tries at up to two servers, with growing pauses. */
#define DNS_SECONDS 30u
/* An ARP table forgotten for longer has aged out altogether; that many seconds are caught up. */
#define ARP_CATCH_UP_SECONDS 310u
#define TIME_WAIT_TICKS 4u /* of 500 ms */
#define ONE_SHOTS 4u

struct timer {
    void (*handler)(void);
    uint64_t interval;          /* nanoseconds */
    bool (*started)(void);      /* cheap: might there be something to time? */
    bool (*still_needed)(void); /* exact, asked after it ran */
    uint64_t due;
};

static uint64_t arp_until, arp_last, dns_until;

static bool tcp_any(void)
{
    return tcp_active_pcbs != NULL || tcp_tw_pcbs != NULL;
}

/* True when some connection waits for something: an acknowledgement, an end, its delayed ACK. */
static bool tcp_waits(void)
{
    if (tcp_tw_pcbs != NULL || tcp_socket_starved > 0) {
        return true;
    }
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        bool open = pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT;
        if (!open || pcb->unsent != NULL || pcb->unacked != NULL || pcb->ooseq != NULL ||
            pcb->refused_data != NULL || pcb->persist_backoff != 0 ||
            (pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND | TF_NAGLEMEMERR)) != 0) {
            return true;
        }
    }
    return false;
}

/*
 * Connections in TIME_WAIT lie in a list that is walked for every new connection, and in the pool; two
 * seconds of them are enough to answer a lost last ACK on any but the worst of links.
 */
static void tcp_run(void)
{
    tcp_tmr();
    for (struct tcp_pcb *pcb = tcp_tw_pcbs, *next; pcb != NULL; pcb = next) {
        next = pcb->next;
        if (tcp_ticks - pcb->tmr > TIME_WAIT_TICKS) {
            tcp_abort(pcb); /* in this state it frees the pcb, and sends nothing */
        }
    }
}

static bool reassembly_waits(void)
{
    return lwip_stats.memp[MEMP_REASSDATA]->used > 0;
}

static bool arp_started(void)
{
    return arp_until != 0 && (tcp_any() || sk_now() < arp_until);
}

static bool arp_still_needed(void)
{
    return tcp_waits() || sk_now() < arp_until;
}

static void arp_run(void)
{
    uint64_t now = sk_now();
    uint64_t seconds = (now - arp_last) / SK_SECOND;

    arp_last = now;
    for (uint64_t i = 0; i < seconds && i < ARP_CATCH_UP_SECONDS; i++) {
        etharp_tmr();
    }
    if (now >= arp_until) {
        arp_until = 1; /* idle, but there may be entries to age */
    }
}

static bool dns_waits(void)
{
    if (dns_until != 0 && sk_now() >= dns_until) {
        dns_until = 0;
    }
    return dns_until != 0;
}

/* There is a group beside that of all hosts. */
static bool igmp_started(void)
{
    return lwip_stats.memp[MEMP_IGMP_GROUP]->used > 1;
}

/* A report of a group is due. */
static bool igmp_waits(void)
{
    for (const struct igmp_group *g = netif_igmp_data(link_netif()); g != NULL; g = g->next) {
        if (g->timer != 0) {
            return true;
        }
    }
    return false;
}

static struct timer timers[] = {
    {tcp_run, TCP_TMR_INTERVAL *SK_MS, tcp_any, tcp_waits, NEVER},
    {ip_reass_tmr, IP_TMR_INTERVAL *SK_MS, reassembly_waits, reassembly_waits, NEVER},
    {arp_run, ARP_TMR_INTERVAL *SK_MS, arp_started, arp_still_needed, NEVER},
    {dhcp_coarse_tmr, DHCP_COARSE_TIMER_MSECS *SK_MS, config_uses_dhcp, config_uses_dhcp, NEVER},
    {dhcp_fine_tmr, DHCP_FINE_TIMER_MSECS *SK_MS, config_dhcp_waits, config_dhcp_waits, NEVER},
    {dns_tmr, DNS_TMR_INTERVAL *SK_MS, dns_waits, dns_waits, NEVER},
    {igmp_tmr, IGMP_TMR_INTERVAL *SK_MS, igmp_started, igmp_waits, NEVER},
    {lost_run, LOST_INTERVAL_MS *SK_MS, lost_waits, lost_waits, NEVER},
};

#define TIMERS (sizeof timers / sizeof timers[0])

/* lwIP's one-shot timers: SNTP's. */
static struct {
    sys_timeout_handler handler; /* NULL: free */
    void *arg;
    uint64_t due;
} one_shots[ONE_SHOTS];

void sys_timeouts_init(void)
{
    /* Nothing runs before something happens. */
}

void sys_timeout(u32_t milliseconds, sys_timeout_handler handler, void *arg)
{
    for (size_t i = 0; i < ONE_SHOTS; i++) {
        if (one_shots[i].handler == NULL) {
            one_shots[i].handler = handler;
            one_shots[i].arg = arg;
            one_shots[i].due = sk_deadline_after(milliseconds * SK_MS);
            return;
        }
    }
    LWIP_ASSERT("more one-shot timers than there are users", false);
}

void sys_untimeout(sys_timeout_handler handler, void *arg)
{
    for (size_t i = 0; i < ONE_SHOTS; i++) {
        if (one_shots[i].handler == handler && one_shots[i].arg == arg) {
            one_shots[i].handler = NULL;
        }
    }
}

u32_t sys_now(void)
{
    return (u32_t)(sk_now() / SK_MS);
}

void timers_note_arp(void)
{
    uint64_t now = sk_now();

    if (arp_until == 0) {
        arp_last = now;
    }
    arp_until = now + ARP_SECONDS * SK_SECOND;
}

void timers_note_dns(void)
{
    dns_until = sk_deadline_after(DNS_SECONDS * SK_SECOND);
}

uint64_t timers_arm(bool active)
{
    uint64_t next = NEVER;
    uint64_t now = 0; /* read only when a timer starts: not for every request */

    for (size_t i = 0; i < TIMERS; i++) {
        struct timer *timer = &timers[i];
        if (active && timer->due == NEVER && timer->started()) {
            now = now != 0 ? now : sk_now();
            timer->due = now + timer->interval;
        }
        next = timer->due < next ? timer->due : next;
    }
    for (size_t i = 0; i < ONE_SHOTS; i++) {
        if (one_shots[i].handler != NULL && one_shots[i].due < next) {
            next = one_shots[i].due;
        }
    }
    return next;
}

void timers_run(void)
{
    uint64_t now = sk_now();

    for (size_t i = 0; i < TIMERS; i++) {
        struct timer *timer = &timers[i];
        if (timer->due > now) {
            continue;
        }
        timer->handler();
        timer->due = timer->still_needed() ? now + timer->interval : NEVER;
    }
    for (size_t i = 0; i < ONE_SHOTS; i++) {
        if (one_shots[i].handler != NULL && one_shots[i].due <= now) {
            sys_timeout_handler handler = one_shots[i].handler;
            one_shots[i].handler = NULL;
            handler(one_shots[i].arg);
        }
    }
}
