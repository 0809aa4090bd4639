/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of packets and connections when the network driver dies, hangs or writes nonsense.
 *
 * lwIP is told nothing: the netif stays as it is, and to send finds no buffers, which TCP takes for a
 * pause. A thread of its own, which touches neither lwIP nor `nic`, waits in "nic0" for the next driver
 * and attaches. Then frames that the old driver had not given back are queued again, and received
 * buffers that lwIP still holds are moved to memory of ours, under the same addresses, so that
 * nothing of the old pool is pinned by a slow connection.
 *
 * A driver hangs if it owes us something at two looks, LOOK apart, and did nothing in between; there
 * are looks only while it owes us something. Everything but search() runs on the service's one thread.
 * Tests: tests/qemu/heal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/priv/tcp_priv.h>
#include <sk/print.h>
#include <sk/service.h>
#include <sk/thread.h>
#include <sk/time.h>

#include "frame.h"
#include "link_internal.h"
#include "net.h"

#define LOOK (1 * SK_SECOND)
#define ATTACH_LIMIT (2 * SK_SECOND)    /* then the driver is taken to hang */
#define USELESS_MAX 5u                  /* drivers in a row that moved no packet, without a pause */
#define PAUSE_FIRST (50 * SK_MS)        /* between attempts to attach; doubled each time ... */
#define PAUSE_MAX (5 * SK_SECOND)       /* ... up to this, about */
#define SEARCH_LIMIT (60 * SK_SECOND)   /* then there will be none */
#define SEARCH_RETRY (100 * SK_MS)      /* when there was no memory to begin one */
#define COMPLAINT_LIMIT (1 * SK_SECOND) /* devmgr waits for nobody */
#define SEARCH_PRIORITY 21u             /* above programs: they may be busy, and wait for this */
#define NEVER SK_DEADLINE_NEVER

static struct {
    struct sk_server *server;
    uint64_t look_due;   /* NEVER: the driver owed us nothing when we last slept */
    uint64_t mark;       /* what it had done when the look was planned */
    uint64_t search_due; /* NEVER: no search waits for memory to begin with */
    uint32_t useless;    /* drivers in a row that moved no packet */

    /* The search. The thread's from its start until it signals `done`. */
    struct sk_thread thread;
    handle_t done;
    enum sk_init_cause blame;
    uint64_t pause;
    status_t status;
    struct link_offer offer;
} heal = {.look_due = NEVER, .search_due = NEVER};

/* --- Pools --- */

void link_pool_free(struct link_pool *pool)
{
    if (pool->memory != NULL) {
        sk_memory_unmap(sk_self_process, (uintptr_t)pool->memory, pool->bytes);
    }
    free(pool->packets);
    free(pool->rx_ours);
    free(pool->tx_ours);
    free(pool->tx_stack);
    free(pool->tx_index);
    free(pool->sent);
    free(pool);
}

/* Copies what lwIP holds into memory of ours. */
static status_t copy_held(const struct link_pool *pool, handle_t *memory)
{
    status_t status = sk_memory_create(sk_self_job, pool->bytes, 0, memory);

    if (status != SK_OK) {
        return status;
    }
    for (uint32_t i = 0; i < pool->rx_buffers && status == SK_OK; i++) {
        uint64_t offset = (uint64_t)i * pool->rx_buffer_bytes;
        if (pool->rx_ours[i]) {
            status = sk_memory_write(*memory, offset, pool->memory + offset, pool->rx_buffer_bytes);
        }
    }
    if (status != SK_OK) {
        sk_handle_close(*memory);
    }
    return status;
}

void link_pool_retire(struct link_pool *pool)
{
    uint64_t address = (uintptr_t)pool->memory;
    uint64_t mapped;
    handle_t memory;

    pool->retired = true;
    if (pool->held == 0) {
        link_pool_free(pool);
        return;
    }
    if (copy_held(pool, &memory) != SK_OK) {
        return; /* too little memory: the old mapping keeps what it needs, and more */
    }
    sk_memory_unmap(sk_self_process, address, pool->bytes);
    status_t status = sk_memory_map(sk_self_process, memory, 0, pool->bytes, address,
                                    SK_PROT_READ | SK_PROT_WRITE | SK_MAP_FIXED, &mapped);
    sk_handle_close(memory);
    if (status != SK_OK) { /* the page tables that it needs were free a moment ago */
        printf("received packets are lost: %s\n", sk_status_words(status));
        abort();
    }
}

/* --- Sending again --- */

/* True if the peer has acknowledged all that the frame says: the device had sent it after all. */
static bool is_acknowledged(const uint8_t *frame, uint32_t length)
{
    struct frame_tcp tcp;

    if (!frame_read_tcp(frame, length, &tcp) || tcp.end == tcp.sequence) {
        return false;
    }
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->local_port == tcp.source_port && pcb->remote_port == tcp.destination_port &&
            ip_addr_get_ip4_u32(&pcb->remote_ip) == tcp.destination_ip) {
            return TCP_SEQ_LEQ(tcp.end, pcb->lastack);
        }
    }
    return false;
}

/* True if the descriptor was the last to name its buffer, and the driver has not given that back. */
static bool is_outstanding(const struct link_pool *pool, uint32_t index)
{
    uint16_t buffer = pool->sent[index % SK_NIC_RING_ENTRIES].buffer;

    return buffer < pool->tx_buffers && !pool->tx_ours[buffer] && pool->tx_index[buffer] == index;
}

/* The packet whose first descriptor is at `index`, over the pool's memory; NULL if the driver has given
 * some of it back, or memory is short: then TCP has to see to it. */
static struct pbuf *unsent_packet(const struct link_pool *pool, uint32_t index)
{
    const uint8_t *tx = pool->memory + (uint64_t)pool->rx_buffers * pool->rx_buffer_bytes;
    struct pbuf *packet = NULL;

    for (bool more = true; more; index++) {
        const struct sk_nic_descriptor *d = &pool->sent[index % SK_NIC_RING_ENTRIES];
        uint32_t pad = packet == NULL ? ETH_PAD_SIZE : 0;
        struct pbuf *piece = is_outstanding(pool, index)
                                 ? pbuf_alloc(PBUF_RAW, (uint16_t)(d->length + pad), PBUF_REF)
                                 : NULL;
        if (piece == NULL) {
            if (packet != NULL) {
                pbuf_free(packet);
            }
            return NULL;
        }
        piece->payload = (void *)(uintptr_t)(tx + (uint64_t)d->buffer * pool->tx_buffer_bytes +
                                             d->offset - pad);
        if (packet == NULL) {
            packet = piece;
        } else {
            pbuf_cat(packet, piece);
        }
        more = (d->flags & SK_NIC_MORE) != 0;
    }
    return packet;
}

/* Queues again what the old driver had not given back, in the old order. */
static void send_again(const struct link_pool *old)
{
    nic.retrying = true; /* before any connection that waits for buffers */
    for (uint32_t i = SK_NIC_RING_ENTRIES; i > 0; i--) {
        uint32_t index = old->tx_end - i;
        bool first = old->sent[index % SK_NIC_RING_ENTRIES].offset != 0;
        struct pbuf *packet = first && is_outstanding(old, index) ? unsent_packet(old, index)
                                                                  : NULL;
        if (packet == NULL) {
            continue;
        }
        const uint8_t *frame = (const uint8_t *)packet->payload + ETH_PAD_SIZE;
        if (!is_acknowledged(frame, packet->len - ETH_PAD_SIZE)) {
            link_output(&nic.netif, packet);
        }
        pbuf_free(packet);
    }
    nic.retrying = false;
}

/* An acknowledgement may have been lost with the driver, and the peer sends it only once: the first
 * segment without one is sent again, which makes the peer say what it has. */
static void probe_peers(void)
{
    struct tcp_pcb *next;

    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = next) {
        next = pcb->next;
        if (pcb->unacked != NULL && tcp_rexmit(pcb) == ERR_OK) {
            tcp_output(pcb);
        }
    }
}

/* --- Looking for the next driver --- */

static void complain(enum sk_init_cause cause)
{
    struct sk_devmgr_restart request = {
        .operation = SK_DEVMGR_RESTART, .service = "nic0", .cause = cause};
    int64_t answer;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&answer, sizeof answer);
    uint64_t deadline = sk_deadline_after(COMPLAINT_LIMIT);
    handle_t devmgr;

    if (sk_connect("devmgr", deadline, &devmgr) == SK_OK) {
        sk_channel_call(devmgr, &out, &in, deadline);
        sk_handle_close(devmgr);
    }
}

static void search(void *argument)
{
    uint64_t limit = sk_deadline_after(SEARCH_LIMIT);
    uint64_t pause = heal.pause;

    if (heal.blame != SK_CAUSE_NONE) {
        complain(heal.blame);
    }
    for (;;) {
        if (pause != 0) {
            sk_sleep(pause);
        }
        heal.status = link_attach(sk_deadline_after(ATTACH_LIMIT), &heal.offer);
        if (heal.status == SK_OK || heal.status == SK_NOT_FOUND || sk_now() > limit) {
            break;
        }
        if (heal.status == SK_TIMED_OUT) {
            complain(SK_CAUSE_HUNG);
        }
        pause = pause == 0 ? PAUSE_FIRST : pause < PAUSE_MAX ? pause * 2 : pause;
    }
    sk_event_signal(heal.done);
}

static void give_up(status_t status)
{
    printf("no network any more: the driver does not come back: %s\n", sk_status_words(status));
    netif_set_link_down(&nic.netif);
}

static void search_done(struct sk_server *server, handle_t event, uint32_t signals, void *context)
{
    struct link_pool *old = nic.pool;
    uint32_t features = nic.nic.features;

    sk_thread_join(&heal.thread, NEVER);
    sk_server_unwatch(server, heal.done);
    sk_handle_close(heal.done);
    if (heal.status != SK_OK) {
        give_up(heal.status);
        return;
    }
    link_use(&heal.offer);
    if (nic.nic.features == features) {
        send_again(old);
    }
    link_pool_retire(old);
    status_t status = link_watch_driver(server);
    if (status != SK_OK) {
        link_lose(sk_status_words(status), SK_CAUSE_NONE);
        return;
    }
    probe_peers();
    nic.starved = true;
    link_retry();
}

static status_t try_search(void)
{
    status_t status = sk_event_create(sk_self_job, &heal.done);

    if (status != SK_OK) {
        return status;
    }
    status = sk_server_watch(heal.server, heal.done, SK_SIGNAL_EVENT, search_done, NULL);
    if (status == SK_OK) {
        status = sk_thread_start(&heal.thread, search, NULL, 0, SEARCH_PRIORITY);
        if (status != SK_OK) {
            sk_server_unwatch(heal.server, heal.done);
        }
    }
    if (status != SK_OK) {
        sk_handle_close(heal.done);
    }
    return status;
}

/* What it needs may be there in a moment: a driver is not given up for that. */
static void start_search(void)
{
    heal.search_due = try_search() == SK_OK ? NEVER : sk_deadline_after(SEARCH_RETRY);
}

/* --- The driver's end --- */

void link_mourn(void)
{
    struct link_offer last = {.endpoint = nic.endpoint,
                              .to_driver = nic.to_driver,
                              .to_client = nic.to_client,
                              .rings = nic.rings};

    nic.lost = NULL;
    heal.look_due = NEVER;
    nic.pool->tx_end = nic.tx_submit.own;
    bool useful = nic.rx_ready.own != 0 || nic.tx_done.own != 0;
    heal.useless = useful ? 0 : heal.useless + 1;
    sk_server_unwatch(heal.server, nic.to_client);
    sk_server_unwatch(heal.server, nic.endpoint);
    link_offer_drop(&last);
    nic.rings = NULL;
    if (nic.chain != NULL) {
        pbuf_free(nic.chain);
        nic.chain = NULL;
    }
    heal.blame = nic.blame;
    heal.pause = 0;
    for (uint32_t i = USELESS_MAX; i < heal.useless && heal.pause < PAUSE_MAX; i++) {
        heal.pause = heal.pause == 0 ? PAUSE_FIRST : heal.pause * 2;
    }
    start_search();
}

static void on_rings(struct sk_server *server, handle_t handle, uint32_t signals, void *context)
{
    /* The loop looks at the rings before each wait. */
}

static void on_driver_gone(struct sk_server *server, handle_t handle, uint32_t signals,
                           void *context)
{
    link_drain();
    link_lose("its driver has ended", SK_CAUSE_NONE);
}

status_t link_watch_driver(struct sk_server *server)
{
    heal.server = server;
    status_t status = sk_server_watch(server, nic.to_client, SK_SIGNAL_EVENT, on_rings, NULL);
    if (status == SK_OK) {
        status = sk_server_watch(server, nic.endpoint, SK_SIGNAL_PEER_CLOSED, on_driver_gone, NULL);
    }
    return status;
}

/* --- Hangs --- */

static uint32_t taken(void)
{
    return atomic_load_explicit(&nic.tx_submit.shared->tail, memory_order_relaxed);
}

/* Frames lie untaken, or connections wait for buffers that it has. Without a carrier it may be unable. */
static bool owes_something(void)
{
    return nic.up && netif_is_link_up(&nic.netif) &&
           (taken() != nic.tx_submit.own ||
            (nic.starved && nic.pool->tx_count < nic.pool->tx_buffers));
}

static uint64_t work_done(void)
{
    return (uint64_t)taken() << 32 | nic.tx_done.own;
}

uint64_t link_heal_deadline(void)
{
    if (heal.look_due == NEVER && owes_something()) {
        heal.mark = work_done();
        heal.look_due = sk_deadline_after(LOOK);
    }
    return heal.look_due < heal.search_due ? heal.look_due : heal.search_due;
}

void link_heal_run(void)
{
    uint64_t now = sk_now();

    if (heal.search_due <= now) {
        start_search();
    }
    if (heal.look_due > now) {
        return;
    }
    heal.look_due = NEVER;
    if (owes_something() && work_done() == heal.mark) {
        link_lose("its driver hangs", SK_CAUSE_HUNG);
    }
}
