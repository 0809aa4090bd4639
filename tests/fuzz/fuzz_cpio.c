/* SPDX-License-Identifier: BSD-2-Clause */
/* Feeds archives to the cpio reader; every entry it reports must lie inside. */
#include <stdlib.h>
#include <string.h>

#include <sk/cpio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t position = 0;
    struct sk_cpio_entry entry;
    while (sk_cpio_next(data, size, &position, &entry) == SK_OK) {
        size_t name_room = size - (size_t)((const uint8_t *)entry.name - data);
        if (entry.offset > size || entry.size > size - entry.offset ||
            strnlen(entry.name, name_room) == name_room) {
            abort();
        }
    }
    return 0;
}
