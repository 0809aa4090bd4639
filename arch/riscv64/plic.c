/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0.0). Each hart has a context
 * for supervisor mode, whose number the device tree gives.
 *
 * Lock: enable_lock guards the enable words, which sources share. Claims belong to the claiming
 * hart. A completion counts only while the source is enabled in the completing context, so
 * irq_complete comes before irq_disable.
 */
#include <arch/irq.h>

#include "csr.h"
#include "internal.h"

#include <arch/mmu.h>
#include <kernel/hart.h>
#include <kernel/lock.h>
#include <kernel/log.h>
#include <kernel/platform.h>
#include <kernel/trap.h>

#define PRIORITY(source) (4ul * (source))
#define ENABLE(context, word) (0x2000ul + 0x80ul * (context) + 4ul * (word))
#define THRESHOLD(context) (0x200000ul + 0x1000ul * (context))
#define CLAIM(context) (THRESHOLD(context) + 4)
#define NO_CONTEXT (~0u)

static volatile unsigned char *registers; /* [I] NULL: the machine has none */
static const struct hart *reached;        /* [I] the first hart that interrupts reach; NULL: none */
static struct spinlock enable_lock = SPINLOCK_INIT(LOCK_CONTROLLER);

static uint32_t read(uint64_t offset)
{
    return *(volatile uint32_t *)(registers + offset);
}

static void write(uint64_t offset, uint32_t value)
{
    *(volatile uint32_t *)(registers + offset) = value;
}

static uint32_t context_in_tree(const struct hart *hart)
{
    for (uint32_t i = 0; i < platform.hart_count; i++) {
        if (platform.harts[i].id == hart->id) {
            return platform.harts[i].plic_context;
        }
    }
    return NO_CONTEXT;
}

void plic_boot(void)
{
    if (platform.plic.end > platform.plic.start) {
        registers = mmu_map_device(platform.plic.start, platform.plic.end - platform.plic.start);
    }
    for (uint32_t i = 0; i < hart_count; i++) {
        harts[i].arch.plic_context = registers != NULL ? context_in_tree(&harts[i]) : NO_CONTEXT;
        if (reached == NULL && harts[i].arch.plic_context != NO_CONTEXT) {
            reached = &harts[i];
        }
    }
    if (reached == NULL) {
        log_printf("no PLIC that reaches a usable hart%s: devices will not work\n",
                   platform.has_aia
                       ? " (the tree has an APLIC or IMSICs, which are not driven; QEMU: "
                         "-M virt,aia=none)"
                       : "");
    }
}

void plic_boot_hart(struct hart *hart)
{
    uint32_t context = hart->arch.plic_context;
    if (context == NO_CONTEXT) {
        return;
    }
    for (uint32_t word = 0; word <= platform.plic_sources / 32; word++) {
        write(ENABLE(context, word), 0);
    }
    write(THRESHOLD(context), 0);
    csr_set(sie, INTERRUPT_EXTERNAL);
}

uint32_t irq_highest(void)
{
    return reached != NULL ? platform.plic_sources : 0;
}

/* On a machine with a controller for each group of harts only the first one is used. */
static uint32_t context_of(const struct hart *hart)
{
    return hart->arch.plic_context != NO_CONTEXT ? hart->arch.plic_context
                                                 : reached->arch.plic_context;
}

static void set_enabled(uint32_t source, struct hart *hart, bool enabled)
{
    uint64_t offset = ENABLE(context_of(hart), source / 32);
    uint32_t bit = 1u << source % 32;
    lock_acquire(&enable_lock);
    uint32_t value = read(offset);
    write(offset, enabled ? value | bit : value & ~bit);
    lock_release(&enable_lock);
}

void irq_enable(uint32_t source, struct hart *hart)
{
    write(PRIORITY(source), 1);
    set_enabled(source, hart, true);
}

void irq_disable(uint32_t source, struct hart *hart)
{
    set_enabled(source, hart, false);
}

void irq_complete(uint32_t source, struct hart *hart)
{
    /* What the driver did to its device comes first. */
    __asm__ volatile("fence iorw, iorw" ::: "memory");
    write(CLAIM(context_of(hart)), source);
}

bool plic_take(void)
{
    uint32_t context = cpu_hart()->arch.plic_context;
    uint32_t source = read(CLAIM(context));
    bool any = source != 0;
    while (source != 0) {
        trap_device(source);
        source = read(CLAIM(context));
    }
    return any;
}
