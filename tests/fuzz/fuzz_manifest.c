/* SPDX-License-Identifier: BSD-2-Clause */
/* Feeds text to the manifest parser; what it refuses it must explain. */
#include <stdlib.h>
#include <string.h>

#include "../../services/init/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct manifest manifest;
    struct manifest_error error = {0};
    char *text = malloc(size + 1);
    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = 0;
    if (manifest_parse(text, &manifest, &error) != SK_OK) {
        if (error.line == 0 || error.reason == NULL || error.word == NULL) {
            abort();
        }
    } else {
        for (uint32_t i = 0; i < manifest.count; i++) {
            manifest_list_matches(&manifest.programs[i].connects, "net");
        }
    }
    free(text);
    return 0;
}
