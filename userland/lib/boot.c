/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this process was given. Owns the boot messages' bytes and the table of named handles; both
 * are written before main and by sk_boot_handle_take, under `lock`.
 * Tests: tests/host/userland/lib/test_boot.c (parsing), tests/qemu/process.
 */
#include "boot.h"

#include <string.h>
#include <unistd.h>

#include <sk/ipc.h>
#include <sk/protocol/init.h>
#include <sk/service.h>
#include <sk/thread.h>

struct named_handle {
    const char *name; /* NULL once taken */
    handle_t handle;
};

handle_t sk_self_process, sk_self_job, sk_boot_endpoint;
const char *sk_self_name = "?";

static struct sk_mutex lock;
static struct named_handle table[BOOT_HANDLES_MAX];
static size_t table_count;
static _Alignas(8) char first_message[SK_MESSAGE_BYTES_MAX];
static char names[BOOT_HANDLES_MAX][SK_INIT_NAME_MAX]; /* of handles from further messages */
static size_t names_used;

static struct named_handle *find(const char *name)
{
    for (size_t i = 0; i < table_count; i++) {
        if (table[i].name != NULL && strcmp(table[i].name, name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

handle_t sk_boot_handle(const char *name)
{
    sk_mutex_lock(&lock);
    struct named_handle *entry = find(name);
    handle_t handle = entry != NULL ? entry->handle : SK_HANDLE_NONE;
    sk_mutex_unlock(&lock);
    return handle;
}

handle_t sk_boot_handle_take(const char *name)
{
    sk_mutex_lock(&lock);
    struct named_handle *entry = find(name);
    handle_t handle = entry != NULL ? entry->handle : SK_HANDLE_NONE;
    if (entry != NULL) {
        entry->name = NULL;
    }
    sk_mutex_unlock(&lock);
    return handle;
}

status_t sk_boot_handle_add(const char *name, handle_t handle)
{
    if (table_count == BOOT_HANDLES_MAX) {
        return SK_TOO_BIG;
    }
    table[table_count++] = (struct named_handle){name, handle};
    return SK_OK;
}

/* A message with further handles only; its bytes do not stay, so its names are copied. */
static status_t receive_more(handle_t endpoint, bool *more)
{
    _Alignas(8) char message[512];
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct sk_in in = {message, sizeof message, handles, SK_MESSAGE_HANDLES_MAX};
    status_t status = sk_channel_receive(endpoint, &in, SK_DEADLINE_NEVER);
    if (status != SK_OK) {
        return status;
    }
    struct sk_boot_header header;
    char *strings[SK_MESSAGE_HANDLES_MAX];
    status = boot_parse(message, in.length, in.handle_count, &header, strings,
                        SK_MESSAGE_HANDLES_MAX);
    if (status == SK_OK && (header.argument_count != 0 || header.environment_count != 0)) {
        status = SK_BAD_FORMAT;
    }
    for (size_t i = 0; status == SK_OK && i < header.handle_count; i++) {
        if (names_used == BOOT_HANDLES_MAX || strlen(strings[i]) >= sizeof names[0]) {
            return SK_TOO_BIG;
        }
        char *copy = names[names_used++];
        strcpy(copy, strings[i]);
        status = sk_boot_handle_add(copy, handles[i]);
    }
    *more = header.more != 0;
    return status;
}

status_t boot_receive(handle_t endpoint, struct boot_arguments *arguments)
{
    static char *strings[BOOT_ARGUMENTS_MAX + SK_MESSAGE_HANDLES_MAX];
    static char *lists[BOOT_ARGUMENTS_MAX + 2]; /* argv, NULL, envp, NULL */
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct sk_in in = {first_message, sizeof first_message, handles, SK_MESSAGE_HANDLES_MAX};
    status_t status = sk_channel_receive(endpoint, &in, SK_DEADLINE_NEVER);
    if (status != SK_OK) {
        return status;
    }
    struct sk_boot_header header;
    status = boot_parse(first_message, in.length, in.handle_count, &header, strings,
                        sizeof strings / sizeof strings[0]);
    if (status != SK_OK) {
        return status;
    }
    size_t before = (size_t)header.argument_count + header.environment_count;
    if (before > BOOT_ARGUMENTS_MAX) {
        return SK_TOO_BIG;
    }
    for (size_t i = 0; status == SK_OK && i < header.handle_count; i++) {
        status = sk_boot_handle_add(strings[before + i], handles[i]);
    }
    bool more = header.more != 0;
    while (status == SK_OK && more) {
        status = receive_more(endpoint, &more);
    }
    if (status != SK_OK) {
        return status;
    }
    memcpy(lists, strings, header.argument_count * sizeof strings[0]);
    memcpy(lists + header.argument_count + 1, strings + header.argument_count,
           header.environment_count * sizeof strings[0]);
    arguments->count = header.argument_count;
    arguments->values = lists;
    arguments->environment = lists + header.argument_count + 1;
    environ = arguments->environment;
    sk_boot_endpoint = endpoint;
    sk_self_process = sk_boot_handle("process");
    sk_self_job = sk_boot_handle("job");
    if (arguments->count > 0) {
        sk_self_name = lists[0];
    }
    return SK_OK;
}
