/* SPDX-License-Identifier: BSD-2-Clause */
/* The pure parts of http-client: URLs, the request, the response. No system calls. */
#ifndef HTTP_FETCH_H
#define HTTP_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <llhttp.h>

#define URL_HOST_MAX 255u
#define URL_TARGET_MAX 2000u

struct url {
    char host[URL_HOST_MAX + 1];
    uint16_t port;
    char target[URL_TARGET_MAX + 1]; /* path and query, starts with '/' */
};

/* Reads "http://host[:port][/path][?query][#fragment]". NULL, or what is wrong in words. */
const char *url_parse(const char *text, struct url *url);

#define FETCH_REQUEST_MAX (URL_HOST_MAX + URL_TARGET_MAX + 200)
/* The request for a URL; returns its length. `out` has room for FETCH_REQUEST_MAX bytes. */
size_t fetch_request(const struct url *url, char *out);

/* A response on its way in. */
struct fetch {
    llhttp_t parser;
    /* Takes a piece of the body; false stops. */
    bool (*body)(void *context, const char *bytes, size_t length);
    void *context;
    bool complete; /* the whole response has come, by its own measure */
    int status;    /* 0 until the status line has come; informational responses are skipped */
};

void fetch_init(struct fetch *fetch, bool (*body)(void *context, const char *bytes, size_t length),
                void *context);
/* Takes bytes of the stream. NULL, or what is wrong in words. Stops looking once complete. */
const char *fetch_feed(struct fetch *fetch, const char *bytes, size_t length);
/* The stream has ended. NULL, or what is wrong in words: the response was cut off. */
const char *fetch_end(struct fetch *fetch);

#endif
