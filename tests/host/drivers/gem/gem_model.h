/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Cadence GEM by its manual (UG585, chapter 16 and appendix B.18), as unkind as one may be: it refuses
 * what the manual forbids, and sees memory and registers as late as a weakly ordered machine allows.
 *
 *   - a write to a register takes effect when the next register is read, or model_settle() is called;
 *   - what it wrote beside a descriptor's used bit appears only at the driver's read fence;
 *   - the rest of a descriptor must have been there at a write fence before its used bit is cleared;
 *   - events that are masked are forgotten;
 *   - a packet to send is never half there when the device looks, which it does at every fence.
 */
#ifndef GEM_MODEL_H
#define GEM_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "net/gem/gem.h"

#define MODEL_FRAME_MAX 2048u
#define MODEL_WRITES_MAX 4096u

struct model_write {
    uint32_t at, value; /* at: 0x1000 is the management block */
};
#define MODEL_MANAGEMENT 0x1000u

struct model {
    /* What a test sets. */
    uint32_t design1, design2, design6;
    uint64_t ring_physical, pool_physical;
    bool mdio_hangs, never_stops, has_mac_property, start_is_lost;
    uint32_t phy_property; /* MII_NONE: the tree has none */
    uint32_t phy_address;  /* where one answers; MII_NONE: nowhere */
    uint16_t phy[32];
    uint64_t now;
    uint32_t sent_limit; /* packets in one model_transmit; 0: no limit */
    /* What the device did. */
    struct model_write writes[MODEL_WRITES_MAX];
    uint32_t write_count;
    uint8_t sent[64][MODEL_FRAME_MAX];
    uint32_t sent_length[64], sent_count;
    uint32_t registers[GEM_BYTES / 4];
    uint32_t mask;
    uint32_t rx_at, tx_at; /* places in the rings */
};

extern struct model model;
extern struct net_device device;

/* A machine with a link of 1000 Mbit/s, nothing started. */
void model_reset(void);
status_t model_allocate(void);
/* device_allocate, device_start and `buffers` receive buffers shown. */
void model_start(uint32_t buffers);

void model_settle(void);
/* A frame arrives; `result` is or-ed into the second word. False: there was no buffer. */
bool model_receive(const void *frame, uint32_t length, uint32_t result);
/* Sends what is there. The number of packets. */
uint32_t model_transmit(void);
/* The interrupt line. */
bool model_interrupts(void);
void model_raise(uint32_t events);

/* The number of the first write to a register at or after `from`; write_count if there is none. */
uint32_t model_first_write(uint32_t at, uint32_t from);

#endif
