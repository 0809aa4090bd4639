/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Paths out of request targets. Decoding comes before the resolution of dot segments, so that no
 * spelling of ".." passes unseen; the result never leaves the root.
 * Tests: tests/host/userland/apps/http-server/test_target.c.
 */
#include "target.h"

#include <stdint.h>
#include <string.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Skips "http://authority"; NULL if that is not how the target begins. */
static const char *skip_authority(const char *target, const char *end)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t length = strlen(schemes[i]);
        size_t same = 0;
        while (same < length && target + same < end &&
               (target[same] == schemes[i][same] || (target[same] | 0x20) == schemes[i][same])) {
            same++;
        }
        if (same == length) {
            const char *at = target + length;
            while (at < end && *at != '/' && *at != '?') {
                at++;
            }
            return at > target + length ? at : NULL;
        }
    }
    return NULL;
}

/* Takes the last segment off, which ends before *used; false at the root. */
static bool drop_segment(const char *path, size_t *used)
{
    if (*used <= 1) {
        return false;
    }
    size_t at = *used - 1; /* on the slash after the segment */
    while (path[at - 1] != '/') {
        at--;
    }
    *used = at;
    return true;
}

/* A segment [start, *used) is complete; resolves it if it is "." or "..". False: above the root. */
static bool end_segment(const char *path, size_t start, size_t *used)
{
    size_t length = *used - start;
    if (length == 1 && path[start] == '.') {
        *used = start;
    } else if (length == 2 && path[start] == '.' && path[start + 1] == '.') {
        *used = start;
        return drop_segment(path, used);
    }
    return true;
}

int http_target_path(const char *target, size_t length, char *path, size_t *path_length)
{
    const char *end = target + length;
    if (length == 0) {
        return 400;
    }
    if (*target != '/') {
        target = skip_authority(target, end);
        if (target == NULL) {
            return 400;
        }
    }
    size_t used = 0, start = 1;
    path[used++] = '/';
    for (const char *at = target; at < end && *at != '?'; at++) {
        char c = *at;
        if (c == '#') {
            return 400; /* RFC 9110 7.1: a fragment is not part of a target */
        }
        if (c == '%') {
            int high = end - at > 2 ? hex_value(at[1]) : -1;
            int low = high >= 0 ? hex_value(at[2]) : -1;
            if (low < 0) {
                return 400;
            }
            c = (char)(high << 4 | low);
            at += 2;
        }
        if (c == 0) {
            return 400;
        }
        if (c == '/') {
            if (!end_segment(path, start, &used)) {
                return 400;
            }
            if (path[used - 1] == '/') {
                start = used;
                continue;
            }
        }
        if (used == HTTP_PATH_MAX) {
            return 404;
        }
        path[used++] = c;
        if (c == '/') {
            start = used;
        }
    }
    if (!end_segment(path, start, &used)) {
        return 400;
    }
    *path_length = used;
    return 0;
}

size_t http_target_encode(const char *path, size_t length, char *out, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)path[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     (c != 0 && strchr("/-._~!$&'()*+,;=:@", c) != NULL);
        if (used + (plain ? 1 : 3) > size) {
            return 0;
        }
        if (plain) {
            out[used++] = (char)c;
        } else {
            out[used++] = '%';
            out[used++] = digits[c >> 4];
            out[used++] = digits[c & 15];
        }
    }
    return used;
}
