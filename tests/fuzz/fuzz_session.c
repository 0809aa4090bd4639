/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feeds streams to the HTTP engine, whole and byte by byte; both must give the same answers, but for
 * the status of a refusal: a request that breaks both a limit and the syntax is refused for what was
 * seen first.
 */
#include <stdlib.h>
#include <string.h>

#include "session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_object *find(void *context, const char *path, size_t length, const char *query,
                                size_t query_length)
{
    static const char body[] = "body";
    struct http_content content = {
        .status = 200, .body = body, .body_length = 4, .has_etag = true, .etag = length};
    if (length == 0 || path[0] != '/' || memchr(path, 0, length) != NULL) {
        abort();
    }
    return http_object_create("fuzz", &content);
}

/* Sums up everything that is sent. */
static uint64_t run(const uint8_t *data, size_t size, size_t step)
{
    static struct http_server server = {.version = "fuzz", .find = find};
    struct http_session *session = malloc(sizeof(*session));
    uint64_t hash = 14695981039346656037u;
    http_session_init(session, &server, NULL);
    for (size_t at = 0; at < size && http_session_phase(session) != HTTP_CLOSING;) {
        const void *bytes;
        size_t length;
        size_t part = size - at < step ? size - at : step;
        at += http_session_input(session, data + at, part);
        while (http_session_output(session, &bytes, &length)) {
            for (size_t i = 0; i < length && !session->refused; i++) {
                hash = (hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
            }
            http_session_sent(session, length);
        }
    }
    hash += session->refused;
    http_session_end(session);
    free(session);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (run(data, size, size + 1) != run(data, size, 1)) {
        abort();
    }
    return 0;
}
