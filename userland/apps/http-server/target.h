/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Request targets as paths (RFC 9112 3.2, RFC 3986 2.1 and 5.2.4). Pure.
 */
#ifndef HTTP_TARGET_H
#define HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_PATH_MAX 1000u /* bytes of a decoded path */

/*
 * The path of a target in origin form ("/a?b") or absolute form ("http://host/a"): decoded, without
 * query, dot segments and doubled slashes. It starts with '/', and ends with one if the target did.
 * `path` has room for HTTP_PATH_MAX bytes; no NUL is written. Returns 0, or the status to answer
 * with: 400 for bad syntax, a NUL, or a path that leaves the root; 404 for one too long to exist.
 */
int http_target_path(const char *target, size_t length, char *path, size_t *path_length);

/*
 * Writes `path` percent-encoded so that it can stand in a header field. Returns its length, or 0 if
 * it does not fit in `size`.
 */
size_t http_target_encode(const char *path, size_t length, char *out, size_t size);

#endif
