/* SPDX-License-Identifier: BSD-2-Clause */
/* See registers.h. */
#include "registers.h"

#include <string.h>

#include <sk/mmio.h>

uint32_t (*registers_read)(uint64_t offset, uint32_t value);
void (*registers_written)(uint64_t offset, uint32_t value);

static uint8_t *registers;
static struct object *interrupt;

uint8_t *registers_give(uint64_t size)
{
    struct held memory = memory_make(NULL, size);
    registers = memory.object->bytes;
    double_boot_handle("mmio0", memory);
    double_boot_handle("served", object_make(SK_TYPE_EVENT));
    return registers;
}

void interrupt_give(void)
{
    struct held held = object_make(SK_TYPE_INTERRUPT);
    interrupt = held.object;
    double_boot_handle("irq0", held);
}

void interrupt_raise(void)
{
    object_signal(interrupt, SK_SIGNAL_INTERRUPT);
}

void dma_give(void)
{
    double_boot_handle("dma", object_make(SK_TYPE_RESOURCE));
}

uint32_t register_get(uint64_t offset)
{
    uint32_t value;
    memcpy(&value, registers + offset, sizeof value);
    return value;
}

void register_set(uint64_t offset, uint32_t value)
{
    memcpy(registers + offset, &value, sizeof value);
}

uint32_t model_read(uintptr_t address, unsigned width)
{
    uint32_t value = 0;
    memcpy(&value, (const void *)address, width);
    return registers_read != NULL ? registers_read(address - (uintptr_t)registers, value) : value;
}

void model_write(uintptr_t address, uint32_t value, unsigned width)
{
    memcpy((void *)address, &value, width);
    if (registers_written != NULL) {
        registers_written(address - (uintptr_t)registers, value);
    }
}
