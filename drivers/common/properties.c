/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What devmgr tells a driver in words: arguments "NAME=VALUE". No state.
 * Tests: those of drivers, in tests/host/drivers.
 */
#include <sk/driver.h>

#include <stdlib.h>

const char *sk_driver_text(const struct sk_driver *driver, const char *name)
{
    size_t length = strlen(name);

    for (int i = 1; i < driver->argc; i++) {
        if (strncmp(driver->argv[i], name, length) == 0 && driver->argv[i][length] == '=') {
            return driver->argv[i] + length + 1;
        }
    }
    return NULL;
}

uint32_t sk_driver_property(const struct sk_driver *driver, const char *name, uint32_t missing)
{
    const char *value = sk_driver_text(driver, name);
    return value == NULL ? missing : (uint32_t)strtoul(value, NULL, 0);
}

bool sk_driver_bytes(const struct sk_driver *driver, const char *name, uint8_t *bytes, size_t count)
{
    const char *value = sk_driver_text(driver, name);

    if (value == NULL || count == 0 || strlen(value) != 3 * count - 1) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        char *end;
        unsigned long byte = strtoul(value + 3 * i, &end, 16);
        if (end != value + 3 * i + 2 || (*end != ':' && *end != '\0')) {
            return false;
        }
        bytes[i] = (uint8_t)byte;
    }
    return true;
}
