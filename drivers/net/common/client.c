/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all network drivers share, which is all but the device: serves "nicN" (<sk/protocol/nic.h>) to
 * one client, over the functions of device.h. Owns the packet pool.
 *
 * Packets move only in before_wait, whatever woke the driver: received ones to the client's ring, the
 * client's to the device, buffers back to where they belong. The device's interrupts are asked for
 * only before a wait, and those of sent packets only when the client has no buffer left.
 * Nothing that the client wrote is believed: a descriptor that is not valid is dropped and counted.
 * One thread, no lock. Tests: tests/qemu/net.
 */
#include <stdio.h>
#include <string.h>

#include <sk/print.h>
#include <sk/service.h>

#include "device.h"

#define ROUNDS_MAX 16 /* then requests get their turn */

static struct {
    struct sk_driver driver;
    struct net_device device;
    struct sk_client *client; /* attached; NULL: nobody */
    struct sk_nic_rings *rings;
    handle_t to_driver, to_client;
    struct sk_ring rx_free, tx_submit, rx_ready, tx_done;
    bool rx_ours[RX_BUFFERS];        /* not with the client */
    bool tx_ours[TX_BUFFERS];        /* not with the client */
    uint16_t tx_next[TX_BUFFERS];    /* next buffer of the same packet */
    uint16_t tx_chained[TX_BUFFERS]; /* buffers of the packet, at its first */
    bool failed;
    bool to_wake; /* the client should hear of what was done */
    struct sk_nic_info_reply counters;
} nic;

/* --- Buffers --- */

static void tx_return(uint16_t buffer)
{
    nic.tx_ours[buffer] = false;
    nic.rings->tx_done_entries[sk_ring_slot(&nic.tx_done, nic.tx_done.own)] = buffer;
    sk_ring_publish(&nic.tx_done, 1); /* never full: it has more entries than there are buffers */
}

static void tx_return_packet(uint16_t first)
{
    uint16_t count = nic.tx_chained[first];

    for (uint16_t buffer = first; count > 0; count--) {
        uint16_t next = nic.tx_next[buffer];
        tx_return(buffer);
        buffer = next;
    }
}

/* The device, started anew; the client keeps its buffers, all others are posted again. */
static void restart_device(void)
{
    nic.counters.resets++;
    sk_server_set_deadline(&nic.driver.server, SK_DEADLINE_POLL); /* device_look comes soon */
    if (device_start(&nic.device) != SK_OK) {
        printf("the device does not start\n");
        device_fail(&nic.device);
        nic.failed = true;
        return;
    }
    if (nic.client == NULL) {
        return; /* without buffers it stays silent */
    }
    for (uint16_t i = 0; i < RX_BUFFERS; i++) {
        if (nic.rx_ours[i]) {
            device_post_rx(&nic.device, i);
        }
    }
    for (uint16_t i = 0; i < TX_BUFFERS; i++) {
        if (nic.tx_ours[i]) {
            tx_return(i); /* lost on the way: TCP sends again */
            nic.to_wake = true;
        }
    }
    device_show_rx(&nic.device);
}

/* A queue is broken. */
static void device_misbehaved(void)
{
    printf("the device broke the rules, starting it anew\n");
    restart_device();
}

/* --- Receiving --- */

/* Takes back the receive buffers that the client is done with. */
static void take_free(void)
{
    uint32_t count = sk_ring_available(&nic.rx_free);

    if (count < RX_BUFFERS / 8 && nic.device.rx_posted >= RX_BUFFERS / 2) {
        return; /* the device has enough for now: a few at a time cost more */
    }
    for (uint32_t i = 0; i < count; i++) {
        uint16_t buffer = nic.rings
                              ->rx_free_entries[sk_ring_slot(&nic.rx_free, nic.rx_free.own + i)];
        if (buffer < RX_BUFFERS && !nic.rx_ours[buffer]) {
            nic.rx_ours[buffer] = true;
            device_post_rx(&nic.device, buffer);
        }
    }
    if (count > 0) {
        sk_ring_release(&nic.rx_free, count);
        device_show_rx(&nic.device);
    }
}

/* A received buffer goes to the client; back to the device when the client's ring is broken. */
static void deliver(const struct sk_nic_descriptor *d)
{
    if (sk_ring_room(&nic.rx_ready) == 0) {
        nic.counters.rx_dropped++;
        device_post_rx(&nic.device, d->buffer);
        return;
    }
    nic.rx_ours[d->buffer] = false;
    nic.rings->rx_ready_entries[sk_ring_slot(&nic.rx_ready, nic.rx_ready.own)] = *d;
    sk_ring_publish(&nic.rx_ready, 1);
    nic.counters.rx_packets += (d->flags & SK_NIC_MORE) == 0;
    nic.to_wake = true;
}

static bool receive(void)
{
    struct sk_nic_descriptor d;
    status_t status;
    uint32_t taken = 0;

    while ((status = device_take_rx(&nic.device, &d)) == SK_OK) {
        deliver(&d);
        taken++;
    }
    if (status == SK_IO_ERROR) {
        device_misbehaved();
    }
    return taken > 0;
}

/* --- Sending --- */

/* Checks one of the client's descriptors. */
static bool tx_is_valid(const struct sk_nic_descriptor *d, bool is_first)
{
    uint32_t least = is_first ? TX_HEADROOM : 0;

    return d->buffer < TX_BUFFERS && !nic.tx_ours[d->buffer] && d->length > 0 &&
           d->offset >= least && d->length <= TX_BUFFER_BYTES &&
           d->offset + d->length <= TX_BUFFER_BYTES;
}

static bool offload_is_valid(const struct sk_nic_descriptor *d, uint32_t total)
{
    bool checksum = (d->flags & SK_NIC_NEEDS_CHECKSUM) != 0;

    if (checksum && ((nic.device.features & SK_NIC_TX_CHECKSUM) == 0 ||
                     (uint32_t)d->checksum_start + d->checksum_offset + 2 > d->length)) {
        return false;
    }
    bool segments = d->segment_bytes != 0;
    return (!segments || (checksum && (nic.device.features & SK_NIC_TSO4) != 0)) &&
           total <= PACKET_BYTES_MAX;
}

/*
 * Reads the packet at the front of tx_submit into `d`; its buffers are ours then. *good: how many of
 * its descriptors are valid, from the first on; all of them if *is_valid. Returns the entries it takes.
 */
static uint32_t read_packet(struct sk_nic_descriptor d[CHAIN_MAX], uint32_t available,
                            uint32_t *good, bool *is_valid)
{
    uint32_t total = 0;

    *good = 0;
    *is_valid = false;
    for (uint32_t i = 0; i < available; i++) {
        uint32_t at = sk_ring_slot(&nic.tx_submit, nic.tx_submit.own + i);
        d[i] = nic.rings->tx_submit_entries[at]; /* once: it may change */
        if (i == CHAIN_MAX - 1 || !tx_is_valid(&d[i], i == 0)) {
            return i + 1;
        }
        nic.tx_ours[d[i].buffer] = true; /* so that it cannot be named twice */
        nic.tx_next[d[i > 0 ? i - 1 : 0].buffer] = d[i].buffer;
        *good = i + 1;
        total += d[i].length;
        if ((d[i].flags & SK_NIC_MORE) == 0) {
            *is_valid = offload_is_valid(&d[0], total);
            return i + 1;
        }
    }
    return available; /* a packet is published whole: this one never ends */
}

/* True: a packet was taken from the client. */
static bool send_one(void)
{
    struct sk_nic_descriptor d[CHAIN_MAX];
    uint32_t available = sk_ring_available(&nic.tx_submit);
    uint32_t good;
    bool is_valid;

    /* A packet of as many buffers as there can be must fit, else it waits for the device. */
    if (available == 0 || !device_tx_room(&nic.device)) {
        return false;
    }
    uint32_t count = read_packet(d, available, &good, &is_valid);
    sk_ring_release(&nic.tx_submit, count);
    if (good > 0) {
        nic.tx_chained[d[0].buffer] = (uint16_t)good;
    }
    if (is_valid && device_post_tx(&nic.device, d, count) == SK_OK) {
        nic.counters.tx_packets++;
        return true;
    }
    nic.counters.tx_rejected++;
    if (good > 0) {
        tx_return_packet(d[0].buffer);
    }
    return true;
}

static bool send(void)
{
    bool any = false;

    while (send_one()) {
        any = true;
    }
    if (any) {
        device_show_tx(&nic.device);
    }
    return any;
}

/* Gives the client back what the device has sent. True: there was something. */
static bool take_sent(void)
{
    uint16_t first;
    status_t status;
    bool any = false;

    while ((status = device_take_tx(&nic.device, &first)) == SK_OK) {
        any = true;
        tx_return_packet(first);
    }
    if (status == SK_IO_ERROR) {
        device_misbehaved();
    }
    if (any && atomic_load_explicit(&nic.rings->tx_starved, memory_order_relaxed) != 0) {
        atomic_store_explicit(&nic.rings->tx_starved, 0, memory_order_relaxed);
        nic.to_wake = true;
    }
    return any;
}

/* --- Groups --- */

/* What the client writes meanwhile it tells of once more. */
static void take_groups(void)
{
    struct sk_nic_rings *rings = nic.rings;

    if (atomic_load_explicit(&rings->groups_changed, memory_order_relaxed) == 0) {
        return;
    }
    atomic_exchange_explicit(&rings->groups_changed, 0, memory_order_seq_cst);
    uint32_t wanted = atomic_load_explicit(&rings->group_count, memory_order_relaxed);
    nic.device.group_count = 0;
    for (uint32_t i = 0; i < wanted && i < SK_NIC_GROUPS_MAX; i++) {
        uint8_t *to = nic.device.groups[nic.device.group_count];
        memcpy(to, rings->groups[i], sizeof rings->groups[i]);
        nic.device.group_count += to[0] & 1; /* else it is no group */
    }
    device_set_groups(&nic.device);
}

/* --- The loop --- */

static void wake_client(void)
{
    if (nic.to_wake) {
        nic.to_wake = false;
        if (sk_wake_needed(&nic.rings->client_sleeps)) {
            sk_event_signal(nic.to_client);
        }
    }
}

static bool pump(void)
{
    bool any = receive();

    any |= take_sent();
    any |= send();
    take_free();
    return any;
}

/* True: something happened between the last look and the wish for interrupts. */
static bool ask_for_interrupts(void)
{
    bool again = device_rx_interrupt_on(&nic.device);

    if (nic.device.tx_posted > 0 &&
        (atomic_load_explicit(&nic.rings->tx_starved, memory_order_relaxed) != 0 ||
         !device_tx_room(&nic.device))) {
        again |= device_tx_interrupt_on(&nic.device);
    }
    return again;
}

static bool before_wait(struct sk_server *server)
{
    int rounds = 0;

    if (nic.failed || nic.client == NULL) {
        return false;
    }
    sk_sleep_end(&nic.rings->driver_sleeps);
    take_groups();
    device_interrupts_off(&nic.device);
    while (rounds < ROUNDS_MAX && pump() && !nic.failed) {
        rounds++;
    }
    wake_client();
    if (rounds == ROUNDS_MAX || nic.failed) {
        return !nic.failed;
    }
    bool starved = nic.device.rx_posted < RX_BUFFERS / 2;
    bool room = device_tx_room(&nic.device);
    atomic_store_explicit(&nic.rings->rx_starved, starved, memory_order_relaxed);
    sk_sleep_begin(&nic.rings->driver_sleeps);
    return ask_for_interrupts() ||
           atomic_load_explicit(&nic.rings->groups_changed, memory_order_relaxed) != 0 ||
           (room && sk_ring_available(&nic.tx_submit) > 0) ||
           (starved && sk_ring_available(&nic.rx_free) > 0);
}

static void take_events(uint32_t events)
{
    if ((events & DEVICE_BROKEN) != 0) {
        device_misbehaved();
    } else if ((events & DEVICE_RESTART) != 0) {
        restart_device();
    }
    if (events != 0 && nic.client != NULL) {
        atomic_store_explicit(&nic.rings->link_up, nic.device.link_up, memory_order_relaxed);
        nic.to_wake = true;
    }
}

static void on_irq(struct sk_driver *driver, uint32_t index)
{
    nic.counters.interrupts++;
    take_events(device_interrupt(&nic.device));
}

static void on_deadline(struct sk_server *server)
{
    uint64_t next = SK_DEADLINE_NEVER;
    uint32_t events = nic.failed ? 0 : device_look(&nic.device, &next);

    sk_server_set_deadline(server, next);
    take_events(events); /* may start the device anew, and then look at once */
}

/* --- Requests --- */

static void on_event(struct sk_server *server, handle_t handle, uint32_t signals, void *context)
{
    /* Everything happens before the next wait. */
}

static uint64_t ring_bytes(void)
{
    return (sizeof *nic.rings + SK_PAGE_SIZE - 1) & ~(uint64_t)(SK_PAGE_SIZE - 1);
}

static void release_rings(void)
{
    if (nic.rings != NULL) {
        sk_memory_unmap(sk_self_process, (uintptr_t)nic.rings, ring_bytes());
        nic.rings = NULL;
    }
    if (nic.to_driver != SK_HANDLE_NONE) {
        sk_handle_close(nic.to_driver);
        nic.to_driver = SK_HANDLE_NONE;
    }
    if (nic.to_client != SK_HANDLE_NONE) {
        sk_handle_close(nic.to_client);
        nic.to_client = SK_HANDLE_NONE;
    }
}

/* Rings and events of a new client; handles for it in `handles`, also on error. */
static status_t make_rings(struct sk_server *server, handle_t handles[4])
{
    uint64_t bytes = ring_bytes();
    uint64_t address;
    status_t status = sk_handle_duplicate(
        nic.device.pool.handle, SK_RIGHT_READ | SK_RIGHT_WRITE | SK_RIGHT_MAP | SK_RIGHT_TRANSFER,
        &handles[0]);
    if (status == SK_OK) {
        status = sk_memory_create(sk_self_job, bytes, SK_MEMORY_COMMIT, &handles[1]);
    }
    if (status == SK_OK) {
        status = sk_memory_map(sk_self_process, handles[1], 0, bytes, 0,
                               SK_PROT_READ | SK_PROT_WRITE, &address);
    }
    if (status == SK_OK) {
        nic.rings = (void *)(uintptr_t)address;
        status = sk_event_create(sk_self_job, &nic.to_driver);
    }
    if (status == SK_OK) {
        status = sk_event_create(sk_self_job, &nic.to_client);
    }
    if (status == SK_OK) {
        status = sk_handle_duplicate(nic.to_driver, SK_RIGHT_WRITE | SK_RIGHT_TRANSFER,
                                     &handles[2]);
    }
    if (status == SK_OK) {
        status = sk_handle_duplicate(nic.to_client, SK_RIGHT_WAIT | SK_RIGHT_TRANSFER, &handles[3]);
    }
    if (status == SK_OK) {
        status = sk_server_watch(server, nic.to_driver, SK_SIGNAL_EVENT, on_event, NULL);
    }
    return status;
}

static void use_rings(struct sk_client *client)
{
    sk_ring_init(&nic.rx_free, &nic.rings->rx_free, SK_NIC_RING_ENTRIES);
    sk_ring_init(&nic.tx_submit, &nic.rings->tx_submit, SK_NIC_RING_ENTRIES);
    sk_ring_init(&nic.rx_ready, &nic.rings->rx_ready, SK_NIC_RING_ENTRIES);
    sk_ring_init(&nic.tx_done, &nic.rings->tx_done, SK_NIC_RING_ENTRIES);
    memset(nic.tx_ours, 0, sizeof nic.tx_ours);
    memset(nic.rx_ours, 1, sizeof nic.rx_ours);
    nic.client = client;
    restart_device(); /* takes every buffer back, whoever had it before */
    atomic_store_explicit(&nic.rings->link_up, nic.device.link_up, memory_order_relaxed);
}

static status_t on_attach(struct sk_server *server, struct sk_client *client,
                          struct sk_reply *reply)
{
    if (nic.client != NULL) {
        return SK_BUSY;
    }
    if (nic.failed) {
        return SK_IO_ERROR;
    }
    memset(reply->handles, 0, 4 * sizeof reply->handles[0]);
    reply->handle_count = 4;
    status_t status = make_rings(server, reply->handles);
    if (status != SK_OK) {
        release_rings();
        return status;
    }
    use_rings(client);
    struct sk_nic_attach_reply *r = sk_reply_struct(reply, struct sk_nic_attach_reply);
    memcpy(r->mac, nic.device.mac, sizeof r->mac);
    r->mtu = nic.device.mtu;
    r->features = nic.device.features;
    r->rx_buffer_bytes = RX_BUFFER_BYTES;
    r->tx_buffer_bytes = TX_BUFFER_BYTES;
    r->rx_buffers = RX_BUFFERS;
    r->tx_buffers = TX_BUFFERS;
    r->headroom = TX_HEADROOM;
    r->segment_max = (nic.device.features & SK_NIC_TSO4) != 0 ? UINT16_MAX : 0;
    return SK_OK;
}

static status_t on_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    switch (sk_operation(in)) {
    case SK_NIC_OP_ATTACH:
        return on_attach(server, client, reply);
    case SK_NIC_OP_INFO: {
        struct sk_nic_info_reply *info = sk_reply_struct(reply, struct sk_nic_info_reply);
        *info = nic.counters;
        memcpy(info->mac, nic.device.mac, sizeof info->mac);
        info->link_up = nic.device.link_up;
        info->attached = nic.client != NULL;
        info->rx_dropped += nic.device.rx_lost;
        info->tx_rejected += nic.device.tx_failed;
        return SK_OK;
    }
    default:
        return SK_INVALID_ARGS;
    }
}

static void on_disconnect(struct sk_server *server, struct sk_client *client)
{
    if (client != nic.client) {
        return;
    }
    sk_server_unwatch(server, nic.to_driver);
    nic.client = NULL;
    nic.device.group_count = 0;
    memset(nic.rx_ours, 1, sizeof nic.rx_ours);
    restart_device();
    release_rings();
}

static status_t init(struct sk_driver *driver)
{
    nic.device.driver = driver;
    status_t status = sk_dma_create(driver, POOL_BYTES, &nic.device.pool);
    if (status == SK_OK) {
        status = device_allocate(&nic.device);
    }
    if (status != SK_OK) {
        return status;
    }
    memset(nic.rx_ours, 1, sizeof nic.rx_ours);
    restart_device();
    return nic.failed ? SK_IO_ERROR : SK_OK;
}

int main(int argc, char **argv)
{
    static const struct sk_driver_ops ops = {
        .init = init,
        .on_irq = on_irq,
        .server = {.message = on_message,
                   .disconnect = on_disconnect,
                   .deadline = on_deadline,
                   .before_wait = before_wait},
    };

    return sk_driver_main(&nic.driver, &ops, argc, argv);
}
