/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to the service "devmgr", while its drivers end and are started again, by a small tree of its own. The double's
 * processes and the registers of devices are played here. See messages.h.
 */
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>
#include <sk/protocol/devmgr.h>

#include "double/archive.h"
#include "messages.h"

#define DRIVERS 5u
#define MUTE_MAX 2u /* lives without an answer, in one input: of more a driver is given up */
#define OFFERS_MAX DRIVERS
#define ENDS_MAX 3u /* of channels, of one driver */
#define TREE_BYTES 4096

int service_main(void);

static const struct archive_file manifests[] = {
    {"etc/drivers/nic.driver", 0100644,
     "driver nic\nservice nic*\ncompatible virtio,mmio\nvirtio 1\ndma\ndma-stop 0x70 0\n"
     "budget pages=256 objects=256 handles=128 messages=128 threads=1\n",
     0},
    {"etc/drivers/uart.driver", 0100644,
     "driver uart\nservice uart*\ncompatible test,uart\nproperties reg-shift phy/reg\n", 0},
    {"etc/drivers/crg.driver", 0100644, "driver crg\nprovider\ncompatible test,crg\ninterrupts 0\n",
     0},
    {"etc/drivers/mac.driver", 0100644,
     "driver mac\nservice nic*\ncompatible test,mac\nclocks bus\nresets bus\ninterrupts 2\n", 0},
};
#define MANIFESTS (sizeof manifests / sizeof manifests[0])

static const char *const words[] = {"nic0", "nic1", "uart0", "provider0", "devmgr", "", NULL};
static const char *const shapes[] = {"w", "nw"};

static struct life {
    struct object *process; /* NULL: free */
    struct held boot, served;
    struct held ends[ENDS_MAX]; /* its control channel, lines to providers */
} lives[DRIVERS];
static struct held offers[OFFERS_MAX]; /* init's ends of the services' control channels */
static uint32_t mute;

/* Drivers read what is sent to them. */
static void drivers_read(void)
{
    for (uint32_t i = 0; i < DRIVERS * ENDS_MAX; i++) {
        const struct held *end = &lives[i / ENDS_MAX].ends[i % ENDS_MAX];
        while (end->object != NULL && outside_discard(end->object)) {
        }
    }
}

static void life_begin(struct life *life, struct object *process)
{
    struct outside_message message;
    uint32_t count = 0;
    drivers_read();
    life->process = process;
    life->boot = (struct held){process->boot, DOUBLE_ALL_RIGHTS};
    while (outside_receive(life->boot.object, &message)) {
        for (size_t i = 0; i < message.handle_count; i++) {
            if (message.handles[i].object->type == SK_TYPE_EVENT && life->served.object == NULL) {
                life->served = message.handles[i];
            } else if (message.handles[i].object->type == SK_TYPE_ENDPOINT && count < ENDS_MAX) {
                life->ends[count++] = message.handles[i];
            } else {
                held_drop(&message.handles[i]);
            }
        }
    }
    if (life->served.object == NULL) {
        double_broke("a driver was not given its event");
    }
    if (input_byte() % 4 != 1 || mute++ >= MUTE_MAX) {
        object_signal(life->served.object, SK_SIGNAL_EVENT);
    }
}

static void life_end(struct life *life)
{
    held_drop(&life->boot);
    held_drop(&life->served);
    for (uint32_t i = 0; i < ENDS_MAX; i++) {
        held_drop(&life->ends[i]);
    }
    life->process = NULL;
}

static void on_process(struct object *process, bool started)
{
    for (uint32_t i = 0; i < DRIVERS; i++) {
        if (lives[i].process == (started ? NULL : process)) {
            (started ? life_begin(&lives[i], process) : life_end(&lives[i]));
            return;
        }
    }
    if (started) {
        double_broke("devmgr started %u drivers", DRIVERS + 1);
    }
}

/* Init, which keeps what it is given. */
static status_t answer(struct object *endpoint, const struct sk_out *out, struct sk_in *in)
{
    const struct sk_init_name *request = out->bytes;
    static uint32_t next;
    if (endpoint == double_boot && request->operation == SK_INIT_OFFER) {
        if (out->handle_count != 1 || next == OFFERS_MAX) {
            double_broke("devmgr offers %s with %zu handles", request->name, out->handle_count);
        }
        offers[next++] = outside_take(out->handles[0]);
    }
    return input_answer(endpoint, out, in);
}

static void answered(struct call *call)
{
    const struct sk_devmgr_devices *reply = (const void *)call->bytes;
    if (call->operation != SK_DEVMGR_LIST || call->status != SK_OK) {
        return;
    }
    size_t bytes = offsetof(struct sk_devmgr_devices, entries) +
                   reply->count * sizeof reply->entries[0];
    if (reply->total != DRIVERS || reply->count > DRIVERS || call->length != bytes) {
        double_broke("%u of %u devices in %zu bytes", reply->count, reply->total, call->length);
    }
    for (uint32_t i = 0; i < reply->count; i++) {
        const struct sk_devmgr_device *entry = &reply->entries[i];
        if ((entry->state == SK_DEVMGR_RUNNING) != (entry->process_id != 0) ||
            entry->state == SK_DEVMGR_ENDED || entry->state == SK_DEVMGR_FAILED) {
            double_broke("%s is in state %u, process %llu", entry->service, entry->state,
                         (unsigned long long)entry->process_id);
        }
    }
}

static void special(void)
{
    uint8_t how = input_byte();
    struct life *life = &lives[how % DRIVERS];
    if (life->process == NULL) {
        return;
    }
    if (how / DRIVERS % 4 != 0) {
        process_end(life->process);
    } else {
        object_signal(life->served.object, SK_SIGNAL_EVENT);
    }
}

/* Every driver comes back, and answers. */
static void rest(void)
{
    uint32_t alive = 0;
    mute = 0;
    for (uint32_t second = 0; second < 8; second++) {
        for (uint32_t i = 0; i < DRIVERS; i++) {
            if (lives[i].process != NULL) {
                object_signal(lives[i].served.object, SK_SIGNAL_EVENT);
            }
        }
        drivers_read();
        double_run();
        double_advance(1000000000, false);
        double_run();
    }
    for (uint32_t i = 0; i < OFFERS_MAX && offers[i].object != NULL; i++) {
        while (outside_discard(offers[i].object)) {
        }
    }
    for (uint32_t i = 0; i < DRIVERS; i++) {
        alive += lives[i].process != NULL;
    }
    if (alive != DRIVERS) {
        double_broke("%u drivers run, not %u", alive, DRIVERS);
    }
}

/* A virtio device's identity, with a network card behind it, but for the last one. */
static void on_registers(struct object *memory)
{
    static const uint32_t identity[] = {0x74726976, 2, 1};
    if (memory->physical != 0x10003000) {
        memcpy(memory->bytes, identity, sizeof identity);
    }
}

static void cell(void *tree, const char *name, uint32_t value)
{
    fdt_property_u32(tree, name, value);
}

static void cells(void *tree, const char *name, const uint32_t *values, int count)
{
    fdt32_t *at;
    fdt_property_placeholder(tree, name, count * 4, (void **)&at);
    for (int i = 0; i < count; i++) {
        at[i] = cpu_to_fdt32(values[i]);
    }
}

/* A node with a page of registers and an interrupt; still open. */
static void device_begin(void *tree, const char *name, const char *compatible, uint32_t base)
{
    fdt_begin_node(tree, name);
    fdt_property_string(tree, "compatible", compatible);
    cells(tree, "reg", (const uint32_t[]){base, 0x1000}, 2);
    cell(tree, "interrupts", base >> 12 & 15);
}

static struct held tree_make(void)
{
    static uint8_t tree[TREE_BYTES];
    fdt_create(tree, TREE_BYTES);
    fdt_finish_reservemap(tree);
    fdt_begin_node(tree, "");
    cell(tree, "#address-cells", 1);
    cell(tree, "#size-cells", 1);
    cell(tree, "interrupt-parent", 1);
    fdt_begin_node(tree, "plic");
    cell(tree, "phandle", 1);
    cell(tree, "#interrupt-cells", 1);
    cell(tree, "#address-cells", 0);
    fdt_property(tree, "interrupt-controller", "", 0);
    fdt_end_node(tree);
    device_begin(tree, "virtio@10001000", "virtio,mmio", 0x10001000);
    fdt_end_node(tree);
    device_begin(tree, "virtio@10002000", "virtio,mmio", 0x10002000);
    fdt_end_node(tree);
    device_begin(tree, "virtio@10003000", "virtio,mmio", 0x10003000); /* with nothing behind it */
    fdt_end_node(tree);
    device_begin(tree, "uart@10004000", "test,uart", 0x10004000);
    cell(tree, "reg-shift", 2);
    fdt_end_node(tree);
    device_begin(tree, "crg@10005000", "test,crg", 0x10005000);
    cell(tree, "phandle", 2);
    cell(tree, "#clock-cells", 1);
    cell(tree, "#reset-cells", 1);
    fdt_end_node(tree);
    device_begin(tree, "mac@10006000", "test,mac", 0x10006000);
    cells(tree, "clocks", (const uint32_t[]){2, 5}, 2);
    fdt_property_string(tree, "clock-names", "bus");
    cells(tree, "resets", (const uint32_t[]){2, 7}, 2);
    fdt_property_string(tree, "reset-names", "bus");
    fdt_end_node(tree);
    fdt_end_node(tree);
    if (fdt_finish(tree) != 0 || fdt_check_full(tree, TREE_BYTES) != 0) {
        double_broke("the tree is none");
    }
    return memory_make(tree, TREE_BYTES);
}

static void prepare(void)
{
    uint32_t size;
    const void *program = archive_program(&size);
    struct archive_file files[MANIFESTS + 4] = {{"bin/nic", 0100755, program, size},
                                                {"bin/uart", 0100755, program, size},
                                                {"bin/crg", 0100755, program, size},
                                                {"bin/mac", 0100755, program, size}};
    for (size_t i = 0; i < MANIFESTS; i++) {
        files[4 + i] = manifests[i];
        files[4 + i].size = (uint32_t)strlen(manifests[i].bytes);
    }
    double_process = on_process;
    double_registers = on_registers;
    double_answer = answer;
    double_boot_handle("resource", object_make(SK_TYPE_RESOURCE));
    double_boot_handle("log", object_make(SK_TYPE_RESOURCE));
    double_boot_handle("bootfs", archive_make(files, MANIFESTS + 4));
    double_boot_handle("dtb", tree_make());
}

const struct target target = {
    .service = "devmgr",
    .run = service_main,
    .operations = SK_DEVMGR_RESTART,
    .shapes = shapes,
    .words = words,
    .prepare = prepare,
    .answered = answered,
    .special = special,
    .rest = rest,
};
