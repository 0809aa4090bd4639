/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files, read-only, from the service "fs" (sk/protocol/fs.h). The connection is made at first use
 * and made again after the service died (<sk/connection.h>). Any thread may call.
 * Besides the errors named here, all return what sk_connect and sk_channel_call return.
 */
#ifndef SK_FILE_H
#define SK_FILE_H

#include <stdbool.h>

#include <sk/protocol/fs.h>
#include <skerry/status.h>
#include <skerry/types.h>

/* An open file: the first `size` bytes of `memory`. */
struct sk_file {
    handle_t memory; /* owned by the holder; READ | MAP, EXECUTE for a program */
    uint64_t size;
};

struct sk_file_info {
    uint64_t size;
    bool directory;
    bool executable;
};

struct sk_file_entry {
    uint64_t size;
    bool directory;
    char name[SK_FS_NAME_MAX + 1];
};

/* NOT_FOUND, IS_DIRECTORY, INVALID_ARGS (path too long, or above the root). */
status_t sk_file_open(const char *path, struct sk_file *file);
void sk_file_close(struct sk_file *file);

/* Copies out at most `size` bytes from `position`; *copied is less only at the end of the file. */
status_t sk_file_read(const struct sk_file *file, uint64_t position, void *buffer, size_t size,
                      size_t *copied);

/*
 * Maps the whole file read-only. The mapping outlives the handle; it is undone with
 * sk_memory_unmap. An empty file gives a pointer that must not be read.
 */
status_t sk_file_map(const struct sk_file *file, const void **bytes);

/* NOT_FOUND, INVALID_ARGS. */
status_t sk_file_stat(const char *path, struct sk_file_info *info);

/*
 * Calls `visit` for each entry of a folder, in byte order, until it returns false.
 * NOT_FOUND, NOT_DIRECTORY, INVALID_ARGS.
 */
status_t sk_file_list(const char *path,
                      bool (*visit)(const struct sk_file_entry *entry, void *context),
                      void *context);

#endif
