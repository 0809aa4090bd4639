/* SPDX-License-Identifier: BSD-2-Clause */
/* Feeds archives to the file service's index; whatever it tells must lie inside and be found again. */
#include <stdlib.h>
#include <string.h>

#include "archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void list(const struct archive *archive, const char *path, size_t length)
{
    uint32_t cursor = 0;
    struct archive_child child;
    while (archive_next(archive, path, length, &cursor, &child)) {
        char whole[2 * ARCHIVE_PATH_MAX];
        struct archive_node node;
        size_t used = length;
        memcpy(whole, path, length);
        if (used > 0) {
            whole[used++] = '/';
        }
        memcpy(whole + used, child.name, child.name_length);
        if (archive_lookup(archive, whole, used + child.name_length, &node) != SK_OK ||
            node.size > archive->length || node.data > archive->length - node.size) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct archive archive;
    size_t where, length;
    char path[ARCHIVE_PATH_MAX];
    if (archive_normalize((const char *)data, size, path, &length) == SK_OK &&
        length > ARCHIVE_PATH_MAX) {
        abort();
    }
    if (archive_open(&archive, data, size, &where) != SK_OK) {
        return 0;
    }
    list(&archive, "", 0);
    for (uint32_t i = 0; i < archive.count; i++) {
        list(&archive, (const char *)data + archive.entries[i].name,
             archive.entries[i].name_length);
    }
    archive_free(&archive);
    return 0;
}
