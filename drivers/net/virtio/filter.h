/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which frames a virtio network device receives: the commands of its control queue (virtio 1.1, 5.1.6.5).
 * A device without one receives everything. Nothing waits: a command ends by interrupt.
 */
#ifndef VIRTIO_NET_FILTER_H
#define VIRTIO_NET_FILTER_H

#include <net/common/device.h>
#include <virtio/mmio.h>

/* Features that it takes: without any of them, its own address too, there is no filter. */
#define F_MAC (UINT64_C(1) << 5)
#define F_CTRL_VQ (UINT64_C(1) << 17)
#define F_CTRL_RX (UINT64_C(1) << 18)

/* Once: its memory. Errors of sk_dma_create. */
status_t filter_allocate(const struct sk_driver *driver);
/* The features are settled, the device is not started: its queue. `transport` is borrowed for good. */
void filter_enable(const struct virtio_mmio *transport);
/* The device is started, or its groups have changed: they are set as soon as the device can take it. */
void filter_set(const struct net_device *device);
/* After an interrupt. IO_ERROR: the device broke the rules. */
status_t filter_poll(const struct net_device *device);

#endif
