/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths to objects. A file is asked for once: it is mapped, its head is made, and both stay in the
 * cache; an evicted file is unmapped when the last session has sent it. "/status.json" is asked of
 * the sysinfo service again when it is older than STATUS_AGE_NS, so a flood of requests is one
 * question in that time. Tests: tests/qemu/http/.
 */
#include "site.h"

#include <stdlib.h>
#include <string.h>

#include <sk/file.h>
#include <sk/service.h>
#include <sk/sysinfo.h>
#include <sk/time.h>

#include "cache.h"
#include "target.h"
#include "types.h"

#define STATUS_AGE_NS (200 * SK_MS)
#define STATUS_LIMIT_NS (250 * SK_MS) /* the whole server waits for sysinfo no longer */
#define ETAG_FILE_MAX (16u << 20)     /* a larger file is not read for a tag */

/* The licences of what is in the system, and where the boot archive has them. */
static const char licenses_path[] = "/licenses";
static const char licenses_file[] = "etc/NOTICES";

struct site {
    const char *version;
    const char *root;
    struct http_cache files;
    struct http_object *status;
    uint64_t status_until;
};

struct site *site_create(const char *version, const char *root)
{
    struct site *site = calloc(1, sizeof(*site));
    if (site != NULL) {
        site->version = version;
        site->root = root;
    }
    return site;
}

static void unmap_body(struct http_object *object)
{
    uintptr_t start = (uintptr_t)object->body & ~(uintptr_t)(SK_PAGE_SIZE - 1);
    uintptr_t end = (uintptr_t)object->body + object->body_length;
    end = (end + SK_PAGE_SIZE - 1) & ~(uintptr_t)(SK_PAGE_SIZE - 1);
    sk_memory_unmap(sk_self_process, start, end - start);
}

/* Maps a file and makes its object. */
static status_t load_file(struct site *site, const char *file_path, const char *type,
                          struct http_object **object)
{
    struct sk_file file;
    struct http_content content = {.status = 200, .type = type};
    status_t status = sk_file_open(file_path, &file);
    if (status != SK_OK) {
        return status;
    }
    status = sk_file_map(&file, &content.body);
    sk_file_close(&file); /* the mapping keeps the memory */
    if (status != SK_OK) {
        return status;
    }
    content.body_length = file.size;
    content.has_etag = file.size <= ETAG_FILE_MAX;
    if (content.has_etag) {
        content.etag = http_hash(content.body, file.size);
    }
    struct http_object *made = http_object_create(site->version, &content);
    if (made == NULL) {
        struct http_object unwanted = {.body = content.body, .body_length = file.size};
        if (file.size > 0) {
            unmap_body(&unwanted);
        }
        return SK_NO_MEMORY;
    }
    if (file.size > 0) {
        made->release = unmap_body;
    }
    *object = made;
    return SK_OK;
}

/* A folder asked for without the slash at its end. */
static struct http_object *redirect(struct site *site, const char *path, size_t length,
                                    const char *query, size_t query_length)
{
    char extra[1400] = "Location: ";
    size_t used = strlen(extra);
    size_t encoded = http_target_encode(path, length, extra + used, sizeof(extra) - used);
    used += encoded;
    if (encoded == 0 || used + 1 + query_length + 3 > sizeof(extra)) {
        return http_object_error(site->version, 404, NULL);
    }
    extra[used++] = '/';
    memcpy(extra + used, query, query_length);
    memcpy(extra + used + query_length, "\r\n", 3);
    return http_object_error(site->version, 301, extra);
}

static int http_status_of(status_t status)
{
    switch (status) {
    case SK_NOT_FOUND:
    case SK_NOT_DIRECTORY:
    case SK_INVALID_ARGS:
    case SK_IS_DIRECTORY: /* a folder named index.html */
        return 404;
    case SK_NO_MEMORY:
    case SK_OVER_BUDGET:
    case SK_NO_HANDLES:
    case SK_SERVICE_DOWN:
    case SK_PEER_CLOSED:
    case SK_BUSY:
    case SK_TIMED_OUT:
        return 503;
    default:
        return 500;
    }
}

static struct http_object *find_file(struct site *site, const char *path, size_t length,
                                     const char *query, size_t query_length)
{
    static const char index_name[] = "index.html";
    char file_path[SK_FS_PATH_MAX + 1];
    size_t root = strlen(site->root);
    bool folder = path[length - 1] == '/';
    size_t whole = root + length + (folder ? sizeof(index_name) - 1 : 0);
    if (whole > SK_FS_PATH_MAX) {
        return http_object_error(site->version, 404, NULL);
    }
    memcpy(file_path, site->root, root);
    memcpy(file_path + root, path, length);
    memcpy(file_path + root + length, index_name, sizeof(index_name) - 1);
    file_path[whole] = 0;

    struct http_object *object;
    status_t status = load_file(site, file_path, http_type(file_path, whole), &object);
    if (status == SK_IS_DIRECTORY && !folder) {
        return redirect(site, path, length, query, query_length);
    }
    if (status != SK_OK) {
        return http_object_error(site->version, http_status_of(status), NULL);
    }
    http_cache_put(&site->files, path, length, object);
    return object;
}

/* --- /status.json --- */

static struct http_object *make_status(struct site *site)
{
    struct http_content content = {
        .status = 200,
        .type = "application/json",
        .extra = "Cache-Control: no-store\r\n",
        .copy_body = true,
    };
    char *text;
    size_t length;
    status_t status = sk_sysinfo_status(sk_deadline_after(STATUS_LIMIT_NS), &text, &length);
    if (status != SK_OK) {
        return http_object_error(site->version, http_status_of(status), NULL);
    }
    content.body = text;
    content.body_length = length;
    struct http_object *object = http_object_create(site->version, &content);
    free(text);
    return object;
}

static struct http_object *find_status(struct site *site)
{
    uint64_t now = sk_now();
    if (site->status != NULL && now >= site->status_until) {
        http_object_release(site->status);
        site->status = NULL;
    }
    if (site->status == NULL) {
        site->status = make_status(site);
        site->status_until = sk_now() + STATUS_AGE_NS;
    }
    if (site->status != NULL) {
        http_object_acquire(site->status);
    }
    return site->status;
}

static struct http_object *find_licenses(struct site *site)
{
    struct http_object *object;
    status_t status = load_file(site, licenses_file, "text/plain; charset=utf-8", &object);
    if (status != SK_OK) {
        return http_object_error(site->version, http_status_of(status), NULL);
    }
    http_cache_put(&site->files, licenses_path, sizeof(licenses_path) - 1, object);
    return object;
}

static bool path_is(const char *path, size_t length, const char *name)
{
    return length == strlen(name) && memcmp(path, name, length) == 0;
}

struct http_object *site_find(void *context, const char *path, size_t length, const char *query,
                              size_t query_length)
{
    struct site *site = context;
    struct http_object *object = http_cache_get(&site->files, path, length);
    if (object != NULL) {
        return object;
    }
    if (path_is(path, length, "/status.json")) {
        return find_status(site);
    }
    if (path_is(path, length, licenses_path)) {
        return find_licenses(site);
    }
    return find_file(site, path, length, query, query_length);
}
