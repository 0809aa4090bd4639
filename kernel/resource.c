/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resources, and the system calls that need one: narrowing, the log, power, statistics.
 *
 * Owns: resource memory. A DMA resource, the grant, also keeps the frames of DMA memory that nothing
 * refers to any more until its own last handle is closed: by then its owner has reset the device.
 * Lock: object.own_lock for those. Tests: tests/host/kernel/test_interrupt.c,
 * test_failures.c, tests/qemu/kernel/.
 */
#include <kernel/handle.h>
#include <kernel/memory.h>
#include <kernel/page.h>
#include <kernel/platform.h>
#include <kernel/process.h>
#include <kernel/resource.h>
#include <kernel/syscalls.h>
#include <kernel/wait.h>

static struct cache resource_cache = CACHE_INIT("resource", struct resource);

static void resource_destroy(struct object *object)
{
    object_fini(object);
    cache_free(&resource_cache, resource_from_object(object));
}

bool resource_hold(struct object *grant, struct list_node *memory)
{
    struct resource *resource = resource_from_object(grant);
    lock_acquire(grant->lock);
    bool held = !resource->ended;
    if (held) {
        list_append(&resource->held, memory);
    }
    lock_release(grant->lock);
    return held;
}

static void resource_orphan(struct object *object)
{
    struct resource *resource = resource_from_object(object);
    struct list_node held;
    list_init(&held);
    lock_acquire(object->lock);
    resource->ended = true;
    list_splice(&held, &resource->held);
    lock_release(object->lock);
    struct list_node *node;
    while ((node = list_pop(&held)) != NULL) {
        memory_end_dma(node);
    }
}

const struct object_type resource_type = {
    .name = "resource",
    .rights = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_READ | SK_RIGHT_WRITE |
              SK_RIGHT_MANAGE | SK_RIGHT_INSPECT,
    .orphan = resource_orphan,
    .destroy = resource_destroy,
};

status_t resource_create(struct job *job, uint32_t kind, uint64_t base, uint64_t size,
                         struct resource **result)
{
    status_t status = job_charge(job, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return status;
    }
    struct resource *resource = cache_alloc(&resource_cache);
    if (resource == NULL) {
        job_uncharge(job, BUDGET_OBJECTS, 1);
        return SK_NO_MEMORY;
    }
    object_init(&resource->object, SK_TYPE_RESOURCE, job);
    resource->kind = kind;
    resource->base = base;
    resource->size = size;
    list_init(&resource->held);
    resource->ended = false;
    *result = resource;
    return SK_OK;
}

bool resource_is(struct object *object, uint32_t kind)
{
    struct resource *resource = resource_from_object(object);
    return resource->kind == kind || resource->kind == SK_RESOURCE_ROOT;
}

static bool overlaps_ram(uint64_t base, uint64_t size)
{
    for (uint32_t i = 0; i < platform.memory_count; i++) {
        const struct platform_range *range = &platform.memory[i];
        if (base < range->end && range->start < base + size) {
            return true;
        }
    }
    return false;
}

/* True for kinds that are a range; the others have neither base nor size. */
static bool kind_is_range(uint32_t kind)
{
    return kind == SK_RESOURCE_MMIO || kind == SK_RESOURCE_IRQ || kind == SK_RESOURCE_DMA;
}

status_t sys_resource_create(struct thread *self, struct capability parent, uint32_t kind,
                             uint64_t base, uint64_t size, handle_t *handle)
{
    struct resource *from = resource_from_object(parent.object);
    if (kind >= SK_RESOURCE_KIND_COUNT || kind == SK_RESOURCE_ROOT) {
        return SK_INVALID_ARGS;
    }
    if (kind != from->kind && from->kind != SK_RESOURCE_ROOT) {
        return SK_INVALID_ARGS;
    }
    if (!kind_is_range(kind) && (base != 0 || size != 0)) {
        return SK_INVALID_ARGS;
    }
    if (kind_is_range(kind) && (size == 0 || base + size < base)) {
        return SK_OUT_OF_RANGE;
    }
    bool narrowed = kind_is_range(kind) && from->kind != SK_RESOURCE_ROOT;
    if (narrowed && (base < from->base || base + size > from->base + from->size)) {
        return SK_OUT_OF_RANGE;
    }
    if (kind == SK_RESOURCE_MMIO && overlaps_ram(base, size)) {
        return SK_OUT_OF_RANGE;
    }
    struct resource *resource;
    status_t status = resource_create(self->process->job, kind, base, size, &resource);
    if (status != SK_OK) {
        return status;
    }
    return handle_add_new(self->process, &resource->object, handle);
}

status_t sys_system_power(struct thread *self, struct capability power, uint32_t operation,
                          uint32_t reason)
{
    if (!resource_is(power.object, SK_RESOURCE_POWER)) {
        return SK_WRONG_TYPE;
    }
    if (operation > SK_POWER_REBOOT || reason > SK_POWER_FAILURE) {
        return SK_INVALID_ARGS;
    }
    return cpu_power(operation, reason);
}
