/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtio device (virtio 1.1, 2.6 and 4.2) that uses its registers and queues as the input likes: what is the same for
 * all. Each of those that are linked with it is one.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <virtio/mmio.h>

#include "double/registers.h"
#include "messages.h"

#define VIRTIO_QUEUES_MAX 3u

/* As the driver set it up, since the last reset. */
struct virtio_queue {
    uint32_t index;
    uint32_t size; /* 0: not in use */
    uint64_t descriptors, available, used;
    uint16_t taken, given;
    bool
        lied; /* the device told what is not so: what the driver does with its chains then is nobody's fault */
};

struct virtio_device {
    enum virtio_device_id id;
    uint32_t queues;
    /* Looks at a piece of a chain: ends the run if the device must not be told of that. Returns its memory. */
    uint8_t *(*piece)(const struct virtio_queue *queue, uint64_t address, uint32_t length,
                      bool is_writable);
    /* Does something with the next chain, rightly or not. */
    void (*serve)(struct virtio_queue *queue);
    void (*notified)(struct virtio_queue *queue); /* may be NULL */
};

extern const struct virtio_device virtio_device;
extern struct virtio_queue virtio_queues[VIRTIO_QUEUES_MAX];
extern uint32_t virtio_resets; /* so far */

/* The driver has brought it up, and it has not said since that it has failed. */
bool virtio_is_up(void);
/* The registers are given: the device can be brought up. */
void virtio_prepare(uint8_t *registers);
/* What it is from the next reset on, until it settles. */
void virtio_transport(uint32_t version, uint32_t entries_max);
/* The next chain that the device was given, NULL if there is none: its first piece's memory, the length of all. */
uint8_t *virtio_take(struct virtio_queue *queue, uint16_t *head, uint32_t *length);
/* Tells the driver that a chain is used. */
void virtio_give(struct virtio_queue *queue, uint32_t id, uint32_t length);
void virtio_interrupt(uint32_t why); /* VIRTIO_INTERRUPT_* */
void virtio_need_reset(void);
/* Does something, rightly or not: serves, writes into a used ring or its configuration, wants a reset, interrupts. */
void virtio_act(void);
/* Looks at all chains that it has not taken. */
void virtio_look(void);
/* The same, and leaves no noise that would keep it from coming up. */
void virtio_settle(void);

#endif
