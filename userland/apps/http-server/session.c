/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection's state: which request is being read, which answer is being sent. Owns a reference to
 * the answer's object. Tests: tests/host/userland/apps/http-server/test_session.c,
 * tests/fuzz/fuzz_session.c.
 */
#include "session.h"

#include <string.h>

#include "target.h"

static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

void http_session_init(struct http_session *session, struct http_server *server, void *connection)
{
    session->server = server;
    session->connection = connection;
    session->object = NULL;
    session->sent = session->body_send = 0;
    session->tail_length = 0;
    session->close_after = session->interim = session->closing = session->refused = false;
    http_request_init(&session->request);
}

void http_session_end(struct http_session *session)
{
    http_request_end(&session->request);
    if (session->object != NULL) {
        http_object_release(session->object);
        session->object = NULL;
    }
}

static struct http_object *error_object(struct http_server *server, int status)
{
    for (uint32_t i = 0; i < server->error_count; i++) {
        if (server->errors[i]->status == status) {
            http_object_acquire(server->errors[i]);
            return server->errors[i];
        }
    }
    const char *extra = status == 405 ? "Allow: GET, HEAD\r\n" : NULL;
    struct http_object *object = http_object_error(server->version, status, extra);
    size_t room = sizeof(server->errors) / sizeof(server->errors[0]);
    if (object != NULL && server->error_count < room) {
        http_object_acquire(object);
        server->errors[server->error_count++] = object;
    }
    return object;
}

static struct http_object *not_modified(struct http_server *server, const struct http_object *found)
{
    char extra[8 + 32];
    memcpy(extra, "ETag: ", 6);
    memcpy(extra + 6, found->etag, found->etag_length);
    memcpy(extra + 6 + found->etag_length, "\r\n", 3);
    struct http_content content = {.status = 304, .extra = extra};
    return http_object_create(server->version, &content);
}

static struct http_object *find_object(struct http_session *session)
{
    struct http_server *server = session->server;
    const struct http_request *request = &session->request;
    char path[HTTP_PATH_MAX];
    size_t length;
    int status = http_target_path(request->target, request->target_length, path, &length);
    if (status != 0) {
        return error_object(server, status);
    }
    const char *query = memchr(request->target, '?', request->target_length);
    size_t query_length = query != NULL ? request->target_length - (size_t)(query - request->target)
                                        : 0;
    struct http_object *found = server->find(server->context, path, length, query, query_length);
    if (found != NULL && request->etags_length > 0 && found->etag != NULL && found->status == 200 &&
        http_etag_matches(request->etags, request->etags_length, found->etag, found->etag_length)) {
        struct http_object *same = not_modified(server, found);
        http_object_release(found);
        return same;
    }
    return found;
}

static size_t put(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return length;
}

static void write_tail(struct http_session *session)
{
    static const char close[] = "Connection: close\r\n";
    static const char keep[] = "Connection: keep-alive\r\n";
    const struct http_server *server = session->server;
    size_t used = put(session->tail, server->date, server->date_length);
    if (session->close_after) {
        used += put(session->tail + used, close, sizeof(close) - 1);
    } else if (session->request.old) {
        used += put(session->tail + used, keep, sizeof(keep) - 1);
    }
    session->tail_length = (uint32_t)(used + put(session->tail + used, "\r\n", 2));
}

/* Starts to answer with `object`, whose reference becomes the session's. */
static void answer(struct http_session *session, struct http_object *object, bool close)
{
    const struct http_request *request = &session->request;
    session->close_after = close || !request->keep_alive || session->server->crowded ||
                           object == NULL;
    if (object == NULL) {
        session->closing = true; /* not even memory for an error: a close is all that is left */
        return;
    }
    bool no_body = request->head || object->status == 304;
    session->object = object;
    session->sent = 0;
    session->body_send = no_body ? 0 : object->body_length;
    write_tail(session);
    if (session->server->answered != NULL) {
        session->server->answered(session->server->context, request, object->status,
                                  session->body_send, session->connection);
    }
}

size_t http_session_input(struct http_session *session, const void *bytes, size_t length)
{
    if (session->closing || session->object != NULL || session->interim) {
        return 0;
    }
    size_t consumed;
    struct http_request *request = &session->request;
    switch (http_request_feed(request, bytes, length, &consumed)) {
    case HTTP_MORE:
        break;
    case HTTP_CONTINUE:
        session->interim = true;
        session->sent = 0;
        break;
    case HTTP_COMPLETE:
        answer(session,
               request->status != 0 ? error_object(session->server, request->status)
                                    : find_object(session),
               false);
        break;
    case HTTP_REFUSED:
        session->refused = true;
        answer(session, error_object(session->server, request->status), true);
        break;
    }
    return consumed;
}

void http_session_timed_out(struct http_session *session)
{
    session->request.keep_alive = false;
    session->request.target_partial = true;
    session->refused = true;
    answer(session, error_object(session->server, 408), true);
}

bool http_session_output(const struct http_session *session, const void **bytes, size_t *length)
{
    if (session->interim) {
        *bytes = interim + session->sent;
        *length = sizeof(interim) - 1 - (size_t)session->sent;
        return true;
    }
    const struct http_object *object = session->object;
    if (object == NULL) {
        return false;
    }
    uint64_t at = session->sent;
    if (at < object->head_length) {
        *bytes = object->head + at;
        *length = object->head_length - (size_t)at;
        return true;
    }
    at -= object->head_length;
    if (at < session->tail_length) {
        *bytes = session->tail + at;
        *length = session->tail_length - (size_t)at;
        return true;
    }
    at -= session->tail_length;
    *bytes = (const char *)object->body + at;
    *length = (size_t)(session->body_send - at);
    return true;
}

void http_session_sent(struct http_session *session, size_t length)
{
    session->sent += length;
    if (session->interim) {
        session->interim = session->sent < sizeof(interim) - 1;
        return;
    }
    const struct http_object *object = session->object;
    if (session->sent < object->head_length + session->tail_length + session->body_send) {
        return;
    }
    http_object_release(session->object);
    session->object = NULL;
    if (session->close_after) {
        session->closing = true;
    } else {
        http_request_next(&session->request);
    }
}

enum http_session_phase http_session_phase(const struct http_session *session)
{
    if (session->closing) {
        return HTTP_CLOSING;
    }
    if (session->object != NULL || session->interim) {
        return HTTP_SENDING;
    }
    return http_request_started(&session->request) ? HTTP_READING : HTTP_IDLE;
}
