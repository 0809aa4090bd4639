/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection as the protocol sees it: bytes in, bytes out. Pure: the caller moves the bytes and
 * says what is served. One answer at a time is on its way; input is not taken meanwhile, so a client
 * that pipelines but does not read holds nothing but its own connection.
 *
 *     for (;;) {
 *         while (http_session_output(session, &bytes, &length)) { send; http_session_sent(...); }
 *         if (http_session_closing(session)) { shut down; break; }
 *         http_session_input(session, bytes, length, &consumed);
 *     }
 */
#ifndef HTTP_SESSION_H
#define HTTP_SESSION_H

#include "object.h"
#include "request.h"

#define HTTP_TAIL_MAX 96u

/* What an answer is for; `site` fills in the object. */
struct http_server {
    const char *version;
    void *context; /* of the functions below */
    /*
     * The object at a decoded path (target.h), with a reference for the session; `query` is the
     * target's with its '?', or empty. NULL: out of memory. Errors are objects too.
     */
    struct http_object *(*find)(void *context, const char *path, size_t length, const char *query,
                                size_t query_length);
    /* A request was answered; NULL: nobody listens. `sent` is the length of the body to be sent. */
    void (*answered)(void *context, const struct http_request *request, int status, uint64_t sent,
                     void *connection);
    /* "Date: ...\r\n", or empty while nobody knows the time. The server's owner keeps it fresh. */
    char date[8 + HTTP_DATE_LENGTH];
    uint32_t date_length;
    bool crowded; /* others wait to be let in: every answer ends its connection */
    /* Made at first need, and kept. */
    struct http_object *errors[16];
    uint32_t error_count;
};

enum http_session_phase {
    HTTP_IDLE,    /* between requests */
    HTTP_READING, /* a request has begun */
    HTTP_SENDING, /* an answer is on its way */
    HTTP_CLOSING, /* everything is sent: no more input is looked at */
};

struct http_session {
    struct http_server *server;
    void *connection; /* the caller's, handed to answered() */
    struct http_object *object;
    uint64_t sent;      /* of the whole answer: head, tail, body */
    uint64_t body_send; /* bytes of the body that are part of it */
    uint32_t tail_length;
    bool close_after;
    bool interim; /* "100 Continue" is being sent, `object` is NULL */
    bool closing;
    bool refused;             /* the client may still be sending what nobody will read */
    char tail[HTTP_TAIL_MAX]; /* Date, Connection and the empty line */
    struct http_request request;
};

void http_session_init(struct http_session *session, struct http_server *server, void *connection);
/* Lets go of the answer on its way, if there is one. */
void http_session_end(struct http_session *session);

/* Takes bytes until an answer is ready, at most `length`; returns how many. */
size_t http_session_input(struct http_session *session, const void *bytes, size_t length);

/* The next bytes to send, in one piece. False: nothing to send now. */
bool http_session_output(const struct http_session *session, const void **bytes, size_t *length);
void http_session_sent(struct http_session *session, size_t length);

enum http_session_phase http_session_phase(const struct http_session *session);

/* The client took too long over a request: the answer is 408, then the end. */
void http_session_timed_out(struct http_session *session);

#endif
