/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Google Goldfish real-time clock: nanoseconds since 1970 in two registers. Serves "rtc"
 * (<sk/protocol/rtc.h>). Reading TIME_LOW latches TIME_HIGH, so that order makes one reading whole
 * (QEMU, hw/rtc/goldfish_rtc.c and the Android emulator's GOLDFISH-VIRTUAL-HARDWARE.TXT). Its alarm
 * is not used, so it is given no interrupt. One thread, no state but the mapping.
 */
#include <sk/driver.h>
#include <sk/mmio.h>
#include <sk/protocol/rtc.h>
#include <sk/time.h>

enum {
    REG_TIME_LOW = 0x00,
    REG_TIME_HIGH = 0x04,
};

static status_t rtc_init(struct sk_driver *driver)
{
    return driver->range_count == 1 && driver->ranges[0].size >= 8 ? SK_OK : SK_INVALID_ARGS;
}

static status_t rtc_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                            struct sk_reply *reply)
{
    struct sk_driver *driver = server->context;
    uintptr_t base = driver->ranges[0].base;

    if (sk_operation(in) != SK_RTC_READ) {
        return SK_INVALID_ARGS;
    }
    struct sk_rtc_time *time = sk_reply_struct(reply, struct sk_rtc_time);
    uint64_t low = sk_mmio_read32(base + REG_TIME_LOW);
    time->unix_ns = low | (uint64_t)sk_mmio_read32(base + REG_TIME_HIGH) << 32;
    time->monotonic_ns = sk_now();
    return SK_OK;
}

static const struct sk_driver_ops ops = {.init = rtc_init, .server = {.message = rtc_message}};
static struct sk_driver driver;

int main(int argc, char **argv)
{
    return sk_driver_main(&driver, &ops, argc, argv);
}
