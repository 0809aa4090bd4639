/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service "fs": read-only files of the boot archive (sk/protocol/fs.h). Owns the mapping of the
 * archive and its
 * index, and a memory object for each file that was ever opened; keeps nothing per client. One thread,
 * no lock.
 * Tests: tests/host/services/fs/ (the index), tests/qemu/http/files.c (the service).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sk/print.h>
#include <sk/protocol/fs.h>
#include <sk/server.h>
#include <sk/service.h>
#include <skerry/info.h>

#include "archive.h"

_Static_assert(ARCHIVE_PATH_MAX == SK_FS_PATH_MAX && ARCHIVE_NAME_MAX == SK_FS_NAME_MAX,
               "the protocol's limits are the index's");

static struct archive archive;
static handle_t archive_memory;
static uint32_t archive_rights;
static handle_t *file_memories; /* by entry: the file's pages, none until it is opened first */
static handle_t empty_memory;   /* of every empty file */

static void fill_reply(struct sk_reply *reply, const struct archive_node *node)
{
    struct sk_fs_reply *out = sk_reply_struct(reply, struct sk_fs_reply);
    out->size = node->size;
    out->type = node->directory ? SK_FS_DIRECTORY : SK_FS_FILE;
    out->mode = node->mode;
}

/* The file's pages and nothing else of the archive. The handle is ours. */
static status_t file_memory(const struct archive_node *node, handle_t *memory)
{
    if (node->size == 0) {
        *memory = empty_memory;
        return SK_OK;
    }
    handle_t *made = &file_memories[node->entry];
    status_t status = SK_OK;
    if (*made == SK_HANDLE_NONE) {
        /* With data off the page boundary its neighbours' bytes would be handed out too. */
        status = node->data % SK_PAGE_SIZE != 0
                     ? SK_BAD_FORMAT
                     : sk_memory_slice(archive_memory, sk_self_job, node->data, node->size, made);
    }
    *memory = *made;
    return status;
}

static status_t open_file(const struct archive_node *node, struct sk_reply *reply)
{
    if (node->directory) {
        return SK_IS_DIRECTORY;
    }
    uint32_t rights = SK_RIGHT_READ | SK_RIGHT_MAP | SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER;
    if ((node->mode & 0111) != 0) {
        rights |= SK_RIGHT_EXECUTE & archive_rights;
    }
    handle_t memory;
    status_t status = file_memory(node, &memory);
    if (status == SK_OK) {
        status = sk_handle_duplicate(memory, rights, &reply->handles[0]);
    }
    if (status != SK_OK) {
        return status;
    }
    reply->handle_count = 1;
    fill_reply(reply, node);
    return SK_OK;
}

static status_t list_folder(const char *path, size_t length, uint64_t cursor,
                            struct sk_reply *reply)
{
    struct sk_fs_list_reply *head = sk_reply_struct(reply, struct sk_fs_list_reply);
    uint32_t at = (uint32_t)cursor;
    struct archive_child child;
    for (uint32_t next = at; archive_next(&archive, path, length, &next, &child); at = next) {
        struct sk_fs_entry entry = {child.size, child.directory ? SK_FS_DIRECTORY : SK_FS_FILE,
                                    child.name_length};
        if (reply->length + sizeof(entry) + child.name_length > sizeof(reply->bytes)) {
            head->next = at;
            break;
        }
        memcpy(reply->bytes + reply->length, &entry, sizeof(entry));
        memcpy(reply->bytes + reply->length + sizeof(entry), child.name, child.name_length);
        reply->length += sizeof(entry) + child.name_length;
        head->count++;
    }
    return SK_OK;
}

static status_t on_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    const struct sk_fs_request *request = sk_request(in, struct sk_fs_request);
    if (request == NULL || request->cursor > UINT32_MAX) {
        return SK_INVALID_ARGS;
    }
    char path[ARCHIVE_PATH_MAX];
    size_t length = in->length - sizeof(*request);
    struct archive_node node;
    status_t status = length > SK_FS_PATH_MAX
                          ? SK_INVALID_ARGS
                          : archive_normalize((const char *)(request + 1), length, path, &length);
    if (status == SK_OK) {
        status = archive_lookup(&archive, path, length, &node);
    }
    if (status != SK_OK) {
        return status;
    }
    switch (request->operation) {
    case SK_FS_OPEN:
        return open_file(&node, reply);
    case SK_FS_STAT:
        fill_reply(reply, &node);
        return SK_OK;
    case SK_FS_LIST:
        return node.directory ? list_folder(path, length, request->cursor, reply)
                              : SK_NOT_DIRECTORY;
    default:
        return SK_INVALID_ARGS;
    }
}

static void open_archive(void)
{
    archive_memory = sk_boot_handle("bootfs");
    struct sk_memory_info info;
    uint64_t written, type_and_rights, id, address = 0;
    status_t status = sk_object_info(archive_memory, &info, sizeof(info), &written);
    if (status == SK_OK) {
        status = sk_handle_info(archive_memory, &type_and_rights, &id);
    }
    if (status == SK_OK) {
        archive_rights = (uint32_t)(type_and_rights >> 32);
        status = sk_memory_map(sk_self_process, archive_memory, 0, info.size, 0, SK_PROT_READ,
                               &address);
    }
    if (status != SK_OK) {
        sk_die("cannot map the boot archive: %s", sk_status_words(status));
    }
    size_t where = 0;
    status = archive_open(&archive, (const void *)(uintptr_t)address, info.size, &where);
    if (status != SK_OK) {
        sk_die("cannot read the boot archive: %s at byte %zu", sk_status_words(status), where);
    }
    file_memories = calloc(archive.count + 1, sizeof(*file_memories));
    status = file_memories == NULL ? SK_NO_MEMORY
                                   : sk_memory_create(sk_self_job, SK_PAGE_SIZE, 0, &empty_memory);
    if (status != SK_OK) {
        sk_die("cannot keep the files: %s", sk_status_words(status));
    }
}

int main(void)
{
    static const struct sk_server_ops ops = {.message = on_message};
    static struct sk_server server;
    open_archive();
    status_t status = sk_server_init(&server, &ops, NULL);
    if (status == SK_OK) {
        status = sk_server_offer(&server, "fs");
    }
    if (status != SK_OK) {
        sk_die("cannot serve: %s", sk_status_words(status));
    }
    return sk_server_run(&server);
}
