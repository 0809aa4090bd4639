/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Access lines, without printf: one is made for each request.
 * Tests: tests/host/userland/apps/http-server/test_cache.c.
 */
#include "access.h"

#include <string.h>

#define TARGET_SHOWN 200u

static char *put_text(char *at, const char *text)
{
    size_t length = strlen(text);
    memcpy(at, text, length);
    return at + length;
}

static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0) {
        *at++ = digits[--count];
    }
    return at;
}

static char *put_target(char *at, const struct http_request *request)
{
    size_t shown = request->target_length < TARGET_SHOWN ? request->target_length : TARGET_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        char c = request->target[i];
        *at++ = c > ' ' && c < 127 && c != '"' && c != '\\' ? c : '?';
    }
    return shown < request->target_length || request->target_partial ? put_text(at, "...") : at;
}

size_t access_line(char line[ACCESS_LINE_MAX], const uint8_t ip[4],
                   const struct http_request *request, int status, uint64_t sent)
{
    char *at = line;
    for (int i = 0; i < 4; i++) {
        at = put_number(at, ip[i]);
        *at++ = i < 3 ? '.' : ' ';
    }
    *at++ = '"';
    at = put_text(at, http_request_method(request));
    *at++ = ' ';
    at = put_target(at, request);
    at = put_text(at, request->old ? " HTTP/1.0\" " : " HTTP/1.1\" ");
    at = put_number(at, (uint64_t)status);
    *at++ = ' ';
    at = put_number(at, sent);
    *at++ = '\n';
    *at = 0;
    return (size_t)(at - line);
}
