/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is sent: an answer's head, made once, and its body. A file's object is made at its first
 * request and shared by all later ones. Pure but for malloc.
 */
#ifndef HTTP_OBJECT_H
#define HTTP_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_object {
    uint32_t references; /* holders: a cache, each session that sends it */
    int status;
    const char *head; /* status line and fields; without Date, Connection and the empty line */
    uint32_t head_length;
    const void *body;
    uint64_t body_length;
    const char *etag; /* in `head`, with its quotes; NULL if there is none */
    uint32_t etag_length;
    /* Gives the body back when the last reference goes; NULL if nobody owns it. */
    void (*release)(struct http_object *object);
};

/* What an object is made of; every pointer is borrowed for the call, but `body`. */
struct http_content {
    int status;
    const char *type; /* NULL: no Content-Type */
    const void *body; /* must live as long as the object */
    uint64_t body_length;
    bool has_etag;
    uint64_t etag;
    const char *extra; /* further fields, each with its CR LF; NULL for none */
    bool copy_body;    /* the object keeps a copy of the body */
};

/* One reference, the caller's. NULL: out of memory. `version` goes into the Server field. */
struct http_object *http_object_create(const char *version, const struct http_content *content);
/* The small page that goes with an error. `extra` as above. */
struct http_object *http_object_error(const char *version, int status, const char *extra);
void http_object_acquire(struct http_object *object);
void http_object_release(struct http_object *object);

/* "OK", "Not Found", ...; "Error" for a status that is not in the table. */
const char *http_status_words(int status);

/* A number that two different bodies hardly share, at about half an instruction per byte. */
uint64_t http_hash(const void *bytes, size_t length);

/* Whether an If-None-Match list names the tag (weak comparison, RFC 9110 13.1.2), or is "*". */
bool http_etag_matches(const char *list, size_t list_length, const char *tag, size_t tag_length);

#define HTTP_DATE_LENGTH 29u
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), no NUL. Seconds since 1970, before year 10000. */
void http_date(uint64_t seconds, char out[HTTP_DATE_LENGTH]);

#endif
