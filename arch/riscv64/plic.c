/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0.0).
 *
 * Lock: enable_lock guards the enable words, which sources share.
 */
#include "internal.h"

#include <kernel/lock.h>

#define PRIORITY(source) (4ul * (source))
#define ENABLE(context, word) (0x2000ul + 0x80ul * (context) + 4ul * (word))
#define THRESHOLD(context) (0x200000ul + 0x1000ul * (context))
#define CLAIM(context) (THRESHOLD(context) + 4)

static volatile unsigned char *registers; /* [I] */
static struct spinlock enable_lock = SPINLOCK_INIT(LOCK_CONTROLLER);

static uint32_t read(uint64_t offset)
{
    return *(volatile uint32_t *)(registers + offset);
}

static void write(uint64_t offset, uint32_t value)
{
    *(volatile uint32_t *)(registers + offset) = value;
}

static void boot(volatile unsigned char *mapped, uint32_t sources)
{
    registers = mapped;
}

static void boot_context(uint32_t context, uint32_t sources)
{
    for (uint32_t word = 0; word <= sources / 32; word++) {
        write(ENABLE(context, word), 0);
    }
    write(THRESHOLD(context), 0);
}

static void set_enabled(uint32_t source, uint32_t context, bool enabled)
{
    uint64_t offset = ENABLE(context, source / 32);
    uint32_t bit = 1u << source % 32;
    lock_acquire(&enable_lock);
    uint32_t value = read(offset);
    write(offset, enabled ? value | bit : value & ~bit);
    lock_release(&enable_lock);
}

static void enable(uint32_t source, uint32_t context)
{
    write(PRIORITY(source), 1);
    set_enabled(source, context, true);
}

static void disable(uint32_t source, uint32_t context)
{
    set_enabled(source, context, false);
}

static struct irq_port port(uint32_t context)
{
    volatile uint32_t *claim = (volatile uint32_t *)(registers + CLAIM(context));
    return (struct irq_port){.claim = claim, .complete = claim};
}

const struct irq_controller plic = {boot, boot_context, port, enable, disable};
