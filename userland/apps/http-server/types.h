/* SPDX-License-Identifier: BSD-2-Clause */
/* Media types by file name. Pure. */
#ifndef HTTP_TYPES_H
#define HTTP_TYPES_H

#include <stddef.h>

/*
 * The Content-Type of a file, by the extension of its name in any case; text with its charset, which
 * is UTF-8. "application/octet-stream" if the extension is unknown or missing.
 */
const char *http_type(const char *path, size_t length);

#endif
