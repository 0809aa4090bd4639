/* SPDX-License-Identifier: BSD-2-Clause */
/* Feeds text to the parser of `ip=`, and bytes to the one of frames: what they accept must be sane. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../services/net/frame.h"
#include "../../services/net/ipconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_config(const char *text)
{
    struct ipconfig config;

    if (ipconfig_parse(text, &config) != SK_OK) {
        return;
    }
    if (config.mode > IPCONFIG_OFF || memchr(config.hostname, 0, sizeof config.hostname) == NULL ||
        (config.mode == IPCONFIG_STATIC && config.netmask[0] == 0)) {
        abort();
    }
}

static void check_frame(uint8_t *frame, uint32_t size)
{
    struct frame_offload offload;

    if (frame_prepare_offload(frame, size, size, 1460, &offload) &&
        (uint32_t)offload.checksum_start + offload.checksum_offset + 2 > size) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = malloc(size + 1);

    if (copy == NULL) {
        return 0;
    }
    memcpy(copy, data, size);
    copy[size] = '\0';
    check_config(copy);
    check_frame((uint8_t *)copy, (uint32_t)size);
    free(copy);
    return 0;
}
