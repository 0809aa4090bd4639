/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linked with the web server, between it and its files (-Wl,--wrap): who asks for HANG_PATH makes it loop for
 * ever.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <skerry/types.h>

#include "hang.h"

struct http_object;

struct http_object *__real_site_find(void *context, const char *path, size_t length,
                                     const char *query, size_t query_length);
struct http_object *__wrap_site_find(void *context, const char *path, size_t length,
                                     const char *query, size_t query_length);

struct http_object *__wrap_site_find(void *context, const char *path, size_t length,
                                     const char *query, size_t query_length)
{
    bool hangs = length == strlen(HANG_PATH) && memcmp(path, HANG_PATH, length) == 0;
    for (_Atomic uint64_t turns = 0; hangs;) {
        turns++;
    }
    return __real_site_find(context, path, length, query, query_length);
}
