/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the service "fs" answers: read-only files of the boot archive.
 *
 * A request is struct sk_fs_request followed by the path (no NUL, at most SK_FS_PATH_MAX bytes).
 * Paths start at the root whether or not they begin with '/'; '.', '..' and doubled slashes are
 * resolved, and a '..' above the root is INVALID_ARGS.
 *
 *   OPEN  -> struct sk_fs_reply and one handle: a memory object that begins with the file's bytes,
 *            with READ, MAP, DUPLICATE and TRANSFER, and EXECUTE for a program. It is whole pages:
 *            behind the file it holds what follows in the archive, a header with a name.
 *   STAT  -> struct sk_fs_reply
 *   LIST  -> struct sk_fs_list_reply and packed entries; the next call passes `next` as the cursor.
 *
 * Errors: INVALID_ARGS, NOT_FOUND, IS_DIRECTORY (OPEN), NOT_DIRECTORY (LIST).
 */
#ifndef SK_PROTOCOL_FS_H
#define SK_PROTOCOL_FS_H

#include <skerry/types.h>

#define SK_FS_PATH_MAX 1024u
#define SK_FS_NAME_MAX 255u /* one component */

enum sk_fs_operation {
    SK_FS_OPEN = 1,
    SK_FS_STAT,
    SK_FS_LIST,
};

enum sk_fs_type {
    SK_FS_FILE = 1,
    SK_FS_DIRECTORY,
};

struct sk_fs_request {
    uint64_t operation; /* enum sk_fs_operation */
    uint64_t cursor;    /* LIST: 0 for the first call; else 0 */
};

struct sk_fs_reply {
    int64_t status;
    uint64_t size;
    uint32_t type; /* enum sk_fs_type */
    uint32_t mode; /* permission bits */
};

struct sk_fs_list_reply {
    int64_t status;
    uint32_t next;  /* 0: this was the last part */
    uint32_t count; /* entries that follow */
};

/* One entry of a listing, followed by its name. Not aligned: copy it out. */
struct sk_fs_entry {
    uint64_t size;
    uint32_t type;
    uint32_t name_length;
};

_Static_assert(sizeof(struct sk_fs_request) == 16, "protocol layout");
_Static_assert(sizeof(struct sk_fs_reply) == 24, "protocol layout");
_Static_assert(sizeof(struct sk_fs_list_reply) == 16, "protocol layout");
_Static_assert(sizeof(struct sk_fs_entry) == 16, "protocol layout");

#endif
