/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio network device (virtio 1.1, section 5.1): features, headers, the two queues of packets; the
 * filter is filter.c. Owns the DMA memory. What the device writes is checked by the queue code and here; nothing waits for it.
 * One thread, no lock. Tests: tests/qemu/net, with versions 1 and 2.
 */
#include <string.h>

#include "filter.h"

/* Feature bits, 5.1.3. */
#define F_CSUM (UINT64_C(1) << 0)
#define F_GUEST_CSUM (UINT64_C(1) << 1)
#define F_MTU (UINT64_C(1) << 3)
#define F_GUEST_TSO4 (UINT64_C(1) << 7)
#define F_HOST_TSO4 (UINT64_C(1) << 11)
#define F_MRG_RXBUF (UINT64_C(1) << 15)
#define F_STATUS (UINT64_C(1) << 16)
#define F_ANY_LAYOUT (UINT64_C(1) << 27)

enum { QUEUE_RX = 0, QUEUE_TX = 1 };
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10 };
enum { HEADER_NEEDS_CSUM = 1, HEADER_DATA_VALID = 2, HEADER_GSO_TCPV4 = 1 };

#define STATUS_LINK_UP 1u
#define QUEUE_SIZE 256u
#define MTU_DEFAULT 1500u
/* Received packets begin here, 2 mod 4, with the device's header before them. */
#define RX_PACKET_OFFSET 18u

/* Before every packet, 5.1.6. The last field only with MRG_RXBUF or VERSION_1. */
struct net_header {
    uint8_t flags, gso_type;
    uint16_t header_length, segment_bytes, checksum_start, checksum_offset;
    uint16_t buffers;
};

_Static_assert(sizeof(struct net_header) == 12, "virtio 1.1, 5.1.6");
_Static_assert(sizeof(struct net_header) <= TX_HEADROOM, "fits the headroom");

static struct {
    struct virtio_mmio transport;
    struct virtq rx, tx;
    struct sk_dma rx_rings, tx_rings;
    struct virtq_slot rx_slots[QUEUE_SIZE], tx_slots[QUEUE_SIZE];
    uint32_t header_bytes; /* 10 or 12 */
    bool splits_header;    /* an old device that wants its header in a descriptor of its own */
    bool merges;           /* a received packet may lie in several buffers */
    uint32_t rx_left;      /* buffers still to come of the packet that has begun */
    uint16_t rx_flags;     /* of that packet */
} net;

status_t device_allocate(struct net_device *device)
{
    const struct sk_driver *driver = device->driver;

    if (driver->range_count != 1 || driver->ranges[0].size < VIRTIO_MMIO_BYTES ||
        driver->interrupt_count != 1) {
        return SK_INVALID_ARGS;
    }
    status_t status = sk_dma_create(driver, virtq_bytes(QUEUE_SIZE), &net.rx_rings);
    if (status == SK_OK) {
        status = sk_dma_create(driver, virtq_bytes(QUEUE_SIZE), &net.tx_rings);
    }
    return status == SK_OK ? filter_allocate(driver) : status;
}

/* Large received packets only where they may lie in several buffers. */
static status_t negotiate(uintptr_t base)
{
    uint64_t wanted = F_CSUM | F_GUEST_CSUM | F_MTU | F_MAC | F_GUEST_TSO4 | F_HOST_TSO4 |
                      F_MRG_RXBUF | F_STATUS | F_CTRL_VQ | F_CTRL_RX | F_ANY_LAYOUT |
                      VIRTIO_F_EVENT_IDX;
    status_t status = virtio_mmio_negotiate(&net.transport, wanted, 0);

    if (status == SK_OK && (net.transport.features & F_MRG_RXBUF) == 0 &&
        (net.transport.features & F_GUEST_TSO4) != 0) {
        status = virtio_mmio_open(&net.transport, base, VIRTIO_DEVICE_NET);
        if (status == SK_OK) {
            status = virtio_mmio_negotiate(&net.transport, wanted & ~F_GUEST_TSO4, 0);
        }
    }
    return status;
}

static void read_link(struct net_device *device)
{
    uint16_t status = STATUS_LINK_UP;

    if ((net.transport.features & F_STATUS) != 0) {
        virtio_mmio_config(&net.transport, CONFIG_STATUS, &status, sizeof status);
    }
    device->link_up = (status & STATUS_LINK_UP) != 0;
}

static void read_config(struct net_device *device)
{
    uint64_t features = net.transport.features;

    if ((features & F_MAC) != 0) {
        virtio_mmio_config(&net.transport, CONFIG_MAC, device->mac, sizeof device->mac);
    } else {
        /* Locally administered; there is one such device on its network, or somebody names it. */
        memcpy(device->mac, "\x02skery", sizeof device->mac);
    }
    device->mtu = MTU_DEFAULT;
    if ((features & F_MTU) != 0) {
        uint16_t mtu;
        virtio_mmio_config(&net.transport, CONFIG_MTU, &mtu, sizeof mtu);
        device->mtu = mtu < MTU_MAX ? mtu : MTU_MAX;
    }
    read_link(device);
}

static void use_features(struct net_device *device)
{
    uint64_t features = net.transport.features;
    bool modern = (features & VIRTIO_F_VERSION_1) != 0;

    net.merges = (features & F_MRG_RXBUF) != 0;
    net.header_bytes = modern || net.merges ? 12 : 10;
    net.splits_header = !modern && (features & F_ANY_LAYOUT) == 0;
    device->features = ((features & F_CSUM) != 0 ? (uint32_t)SK_NIC_TX_CHECKSUM : 0u) |
                       ((features & F_GUEST_CSUM) != 0 ? (uint32_t)SK_NIC_RX_CHECKSUM : 0u) |
                       ((features & F_HOST_TSO4) != 0 ? (uint32_t)SK_NIC_TSO4 : 0u);
}

static status_t start_queue(struct virtq *queue, uint16_t index, const struct sk_dma *rings,
                            struct virtq_slot *slots)
{
    uint16_t size = virtio_mmio_queue_size(&net.transport, index, QUEUE_SIZE);

    if (size < 4) {
        return SK_NOT_SUPPORTED;
    }
    memset(rings->memory, 0, rings->size);
    virtq_init(queue, index, size, rings->memory, rings->physical, slots,
               (net.transport.features & VIRTIO_F_EVENT_IDX) != 0);
    return virtio_mmio_queue_enable(&net.transport, queue);
}

status_t device_start(struct net_device *device)
{
    uintptr_t base = device->driver->ranges[0].base;

    net.rx_left = 0;
    device->rx_posted = device->tx_posted = 0;
    status_t status = virtio_mmio_open(&net.transport, base, VIRTIO_DEVICE_NET);
    if (status == SK_OK) {
        status = negotiate(base);
    }
    if (status != SK_OK) {
        return status;
    }
    read_config(device);
    use_features(device);
    status = start_queue(&net.rx, QUEUE_RX, &net.rx_rings, net.rx_slots);
    if (status == SK_OK) {
        status = start_queue(&net.tx, QUEUE_TX, &net.tx_rings, net.tx_slots);
    }
    if (status == SK_OK) {
        filter_enable(&net.transport);
        status = virtio_mmio_start(&net.transport);
    }
    if (status == SK_OK) {
        device_interrupts_off(device);
        filter_set(device);
    }
    return status;
}

void device_set_groups(struct net_device *device)
{
    filter_set(device);
}

void device_fail(struct net_device *device)
{
    virtio_mmio_fail(&net.transport);
}

void device_interrupts_off(struct net_device *device)
{
    virtq_interrupts_off(&net.rx);
    virtq_interrupts_off(&net.tx);
}

bool device_rx_interrupt_on(struct net_device *device)
{
    return virtq_interrupts_on(&net.rx);
}

bool device_tx_interrupt_on(struct net_device *device)
{
    return virtq_interrupts_on(&net.tx);
}

uint32_t device_interrupt(struct net_device *device)
{
    uint32_t why = virtio_mmio_interrupt(&net.transport);
    uint32_t events = filter_poll(device) == SK_OK ? 0 : (uint32_t)DEVICE_BROKEN;

    if ((why & VIRTIO_INTERRUPT_CONFIG) != 0) {
        read_link(device);
        events |= DEVICE_LINK_CHANGED;
        events |= virtio_mmio_needs_reset(&net.transport) ? (uint32_t)DEVICE_BROKEN : 0u;
    }
    return events;
}

/* --- Receiving --- */

/* Where the device's header lies in a receive buffer. */
static uint32_t rx_header_offset(void)
{
    return RX_PACKET_OFFSET - net.header_bytes;
}

status_t device_post_rx(struct net_device *device, uint16_t buffer)
{
    uint32_t offset = rx_header_offset();
    uint64_t physical = device->pool.physical + rx_buffer_offset(buffer);
    struct virtq_buffer whole = {physical + offset, RX_BUFFER_BYTES - offset};
    struct virtq_buffer split[] = {
        {physical + offset, net.header_bytes},
        {physical + RX_PACKET_OFFSET, RX_BUFFER_BYTES - RX_PACKET_OFFSET},
    };
    status_t status = net.splits_header ? virtq_add(&net.rx, split, 0, 2, buffer)
                                        : virtq_add(&net.rx, &whole, 0, 1, buffer);
    if (status == SK_OK) {
        device->rx_posted++;
    }
    return status;
}

void device_show_rx(struct net_device *device)
{
    if (virtq_publish(&net.rx)) {
        virtio_mmio_notify(&net.transport, &net.rx);
    }
}

/* Reads the header of a packet's first buffer. False: impossible. */
static bool read_header(struct net_device *device, struct sk_nic_descriptor *d)
{
    struct net_header header = {.buffers = 1};

    memcpy(&header,
           (const uint8_t *)device->pool.memory + rx_buffer_offset(d->buffer) + rx_header_offset(),
           net.header_bytes);
    if (header.flags & HEADER_NEEDS_CSUM) {
        net.rx_flags = SK_NIC_NEEDS_CHECKSUM;
        d->checksum_start = header.checksum_start;
        d->checksum_offset = header.checksum_offset;
    } else {
        net.rx_flags = header.flags & HEADER_DATA_VALID ? SK_NIC_CHECKSUM_VALID : 0;
    }
    net.rx_left = net.merges ? header.buffers : 1;
    return net.rx_left > 0 && net.rx_left <= RX_BUFFERS;
}

status_t device_take_rx(struct net_device *device, struct sk_nic_descriptor *d)
{
    uint32_t cookie, written;
    uint32_t skip = 0;
    status_t status = virtq_take(&net.rx, &cookie, &written);

    if (status != SK_OK) {
        return status;
    }
    device->rx_posted--;
    *d = (struct sk_nic_descriptor){.buffer = (uint16_t)cookie,
                                    .offset = (uint16_t)rx_header_offset()};
    if (net.rx_left == 0) { /* a packet begins */
        skip = net.header_bytes;
        d->offset = RX_PACKET_OFFSET;
        if (written <= skip || !read_header(device, d)) {
            net.rx.broken = true;
            return SK_IO_ERROR;
        }
    }
    if (written <= skip) {
        net.rx.broken = true;
        return SK_IO_ERROR;
    }
    net.rx_left--;
    d->length = written - skip;
    d->flags = (uint16_t)(net.rx_flags | (net.rx_left > 0 ? SK_NIC_MORE : 0));
    return SK_OK;
}

/* --- Sending --- */

static void write_header(const struct sk_nic_descriptor *d, uint8_t *to)
{
    struct net_header header = {0};

    if ((d->flags & SK_NIC_NEEDS_CHECKSUM) != 0) {
        header.flags = HEADER_NEEDS_CSUM;
        header.checksum_start = d->checksum_start;
        header.checksum_offset = d->checksum_offset;
    }
    if (d->segment_bytes != 0) {
        header.gso_type = HEADER_GSO_TCPV4;
        header.segment_bytes = d->segment_bytes;
        header.header_length = (uint16_t)(d->checksum_start + 20); /* a hint: TCP without options */
    }
    memcpy(to, &header, net.header_bytes);
}

status_t device_post_tx(struct net_device *device, const struct sk_nic_descriptor *d,
                        uint32_t count)
{
    struct virtq_buffer buffers[CHAIN_MAX];
    uint64_t begin = tx_buffer_offset(d->buffer) + d->offset;
    uint64_t first = device->pool.physical + begin;
    uint16_t used = 0;

    if (count >= CHAIN_MAX) {
        return SK_INVALID_ARGS;
    }
    write_header(d, (uint8_t *)device->pool.memory + begin - net.header_bytes);
    if (net.splits_header) {
        buffers[used++] = (struct virtq_buffer){first - net.header_bytes, net.header_bytes};
        buffers[used++] = (struct virtq_buffer){first, d->length};
    } else {
        buffers[used++] = (struct virtq_buffer){first - net.header_bytes,
                                                d->length + net.header_bytes};
    }
    for (uint32_t i = 1; i < count; i++) {
        uint64_t at = device->pool.physical + tx_buffer_offset(d[i].buffer) + d[i].offset;
        buffers[used++] = (struct virtq_buffer){at, d[i].length};
    }
    status_t status = virtq_add(&net.tx, buffers, used, 0, d->buffer);
    if (status == SK_OK) {
        device->tx_posted++;
    }
    return status;
}

bool device_tx_room(const struct net_device *device)
{
    return net.tx.free_count >= CHAIN_MAX;
}

void device_show_tx(struct net_device *device)
{
    if (virtq_publish(&net.tx)) {
        virtio_mmio_notify(&net.transport, &net.tx);
    }
}

status_t device_take_tx(struct net_device *device, uint16_t *buffer)
{
    uint32_t cookie, written;
    status_t status = virtq_take(&net.tx, &cookie, &written);

    if (status == SK_OK) {
        device->tx_posted--;
        *buffer = (uint16_t)cookie;
    }
    return status;
}

uint32_t device_look(struct net_device *device, uint64_t *next)
{
    *next = SK_DEADLINE_NEVER; /* it interrupts for everything */
    return 0;
}
