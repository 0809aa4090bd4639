/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The layout of the boot message, both ways. Pure. Tests: tests/host/userland/lib/test_boot.c.
 */
#include <string.h>

#include "boot.h"

static size_t string_total(const struct sk_boot_header *header)
{
    return (size_t)header->argument_count + header->environment_count + header->handle_count;
}

status_t boot_parse(char *message, size_t length, size_t handle_count,
                    struct sk_boot_header *header, char **strings, size_t room)
{
    if (length < sizeof *header) {
        return SK_BAD_FORMAT;
    }
    memcpy(header, message, sizeof *header);
    if (header->magic != SK_BOOT_MAGIC || header->abi_version != SK_ABI_VERSION ||
        header->length != length || header->handle_count != handle_count) {
        return SK_BAD_FORMAT;
    }
    size_t total = string_total(header);
    if (total > room) {
        return SK_TOO_BIG;
    }
    size_t at = sizeof *header;
    for (size_t i = 0; i < total; i++) {
        char *end = at < length ? memchr(message + at, 0, length - at) : NULL;
        if (end == NULL) {
            return SK_BAD_FORMAT;
        }
        strings[i] = message + at;
        at = (size_t)(end - message) + 1;
    }
    return at == length ? SK_OK : SK_BAD_FORMAT;
}

status_t boot_compose(struct sk_boot_header *header, const char *const *strings, char *message,
                      size_t *length)
{
    size_t at = sizeof *header;
    size_t total = string_total(header);
    for (size_t i = 0; i < total; i++) {
        size_t bytes = strlen(strings[i]) + 1;
        if (bytes > SK_MESSAGE_BYTES_MAX - at) {
            return SK_TOO_BIG;
        }
        memcpy(message + at, strings[i], bytes);
        at += bytes;
    }
    header->magic = SK_BOOT_MAGIC;
    header->abi_version = SK_ABI_VERSION;
    header->length = (uint32_t)at;
    memcpy(message, header, sizeof *header);
    *length = at;
    return SK_OK;
}
