/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the client's rings and the device: packets both ways, buffers back to where they belong, the
 * filter of groups, and what becomes of all when the device is started anew. Nothing that the client wrote
 * is believed: a descriptor that is not valid is dropped and counted.
 *
 * Packets move only before a wait, whatever woke the driver. The device's interrupts are asked for only
 * then, and those of sent packets only when the client has no buffer left.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"

#define ROUNDS_MAX 16 /* then requests get their turn */

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

void packets_restart(void)
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

void packets_misbehaved(void)
{
    printf("the device broke the rules, starting it anew\n");
    packets_restart();
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
        packets_misbehaved();
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
        packets_misbehaved();
    }
    if (any && atomic_load_explicit(&nic.rings->tx_starved, memory_order_relaxed) != 0) {
        atomic_store_explicit(&nic.rings->tx_starved, 0, memory_order_relaxed);
        nic.to_wake = true;
    }
    return any;
}

/* --- Groups --- */

static bool groups_changed(void)
{
    return atomic_load_explicit(&nic.rings->groups_changed, memory_order_relaxed) != 0;
}

/* What the client writes meanwhile it tells of once more. */
static void take_groups(void)
{
    struct sk_nic_rings *rings = nic.rings;

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

static bool move(void)
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

bool packets_before_wait(struct sk_server *server)
{
    int rounds = 0;

    if (nic.failed || nic.client == NULL) {
        return false;
    }
    sk_sleep_end(&nic.rings->driver_sleeps);
    if (groups_changed()) {
        take_groups();
    }
    device_interrupts_off(&nic.device);
    while (rounds < ROUNDS_MAX && move() && !nic.failed) {
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
    return ask_for_interrupts() || groups_changed() ||
           (room && sk_ring_available(&nic.tx_submit) > 0) ||
           (starved && sk_ring_available(&nic.rx_free) > 0);
}
