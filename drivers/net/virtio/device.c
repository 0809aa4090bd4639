/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio network device (virtio 1.1, section 5.1): features, headers, the two queues. Owns the
 * DMA memory. What the device writes is checked by the queue code and here; nothing waits for it.
 * One thread, no lock. Tests: tests/qemu/net, with versions 1 and 2.
 */
#include <string.h>

#include "net.h"

/* Feature bits, 5.1.3. */
#define F_CSUM (UINT64_C(1) << 0)
#define F_GUEST_CSUM (UINT64_C(1) << 1)
#define F_MTU (UINT64_C(1) << 3)
#define F_MAC (UINT64_C(1) << 5)
#define F_GUEST_TSO4 (UINT64_C(1) << 7)
#define F_HOST_TSO4 (UINT64_C(1) << 11)
#define F_MRG_RXBUF (UINT64_C(1) << 15)
#define F_STATUS (UINT64_C(1) << 16)
#define F_ANY_LAYOUT (UINT64_C(1) << 27)

enum { QUEUE_RX = 0, QUEUE_TX = 1 };
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_MTU = 10 };
enum { HEADER_NEEDS_CSUM = 1, HEADER_DATA_VALID = 2, HEADER_GSO_TCPV4 = 1 };

#define STATUS_LINK_UP 1u
#define MTU_DEFAULT 1500u
#define MTU_MAX 1500u /* what fits a receive buffer */

/* Before every packet, 5.1.6. The last field only with MRG_RXBUF or VERSION_1. */
struct net_header {
    uint8_t flags, gso_type;
    uint16_t header_length, segment_bytes, checksum_start, checksum_offset;
    uint16_t buffers;
};

_Static_assert(sizeof(struct net_header) == 12, "virtio 1.1, 5.1.6");
_Static_assert(sizeof(struct net_header) <= TX_HEADROOM, "fits the headroom");

static struct sk_dma rx_rings, tx_rings, pool;
static struct virtq_slot rx_slots[QUEUE_SIZE], tx_slots[QUEUE_SIZE];
static uint32_t rx_left; /* buffers still to come of the packet that has begun */
static uint16_t rx_flags;

status_t device_allocate(const struct sk_driver *driver)
{
    status_t status = sk_dma_create(driver, virtq_bytes(QUEUE_SIZE), &rx_rings);

    if (status == SK_OK) {
        status = sk_dma_create(driver, virtq_bytes(QUEUE_SIZE), &tx_rings);
    }
    if (status == SK_OK) {
        status = sk_dma_create(driver, POOL_BYTES, &pool);
    }
    return status;
}

uint8_t *device_pool(void)
{
    return pool.memory;
}

handle_t device_pool_handle(void)
{
    return pool.handle;
}

/* Large received packets only where they may lie in several buffers. */
static status_t negotiate(struct net_device *device, uintptr_t base)
{
    uint64_t wanted = F_CSUM | F_GUEST_CSUM | F_MTU | F_MAC | F_GUEST_TSO4 | F_HOST_TSO4 |
                      F_MRG_RXBUF | F_STATUS | F_ANY_LAYOUT | VIRTIO_F_EVENT_IDX;
    status_t status = virtio_mmio_negotiate(&device->transport, wanted, 0);

    if (status == SK_OK && (device->transport.features & F_MRG_RXBUF) == 0 &&
        (device->transport.features & F_GUEST_TSO4) != 0) {
        status = virtio_mmio_open(&device->transport, base, VIRTIO_DEVICE_NET);
        if (status == SK_OK) {
            status = virtio_mmio_negotiate(&device->transport, wanted & ~F_GUEST_TSO4, 0);
        }
    }
    return status;
}

static void read_config(struct net_device *device)
{
    uint64_t features = device->transport.features;

    if ((features & F_MAC) != 0) {
        virtio_mmio_config(&device->transport, CONFIG_MAC, device->mac, sizeof device->mac);
    } else {
        /* Locally administered; there is one such device on its network, or somebody names it. */
        memcpy(device->mac, "\x02skery", sizeof device->mac);
    }
    device->mtu = MTU_DEFAULT;
    if ((features & F_MTU) != 0) {
        uint16_t mtu;
        virtio_mmio_config(&device->transport, CONFIG_MTU, &mtu, sizeof mtu);
        device->mtu = mtu < MTU_MAX ? mtu : MTU_MAX;
    }
    device_read_link(device);
}

void device_read_link(struct net_device *device)
{
    uint16_t status = STATUS_LINK_UP;

    if ((device->transport.features & F_STATUS) != 0) {
        virtio_mmio_config(&device->transport, CONFIG_STATUS, &status, sizeof status);
    }
    device->link_up = (status & STATUS_LINK_UP) != 0;
}

static void use_features(struct net_device *device)
{
    uint64_t features = device->transport.features;
    bool modern = (features & VIRTIO_F_VERSION_1) != 0;

    device->merges = (features & F_MRG_RXBUF) != 0;
    device->header_bytes = modern || device->merges ? 12 : 10;
    device->splits_header = !modern && (features & F_ANY_LAYOUT) == 0;
    device->features = ((features & F_CSUM) != 0 ? (uint32_t)SK_NIC_TX_CHECKSUM : 0u) |
                       ((features & F_GUEST_CSUM) != 0 ? (uint32_t)SK_NIC_RX_CHECKSUM : 0u) |
                       ((features & F_HOST_TSO4) != 0 ? (uint32_t)SK_NIC_TSO4 : 0u);
}

static status_t start_queue(struct net_device *device, struct virtq *queue, uint16_t index,
                            const struct sk_dma *rings, struct virtq_slot *slots)
{
    uint16_t size = virtio_mmio_queue_size(&device->transport, index, QUEUE_SIZE);

    if (size < 4) {
        return SK_NOT_SUPPORTED;
    }
    memset(rings->memory, 0, rings->size);
    virtq_init(queue, index, size, rings->memory, rings->physical, slots,
               (device->transport.features & VIRTIO_F_EVENT_IDX) != 0);
    return virtio_mmio_queue_enable(&device->transport, queue);
}

status_t device_start(struct net_device *device, uintptr_t base)
{
    memset(device, 0, sizeof *device);
    rx_left = 0;
    status_t status = virtio_mmio_open(&device->transport, base, VIRTIO_DEVICE_NET);
    if (status == SK_OK) {
        status = negotiate(device, base);
    }
    if (status != SK_OK) {
        return status;
    }
    read_config(device);
    use_features(device);
    status = start_queue(device, &device->rx, QUEUE_RX, &rx_rings, rx_slots);
    if (status == SK_OK) {
        status = start_queue(device, &device->tx, QUEUE_TX, &tx_rings, tx_slots);
    }
    if (status == SK_OK) {
        status = virtio_mmio_start(&device->transport);
    }
    virtq_interrupts_off(&device->tx); /* buffers sent are taken back when there is need or time */
    return status;
}

/* --- Receiving --- */

/* Where the device's header lies in a receive buffer. */
static uint32_t rx_header_offset(const struct net_device *device)
{
    return RX_PACKET_OFFSET - device->header_bytes;
}

status_t device_post_rx(struct net_device *device, uint16_t buffer)
{
    uint32_t offset = rx_header_offset(device);
    uint64_t physical = pool.physical + (uint64_t)buffer * RX_BUFFER_BYTES;
    struct virtq_buffer whole = {physical + offset, RX_BUFFER_BYTES - offset};
    struct virtq_buffer split[] = {
        {physical + offset, device->header_bytes},
        {physical + RX_PACKET_OFFSET, RX_BUFFER_BYTES - RX_PACKET_OFFSET},
    };
    status_t status = device->splits_header ? virtq_add(&device->rx, split, 0, 2, buffer)
                                            : virtq_add(&device->rx, &whole, 0, 1, buffer);
    if (status == SK_OK) {
        device->rx_posted++;
    }
    return status;
}

void device_show_rx(struct net_device *device)
{
    if (virtq_publish(&device->rx)) {
        virtio_mmio_notify(&device->transport, &device->rx);
    }
}

/* Reads the header of a packet's first buffer. False: impossible. */
static bool read_header(struct net_device *device, struct sk_nic_descriptor *d)
{
    struct net_header header = {.buffers = 1};

    memcpy(&header,
           device_pool() + (uint64_t)d->buffer * RX_BUFFER_BYTES + rx_header_offset(device),
           device->header_bytes);
    if (header.flags & HEADER_NEEDS_CSUM) {
        rx_flags = SK_NIC_NEEDS_CHECKSUM;
        d->checksum_start = header.checksum_start;
        d->checksum_offset = header.checksum_offset;
    } else {
        rx_flags = header.flags & HEADER_DATA_VALID ? SK_NIC_CHECKSUM_VALID : 0;
    }
    rx_left = device->merges ? header.buffers : 1;
    return rx_left > 0 && rx_left <= RX_BUFFERS;
}

status_t device_take_rx(struct net_device *device, struct sk_nic_descriptor *d)
{
    uint32_t cookie, written;
    uint32_t skip = 0;
    status_t status = virtq_take(&device->rx, &cookie, &written);

    if (status != SK_OK) {
        return status;
    }
    device->rx_posted--;
    *d = (struct sk_nic_descriptor){.buffer = (uint16_t)cookie,
                                    .offset = (uint16_t)rx_header_offset(device)};
    if (rx_left == 0) { /* a packet begins */
        skip = device->header_bytes;
        d->offset = RX_PACKET_OFFSET;
        if (written <= skip || !read_header(device, d)) {
            device->rx.broken = true;
            return SK_IO_ERROR;
        }
    }
    if (written <= skip) {
        device->rx.broken = true;
        return SK_IO_ERROR;
    }
    rx_left--;
    d->length = written - skip;
    d->flags = (uint16_t)(rx_flags | (rx_left > 0 ? SK_NIC_MORE : 0));
    return SK_OK;
}

/* --- Sending --- */

static void write_header(const struct net_device *device, const struct sk_nic_descriptor *d,
                         uint8_t *to)
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
    memcpy(to, &header, device->header_bytes);
}

status_t device_post_tx(struct net_device *device, const struct sk_nic_descriptor *d,
                        uint32_t count)
{
    struct virtq_buffer buffers[CHAIN_MAX];
    uint64_t tx_physical = pool.physical + RX_BUFFERS * RX_BUFFER_BYTES;
    uint64_t first = tx_physical + (uint64_t)d->buffer * TX_BUFFER_BYTES + d->offset;
    uint16_t used = 0;

    if (count >= CHAIN_MAX) {
        return SK_INVALID_ARGS;
    }
    write_header(device, d,
                 device_pool() + RX_BUFFERS * RX_BUFFER_BYTES +
                     (uint64_t)d->buffer * TX_BUFFER_BYTES + d->offset - device->header_bytes);
    if (device->splits_header) {
        buffers[used++] = (struct virtq_buffer){first - device->header_bytes, device->header_bytes};
        buffers[used++] = (struct virtq_buffer){first, d->length};
    } else {
        buffers[used++] = (struct virtq_buffer){first - device->header_bytes,
                                                d->length + device->header_bytes};
    }
    for (uint32_t i = 1; i < count; i++) {
        uint64_t at = tx_physical + (uint64_t)d[i].buffer * TX_BUFFER_BYTES + d[i].offset;
        buffers[used++] = (struct virtq_buffer){at, d[i].length};
    }
    status_t status = virtq_add(&device->tx, buffers, used, 0, d->buffer);
    if (status == SK_OK) {
        device->tx_posted++;
    }
    return status;
}

void device_show_tx(struct net_device *device)
{
    if (virtq_publish(&device->tx)) {
        virtio_mmio_notify(&device->transport, &device->tx);
    }
}

status_t device_take_tx(struct net_device *device, uint16_t *buffer)
{
    uint32_t cookie, written;
    status_t status = virtq_take(&device->tx, &cookie, &written);

    if (status == SK_OK) {
        device->tx_posted--;
        *buffer = (uint16_t)cookie;
    }
    return status;
}
