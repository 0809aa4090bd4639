/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a driver is given: its registers, interrupts, a DMA grant, words about the device; and nothing
 * else. One thread, no locks. Tests: every boot; tests/qemu/heal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sk/service.h>

#include "devmgr.h"

/* Devices below 4 GiB reach no further, and QEMU's have no other limit to tell. */
#define DMA_LIMIT ((uint64_t)1 << 32)

void grant_handle(struct grant *grant, const char *name, handle_t handle)
{
    grant->handles[grant->handle_count++] = (struct sk_spawn_handle){name, handle};
}

void grant_close(struct grant *grant)
{
    for (size_t i = 0; i < grant->handle_count; i++) {
        sk_handle_close(grant->handles[i].handle);
    }
}

static uint64_t page_down(uint64_t value)
{
    return value & ~(uint64_t)(SK_PAGE_SIZE - 1);
}

/* The pages of a register range, as a memory object. */
static status_t make_registers(const struct device_range *range, handle_t *memory)
{
    uint64_t base = page_down(range->base);
    uint64_t size = page_down(range->base + range->size + SK_PAGE_SIZE - 1) - base;
    handle_t resource;
    status_t status = sk_resource_create(sk_boot_handle("resource"), SK_RESOURCE_MMIO, base, size,
                                         &resource);
    if (status == SK_OK) {
        status = sk_memory_create_physical(resource, 0, size, memory);
        sk_handle_close(resource);
    }
    return status;
}

status_t registers_map(const struct device *device, uint64_t offset, uintptr_t *at,
                       uint64_t *mapped)
{
    const struct device_range *range = &device->ranges[0];
    handle_t memory;
    if (device->range_count == 0 || offset >= range->size) {
        return SK_OUT_OF_RANGE;
    }
    status_t status = make_registers(range, &memory);
    if (status != SK_OK) {
        return status;
    }
    uint64_t place = range->base % SK_PAGE_SIZE + offset;
    status = sk_memory_map(sk_self_process, memory, page_down(place), SK_PAGE_SIZE, 0,
                           SK_PROT_READ | SK_PROT_WRITE, mapped);
    sk_handle_close(memory);
    if (status == SK_OK) {
        *at = (uintptr_t)(*mapped + place % SK_PAGE_SIZE);
    }
    return status;
}

void grant_argument(struct grant *grant, const char *text)
{
    char *own = grant->texts[grant->argument_count];
    snprintf(own, ARGUMENT_BYTES, "%s", text);
    grant->arguments[grant->argument_count++] = own;
}

static status_t grant_ranges(struct grant *grant, const struct device *device)
{
    static const char *const names[MATCH_RANGES_MAX] = {"mmio0", "mmio1"};
    for (uint32_t i = 0; i < device->range_count; i++) {
        const struct device_range *range = &device->ranges[i];
        char text[ARGUMENT_BYTES];
        handle_t memory;
        status_t status = make_registers(range, &memory);
        if (status != SK_OK) {
            return status;
        }
        grant_handle(grant, names[i], memory);
        snprintf(text, sizeof text, "%s=0x%lx,0x%lx", names[i],
                 (unsigned long)(range->base % SK_PAGE_SIZE), (unsigned long)range->size);
        grant_argument(grant, text);
    }
    return SK_OK;
}

static status_t grant_interrupts(struct grant *grant, const struct device *device, handle_t job)
{
    static const char *const names[MATCH_INTERRUPTS_MAX] = {"irq0", "irq1"};
    for (uint32_t i = 0; i < device->interrupt_count; i++) {
        handle_t resource, interrupt;
        status_t status = sk_resource_create(sk_boot_handle("resource"), SK_RESOURCE_IRQ,
                                             device->interrupts[i], 1, &resource);
        if (status != SK_OK) {
            return status;
        }
        status = sk_interrupt_create(resource, device->interrupts[i], job, &interrupt);
        sk_handle_close(resource);
        if (status != SK_OK) {
            return status;
        }
        grant_handle(grant, names[i], interrupt);
    }
    return SK_OK;
}

/* The driver gets a duplicate of what devmgr keeps. */
static status_t grant_copy(struct grant *grant, const char *name, handle_t handle, uint32_t rights)
{
    handle_t copy;
    status_t status = sk_handle_duplicate(handle, rights | SK_RIGHT_TRANSFER, &copy);
    if (status == SK_OK) {
        grant_handle(grant, name, copy);
    }
    return status;
}

static status_t grant_dma(struct grant *grant, struct found *found)
{
    status_t status = sk_resource_create(sk_boot_handle("resource"), SK_RESOURCE_DMA, 0, DMA_LIMIT,
                                         &found->dma);
    /* Init holds it, too: if this process dies, the memory stays the device's until it is stopped. */
    handle_t kept;
    if (status == SK_OK) {
        status = sk_handle_duplicate(found->dma, SK_RIGHT_TRANSFER | SK_RIGHT_DUPLICATE, &kept);
    }
    if (status == SK_OK) {
        status = sk_keep(found->entry.service, kept);
    }
    return status == SK_OK ? grant_copy(grant, "dma", found->dma, SK_RIGHT_MANAGE) : status;
}

static status_t grant_served(struct grant *grant, struct found *found)
{
    status_t status = sk_event_create(sk_self_job, &found->served);
    return status == SK_OK ? grant_copy(grant, "served", found->served, SK_RIGHT_WRITE) : status;
}

static void grant_properties(struct grant *grant, const struct driver_manifest *driver,
                             const struct device *device, const void *tree)
{
    for (uint32_t i = 0; i < driver->property_count; i++) {
        char text[ARGUMENT_BYTES], value[MATCH_VALUE_MAX];
        if (device_property(tree, device, driver->properties[i], value)) {
            snprintf(text, sizeof text, "%s=%s", driver->properties[i], value);
            grant_argument(grant, text);
        }
    }
}

/* A driver has its share of the processor, but at most half of what devmgr still has: where many devices are
 * found, devmgr and all of them go on. */
static status_t grant_job(struct found *found)
{
    struct sk_budget budget = found->driver->budget;
    struct sk_job_info own = {0};
    uint64_t written;
    status_t status = sk_object_info(sk_self_job, &own, sizeof own, &written);
    if (status != SK_OK) {
        return status;
    }
    if (budget.cpu > own.limit.cpu / 2) {
        budget.cpu = own.limit.cpu / 2;
    }
    return sk_job_create(sk_self_job, &budget, &found->job);
}

status_t grant_make(struct grant *grant, struct found *found, const void *tree)
{
    const struct device *device = &found->device;
    char text[ARGUMENT_BYTES];
    grant->handle_count = grant->argument_count = 0;
    grant_argument(grant, found->driver->name);
    snprintf(text, sizeof text, "compatible=%s", device_compatible(tree, device, found->driver));
    grant_argument(grant, text);
    grant_properties(grant, found->driver, device, tree);
    status_t status = grant_job(found);
    if (status == SK_OK) {
        status = grant_ranges(grant, device);
    }
    if (status == SK_OK) {
        status = grant_interrupts(grant, device, found->job);
    }
    if (status == SK_OK) {
        status = lines_grant(grant, found, tree);
    }
    if (status == SK_OK && found->driver->dma) {
        status = grant_dma(grant, found);
    }
    if (status == SK_OK) {
        status = grant_served(grant, found);
    }
    if (status == SK_OK) {
        status = grant_copy(grant, "log", sk_boot_handle("log"), SK_RIGHT_WRITE);
    }
    if (status == SK_OK) {
        status = grant_copy(grant, "control", found->control,
                            SK_RIGHT_READ | SK_RIGHT_WRITE | SK_RIGHT_WAIT);
    }
    return status;
}
