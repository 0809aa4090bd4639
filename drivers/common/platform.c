/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver's clocks, resets and fields, at the providers that its device's node names. devmgr gives
 * handles "line0", "line1", ... to the providers and arguments "clock:NAME=LINE,ID" (or
 * "clock:NAME=fixed,HZ"), "reset:NAME=LINE,ID", "field:NAME=LINE,OFFSET". No state.
 * Tests: tests/host/drivers/jh7110, tests/host/drivers/dwmac.
 */
#include <sk/driver.h>

#include <stdio.h>
#include <stdlib.h>

#include <sk/protocol/platform.h>
#include <sk/service.h>
#include <sk/time.h>

#define CALL_TIME (2 * SK_SECOND)
#define NAME_MAX 64u

/* Where a named thing is. */
struct place {
    bool fixed;
    handle_t line;
    uint32_t id;
};

static status_t find(const struct sk_driver *driver, const char *kind, const char *name,
                     struct place *place)
{
    char argument[NAME_MAX], line[16];

    snprintf(argument, sizeof argument, "%s:%s", kind, name);
    const char *value = sk_driver_text(driver, argument);
    const char *comma = value == NULL ? NULL : strchr(value, ',');
    if (comma == NULL) {
        return SK_NOT_FOUND;
    }
    place->id = (uint32_t)strtoul(comma + 1, NULL, 0);
    place->fixed = strncmp(value, "fixed,", 6) == 0;
    snprintf(line, sizeof line, "line%.*s", (int)(comma - value), value);
    place->line = sk_boot_handle(line);
    return place->fixed || place->line != SK_HANDLE_NONE ? SK_OK : SK_NOT_FOUND;
}

/* *value: of the request, then of the reply. */
static status_t ask(const struct place *place, enum sk_platform_op operation, uint64_t *value)
{
    struct sk_platform_request request = {operation, place->id, 0, *value};
    struct sk_platform_reply reply;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&reply, sizeof reply);
    status_t status = sk_channel_call(place->line, &out, &in, sk_deadline_after(CALL_TIME));

    if (status != SK_OK) {
        return status;
    }
    if (in.length < sizeof reply.status || (reply.status == SK_OK && in.length < sizeof reply)) {
        return SK_BAD_FORMAT;
    }
    if (reply.status == SK_OK) {
        *value = reply.value;
    }
    return (status_t)reply.status;
}

static status_t ask_by_name(const struct sk_driver *driver, const char *kind, const char *name,
                            enum sk_platform_op operation, uint64_t *value)
{
    struct place place;
    status_t status = find(driver, kind, name, &place);

    if (status != SK_OK) {
        return status;
    }
    if (!place.fixed) {
        return ask(&place, operation, value);
    }
    if (operation == SK_PLATFORM_CLOCK_SET_RATE && *value < place.id) {
        return SK_OUT_OF_RANGE;
    }
    *value = place.id;
    return SK_OK;
}

status_t sk_clock_enable(const struct sk_driver *driver, const char *name)
{
    uint64_t none = 0;
    return ask_by_name(driver, "clock", name, SK_PLATFORM_CLOCK_ENABLE, &none);
}

status_t sk_clock_rate(const struct sk_driver *driver, const char *name, uint64_t *hz)
{
    uint64_t value = 0;
    status_t status = ask_by_name(driver, "clock", name, SK_PLATFORM_CLOCK_RATE, &value);

    if (status == SK_OK) {
        *hz = value;
    }
    return status;
}

status_t sk_clock_set_rate(const struct sk_driver *driver, const char *name, uint64_t *hz)
{
    return ask_by_name(driver, "clock", name, SK_PLATFORM_CLOCK_SET_RATE, hz);
}

status_t sk_reset_hold(const struct sk_driver *driver, const char *name, bool hold)
{
    uint64_t value = hold;
    return ask_by_name(driver, "reset", name, SK_PLATFORM_RESET, &value);
}

status_t sk_field_write(const struct sk_driver *driver, const char *property, uint32_t value)
{
    uint64_t wide = value;
    return ask_by_name(driver, "field", property, SK_PLATFORM_FIELD_WRITE, &wide);
}
