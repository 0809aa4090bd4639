/* SPDX-License-Identifier: BSD-2-Clause */
/* The access line of a request. Pure. */
#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include "request.h"

#define ACCESS_LINE_MAX 320u

/*
 * Writes `10.0.2.2 "GET / HTTP/1.1" 200 6512`, a line feed and a NUL; returns the length without the
 * NUL. A long target is cut and marked with "...". Only printable ASCII comes out.
 */
size_t access_line(char line[ACCESS_LINE_MAX], const uint8_t ip[4],
                   const struct http_request *request, int status, uint64_t sent);

#endif
