/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a driver: takes over what devmgr gave it, runs init, then serves interrupts and
 * clients in one loop. What devmgr gives: handles "mmio0", "mmio1" (register pages), "irq0", "irq1",
 * "dma", "control" (connections to its service arrive there), "served" (an event), and arguments
 * "mmio0=OFFSET,SIZE" (where in its pages the registers lie) and "PROPERTY=VALUE" (a number, a string, or
 * "xx:xx" bytes).
 * One thread, no locks. Tests: the drivers' own, and tests/qemu.
 */
#include <sk/driver.h>

#include <stdlib.h>

#include <sk/print.h>
#include <sk/service.h>

static const char *const range_names[SK_DRIVER_RANGES_MAX] = {"mmio0", "mmio1"};
static const char *const interrupt_names[SK_DRIVER_INTERRUPTS_MAX] = {"irq0", "irq1"};

status_t sk_dma_create(const struct sk_driver *driver, uint64_t size, struct sk_dma *dma)
{
    struct sk_dma made = {.size = (size + SK_PAGE_SIZE - 1) & ~(uint64_t)(SK_PAGE_SIZE - 1)};
    uint64_t address;
    status_t status;

    if (driver->dma == SK_HANDLE_NONE) {
        return SK_ACCESS_DENIED;
    }
    status = sk_memory_create_dma(driver->dma, sk_self_job, made.size, &made.handle,
                                  &made.physical);
    if (status != SK_OK) {
        return status;
    }
    status = sk_memory_map(sk_self_process, made.handle, 0, made.size, 0,
                           SK_PROT_READ | SK_PROT_WRITE | SK_MAP_POPULATE, &address);
    if (status != SK_OK) {
        sk_handle_close(made.handle);
        return status;
    }
    made.memory = (void *)(uintptr_t)address;
    *dma = made;
    return SK_OK;
}

static status_t map_ranges(struct sk_driver *driver)
{
    for (uint32_t i = 0; i < SK_DRIVER_RANGES_MAX; i++) {
        handle_t pages = sk_boot_handle_take(range_names[i]);
        const char *where = sk_driver_text(driver, range_names[i]);
        if (pages == SK_HANDLE_NONE) {
            return SK_OK;
        }
        if (where == NULL) {
            return SK_INVALID_ARGS;
        }

        char *end;
        uint64_t offset = strtoull(where, &end, 0);
        uint64_t size = *end == ',' ? strtoull(end + 1, NULL, 0) : 0;
        uint64_t length = (offset + size + SK_PAGE_SIZE - 1) & ~(uint64_t)(SK_PAGE_SIZE - 1);
        uint64_t address;
        status_t status = sk_memory_map(sk_self_process, pages, 0, length, 0,
                                        SK_PROT_READ | SK_PROT_WRITE | SK_MAP_POPULATE, &address);
        sk_handle_close(pages);
        if (status != SK_OK) {
            return status;
        }
        driver->ranges[i] = (struct sk_driver_range){(uintptr_t)(address + offset), size};
        driver->range_count = i + 1;
    }
    return SK_OK;
}

static void interrupt_fired(struct sk_server *server, handle_t handle, uint32_t signals,
                            void *context)
{
    struct sk_driver *driver = context;

    for (uint32_t i = 0; i < driver->interrupt_count; i++) {
        if (driver->interrupts[i] == handle) {
            driver->ops->on_irq(driver, i);
        }
    }
    sk_interrupt_ack(handle);
}

static status_t watch_interrupts(struct sk_driver *driver)
{
    for (uint32_t i = 0; i < SK_DRIVER_INTERRUPTS_MAX; i++) {
        handle_t interrupt = sk_boot_handle_take(interrupt_names[i]);
        if (interrupt == SK_HANDLE_NONE) {
            return SK_OK;
        }
        driver->interrupts[i] = interrupt;
        driver->interrupt_count = i + 1;
        status_t status = sk_server_watch(&driver->server, interrupt, SK_SIGNAL_INTERRUPT,
                                          interrupt_fired, driver);
        if (status != SK_OK) {
            return status;
        }
    }
    return SK_OK;
}

void sk_driver_served(struct sk_driver *driver)
{
    if (driver->server.ops != &driver->ops->server) {
        driver->server.ops = &driver->ops->server;
        sk_event_signal(sk_boot_handle("served"));
    }
}

/* Stands before the driver's own function until that has answered something. */
static status_t message_until_served(struct sk_server *server, struct sk_client *client,
                                     struct sk_in *in, struct sk_reply *reply)
{
    struct sk_driver *driver = server->context;
    status_t status = driver->ops->server.message(server, client, in, reply);

    if (status == SK_OK) {
        sk_driver_served(driver);
    }
    return status;
}

int sk_driver_main(struct sk_driver *driver, const struct sk_driver_ops *ops, int argc, char **argv)
{
    const char *step = "start";

    driver->ops = ops;
    driver->argc = argc;
    driver->argv = argv;
    driver->dma = sk_boot_handle("dma");
    driver->first_ops = ops->server;
    driver->first_ops.message = message_until_served;
    status_t status = sk_server_init(&driver->server, &driver->first_ops, driver);
    if (status == SK_OK) {
        step = "map the registers";
        status = map_ranges(driver);
    }
    if (status == SK_OK) {
        step = "wait for interrupts";
        status = watch_interrupts(driver);
    }
    if (status == SK_OK) {
        step = "bring the device up";
        status = ops->init(driver);
    }
    if (status == SK_OK) {
        step = "serve";
        status = sk_server_add_control(&driver->server, sk_boot_handle_take("control"));
    }
    if (status != SK_OK) {
        sk_die("cannot %s: %s", step, sk_status_words(status));
    }
    return sk_server_run(&driver->server);
}
