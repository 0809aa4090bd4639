/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files through the service "fs". Owns this process's one connection to it. All operations are reads,
 * so a call that met a dead service is repeated. Tests: tests/qemu/http/files.c, tests/qemu/heal.
 */
#include <sk/file.h>

#include <string.h>

#include <sk/connection.h>
#include <sk/service.h>
#include <sk/time.h>

#define CALL_LIMIT_NS (5 * SK_SECOND)

static struct sk_connection fs = SK_CONNECTION("fs");

/* Sends a request about `path`; the reply is at least `least` bytes and starts with SK_OK. */
static status_t call(enum sk_fs_operation operation, uint64_t cursor, const char *path,
                     struct sk_in *in, size_t least)
{
    struct {
        struct sk_fs_request request;
        char path[SK_FS_PATH_MAX];
    } message = {.request = {.operation = operation, .cursor = cursor}};
    size_t length = strlen(path);
    if (length > sizeof(message.path)) {
        return SK_INVALID_ARGS;
    }
    memcpy(message.path, path, length);
    struct sk_out out = sk_out_bytes(&message, sizeof(message.request) + length);
    status_t status = sk_connection_call(&fs, &out, in, SK_REPEAT_ALWAYS,
                                         sk_deadline_after(CALL_LIMIT_NS));
    if (status != SK_OK) {
        return status;
    }
    int64_t answer = SK_BAD_FORMAT;
    if (in->length >= sizeof(answer)) {
        memcpy(&answer, in->bytes, sizeof(answer));
    }
    return answer == SK_OK && in->length < least ? SK_BAD_FORMAT : (status_t)answer;
}

status_t sk_file_open(const char *path, struct sk_file *file)
{
    struct sk_fs_reply reply;
    handle_t memory = SK_HANDLE_NONE;
    struct sk_in in = sk_in_bytes(&reply, sizeof(reply));
    in.handles = &memory;
    in.handle_capacity = 1;
    status_t status = call(SK_FS_OPEN, 0, path, &in, sizeof(reply));
    if (status == SK_OK && in.handle_count != 1) {
        status = SK_BAD_FORMAT;
    }
    if (status != SK_OK) {
        return status;
    }
    *file = (struct sk_file){memory, reply.size};
    return SK_OK;
}

void sk_file_close(struct sk_file *file)
{
    sk_handle_close(file->memory);
    file->memory = SK_HANDLE_NONE;
}

status_t sk_file_read(const struct sk_file *file, uint64_t position, void *buffer, size_t size,
                      size_t *copied)
{
    const size_t part_max = 64 * 1024; /* memory_read's limit */
    size_t wanted = position >= file->size         ? 0
                    : size > file->size - position ? (size_t)(file->size - position)
                                                   : size;
    for (size_t done = 0; done < wanted;) {
        size_t part = wanted - done < part_max ? wanted - done : part_max;
        status_t status = sk_memory_read(file->memory, position + done, (char *)buffer + done,
                                         part);
        if (status != SK_OK) {
            return status;
        }
        done += part;
    }
    *copied = wanted;
    return SK_OK;
}

status_t sk_file_map(const struct sk_file *file, const void **bytes)
{
    if (file->size == 0) {
        *bytes = "";
        return SK_OK;
    }
    uint64_t length = (file->size + SK_PAGE_SIZE - 1) & ~(uint64_t)(SK_PAGE_SIZE - 1);
    uint64_t address;
    /* With its page tables, so that want of memory is an error here and not an end at the first touch. */
    status_t status = sk_memory_map(sk_self_process, file->memory, 0, length, 0,
                                    SK_PROT_READ | SK_MAP_POPULATE, &address);
    if (status == SK_OK) {
        *bytes = (const void *)(uintptr_t)address;
    }
    return status;
}

status_t sk_file_stat(const char *path, struct sk_file_info *info)
{
    struct sk_fs_reply reply;
    struct sk_in in = sk_in_bytes(&reply, sizeof(reply));
    status_t status = call(SK_FS_STAT, 0, path, &in, sizeof(reply));
    if (status == SK_OK) {
        info->size = reply.size;
        info->directory = reply.type == SK_FS_DIRECTORY;
        info->executable = !info->directory && (reply.mode & 0111) != 0;
    }
    return status;
}

/* Visits the packed entries of one reply. *stop: `visit` has seen enough. */
static status_t visit_entries(const uint8_t *at, size_t length, uint32_t count,
                              bool (*visit)(const struct sk_file_entry *entry, void *context),
                              void *context, bool *stop)
{
    for (uint32_t i = 0; i < count && !*stop; i++) {
        struct sk_fs_entry raw;
        struct sk_file_entry entry;
        if (length < sizeof(raw)) {
            return SK_BAD_FORMAT;
        }
        memcpy(&raw, at, sizeof(raw));
        at += sizeof(raw);
        length -= sizeof(raw);
        if (raw.name_length > SK_FS_NAME_MAX || raw.name_length > length) {
            return SK_BAD_FORMAT;
        }
        entry.size = raw.size;
        entry.directory = raw.type == SK_FS_DIRECTORY;
        memcpy(entry.name, at, raw.name_length);
        entry.name[raw.name_length] = 0;
        at += raw.name_length;
        length -= raw.name_length;
        *stop = !visit(&entry, context);
    }
    return SK_OK;
}

status_t sk_file_list(const char *path,
                      bool (*visit)(const struct sk_file_entry *entry, void *context),
                      void *context)
{
    struct {
        struct sk_fs_list_reply head;
        uint8_t entries[SK_MESSAGE_BYTES_MAX - sizeof(struct sk_fs_list_reply)];
    } reply;
    uint32_t cursor = 0;
    bool stop = false;
    do {
        struct sk_in in = sk_in_bytes(&reply, sizeof(reply));
        status_t status = call(SK_FS_LIST, cursor, path, &in, sizeof(reply.head));
        if (status == SK_OK) {
            status = visit_entries(reply.entries, in.length - sizeof(reply.head), reply.head.count,
                                   visit, context, &stop);
        }
        if (status != SK_OK) {
            return status;
        }
        if (reply.head.next != 0 && reply.head.next <= cursor) {
            return SK_BAD_FORMAT; /* a listing that does not advance would never end */
        }
        cursor = reply.head.next;
    } while (cursor != 0 && !stop);
    return SK_OK;
}
