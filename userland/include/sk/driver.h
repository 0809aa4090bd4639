/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every driver is made of: init, on_irq, and the callbacks of a service. devmgr starts one
 * process per device and gives it exactly that device (docs/howto/add-a-driver.md):
 *
 *   static const struct sk_driver_ops ops = {
 *       .init = rtc_init, .on_irq = rtc_irq, .server = {.message = rtc_message}};
 *   static struct sk_driver driver;
 *   int main(int argc, char **argv) { return sk_driver_main(&driver, &ops, argc, argv); }
 *
 * One thread runs everything. A driver never polls for completion and believes nothing that the
 * device or a client wrote. Registers are reached by <sk/mmio.h>.
 */
#ifndef SK_DRIVER_H
#define SK_DRIVER_H

#include <sk/server.h>

#define SK_DRIVER_RANGES_MAX 2u
#define SK_DRIVER_INTERRUPTS_MAX 2u

struct sk_driver;

struct sk_driver_ops {
    /*
     * Brings the device up, everything is mapped and watched. Anything but SK_OK ends the driver;
     * devmgr then says why, and clients of the service are told that it is down.
     */
    status_t (*init)(struct sk_driver *driver);
    /*
     * Interrupt number `index` fired. Must make the device take its line back; when it returns, the
     * interrupt is completed and may fire again. NULL for a device that is not given any.
     */
    void (*on_irq)(struct sk_driver *driver, uint32_t index);
    /* Connections and requests. on_client of the service loop: see <sk/server.h>. */
    struct sk_server_ops server;
};

struct sk_driver_range {
    uintptr_t base; /* where the first register is mapped */
    uint64_t size;  /* bytes of registers */
};

struct sk_driver {
    struct sk_server server;
    const struct sk_driver_ops *ops;
    void *data; /* the driver's own */
    int argc;
    char **argv;
    struct sk_driver_range ranges[SK_DRIVER_RANGES_MAX];
    uint32_t range_count;
    handle_t interrupts[SK_DRIVER_INTERRUPTS_MAX];
    uint32_t interrupt_count;
    struct sk_server_ops first_ops; /* the framework's */
    handle_t dma;                   /* SK_HANDLE_NONE: the manifest grants none */
};

/* The whole life of a driver; the value is main's. */
int sk_driver_main(struct sk_driver *driver, const struct sk_driver_ops *ops, int argc,
                   char **argv);

/*
 * Tells devmgr, once, that this driver has answered a request: whatever ends it now, it can be started.
 * The framework does it for answers that message() gives at once; those who answer later call it.
 */
void sk_driver_served(struct sk_driver *driver);

/*
 * Properties that the manifest lists, of the device's node or ("phy-handle/reg") of one that it refers
 * to. The number of one cell, or 1 for a property without a value; `missing` if there is none.
 */
uint32_t sk_driver_property(const struct sk_driver *driver, const char *name, uint32_t missing);
/* A string; NULL if there is none. Borrowed, stays valid. */
const char *sk_driver_text(const struct sk_driver *driver, const char *name);
/* `count` bytes, not four; false, and nothing written, if there is no such property of that length. */
bool sk_driver_bytes(const struct sk_driver *driver, const char *name, uint8_t *bytes,
                     size_t count);

/*
 * What the manifest lists as `clocks`, `resets` and `fields`, and the device's node names. All but
 * NOT_FOUND (the node does not name it) come from its provider or say that there is none:
 * PEER_CLOSED, TIMED_OUT. They block until the provider has answered, 2 s at most.
 */
status_t sk_clock_enable(const struct sk_driver *driver, const char *name);
status_t sk_clock_rate(const struct sk_driver *driver, const char *name, uint64_t *hz);
/* *hz: wanted; then what came out, at most that. OUT_OF_RANGE: it cannot be that slow. */
status_t sk_clock_set_rate(const struct sk_driver *driver, const char *name, uint64_t *hz);
/* true: holds the device in reset; false: lets it go. Done when it returns. */
status_t sk_reset_hold(const struct sk_driver *driver, const char *name, bool hold);
status_t sk_field_write(const struct sk_driver *driver, const char *property, uint32_t value);

/* Memory that the device and the driver share. Zeroed, committed, contiguous. */
struct sk_dma {
    void *memory;
    uint64_t physical;
    uint64_t size;   /* whole pages */
    handle_t handle; /* the memory object, to be shared with another process */
};

/* `size` bytes of the driver's DMA grant. ACCESS_DENIED without one; OVER_BUDGET, NO_MEMORY. */
status_t sk_dma_create(const struct sk_driver *driver, uint64_t size, struct sk_dma *dma);

#endif
