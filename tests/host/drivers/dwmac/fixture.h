/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver on one port of a board, as the tests of its start and of its packets have it: real device
 * tree, real manifest, real drivers of clocks and resets (board.h), a model of the device (model.h).
 */
#ifndef DWMAC_FIXTURE_H
#define DWMAC_FIXTURE_H

#include "dwmac.h"
#include "model.h"

extern struct net_device device;
extern struct sk_driver *driver;
extern const uint8_t mac[6]; /* as the firmware puts it into the tree */

/* The board with a driver on one port, given its memory, not started. */
void prepare(const char *tree, uint32_t port);
/* device_look, which must come again soon. */
uint32_t look(void);
/* Running, every receive buffer posted, the link up at this speed. */
void run(const char *tree, uint32_t port, uint32_t mbps);

#endif
