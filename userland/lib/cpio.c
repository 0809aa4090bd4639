/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cpio "newc": a header of 110 bytes (magic and 13 fields of 8 hexadecimal digits), the name padded
 * to 4, the data padded to 4. Owns nothing. Tests: tests/host/userland/lib/test_cpio.c.
 */
#include <sk/cpio.h>

#include <string.h>

#define HEADER_BYTES 110u

enum field { FIELD_MODE = 1, FIELD_SIZE = 6, FIELD_NAME_SIZE = 11 };

static bool read_field(const uint8_t *header, enum field field, uint32_t *value)
{
    const uint8_t *digits = header + 6 + 8 * field;
    uint32_t result = 0;
    for (int i = 0; i < 8; i++) {
        uint32_t digit;
        if (digits[i] >= '0' && digits[i] <= '9') {
            digit = digits[i] - '0';
        } else if ((digits[i] | 0x20) >= 'a' && (digits[i] | 0x20) <= 'f') {
            digit = (digits[i] | 0x20) - 'a' + 10u;
        } else {
            return false;
        }
        result = result << 4 | digit;
    }
    *value = result;
    return true;
}

static uint64_t align4(uint64_t value)
{
    return (value + 3) & ~(uint64_t)3;
}

status_t sk_cpio_next(const void *archive, uint64_t size, uint64_t *position,
                      struct sk_cpio_entry *entry)
{
    uint64_t at = *position;
    if (at > size || size - at < HEADER_BYTES) {
        return SK_BAD_FORMAT;
    }
    const uint8_t *header = (const uint8_t *)archive + at;
    uint32_t mode, data_size, name_size;
    if (memcmp(header, "070701", 6) != 0 || !read_field(header, FIELD_MODE, &mode) ||
        !read_field(header, FIELD_SIZE, &data_size) ||
        !read_field(header, FIELD_NAME_SIZE, &name_size)) {
        return SK_BAD_FORMAT;
    }
    if (name_size == 0 || name_size > size - at - HEADER_BYTES) {
        return SK_BAD_FORMAT;
    }
    const char *name = (const char *)header + HEADER_BYTES;
    if (name[name_size - 1] != 0) {
        return SK_BAD_FORMAT;
    }
    if (strcmp(name, "TRAILER!!!") == 0) {
        return SK_NOT_FOUND;
    }
    uint64_t data = align4(at + HEADER_BYTES + name_size);
    if (data > size || data_size > size - data) {
        return SK_BAD_FORMAT;
    }
    *entry = (struct sk_cpio_entry){.name = name, .mode = mode, .offset = data, .size = data_size};
    *position = align4(data + data_size);
    return SK_OK;
}

status_t sk_cpio_find(const void *archive, uint64_t size, const char *name,
                      struct sk_cpio_entry *entry)
{
    uint64_t position = 0;
    struct sk_cpio_entry candidate;
    status_t status;
    while ((status = sk_cpio_next(archive, size, &position, &candidate)) == SK_OK) {
        if (strcmp(candidate.name, name) == 0) {
            *entry = candidate;
            return SK_OK;
        }
    }
    return status;
}
