/* SPDX-License-Identifier: BSD-2-Clause */
/* A virtio network device (virtio 1.1, 5.1) as nic.c plays it, over virtio.c. See nic.h. */
#include <string.h>

#include "nic.h"
#include "virtio.h"

enum { QUEUE_RECEIVE = 0, QUEUE_TRANSMIT = 1, QUEUE_CONTROL = 2 };

static uint8_t *piece(const struct virtio_queue *queue, uint64_t address, uint32_t length,
                      bool is_writable)
{
    if (queue->index == QUEUE_CONTROL) {
        return dma_at(address, length);
    }
    if (is_writable != (queue->index == QUEUE_RECEIVE)) {
        double_broke("a packet goes in the wrong direction");
    }
    return nic_packet(address, length);
}

/* The next chain: taken, filled if it is a packet, and given back; mostly as it should be. */
static void serve(struct virtio_queue *queue)
{
    uint8_t how = input_byte();
    uint32_t length;
    uint16_t head;
    uint8_t *bytes = virtio_take(queue, &head, &length);
    if (bytes == NULL) {
        return;
    }
    uint32_t told = how % 8 == 1 ? (uint32_t)input_word() : how % 8 == 2 ? 12 : length;
    if (queue->index == QUEUE_RECEIVE) {
        told = how % 8 > 2 && how < 128 ? 12u + how % 64 : told;
        memset(bytes, 0, length < 12 ? length : 12);
        bytes[10] = 1; /* buffers */
        input_fill(bytes, how % 16 == 9 ? 12 : how % 4);
    }
    virtio_give(queue, how % 32 == 31 ? input_byte() : head, told);
}

static const char *const arguments[] = {"mmio0=0,0x1000", NULL};

const struct virtio_device virtio_device = {
    .id = VIRTIO_DEVICE_NET,
    .queues = 3,
    .piece = piece,
    .serve = serve,
};

const struct nic_device nic_device = {
    .arguments = arguments,
    .register_bytes = SK_PAGE_SIZE,
    .prepare = virtio_prepare,
    .act = virtio_act,
    .settle = virtio_settle,
};
