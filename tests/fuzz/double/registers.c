/* SPDX-License-Identifier: BSD-2-Clause */
/* See registers.h. */
#include "registers.h"

#include <string.h>

#include <sk/mmio.h>

#define ARGUMENT_BYTES 64u

int service_main(int argc, char **argv);

uint32_t (*registers_read)(uint64_t offset, uint32_t value);
void (*registers_written)(uint64_t offset, uint32_t value);

static uint8_t *registers;
static struct object *interrupt;

int driver_run(const char *const *arguments)
{
    static char texts[DRIVER_ARGUMENTS_MAX][ARGUMENT_BYTES] = {"driver"};
    char *argv[DRIVER_ARGUMENTS_MAX + 1] = {texts[0]};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++) {
        strcpy(texts[argc], arguments[argc - 1]);
        argv[argc] = texts[argc];
    }
    return service_main(argc, argv);
}

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

void *dma_at(uint64_t address, uint64_t size)
{
    uint8_t *bytes = double_physical(address, size);
    if (bytes == NULL) {
        double_broke(
            "the device was told of %llu bytes at %llx, where no memory of its driver's is",
            (unsigned long long)size, (unsigned long long)address);
    }
    return bytes;
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
