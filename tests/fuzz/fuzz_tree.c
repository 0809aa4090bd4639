/* SPDX-License-Identifier: BSD-2-Clause */
/* Feeds bytes to the reader of device trees: an answer, a problem in words, and nothing read outside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include <kernel/platform.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct platform platform;
    if (size < sizeof(struct fdt_header)) {
        return 0;
    }
    uint8_t *tree = malloc(size);
    memcpy(tree, data, size);
    fdt_set_totalsize(tree, (uint32_t)size); /* firmware's word for it is believed */
    if (!platform_read(&platform, tree)) {
        if (strlen(platform.problem) == 0) {
            abort();
        }
    } else if (platform.hart_count == 0 || platform.hart_count > PLATFORM_HARTS_MAX ||
               platform.memory_count == 0 || platform.memory_count > PLATFORM_RANGES_MAX) {
        abort();
    }
    free(tree);
    return 0;
}
