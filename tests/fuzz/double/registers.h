/* SPDX-License-Identifier: BSD-2-Clause */
/* Device registers that are mere memory: a driver reads what was written there, or what the input put there. */
#ifndef DOUBLE_REGISTERS_H
#define DOUBLE_REGISTERS_H

#include "double.h"

/* Gives the driver `size` bytes of them as "mmio0", and what else every driver has. Returns where they are. */
uint8_t *registers_give(uint64_t size);

#endif
