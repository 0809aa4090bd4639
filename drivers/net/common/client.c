/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all network drivers share, which is all but the device: serves "nicN" (<sk/protocol/nic.h>) to
 * one client, over the functions of device.h: its requests, and what the device tells. Owns the packet pool;
 * packets.c moves the packets, before each wait. One thread, no lock. Tests: tests/qemu/net.
 */
#include <stdio.h>
#include <string.h>

#include <sk/print.h>
#include <sk/service.h>

#include "client.h"

struct net_client nic;

/* --- Events --- */

static void take_events(uint32_t events)
{
    if ((events & DEVICE_BROKEN) != 0) {
        packets_misbehaved();
    } else if ((events & DEVICE_RESTART) != 0) {
        packets_restart();
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
    packets_restart(); /* takes every buffer back, whoever had it before */
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
    packets_restart();
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
    packets_restart();
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
                   .before_wait = packets_before_wait},
    };

    return sk_driver_main(&nic.driver, &ops, argc, argv);
}
