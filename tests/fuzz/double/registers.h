/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device registers that are mere memory: a driver reads what was written there, or what the input put there. A target
 * may make more of them.
 */
#ifndef DOUBLE_REGISTERS_H
#define DOUBLE_REGISTERS_H

#include "double.h"

#define DRIVER_ARGUMENTS_MAX 12u

/* The driver's main, with these arguments beside its name; they end with NULL. */
int driver_run(const char *const *arguments);
/* Gives the driver `size` bytes of them as "mmio0", and what else every driver has. Returns where they are. */
uint8_t *registers_give(uint64_t size);
/* Gives it "irq0", and raises that: the driver hears of it when it next waits. */
void interrupt_give(void);
void interrupt_raise(void);
/* Gives it "dma", and memory at an address that it gave its device: the run ends if that is not there. */
void dma_give(void);
void *dma_at(uint64_t address, uint64_t size);

/* A register is read: what the driver gets in place of `value`. It was written. By offset; both may be NULL. */
extern uint32_t (*registers_read)(uint64_t offset, uint32_t value);
extern void (*registers_written)(uint64_t offset, uint32_t value);

/* For those two: a register of 32 bits. */
uint32_t register_get(uint64_t offset);
void register_set(uint64_t offset, uint32_t value);

#endif
