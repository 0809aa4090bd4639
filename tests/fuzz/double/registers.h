/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device registers that are mere memory: a driver reads what was written there, or what the input put there. A target
 * may make more of them.
 */
#ifndef DOUBLE_REGISTERS_H
#define DOUBLE_REGISTERS_H

#include "double.h"

/* Gives the driver `size` bytes of them as "mmio0", and what else every driver has. Returns where they are. */
uint8_t *registers_give(uint64_t size);
/* Gives it "irq0", and raises that: the driver hears of it when it next waits. */
void interrupt_give(void);
void interrupt_raise(void);
/* Gives it "dma"; see double_physical. */
void dma_give(void);

/* A register is read: what the driver gets in place of `value`. It was written. By offset; both may be NULL. */
extern uint32_t (*registers_read)(uint64_t offset, uint32_t value);
extern void (*registers_written)(uint64_t offset, uint32_t value);

/* For those two: a register of 32 bits. */
uint32_t register_get(uint64_t offset);
void register_set(uint64_t offset, uint32_t value);

#endif
