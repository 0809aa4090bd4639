/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What this server serves: the files below one folder, "/status.json" and "/licenses".
 */
#ifndef HTTP_SITE_H
#define HTTP_SITE_H

#include "object.h"

struct site;

/*
 * `root` is a folder of the file service without a slash at its end; it must live as long as the
 * site. NULL: out of memory.
 */
struct site *site_create(const char *version, const char *root);

/* http_server.find; `context` is the site. */
struct http_object *site_find(void *context, const char *path, size_t length, const char *query,
                              size_t query_length);

#endif
