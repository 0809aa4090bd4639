/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers made ahead. An object and its head are one allocation; reference counts are plain, all of
 * a server runs on one thread. Tests: tests/host/userland/apps/http-server/test_object.c.
 */
#include "object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_MAX 1536u

const char *http_status_words(int status)
{
    static const struct {
        int status;
        const char *words;
    } table[] = {
        {200, "OK"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {417, "Expectation Failed"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].status == status) {
            return table[i].words;
        }
    }
    return "Error";
}

static void free_object(struct http_object *object)
{
    if (object->release != NULL) {
        object->release(object);
    }
    free(object);
}

/* Writes the head; its length, or -1 if it does not fit. *etag_at: where the tag is, 0 for none. */
static int write_head(char *head, const char *version, const struct http_content *content,
                      int *etag_at)
{
    int used = snprintf(head, HEAD_MAX, "HTTP/1.1 %d %s\r\nServer: Skerry/%s\r\n", content->status,
                        http_status_words(content->status), version);
    if (content->type != NULL) {
        used += snprintf(head + used, HEAD_MAX - (size_t)used,
                         "Content-Type: %s\r\nX-Content-Type-Options: nosniff\r\n", content->type);
    }
    /* A 304 tells no length: what it would tell is the length of a body that it does not have. */
    if (content->status != 304) {
        used += snprintf(head + used, HEAD_MAX - (size_t)used, "Content-Length: %llu\r\n",
                         (unsigned long long)content->body_length);
    }
    *etag_at = 0;
    if (content->has_etag) {
        *etag_at = used + 6;
        used += snprintf(head + used, HEAD_MAX - (size_t)used, "ETag: \"%08lx%08lx\"\r\n",
                         (unsigned long)(content->etag >> 32),
                         (unsigned long)(content->etag & 0xffffffff));
    }
    size_t extra = content->extra != NULL ? strlen(content->extra) : 0;
    if ((size_t)used + extra >= HEAD_MAX) {
        return -1;
    }
    memcpy(head + used, content->extra != NULL ? content->extra : "", extra);
    return used + (int)extra;
}

struct http_object *http_object_create(const char *version, const struct http_content *content)
{
    char head[HEAD_MAX];
    int etag_at;
    int head_length = write_head(head, version, content, &etag_at);
    if (head_length < 0) {
        return NULL;
    }
    size_t copied = content->copy_body ? (size_t)content->body_length : 0;
    struct http_object *object = malloc(sizeof(*object) + (size_t)head_length + copied);
    if (object == NULL) {
        return NULL;
    }
    char *own_head = (char *)(object + 1);
    memcpy(own_head, head, (size_t)head_length);
    if (copied > 0) {
        memcpy(own_head + head_length, content->body, copied);
    }
    *object = (struct http_object){
        .references = 1,
        .status = content->status,
        .head = own_head,
        .head_length = (uint32_t)head_length,
        .body = content->copy_body ? own_head + head_length : content->body,
        .body_length = content->body_length,
        .etag = etag_at > 0 ? own_head + etag_at : NULL,
        .etag_length = etag_at > 0 ? 18 : 0,
    };
    return object;
}

struct http_object *http_object_error(const char *version, int status, const char *extra)
{
    char body[512];
    const char *words = http_status_words(status);
    int length = snprintf(body, sizeof(body),
                          "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
                          "<title>%d %s</title>\n<style>body{font:16px/1.5 system-ui,sans-serif;"
                          "max-width:40em;margin:15vh auto;padding:0 1em;color:#243b4a}"
                          "small{color:#6b7f8c}</style>\n<h1>%d %s</h1>\n"
                          "<small>Skerry/%s</small>\n",
                          status, words, status, words, version);
    if (length < 0 || (size_t)length >= sizeof(body)) {
        return NULL;
    }
    struct http_content content = {
        .status = status,
        .type = "text/html; charset=utf-8",
        .body = body,
        .body_length = (uint64_t)length,
        .extra = extra,
        .copy_body = true,
    };
    return http_object_create(version, &content);
}

void http_object_acquire(struct http_object *object)
{
    object->references++;
}

void http_object_release(struct http_object *object)
{
    if (--object->references == 0) {
        free_object(object);
    }
}

uint64_t http_hash(const void *bytes, size_t length)
{
    /* A multiply and a rotate per word; the finish spreads the last word over all bits. */
    const uint64_t factor = 0x9e3779b97f4a7c15ull;
    const uint8_t *at = bytes;
    uint64_t hash = length * factor;
    for (; length >= 8; length -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        hash = (hash ^ word) * factor;
        hash = hash << 27 | hash >> 37;
    }
    uint64_t last = 0;
    memcpy(&last, at, length);
    hash = (hash ^ last) * factor;
    hash ^= hash >> 32;
    hash *= factor;
    return hash ^ hash >> 29;
}

bool http_etag_matches(const char *list, size_t list_length, const char *tag, size_t tag_length)
{
    const char *end = list + list_length;
    if (list_length == 1 && *list == '*') {
        return true;
    }
    for (const char *at = list; at < end;) {
        if (*at == ' ' || *at == '\t' || *at == ',') {
            at++;
            continue;
        }
        if (end - at > 2 && at[0] == 'W' && at[1] == '/') {
            at += 2;
        }
        const char *close = at < end && *at == '"' ? memchr(at + 1, '"', (size_t)(end - at - 1))
                                                   : NULL;
        if (close == NULL) {
            return false; /* not a list of entity tags */
        }
        size_t length = (size_t)(close + 1 - at);
        if (length == tag_length && memcmp(at, tag, length) == 0) {
            return true;
        }
        at = close + 1;
    }
    return false;
}

static void put_number(char *out, unsigned value, unsigned digits)
{
    while (digits-- > 0) {
        out[digits] = (char)('0' + value % 10);
        value /= 10;
    }
}

void http_date(uint64_t seconds, char out[HTTP_DATE_LENGTH])
{
    static const char days[] = "ThuFriSatSunMonTueWed";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    uint64_t day = seconds / 86400;
    unsigned second = (unsigned)(seconds % 86400);
    /* Years that begin in March, so that the leap day is the last one: era of 400 years, year of
       the era, day of the year. */
    uint64_t shifted = day + 719468;
    unsigned of_era = (unsigned)(shifted % 146097);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned march_month = (5 * of_year + 2) / 153;
    unsigned month = march_month < 10 ? march_month + 2 : march_month - 10;
    unsigned year = (unsigned)(shifted / 146097 * 400) + year_of_era + (month < 2);

    memcpy(out, "Thu, 01 Jan 1970 00:00:00 GMT", HTTP_DATE_LENGTH);
    memcpy(out, days + 3 * (day % 7), 3);
    put_number(out + 5, of_year - (153 * march_month + 2) / 5 + 1, 2);
    memcpy(out + 8, months + 3 * (size_t)month, 3);
    put_number(out + 12, year, 4);
    put_number(out + 17, second / 3600, 2);
    put_number(out + 20, second / 60 % 60, 2);
    put_number(out + 23, second % 60, 2);
}
