/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devmgr: walks the device tree and starts a driver for each device that one matches, with exactly
 * that device's registers, interrupts and, where its manifest asks, a DMA grant. Each driver runs in
 * a job of its own. devmgr keeps the grant, so that memory a device may still write to outlives the
 * driver. Serves "devmgr" (<sk/protocol/devmgr.h>). One thread, no locks.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <virtio/mmio.h>

#include <sk/cpio.h>
#include <sk/print.h>
#include <sk/protocol/devmgr.h>
#include <sk/server.h>
#include <sk/service.h>
#include <sk/spawn.h>

#include "match.h"

#define DRIVERS_MAX 16u
#define DEVICES_MAX 32u
#define ARGUMENTS_MAX (2u + MATCH_RANGES_MAX + MATCH_PROPERTIES_MAX)
#define ARGUMENT_BYTES (MATCH_PROPERTY_NAME_MAX + MATCH_VALUE_MAX)

/* Devices below 4 GiB reach no further, and QEMU's have no other limit to tell. */
#define DMA_LIMIT ((uint64_t)1 << 32)

struct found {
    struct sk_devmgr_device entry; /* as the service tells it */
    struct sk_child child;
    handle_t job, dma;
};

static struct driver_manifest drivers[DRIVERS_MAX];
static uint32_t driver_count;
static struct found found[DEVICES_MAX];
static uint32_t found_count;
static const void *tree, *archive;
static uint64_t archive_size;
static struct sk_server server;

/* What is made for one driver before it starts; closed if it does not. */
struct grant {
    struct sk_spawn_handle handles[MATCH_RANGES_MAX + MATCH_INTERRUPTS_MAX + 3];
    size_t handle_count;
    char texts[ARGUMENTS_MAX][ARGUMENT_BYTES];
    const char *arguments[ARGUMENTS_MAX];
    size_t argument_count;
};

static void grant_handle(struct grant *grant, const char *name, handle_t handle)
{
    grant->handles[grant->handle_count++] = (struct sk_spawn_handle){name, handle};
}

static void grant_close(struct grant *grant)
{
    for (size_t i = 0; i < grant->handle_count; i++) {
        sk_handle_close(grant->handles[i].handle);
    }
}

static status_t map_boot_handle(const char *name, const void **start, uint64_t *size)
{
    struct sk_memory_info info;
    uint64_t written, address;
    handle_t memory = sk_boot_handle(name);
    status_t status = sk_object_info(memory, &info, sizeof info, &written);
    if (status == SK_OK) {
        status = sk_memory_map(sk_self_process, memory, 0, info.size, 0, SK_PROT_READ, &address);
    }
    if (status == SK_OK) {
        *start = (const void *)(uintptr_t)address;
        *size = info.size;
    }
    return status;
}

/* All etc/drivers/NAME.driver files of the archive. */
static void read_manifests(void)
{
    uint64_t position = 0;
    struct sk_cpio_entry entry;
    while (sk_cpio_next(archive, archive_size, &position, &entry) == SK_OK) {
        const char *suffix = strrchr(entry.name, '.');
        if (strncmp(entry.name, "etc/drivers/", 12) != 0 || suffix == NULL ||
            strcmp(suffix, ".driver") != 0) {
            continue;
        }
        char problem[96];
        const char *text = (const char *)archive + entry.offset;
        if (driver_count == DRIVERS_MAX) {
            printf("%s is one manifest too many\n", entry.name);
        } else if (driver_parse(text, entry.size, &drivers[driver_count], problem,
                                sizeof problem) != SK_OK) {
            printf("%s: %s\n", entry.name, problem);
        } else {
            driver_count++;
        }
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

/* Which virtio device is behind a transport; NONE if there is none or it cannot be looked at. */
static uint32_t probe_virtio(const struct device *device)
{
    handle_t memory;
    uint64_t address;
    uint32_t id = VIRTIO_DEVICE_NONE;
    if (device->range_count == 0 || make_registers(&device->ranges[0], &memory) != SK_OK) {
        return VIRTIO_DEVICE_NONE;
    }
    if (sk_memory_map(sk_self_process, memory, 0, SK_PAGE_SIZE, 0, SK_PROT_READ, &address) ==
        SK_OK) {
        uintptr_t registers = address + device->ranges[0].base % SK_PAGE_SIZE;
        if (virtio_mmio_probe(registers, &id) != SK_OK) {
            id = VIRTIO_DEVICE_NONE;
        }
        sk_memory_unmap(sk_self_process, address, SK_PAGE_SIZE);
    }
    sk_handle_close(memory);
    return id;
}

static void add_argument(struct grant *grant, const char *text)
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
        add_argument(grant, text);
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

/* devmgr keeps the grant itself; the driver gets a duplicate. */
static status_t grant_dma(struct grant *grant, struct found *slot)
{
    handle_t copy;
    status_t status = sk_resource_create(sk_boot_handle("resource"), SK_RESOURCE_DMA, 0, DMA_LIMIT,
                                         &slot->dma);
    if (status == SK_OK) {
        status = sk_handle_duplicate(slot->dma, SK_RIGHT_MANAGE | SK_RIGHT_TRANSFER, &copy);
    }
    if (status == SK_OK) {
        grant_handle(grant, "dma", copy);
    }
    return status;
}

static void grant_properties(struct grant *grant, const struct driver_manifest *driver,
                             const struct device *device)
{
    for (uint32_t i = 0; i < driver->property_count; i++) {
        char text[ARGUMENT_BYTES], value[MATCH_VALUE_MAX];
        if (device_property(tree, device, driver->properties[i], value)) {
            snprintf(text, sizeof text, "%s=%s", driver->properties[i], value);
            add_argument(grant, text);
        }
    }
}

static status_t grant_output(struct grant *grant)
{
    handle_t log;
    uint32_t rights = SK_RIGHT_WRITE | SK_RIGHT_TRANSFER;
    status_t status = sk_handle_duplicate(sk_boot_handle("log"), rights, &log);
    if (status == SK_OK) {
        grant_handle(grant, "log", log);
    }
    return status;
}

/* Everything a driver is given, in the order in which it may fail. */
static status_t grant_all(struct grant *grant, const struct driver_manifest *driver,
                          const struct device *device, struct found *slot)
{
    add_argument(grant, driver->name);
    grant_properties(grant, driver, device);
    status_t status = sk_job_create(sk_self_job, &driver->budget, &slot->job);
    if (status == SK_OK) {
        status = grant_ranges(grant, device);
    }
    if (status == SK_OK) {
        status = grant_interrupts(grant, device, slot->job);
    }
    if (status == SK_OK && driver->dma) {
        status = grant_dma(grant, slot);
    }
    if (status == SK_OK) {
        status = grant_output(grant);
    }
    handle_t control;
    if (status == SK_OK) {
        status = sk_offer(slot->entry.service, slot->job, &control);
    }
    if (status == SK_OK) {
        grant_handle(grant, "control", control);
    }
    return status;
}

static void driver_ended(struct sk_server *loop, handle_t process, uint32_t signals, void *context)
{
    struct found *slot = context;
    struct sk_process_info info;
    uint64_t written;
    if (sk_object_info(process, &info, sizeof info, &written) == SK_OK) {
        printf("%s for %s has ended\n", slot->entry.driver, slot->entry.path);
    }
    slot->entry.state = SK_DEVMGR_ENDED;
    slot->entry.process_id = 0;
    sk_server_unwatch(loop, process);
    sk_handle_close(slot->child.process);
    sk_handle_close(slot->child.boot);
}

static status_t start(const struct driver_manifest *driver, const struct device *device,
                      struct found *slot)
{
    static struct grant grant; /* reused: large, and one driver starts at a time */
    char file[MATCH_NAME_MAX + 4];
    struct sk_cpio_entry image;
    snprintf(file, sizeof file, "bin/%s", driver->name);
    grant.handle_count = grant.argument_count = 0;
    status_t status = sk_cpio_find(archive, archive_size, file, &image);
    if (status == SK_OK) {
        status = grant_all(&grant, driver, device, slot);
    }
    if (status != SK_OK) {
        grant_close(&grant);
        return status;
    }
    struct sk_spawn spawn = {
        .name = driver->name,
        .job = slot->job,
        .priority = driver->priority,
        .image = sk_boot_handle("bootfs"),
        .image_offset = image.offset,
        .image_size = image.size,
        .argument_count = grant.argument_count,
        .arguments = grant.arguments,
        .handles = grant.handles,
        .handle_count = grant.handle_count,
    };
    status = sk_spawn(&spawn, &slot->child);
    if (status == SK_OK) {
        status = sk_server_watch(&server, slot->child.process, SK_SIGNAL_TERMINATED, driver_ended,
                                 slot);
    }
    return status;
}

/* The service name of the n-th device of a driver: "nic*" gives nic0, nic1, ... over all drivers. */
static void name_service(const struct driver_manifest *driver, char *name)
{
    size_t stem = strcspn(driver->service, "*");
    snprintf(name, SK_DEVMGR_NAME_MAX, "%s", driver->service);
    if (driver->service[stem] != '*') {
        return;
    }
    uint32_t number = 0;
    for (uint32_t i = 0; i < found_count; i++) {
        number += strncmp(found[i].entry.service, driver->service, stem) == 0;
    }
    snprintf(name + stem, SK_DEVMGR_NAME_MAX - stem, "%lu", (unsigned long)number);
}

static void start_device(const struct driver_manifest *driver, const struct device *device)
{
    if (found_count == DEVICES_MAX) {
        printf("%s: too many devices\n", device->path);
        return;
    }
    struct found *slot = &found[found_count];
    struct sk_process_info info = {0};
    uint64_t written;
    snprintf(slot->entry.path, sizeof slot->entry.path, "%s", device->path);
    snprintf(slot->entry.driver, sizeof slot->entry.driver, "%s", driver->name);
    name_service(driver, slot->entry.service);
    status_t status = start(driver, device, slot);
    found_count++;
    slot->entry.error = status;
    slot->entry.state = status == SK_OK ? SK_DEVMGR_RUNNING : SK_DEVMGR_FAILED;
    if (status != SK_OK) {
        printf("%s: cannot start %s: %s\n", device->path, driver->name, sk_status_words(status));
    } else if (sk_object_info(slot->child.process, &info, sizeof info, &written) == SK_OK) {
        slot->entry.process_id = info.id;
    }
}

/* Starts the first driver that is for the device where the walk is. */
static void start_driver_for(struct device_walk *walk)
{
    uint32_t virtio_id = VIRTIO_DEVICE_NONE;
    bool probed = false;
    for (uint32_t i = 0; i < driver_count; i++) {
        struct device device;
        if (!device_matches(walk, &drivers[i])) {
            continue;
        }
        device_describe(walk, &drivers[i], &device);
        if (drivers[i].virtio != 0) {
            virtio_id = probed ? virtio_id : probe_virtio(&device);
            probed = true;
            if (virtio_id == VIRTIO_DEVICE_NONE) {
                return; /* an empty transport, for whatever driver */
            }
            if (virtio_id != drivers[i].virtio) {
                continue;
            }
        }
        start_device(&drivers[i], &device);
        return;
    }
}

static void start_drivers(void)
{
    struct device_walk walk = {.tree = tree};
    while (device_next(&walk)) {
        start_driver_for(&walk);
    }
}

static status_t on_message(struct sk_server *loop, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    const struct sk_devmgr_list *request = sk_request(in, struct sk_devmgr_list);
    if (request == NULL || request->operation != SK_DEVMGR_LIST) {
        return SK_INVALID_ARGS;
    }
    struct sk_devmgr_devices *answer = sk_reply_struct(reply, struct sk_devmgr_devices);
    answer->total = found_count;
    for (uint64_t i = request->first; i < found_count; i++) {
        if (answer->count == SK_DEVMGR_DEVICES_PER_REPLY) {
            break;
        }
        answer->entries[answer->count++] = found[i].entry;
    }
    reply->length = offsetof(struct sk_devmgr_devices, entries) +
                    answer->count * sizeof answer->entries[0];
    return SK_OK;
}

int main(void)
{
    static const struct sk_server_ops ops = {.message = on_message};
    uint64_t tree_size;
    status_t status = map_boot_handle("dtb", &tree, &tree_size);
    if (status == SK_OK && fdt_check_full(tree, tree_size) != 0) {
        status = SK_BAD_FORMAT;
    }
    if (status != SK_OK) {
        sk_die("cannot read the device tree: %s", sk_status_words(status));
    }
    status = map_boot_handle("bootfs", &archive, &archive_size);
    if (status == SK_OK) {
        status = sk_server_init(&server, &ops, NULL);
    }
    if (status == SK_OK) {
        status = sk_server_offer(&server, "devmgr");
    }
    if (status != SK_OK) {
        sk_die("cannot start: %s", sk_status_words(status));
    }
    read_manifests();
    start_drivers();
    sk_ready();
    return sk_server_run(&server);
}
