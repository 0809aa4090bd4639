/* SPDX-License-Identifier: BSD-2-Clause */
/* See registers.h. */
#include "registers.h"

#include <string.h>

#include <sk/mmio.h>

uint8_t *registers_give(uint64_t size)
{
    struct held memory = memory_make(NULL, size);
    double_boot_handle("mmio0", memory);
    double_boot_handle("served", object_make(SK_TYPE_EVENT));
    return memory.object->bytes;
}

uint32_t model_read(uintptr_t address, unsigned width)
{
    uint32_t value = 0;
    memcpy(&value, (const void *)address, width);
    return value;
}

void model_write(uintptr_t address, uint32_t value, unsigned width)
{
    memcpy((void *)address, &value, width);
}
