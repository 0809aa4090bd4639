/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interrupt controller, whichever of the two kinds the device tree has: irq_* and the claims of
 * a hart, over a struct irq_controller. Each hart that interrupts reach has a context, whose number
 * the tree gives.
 *
 * Claims belong to the claiming hart. A completion counts only while the source is enabled in the
 * completing context, so irq_complete comes before irq_disable.
 */
#include <arch/irq.h>

#include "csr.h"
#include "internal.h"

#include <arch/mmu.h>
#include <kernel/hart.h>
#include <kernel/log.h>
#include <kernel/platform.h>
#include <kernel/trap.h>

#define NO_CONTEXT (~0u)

static const struct irq_controller *controller; /* [I] with `reached` */
static struct irq_port ports[HARTS_MAX];        /* [I] of each hart, by its number */
static const struct hart *reached; /* [I] the first hart that interrupts reach; NULL: none */

static uint32_t context_in_tree(const struct hart *hart)
{
    for (uint32_t i = 0; i < platform.hart_count; i++) {
        if (platform.harts[i].id == hart->id) {
            return platform.harts[i].irq_context;
        }
    }
    return NO_CONTEXT;
}

void irq_boot(void)
{
    const struct platform_range *range = &platform.irq_registers;
    bool any = range->end > range->start;
    for (uint32_t i = 0; i < hart_count; i++) {
        harts[i].arch.irq_context = any ? context_in_tree(&harts[i]) : NO_CONTEXT;
        if (reached == NULL && harts[i].arch.irq_context != NO_CONTEXT) {
            reached = &harts[i];
        }
    }
    if (reached == NULL) {
        log_printf("no interrupt controller that reaches a usable hart%s: devices will not work\n",
                   platform.has_imsics
                       ? " (the tree has IMSICs, which are not driven; QEMU: -M virt,aia=none)"
                       : "");
        return;
    }
    controller = platform.irq_is_aplic ? &aplic : &plic;
    controller->boot(mmu_map_device(range->start, range->end - range->start), platform.irq_sources);
    for (uint32_t i = 0; i < hart_count; i++) {
        const struct hart *hart = harts[i].arch.irq_context != NO_CONTEXT ? &harts[i] : reached;
        ports[i] = controller->port(hart->arch.irq_context);
    }
}

void irq_boot_hart(struct hart *hart)
{
    if (hart->arch.irq_context != NO_CONTEXT) {
        controller->boot_context(hart->arch.irq_context, platform.irq_sources);
        csr_set(sie, INTERRUPT_EXTERNAL);
    }
}

uint32_t irq_highest(void)
{
    return reached != NULL ? platform.irq_sources : 0;
}

/* On a machine with a controller for each group of harts only the first one is used. */
static uint32_t context_of(const struct hart *hart)
{
    return hart->arch.irq_context != NO_CONTEXT ? hart->arch.irq_context
                                                : reached->arch.irq_context;
}

void irq_enable(uint32_t source, struct hart *hart)
{
    controller->enable(source, context_of(hart));
}

void irq_disable(uint32_t source, struct hart *hart)
{
    controller->disable(source, context_of(hart));
}

void irq_complete(uint32_t source, struct hart *hart)
{
    /* What the driver did to its device comes first. */
    __asm__ volatile("fence iorw, iorw" ::: "memory");
    *ports[hart->number].complete = source;
}

static uint32_t claim(const struct irq_port *port)
{
    uint32_t source = *port->claim >> port->shift;
    if (source != 0 && port->hold != NULL) {
        *port->hold = source;
    }
    return source;
}

bool irq_take(void)
{
    const struct irq_port *port = &ports[cpu_hart()->number];
    uint32_t source = claim(port);
    bool any = source != 0;
    while (source != 0) {
        trap_device(source);
        source = claim(port);
    }
    return any;
}
