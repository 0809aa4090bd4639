/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests out of bytes: llhttp does the syntax, this file the limits and the rules that llhttp
 * leaves open. Owns nothing but the struct. Tests: tests/host/userland/apps/http-server/
 * test_session.c, tests/fuzz/fuzz_session.c.
 *
 * Limits count what the callbacks see, so that they do not depend on how the stream was cut.
 */
#include "request.h"

#include <stdlib.h>
#include <string.h>

enum phase {
    PHASE_START, /* nothing of the next request has come */
    PHASE_HEAD,
    PHASE_BODY,
    PHASE_BAD_LINE, /* llhttp gave up on the method; is the line otherwise one of HTTP's? */
    PHASE_DONE,
};

enum part { PART_NAME, PART_VALUE, PART_END };

/* Callbacks return this to stop with the status that they set. */
#define REFUSE HPE_USER

static struct http_request *request_of(llhttp_t *parser)
{
    return (struct http_request *)parser->data;
}

static int refuse(struct http_request *request, int status)
{
    request->status = status;
    return REFUSE;
}

static int count_head(struct http_request *request, size_t length)
{
    request->head_bytes += (uint32_t)length;
    return request->head_bytes > HTTP_HEAD_MAX ? refuse(request, 431) : 0;
}

/* Makes room for a target that may become HTTP_TARGET_MAX long. */
static bool grow_target(struct http_request *request)
{
    char *larger = malloc(HTTP_TARGET_MAX);
    if (larger == NULL) {
        return false;
    }
    memcpy(larger, request->target, request->target_length);
    request->target = larger;
    return true;
}

static int on_url(llhttp_t *parser, const char *at, size_t length)
{
    struct http_request *request = request_of(parser);
    if (request->target == request->target_inline &&
        request->target_length + length > HTTP_TARGET_INLINE && !grow_target(request)) {
        return refuse(request, 503);
    }
    size_t room = HTTP_TARGET_MAX - request->target_length;
    size_t part = length < room ? length : room;
    memcpy(request->target + request->target_length, at, part);
    request->target_length += (uint32_t)part;
    return part < length ? refuse(request, 414) : 0;
}

/* Most names are of no interest by their first letter. */
static bool begins_known_name(char c)
{
    c |= 0x20;
    return c == 'h' || c == 'e' || c == 'i';
}

static int on_header_field(llhttp_t *parser, const char *at, size_t length)
{
    struct http_request *request = request_of(parser);
    if (request->part != PART_NAME) {
        request->part = PART_NAME;
        request->name_length = 0;
        if (++request->fields > HTTP_FIELDS_MAX) {
            return refuse(request, 431);
        }
    }
    if (request->name_length == 0 && length > 0 && !begins_known_name(at[0])) {
        request->name_length = sizeof(request->name); /* as long as no name of interest */
    }
    size_t room = sizeof(request->name) - request->name_length;
    size_t part = length < room ? length : room;
    for (size_t i = 0; i < part; i++) {
        char c = at[i];
        request->name[request->name_length + i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    request->name_length += (uint8_t)part;
    return count_head(request, length);
}

static bool name_is(const struct http_request *request, const char *name, size_t length)
{
    return request->name_length == length && memcmp(request->name, name, length) == 0;
}

/* A field's name is complete: its value begins. */
static void begin_value(struct http_request *request)
{
    request->part = PART_VALUE;
    request->value_length = 0;
    request->field = HTTP_FIELD_OTHER;
    if (request->phase != PHASE_HEAD) {
        return; /* a trailer says nothing of interest */
    }
    request->field_bad |= request->name_length == 0; /* llhttp lets these pass */
    if (name_is(request, "host", 4)) {
        request->field = HTTP_FIELD_HOST;
        request->hosts += request->hosts < 2;
    } else if (name_is(request, "expect", 6)) {
        request->field = HTTP_FIELD_EXPECT;
        request->expect_length = 0;
    } else if (name_is(request, "if-none-match", 13)) {
        request->field = HTTP_FIELD_IF_NONE_MATCH;
        /* A second field continues the list of the first. */
        if (request->etags_length > 0 && request->etags_length < HTTP_ETAG_MAX) {
            request->etags[request->etags_length++] = ',';
        }
    }
}

/* uri-host [ ":" port ] in the characters that RFC 3986 allows there (3.2.2, 3.2.3). */
static const bool host_char[256] = {
    ['a' ... 'z'] = true, ['A' ... 'Z'] = true, ['0' ... '9'] = true, ['-'] = true, ['.'] = true,
    ['_'] = true,         ['~'] = true,         ['%'] = true,         ['!'] = true, ['$'] = true,
    ['&'] = true,         ['\''] = true,        ['('] = true,         [')'] = true, ['*'] = true,
    ['+'] = true,         [','] = true,         [';'] = true,         ['='] = true, [':'] = true,
    ['['] = true,         [']'] = true,
};

static void append(char *buffer, size_t size, size_t used, const char *at, size_t length)
{
    if (used < size) {
        memcpy(buffer + used, at, length < size - used ? length : size - used);
    }
}

static int on_header_value(llhttp_t *parser, const char *at, size_t length)
{
    struct http_request *request = request_of(parser);
    if (request->part == PART_NAME) {
        begin_value(request);
    }
    switch (request->field) {
    case HTTP_FIELD_HOST:
        for (size_t i = 0; i < length; i++) {
            request->field_bad |= !host_char[(uint8_t)at[i]];
        }
        break;
    case HTTP_FIELD_EXPECT:
        append(request->expect, sizeof(request->expect), request->expect_length, at, length);
        request->expect_length = (uint8_t)(request->expect_length + length > 255
                                               ? 255
                                               : request->expect_length + length);
        break;
    case HTTP_FIELD_IF_NONE_MATCH:
        append(request->etags, HTTP_ETAG_MAX, request->etags_length, at, length);
        /* Beyond HTTP_ETAG_MAX the list is dropped at the end of the head. */
        request->etags_length += (uint32_t)length;
        break;
    default:
        break;
    }
    request->value_length += (uint32_t)length;
    return count_head(request, length);
}

static int on_header_value_complete(llhttp_t *parser)
{
    struct http_request *request = request_of(parser);
    /* An empty value has no on_header_value. What is wrong with it is told at the end of the head:
       llhttp does not look at what this function returns. */
    if (request->part == PART_NAME) {
        begin_value(request);
    }
    request->part = PART_END;
    return 0;
}

static bool expects_continue(const struct http_request *request)
{
    static const char word[] = "100-continue";
    if (request->expect_length != sizeof(word) - 1) {
        return false;
    }
    for (size_t i = 0; i < sizeof(word) - 1; i++) {
        char c = request->expect[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c) != word[i]) {
            return false;
        }
    }
    return true;
}

/* What is wrong with a head whose syntax is right; 0 if nothing. */
static int judge_head(const struct http_request *request)
{
    const llhttp_t *parser = &request->parser;
    if (parser->http_major == 0) {
        return 400;
    }
    if (parser->http_major != 1) {
        return 505;
    }
    /* RFC 9112 3.2: exactly one valid Host in HTTP/1.1; an older client may leave it out. */
    if (request->hosts > 1 || request->field_bad || (request->hosts == 0 && !request->old)) {
        return 400;
    }
    /* RFC 9112 6.1: a coding that HTTP/1.0 does not know is a trap for whoever is in between. */
    if (request->old && (parser->flags & F_TRANSFER_ENCODING) != 0) {
        return 400;
    }
    if (parser->method != HTTP_GET && parser->method != HTTP_HEAD) {
        return 405;
    }
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    struct http_request *request = request_of(parser);
    bool has_body = (parser->flags & F_CHUNKED) != 0 || parser->content_length > 0;
    request->phase = PHASE_BODY;
    request->old = parser->http_major == 1 && parser->http_minor == 0;
    request->head = parser->method == HTTP_HEAD;
    request->keep_alive = llhttp_should_keep_alive(parser) != 0;
    if (request->etags_length > HTTP_ETAG_MAX) {
        request->etags_length = 0;
    }
    parser
        ->upgrade = 0; /* no other protocol is spoken here, so Upgrade and CONNECT change nothing */
    int status = judge_head(request);
    if (status == 0 && (parser->flags & F_CONTENT_LENGTH) != 0 &&
        parser->content_length > HTTP_BODY_MAX) {
        status = 413;
    }
    request->status = status;
    if (status != 0 && (status != 405 || has_body)) {
        return REFUSE;
    }
    if (has_body && request->expect_length > 0 && !request->old) {
        if (!expects_continue(request)) {
            return refuse(request, 417);
        }
        request->expect_continue = true;
        return HPE_PAUSED;
    }
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t length)
{
    struct http_request *request = request_of(parser);
    request->body_bytes += (uint32_t)length;
    return request->body_bytes > HTTP_BODY_MAX ? refuse(request, 413) : 0;
}

static int on_message_complete(llhttp_t *parser)
{
    request_of(parser)->phase = PHASE_DONE;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_header_value_complete = on_header_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

static void reset(struct http_request *request)
{
    request->target = request->target_inline;
    request->status = 0;
    request->head = request->keep_alive = request->old = request->target_partial = false;
    request->target_length = request->etags_length = 0;
    request->phase = PHASE_START;
    request->expect_continue = false;
    request->part = PART_END;
    request->field_bad = false;
    request->hosts = request->name_length = request->expect_length = request->bad_line = 0;
    request->fields = request->head_bytes = request->raw_bytes = request->body_bytes = 0;
}

void http_request_init(struct http_request *request)
{
    llhttp_init(&request->parser, HTTP_REQUEST, &settings);
    request->parser.data = request;
    reset(request);
}

void http_request_end(struct http_request *request)
{
    if (request->target != request->target_inline) {
        free(request->target);
        request->target = request->target_inline;
    }
}

void http_request_next(struct http_request *request)
{
    http_request_end(request);
    reset(request);
}

bool http_request_started(const struct http_request *request)
{
    return request->phase != PHASE_START && request->phase != PHASE_DONE;
}

const char *http_request_method(const struct http_request *request)
{
    /* With a target, llhttp has known the method before it. */
    return request->target_length > 0 ? llhttp_method_name((llhttp_method_t)request->parser.method)
                                      : "-";
}

/* --- A method that llhttp does not know --- */

enum bad_line { LINE_METHOD, LINE_TARGET_FIRST, LINE_TARGET, LINE_VERSION };

static bool token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/*
 * Looks at the rest of a request line from where llhttp stopped: 501 if it is an unknown method in
 * a line of HTTP's form, 400 if it is anything else, 0 if more bytes are needed to tell.
 */
static int scan_bad_line(struct http_request *request, const char *at, size_t length)
{
    static const char version[] = "HTTP/";
    for (size_t i = 0; i < length; i++) {
        char c = at[i];
        if (++request->raw_bytes > HTTP_TARGET_MAX) {
            return 400;
        }
        switch (request->bad_line) {
        case LINE_METHOD:
            if (c == ' ') {
                request->bad_line = LINE_TARGET_FIRST;
            } else if (!token_char(c)) {
                return 400;
            }
            break;
        case LINE_TARGET_FIRST:
        case LINE_TARGET:
            if (c == ' ' && request->bad_line == LINE_TARGET) {
                request->bad_line = LINE_VERSION;
            } else if (c <= ' ' || c == 127) {
                return 400;
            } else {
                request->bad_line = LINE_TARGET;
            }
            break;
        default:
            if (c != version[request->bad_line - LINE_VERSION]) {
                return 400;
            }
            if (++request->bad_line == LINE_VERSION + sizeof(version) - 1) {
                return 501;
            }
            break;
        }
    }
    return 0;
}

static enum http_event finish_bad_line(struct http_request *request, const char *at, size_t length)
{
    request->status = scan_bad_line(request, at, length);
    if (request->status == 0) {
        return HTTP_MORE;
    }
    request->target_partial = true;
    request->phase = PHASE_DONE;
    return HTTP_REFUSED;
}

/* The status for a request that llhttp refused by itself. */
static int status_of(const struct http_request *request, llhttp_errno_t error)
{
    if (error == HPE_PAUSED_H2_UPGRADE) {
        return 505;
    }
    /* One errno for "not a version" and "a version of HTTP that is none of ours". */
    if (error == HPE_INVALID_VERSION &&
        strcmp(llhttp_get_error_reason(&request->parser), "Invalid HTTP version") == 0) {
        return 505;
    }
    return 400;
}

static enum http_event after_error(struct http_request *request, llhttp_errno_t error,
                                   const char *bytes, size_t length, size_t *consumed)
{
    const char *stop = llhttp_get_error_pos(&request->parser);
    *consumed = stop >= bytes && stop <= bytes + length ? (size_t)(stop - bytes) : length;
    if (error == HPE_PAUSED && request->phase == PHASE_DONE) {
        llhttp_resume(&request->parser);
        return HTTP_COMPLETE;
    }
    if (error == HPE_PAUSED && request->expect_continue) {
        request->expect_continue = false;
        llhttp_resume(&request->parser);
        return HTTP_CONTINUE;
    }
    if (error == HPE_INVALID_METHOD) {
        size_t done = *consumed;
        *consumed = length;
        request->phase = PHASE_BAD_LINE;
        return finish_bad_line(request, bytes + done, length - done);
    }
    if (request->status == 0) {
        request->status = status_of(request, error);
    }
    request->keep_alive = false;
    request->target_partial = request->phase == PHASE_HEAD;
    request->phase = PHASE_DONE;
    return HTTP_REFUSED;
}

enum http_event http_request_feed(struct http_request *request, const void *bytes, size_t length,
                                  size_t *consumed)
{
    *consumed = length;
    if (length == 0) {
        return HTTP_MORE;
    }
    if (request->phase == PHASE_BAD_LINE) {
        return finish_bad_line(request, bytes, length);
    }
    if (request->phase == PHASE_START) {
        request->phase = PHASE_HEAD;
    }
    llhttp_errno_t error = llhttp_execute(&request->parser, bytes, length);
    if (error != HPE_OK) {
        return after_error(request, error, bytes, length, consumed);
    }
    request->raw_bytes += (uint32_t)length;
    bool in_head = request->phase == PHASE_HEAD;
    if (request->raw_bytes > (in_head ? HTTP_HEAD_RAW_MAX : HTTP_RAW_MAX)) {
        request->status = in_head ? 431 : 413;
        request->keep_alive = false;
        request->target_partial = in_head;
        request->phase = PHASE_DONE;
        return HTTP_REFUSED;
    }
    return HTTP_MORE;
}
