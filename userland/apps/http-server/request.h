/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One HTTP/1.x request after another out of a stream of bytes (RFC 9112), over llhttp in strict mode.
 * Pure: no system calls; memory is asked for only by a target longer than HTTP_TARGET_INLINE. The
 * result is the same wherever the stream is cut, but for the status of a request that breaks both a
 * limit and the syntax.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

#define HTTP_TARGET_MAX 8000u /* bytes of the request target; RFC 9112 3 asks for 8,000 lines */
#define HTTP_TARGET_INLINE 512u
#define HTTP_HEAD_MAX 16384u     /* bytes of header names and values */
#define HTTP_HEAD_RAW_MAX 65536u /* bytes of the head with its blanks and line ends */
#define HTTP_FIELDS_MAX 100u
#define HTTP_BODY_MAX 65536u /* bytes of a request body, which is read and dropped */
#define HTTP_RAW_MAX 524288u /* bytes of a whole request, chunk headers included */
#define HTTP_ETAG_MAX 128u

enum http_event {
    HTTP_MORE,     /* all bytes taken, the request is not complete */
    HTTP_CONTINUE, /* the client waits for "100 Continue"; feed on after sending it */
    HTTP_COMPLETE, /* answer it, then http_request_next; `status` may already name an error */
    HTTP_REFUSED,  /* answer with `status` and close: the rest of the stream means nothing */
};

enum http_field {
    HTTP_FIELD_OTHER,
    HTTP_FIELD_HOST,
    HTTP_FIELD_EXPECT,
    HTTP_FIELD_IF_NONE_MATCH,
};

struct http_request {
    /* Results, valid at COMPLETE and REFUSED. */
    int status;          /* 0, or the error this request is answered with */
    bool head;           /* HEAD: the answer has no body */
    bool keep_alive;     /* what the client wants */
    bool old;            /* HTTP/1.0 */
    bool target_partial; /* the target was too long, or never complete: only for the access line */
    char *target;        /* not NUL-terminated; its memory is the request's */
    uint32_t target_length;
    uint32_t etags_length; /* of If-None-Match; 0: none, or too long to look at */
    char etags[HTTP_ETAG_MAX];

    /* The parser's own. */
    llhttp_t parser;
    uint8_t phase;
    uint8_t field; /* enum http_field */
    uint8_t part;  /* of a field: its name, its value, its end */
    bool expect_continue;
    bool field_bad; /* a Host that is none, a field without a name */
    uint8_t hosts;
    uint8_t name_length;
    uint8_t expect_length;
    uint8_t bad_line; /* state of the scan of a request line with an unknown method */
    uint32_t value_length;
    uint32_t fields;
    uint32_t head_bytes, raw_bytes, body_bytes;
    char name[16]; /* of the field, lower case; longer names are of no interest */
    char expect[16];
    char target_inline[HTTP_TARGET_INLINE];
};

void http_request_init(struct http_request *request);
/* Gives back what the request holds. */
void http_request_end(struct http_request *request);

/*
 * Takes bytes up to the end of a request at most; *consumed tells how many. After REFUSED no more
 * bytes may be fed.
 */
enum http_event http_request_feed(struct http_request *request, const void *bytes, size_t length,
                                  size_t *consumed);

/* Makes ready for the next request of the connection, after COMPLETE. */
void http_request_next(struct http_request *request);

/* Whether bytes of an incomplete request have been fed. */
bool http_request_started(const struct http_request *request);

/* The method's name, for the access line; "-" if it is unknown. */
const char *http_request_method(const struct http_request *request);

#endif
