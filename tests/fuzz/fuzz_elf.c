/* SPDX-License-Identifier: BSD-2-Clause */
/* Feeds program headers to the ELF reader; what it accepts must be safe to map. */
#include <stdlib.h>

#include "../../userland/lib/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_image image;
    /* A file larger than its first bytes, as the loader sees it. */
    uint64_t file_size = size + 65536;
    if (elf_read(data, size, file_size, &image) != SK_OK) {
        return 0;
    }
    uint64_t end = 0;
    for (uint32_t i = 0; i < image.count; i++) {
        const struct elf_segment *segment = &image.segments[i];
        check(segment->address >= end && segment->address % SK_PAGE_SIZE == 0);
        check(segment->memory_size % SK_PAGE_SIZE == 0 && segment->memory_size != 0);
        end = segment->address + segment->memory_size;
        check(end <= SK_USER_LIMIT && end > segment->address);
        check(segment->file_offset % SK_PAGE_SIZE == 0);
        check(segment->file_size <= segment->memory_size);
        check(segment->file_offset + segment->file_size <= file_size);
        check((segment->protection & (SK_PROT_WRITE | SK_PROT_EXECUTE)) !=
              (SK_PROT_WRITE | SK_PROT_EXECUTE));
    }
    return 0;
}
