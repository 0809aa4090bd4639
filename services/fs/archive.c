/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot archive's index. Owns the entry table; borrows the archive. No lock: one thread.
 * Invariant: every offset and size in the table lies within the archive.
 * Tests: tests/host/services/fs/test_archive.c, tests/fuzz/fuzz_archive.c.
 */
#include "archive.h"

#include <stdlib.h>
#include <string.h>

#include <sk/cpio.h>

#define MODE_TYPE_MASK 0170000u
#define MODE_DIRECTORY 0040000u
#define MODE_FILE 0100000u
#define MODE_PERMISSIONS 07777u
#define ENTRIES_MAX 65536u

/* Components must be such that archive_normalize leaves the name as it is. */
static bool name_is_clean(const char *name, size_t length)
{
    char normal[ARCHIVE_PATH_MAX];
    size_t normal_length;
    return length > 0 && archive_normalize(name, length, normal, &normal_length) == SK_OK &&
           normal_length == length && memcmp(normal, name, length) == 0;
}

/* What `cpio` says about one entry, in the index's terms. *skip: nothing that is served. */
static status_t check_entry(const struct archive *archive, const struct sk_cpio_entry *cpio,
                            struct archive_entry *entry, bool *skip)
{
    uint32_t type = cpio->mode & MODE_TYPE_MASK;
    size_t length = strlen(cpio->name);
    *skip = (type != MODE_FILE && type != MODE_DIRECTORY) ||
            (type == MODE_DIRECTORY && strcmp(cpio->name, ".") == 0); /* `find . | cpio` */
    if (*skip) {
        return SK_OK;
    }
    if (!name_is_clean(cpio->name, length)) {
        return SK_BAD_FORMAT;
    }
    *entry = (struct archive_entry){
        .name = (uint32_t)((const uint8_t *)cpio->name - archive->bytes),
        .name_length = (uint32_t)length,
        .data = (uint32_t)cpio->offset,
        .size = type == MODE_FILE ? (uint32_t)cpio->size : 0,
        .mode = cpio->mode,
    };
    return SK_OK;
}

static int compare_names(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t common = a_length < b_length ? a_length : b_length;
    int order = memcmp(a, b, common);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static const char *name_of(const struct archive *archive, const struct archive_entry *entry)
{
    return (const char *)archive->bytes + entry->name;
}

static int compare_entries(const struct archive *archive, const struct archive_entry *a,
                           const struct archive_entry *b)
{
    return compare_names(name_of(archive, a), a->name_length, name_of(archive, b), b->name_length);
}

/* Heap sort: in place, and its worst case is bounded whatever the archive says. */
static void sift_down(const struct archive *archive, uint32_t root, uint32_t count)
{
    struct archive_entry *e = archive->entries;
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare_entries(archive, &e[child], &e[child + 1]) < 0) {
            child++;
        }
        if (compare_entries(archive, &e[root], &e[child]) >= 0) {
            return;
        }
        struct archive_entry swap = e[root];
        e[root] = e[child];
        e[child] = swap;
    }
}

static void sort_entries(struct archive *archive)
{
    for (uint32_t i = archive->count / 2; i-- > 0;) {
        sift_down(archive, i, archive->count);
    }
    for (uint32_t end = archive->count; end-- > 1;) {
        struct archive_entry swap = archive->entries[0];
        archive->entries[0] = archive->entries[end];
        archive->entries[end] = swap;
        sift_down(archive, 0, end);
    }
}

static bool is_sorted(const struct archive *archive)
{
    for (uint32_t i = 1; i < archive->count; i++) {
        if (compare_entries(archive, &archive->entries[i - 1], &archive->entries[i]) >= 0) {
            return false;
        }
    }
    return true;
}

static status_t append(struct archive *archive, uint32_t *room, const struct archive_entry *entry)
{
    if (archive->count == *room) {
        uint32_t more = *room == 0 ? 64 : *room * 2;
        if (more > ENTRIES_MAX) {
            return SK_BAD_FORMAT;
        }
        void *grown = realloc(archive->entries, more * sizeof(*entry));
        if (grown == NULL) {
            return SK_NO_MEMORY;
        }
        archive->entries = grown;
        *room = more;
    }
    archive->entries[archive->count++] = *entry;
    return SK_OK;
}

/* Fills the index in the archive's order. *position is left at the bad entry. */
static status_t read_entries(struct archive *archive, uint64_t *position)
{
    uint32_t room = 0;
    for (;;) {
        uint64_t next = *position;
        struct sk_cpio_entry cpio;
        struct archive_entry entry;
        bool skip;
        status_t status = sk_cpio_next(archive->bytes, archive->length, &next, &cpio);
        if (status == SK_NOT_FOUND) {
            return SK_OK;
        }
        if (status == SK_OK) {
            status = check_entry(archive, &cpio, &entry, &skip);
        }
        if (status == SK_OK && !skip) {
            status = append(archive, &room, &entry);
        }
        if (status != SK_OK) {
            return status;
        }
        *position = next;
    }
}

status_t archive_open(struct archive *archive, const void *bytes, size_t length, size_t *where)
{
    if (length > UINT32_MAX) {
        return SK_TOO_BIG;
    }
    struct archive index = {.bytes = bytes, .length = (uint32_t)length};
    uint64_t position = 0;
    status_t status = read_entries(&index, &position);
    if (status == SK_OK && !is_sorted(&index)) {
        sort_entries(&index);
        status = is_sorted(&index) ? SK_OK : SK_BAD_FORMAT; /* still unsorted: equal names */
    }
    if (status != SK_OK) {
        *where = (size_t)position;
        free(index.entries);
        return status;
    }
    *archive = index;
    return SK_OK;
}

void archive_free(struct archive *archive)
{
    free(archive->entries);
    *archive = (struct archive){0};
}

status_t archive_normalize(const char *path, size_t length, char *out, size_t *out_length)
{
    size_t used = 0;
    for (size_t at = 0; at < length;) {
        if (path[at] == '/') {
            at++;
            continue;
        }
        const char *slash = memchr(path + at, '/', length - at);
        size_t part = slash != NULL ? (size_t)(slash - (path + at)) : length - at;
        const char *name = path + at;
        at += part;
        if (part == 1 && name[0] == '.') {
            continue;
        }
        if (part == 2 && name[0] == '.' && name[1] == '.') {
            if (used == 0) {
                return SK_INVALID_ARGS;
            }
            while (used > 0 && out[--used] != '/') {
            }
            continue;
        }
        if (part > ARCHIVE_NAME_MAX || memchr(name, 0, part) != NULL ||
            used + part + 1 > ARCHIVE_PATH_MAX) {
            return SK_INVALID_ARGS;
        }
        if (used > 0) {
            out[used++] = '/';
        }
        memcpy(out + used, name, part);
        used += part;
    }
    *out_length = used;
    return SK_OK;
}

/* The first entry whose name is not before `name` followed by `suffix` (none if 0). */
static uint32_t lower_bound(const struct archive *archive, const char *name, size_t length,
                            char suffix)
{
    uint32_t low = 0, high = archive->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct archive_entry *entry = &archive->entries[middle];
        size_t shorter = entry->name_length < length ? entry->name_length : length;
        int order = memcmp(name_of(archive, entry), name, shorter);
        bool before = order < 0;
        if (order == 0 && entry->name_length <= length) {
            before = entry->name_length < length || suffix != 0;
        } else if (order == 0 && suffix != 0) {
            before = (uint8_t)name_of(archive, entry)[length] < (uint8_t)suffix;
        }
        if (before) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Whether the entry at `index` lies in the folder `path` (at any depth). */
static bool lies_in(const struct archive *archive, uint32_t index, const char *path, size_t length)
{
    if (index >= archive->count) {
        return false;
    }
    const struct archive_entry *entry = &archive->entries[index];
    const char *name = name_of(archive, entry);
    return length == 0 ||
           (entry->name_length > length && name[length] == '/' && memcmp(name, path, length) == 0);
}

status_t archive_lookup(const struct archive *archive, const char *path, size_t length,
                        struct archive_node *node)
{
    if (length == 0) {
        *node = (struct archive_node){.directory = true, .mode = 0755};
        return SK_OK;
    }
    uint32_t index = lower_bound(archive, path, length, 0);
    if (index < archive->count) {
        const struct archive_entry *entry = &archive->entries[index];
        if (entry->name_length == length && memcmp(name_of(archive, entry), path, length) == 0) {
            *node = (struct archive_node){(entry->mode & MODE_TYPE_MASK) == MODE_DIRECTORY,
                                          entry->data, entry->size, entry->mode & MODE_PERMISSIONS,
                                          index};
            return SK_OK;
        }
    }
    if (lies_in(archive, lower_bound(archive, path, length, '/'), path, length)) {
        *node = (struct archive_node){.directory = true, .mode = 0755};
        return SK_OK;
    }
    return SK_NOT_FOUND;
}

static bool has_entry(const struct archive *archive, const char *name, size_t length)
{
    uint32_t index = lower_bound(archive, name, length, 0);
    return index < archive->count && archive->entries[index].name_length == length &&
           memcmp(name_of(archive, &archive->entries[index]), name, length) == 0;
}

bool archive_next(const struct archive *archive, const char *path, size_t length, uint32_t *cursor,
                  struct archive_child *child)
{
    uint32_t index = *cursor != 0 || length == 0 ? *cursor
                                                 : lower_bound(archive, path, length, '/');
    size_t skip = length == 0 ? 0 : length + 1;
    while (lies_in(archive, index, path, length)) {
        const struct archive_entry *entry = &archive->entries[index];
        const char *full = name_of(archive, entry);
        const char *slash = memchr(full + skip, '/', entry->name_length - skip);
        if (slash == NULL) {
            *child = (struct archive_child){full + skip, (uint32_t)(entry->name_length - skip),
                                            (entry->mode & MODE_TYPE_MASK) == MODE_DIRECTORY,
                                            entry->size};
            *cursor = index + 1;
            return true;
        }
        /* What lies deeper is one run of entries; it tells of its folder only if that has no entry
           of its own, which need not be next to the run ("a-b" sorts between "a" and "a/x"). */
        size_t folder = (size_t)(slash - full);
        index = lower_bound(archive, full, folder, '/' + 1);
        if (!has_entry(archive, full, folder)) {
            *child = (struct archive_child){full + skip, (uint32_t)(folder - skip), true, 0};
            *cursor = index;
            return true;
        }
    }
    return false;
}
