/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devmgr: walks the device tree and starts a driver for each device that one matches (grant.c: with
 * what), starts those again that die (lives.c), and serves "devmgr" (<sk/protocol/devmgr.h>).
 * One thread, no locks.
 */
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <virtio/mmio.h>

#include <sk/cpio.h>
#include <sk/print.h>
#include <sk/service.h>

#include "devmgr.h"

#define DRIVERS_MAX 16u

static struct driver_manifest drivers[DRIVERS_MAX];
static uint32_t driver_count;
static struct found found[DEVICES_MAX];
static uint32_t found_count;
static const void *tree, *archive;
static uint64_t archive_size;
static struct sk_server server;

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

/* Which virtio device is behind a transport; NONE if there is none or it cannot be looked at. */
static uint32_t probe_virtio(const struct device *device)
{
    uintptr_t registers;
    uint64_t mapped;
    uint32_t id = VIRTIO_DEVICE_NONE;
    if (registers_map(device, 0, &registers, &mapped) != SK_OK) {
        return VIRTIO_DEVICE_NONE;
    }
    if (virtio_mmio_probe(registers, &id) != SK_OK) {
        id = VIRTIO_DEVICE_NONE;
    }
    sk_memory_unmap(sk_self_process, mapped, SK_PAGE_SIZE);
    return id;
}

/* The service name of the n-th device of a driver: "nic*" gives nic0, nic1, ... over all drivers. */
static void name_service(const struct driver_manifest *driver, char *name)
{
    const char *service = driver->provider ? "provider*" : driver->service;
    size_t stem = strcspn(service, "*");
    snprintf(name, SK_DEVMGR_NAME_MAX, "%s", service);
    if (service[stem] != '*') {
        return;
    }
    uint32_t number = 0;
    for (uint32_t i = 0; i < found_count; i++) {
        number += strncmp(found[i].entry.service, service, stem) == 0;
    }
    snprintf(name + stem, SK_DEVMGR_NAME_MAX - stem, "%lu", (unsigned long)number);
}

static void add_device(const struct driver_manifest *driver, const struct device *device)
{
    if (found_count == DEVICES_MAX) {
        printf("%s: too many devices\n", device->path);
        return;
    }
    struct found *slot = &found[found_count];
    *slot = (struct found){.driver = driver, .device = *device};
    snprintf(slot->entry.path, sizeof slot->entry.path, "%s", device->path);
    snprintf(slot->entry.driver, sizeof slot->entry.driver, "%s", driver->name);
    name_service(driver, slot->entry.service);
    status_t status = driver->provider ? lines_open_provider(slot) : SK_OK;
    if (status != SK_OK) {
        printf("%s: no lines to %s: %s\n", device->path, driver->name, sk_status_words(status));
        return;
    }
    found_count++;
}

/* Adds the device where the walk is, with the first driver that is for it. */
static void find_driver_for(struct device_walk *walk)
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
        add_device(&drivers[i], &device);
        return;
    }
}

/* All devices are known before the first driver starts: it may need a line to one that comes later. */
static void start_drivers(void)
{
    struct device_walk walk = {.tree = tree};
    while (device_next(&walk)) {
        find_driver_for(&walk);
    }
    for (uint32_t i = 0; i < found_count; i++) {
        lives_begin(&found[i]);
    }
}

static status_t on_list(struct sk_in *in, struct sk_reply *reply)
{
    const struct sk_devmgr_list *request = sk_request(in, struct sk_devmgr_list);
    if (request == NULL) {
        return SK_INVALID_ARGS;
    }
    uint64_t first = request->first;
    struct sk_devmgr_devices *answer = sk_reply_struct(reply, struct sk_devmgr_devices);
    answer->total = found_count;
    for (uint64_t i = first; i < found_count; i++) {
        if (answer->count == SK_DEVMGR_DEVICES_PER_REPLY) {
            break;
        }
        answer->entries[answer->count++] = found[i].entry;
    }
    reply->length = offsetof(struct sk_devmgr_devices, entries) +
                    answer->count * sizeof answer->entries[0];
    return SK_OK;
}

static status_t on_restart(struct sk_client *client, struct sk_in *in)
{
    const struct sk_devmgr_restart *request = sk_request(in, struct sk_devmgr_restart);
    if (request == NULL ||
        (request->cause != SK_CAUSE_KILLED && request->cause != SK_CAUSE_HUNG &&
         request->cause != SK_CAUSE_NONSENSE) ||
        memchr(request->service, 0, sizeof request->service) == NULL) {
        return SK_INVALID_ARGS;
    }
    if ((client->grants & SK_GRANT_RESTART) == 0) {
        return SK_NOT_ALLOWED;
    }
    for (uint32_t i = 0; i < found_count; i++) {
        if (strcmp(found[i].entry.service, request->service) == 0) {
            return lives_cut(&found[i], (enum sk_init_cause)request->cause);
        }
    }
    return SK_NOT_FOUND;
}

static status_t on_message(struct sk_server *loop, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    switch (sk_operation(in)) {
    case SK_DEVMGR_LIST:
        return on_list(in, reply);
    case SK_DEVMGR_RESTART:
        return on_restart(client, in);
    default:
        return SK_INVALID_ARGS;
    }
}

/* Only init sees that a driver leaves its control queue alone, and only devmgr can end it. */
static void on_stuck(struct sk_server *loop, const char *name)
{
    for (uint32_t i = 0; i < found_count; i++) {
        if (!found[i].driver->provider && strcmp(found[i].entry.service, name) == 0) {
            lives_stuck(&found[i]);
        }
    }
}

static bool before_wait(struct sk_server *loop)
{
    sk_server_set_deadline(loop, lives_continue(found, found_count));
    return false;
}

int main(void)
{
    static const struct sk_server_ops ops = {
        .message = on_message, .before_wait = before_wait, .stuck = on_stuck};
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
    lives_init(&server, tree, archive, archive_size);
    lines_init(found, &found_count);
    read_manifests();
    start_drivers();
    sk_ready();
    return sk_server_run(&server);
}
