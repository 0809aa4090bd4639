/* SPDX-License-Identifier: BSD-2-Clause */
/* A network card as the input plays it, for nic.c; each of those that are linked with it is one. */
#ifndef NIC_H
#define NIC_H

#include "double/registers.h"
#include "messages.h"

struct nic_device {
    const char *const *arguments; /* of the driver, beside its name; ends with NULL */
    uint64_t register_bytes;
    void (*prepare)(uint8_t *registers); /* it can be brought up; more boot handles */
    /* Does something, rightly or not: receives, sends, writes into its rings or registers, interrupts. */
    void (*act)(void);
    /* Looks at all packets that it has, by nic_packet, and leaves no noise that would keep it from coming up. */
    void (*settle)(void);
};

extern const struct nic_device nic_device;

/* Memory at an address that the driver gave to the device as a packet's: it must be there; and in `settle` no two
 * packets lie in one buffer. */
uint8_t *nic_packet(uint64_t address, uint64_t size);
/* Where the packets' buffers lie; 0 as long as nobody has attached. */
extern uint64_t nic_pool;

#endif
