/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot archive (cpio "newc") as an index of paths. Pure: no system calls.
 *
 * The archive is data from outside. Every field is checked before it is used; an archive that lies
 * (bad digits, sizes beyond its end, names that are empty, absolute or contain "..", two entries of
 * one name) is refused as a whole with BAD_FORMAT. Folders exist by their own entry or because
 * something is in them. Neither links nor devices are served.
 */
#ifndef FS_ARCHIVE_H
#define FS_ARCHIVE_H

#include <stdbool.h>

#include <skerry/status.h>
#include <skerry/types.h>

#define ARCHIVE_PATH_MAX 1024u
#define ARCHIVE_NAME_MAX 255u

struct archive_entry {
    uint32_t name; /* offset of the name in the archive, no NUL at its end */
    uint32_t name_length;
    uint32_t data; /* offset of the data */
    uint32_t size;
    uint32_t mode; /* type and permission bits */
};

struct archive {
    const uint8_t *bytes; /* borrowed for the life of the index */
    uint32_t length;
    struct archive_entry *entries; /* sorted by name, bytewise; owned */
    uint32_t count;
};

/* What a path names. A folder without an entry of its own has size 0 and mode 0755. */
struct archive_node {
    bool directory;
    uint32_t data;
    uint32_t size;
    uint32_t mode;  /* permission bits */
    uint32_t entry; /* of a file: its number in `entries` */
};

/*
 * Indexes `length` bytes. BAD_FORMAT with *where = the offset of the bad entry, NO_MEMORY, TOO_BIG
 * (4 GiB or more). On success archive_free gives the index back.
 */
status_t archive_open(struct archive *archive, const void *bytes, size_t length, size_t *where);
void archive_free(struct archive *archive);

/*
 * Resolves '.', '..' and extra slashes; the result has neither leading nor trailing slash, and is
 * empty for the root. `out` has room for ARCHIVE_PATH_MAX bytes, *out_length is written.
 * INVALID_ARGS: a NUL, a '..' above the root, a component or the whole too long.
 */
status_t archive_normalize(const char *path, size_t length, char *out, size_t *out_length);

/* Looks a normalised path up. NOT_FOUND. */
status_t archive_lookup(const struct archive *archive, const char *path, size_t length,
                        struct archive_node *node);

/* One entry of a folder. `name` points into the archive. */
struct archive_child {
    const char *name;
    uint32_t name_length;
    bool directory;
    uint32_t size;
};

/*
 * The next entry of the folder `path` (normalised). *cursor is 0 for the first and opaque
 * afterwards. Returns false at the end.
 */
bool archive_next(const struct archive *archive, const char *path, size_t length, uint32_t *cursor,
                  struct archive_child *child);

#endif
