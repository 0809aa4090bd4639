/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A model of one DesignWare Ethernet controller with the PHY behind it, strict about what the databook
 * leaves undefined: a test fails when the driver
 *   - touches a register while the bus clock is off or the controller is held in reset,
 *   - starts a transfer on the PHY's bus, or changes its data, while one is under way,
 *   - writes anything while the controller resets itself, or sets up a DMA that runs,
 *   - gives the device a descriptor whose other words it could not have seen yet, gives the first of a
 *     packet before the others, or changes one that is the device's.
 * Clearing a status bit takes effect no earlier than the next read of a register: writes are posted.
 */
#ifndef DWMAC_MODEL_H
#define DWMAC_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <sk/driver.h>

#include "board.h"

/* Port 0 or 1 of the board that is powered on, everything in its reset state; yt8531: else another PHY. */
void model_start(uint32_t port, bool yt8531);

/* Where DMA memory lies from the next sk_dma_create on. */
void model_dma_base(uint64_t physical);

uint32_t model_register(uint32_t offset);

/* --- The PHY --- */

struct model_phy {
    bool yt8531;
    uint32_t address;
    bool clock;   /* it clocks the controller: a cable is in, or it does without */
    bool answers; /* else a transfer on the bus never ends */
    bool link;
    uint32_t mbps;
    uint16_t control;
    uint16_t advertised, control_1000;
    uint32_t restarts; /* of the negotiation */
    uint16_t ext_index;
    uint16_t ext[0x10000];
};
extern struct model_phy model_phy;
void phy_power_on(bool yt8531);
uint16_t phy_read(uint32_t number);
void phy_write(uint32_t number, uint16_t value);

/* --- Packets --- */

enum { MODEL_NO_ERROR = 0, MODEL_CRC_ERROR = 1u << 24 | 1u << 15 };

/* A packet arrives; false: the device had no descriptor, or is off, or the address is another's. */
bool model_receive(const uint8_t *bytes, uint32_t length, uint32_t errors);
/* Sends what the driver has shown, one packet per call: its length, 0 if there is none. */
uint32_t model_send(uint8_t *bytes, uint32_t room, bool fails);
/* Stops sending, as a broken link would. */
void model_bus_error(void);
/* True: the line is up. */
bool model_line(void);

/* The hash table of groups from the next reset on: 0 none, 1 to 3: 64, 128, 256 bits. */
extern uint32_t model_hash_size;

/* Read fences that the driver has executed. */
extern uint32_t model_read_fences;

#endif
