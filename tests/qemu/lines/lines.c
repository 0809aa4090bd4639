/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that uses its line to a provider, as lines.py has put both into the device tree: the provider's
 * registers are a clock's whose alarm is a word that can be written and read back. The first life writes
 * a field and dies; the second finds it there, and makes the provider die; the third has a line to the
 * provider's second life, and tries what it must not.
 */
#include <stdio.h>
#include <stdlib.h>

#include <sk/driver.h>
#include <sk/ipc.h>
#include <sk/mmio.h>
#include <sk/protocol/platform.h>
#include <sk/service.h>
#include <sk/time.h>

#define WORD 0xcu
#define FIELD "test,field"
#define FIELD_SHIFT 4u

static void expect(const char *what, int64_t is, int64_t should)
{
    if (is != should) {
        printf("%s: %ld, not %ld\n", what, (long)is, (long)should);
        exit(3);
    }
}

static int64_t ask(uint64_t operation, uint32_t id, uint64_t value)
{
    struct sk_platform_request request = {operation, id, 0, value};
    struct sk_platform_reply reply;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&reply, sizeof reply);
    status_t status = sk_channel_call(sk_boot_handle("line0"), &out, &in,
                                      sk_deadline_after(10 * SK_SECOND));
    return status == SK_OK ? reply.status : status;
}

/* What devmgr sends before a driver has its line; from the driver it is worth nothing. */
static void send_wider_limit(void)
{
    struct sk_platform_limit limit = {
        .operation = SK_PLATFORM_LIMIT, .count = 1, .rights = {{SK_PLATFORM_FIELD, WORD, 0, 32}}};
    struct sk_out out = sk_out_bytes(&limit, sizeof limit);
    expect("sending a limit", sk_channel_send(sk_boot_handle("line0"), &out), SK_OK);
}

static status_t init(struct sk_driver *driver)
{
    uintptr_t word = driver->ranges[0].base + WORD;

    uint64_t hz = 0;
    switch (sk_mmio_read32(word) >> FIELD_SHIFT) {
    case 0:
        expect("the first write", sk_field_write(driver, FIELD, 5), SK_OK);
        expect("what it wrote", sk_mmio_read32(word), 5 << FIELD_SHIFT);
        exit(1);
    case 5:
        /* QEMU's clock ends before a PLL's registers do: reading them is the provider's end. */
        expect("a call whose answer dies", sk_clock_rate(driver, "pll", &hz), SK_PEER_CLOSED);
        expect("a line whose end has died", sk_field_write(driver, FIELD, 1), SK_PEER_CLOSED);
        sk_mmio_write32(word, 3 << FIELD_SHIFT);
        exit(1);
    default:
        break;
    }
    expect("what the second life wrote", sk_mmio_read32(word), 3 << FIELD_SHIFT);
    expect("the third write", sk_field_write(driver, FIELD, 2), SK_OK);
    expect("what it wrote", sk_mmio_read32(word), 2 << FIELD_SHIFT);
    expect("a value that does not fit", sk_field_write(driver, FIELD, 8), SK_OUT_OF_RANGE);
    expect("a field that is not named", sk_field_write(driver, "test,other", 1), SK_NOT_FOUND);
    send_wider_limit();
    expect("more of the register", ask(SK_PLATFORM_FIELD_WRITE, WORD, 0x100), SK_OUT_OF_RANGE);
    expect("another register", ask(SK_PLATFORM_FIELD_WRITE, 0x8, 1), SK_NOT_ALLOWED);
    expect("a reset", ask(SK_PLATFORM_RESET, 0, 1), SK_NOT_ALLOWED);
    expect("nonsense", ask(99, 0, 0), SK_INVALID_ARGS);
    expect("a PLL that there is not", sk_clock_rate(driver, "none", &hz), SK_NOT_FOUND);
    expect("a clock that needs nobody", sk_clock_rate(driver, "fixed", &hz), SK_OK);
    expect("its rate", (int64_t)hz, 50000000);
    expect("another boot handle", sk_boot_handle("line1"), SK_HANDLE_NONE);
    expect("the word in the end", sk_mmio_read32(word), 2 << FIELD_SHIFT);
    printf("all as it should be\n");
    return SK_OK;
}

static status_t message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                        struct sk_reply *reply)
{
    return SK_NOT_SUPPORTED;
}

static struct sk_driver driver;

int main(int argc, char **argv)
{
    static const struct sk_driver_ops ops = {.init = init, .server = {.message = message}};

    return sk_driver_main(&driver, &ops, argc, argv);
}
