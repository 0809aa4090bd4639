/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * URLs, requests and responses. llhttp does the framing of bodies: by length, by chunks, by the end
 * of the stream. Tests: tests/host/userland/apps/http-client/test_fetch.c.
 */
#include "fetch.h"

#include <stdio.h>
#include <string.h>

static const char *parse_port(const char *text, size_t length, uint16_t *port)
{
    uint32_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' ||
            (value = value * 10 + (uint32_t)(text[i] - '0')) > 65535) {
            return "bad port";
        }
    }
    if (value == 0) {
        return "bad port";
    }
    *port = (uint16_t)value;
    return NULL;
}

const char *url_parse(const char *text, struct url *url)
{
    static const char scheme[] = "http://";
    if (strncmp(text, scheme, sizeof(scheme) - 1) != 0) {
        return "not an http:// URL";
    }
    const char *host = text + sizeof(scheme) - 1;
    size_t authority = strcspn(host, "/?#");
    size_t host_length = strcspn(host, ":/?#");
    if (host_length == 0 || host_length > URL_HOST_MAX) {
        return "bad host";
    }
    for (size_t i = 0; i < host_length; i++) {
        if (host[i] <= ' ' || host[i] >= 127 || host[i] == '@') {
            return "bad host";
        }
    }
    url->port = 80;
    if (host_length < authority) {
        const char *wrong = parse_port(host + host_length + 1, authority - host_length - 1,
                                       &url->port);
        if (wrong != NULL) {
            return wrong;
        }
    }
    memcpy(url->host, host, host_length);
    url->host[host_length] = 0;

    const char *rest = host + authority;
    size_t length = strcspn(rest, "#");
    size_t slash = *rest != '/'; /* "http://host?x" asks for "/?x" */
    if (length + slash > URL_TARGET_MAX) {
        return "too long";
    }
    for (size_t i = 0; i < length; i++) {
        if (rest[i] <= ' ' || rest[i] >= 127) {
            return "a character that must be percent-encoded";
        }
    }
    url->target[0] = '/';
    memcpy(url->target + slash, rest, length);
    url->target[slash + length] = 0;
    return NULL;
}

size_t fetch_request(const struct url *url, char *out)
{
    char port[8] = "";
    if (url->port != 80) {
        snprintf(port, sizeof(port), ":%u", url->port);
    }
    int length = snprintf(out, FETCH_REQUEST_MAX,
                          "GET %s HTTP/1.1\r\nHost: %s%s\r\nUser-Agent: Skerry-http-client\r\n"
                          "Accept: */*\r\nConnection: close\r\n\r\n",
                          url->target, url->host, port);
    return (size_t)length;
}

static int on_status_complete(llhttp_t *parser)
{
    struct fetch *fetch = parser->data;
    if (parser->status_code >= 200) {
        fetch->status = parser->status_code;
    }
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    parser->upgrade = 0; /* none was asked for */
    return 0;
}

static int on_body(llhttp_t *parser, const char *bytes, size_t length)
{
    struct fetch *fetch = parser->data;
    return fetch->body(fetch->context, bytes, length) ? 0 : HPE_USER;
}

static int on_message_complete(llhttp_t *parser)
{
    struct fetch *fetch = parser->data;
    if (fetch->status == 0) {
        return 0; /* an informational response; the real one follows */
    }
    fetch->complete = true;
    return HPE_PAUSED;
}

void fetch_init(struct fetch *fetch, bool (*body)(void *context, const char *bytes, size_t length),
                void *context)
{
    static const llhttp_settings_t settings = {
        .on_status_complete = on_status_complete,
        .on_headers_complete = on_headers_complete,
        .on_body = on_body,
        .on_message_complete = on_message_complete,
    };
    *fetch = (struct fetch){.body = body, .context = context};
    llhttp_init(&fetch->parser, HTTP_RESPONSE, &settings);
    fetch->parser.data = fetch;
}

const char *fetch_feed(struct fetch *fetch, const char *bytes, size_t length)
{
    if (fetch->complete || length == 0) {
        return NULL;
    }
    llhttp_errno_t error = llhttp_execute(&fetch->parser, bytes, length);
    if (error == HPE_OK || (error == HPE_PAUSED && fetch->complete)) {
        return NULL;
    }
    const char *reason = llhttp_get_error_reason(&fetch->parser);
    return error == HPE_USER || reason == NULL ? llhttp_errno_name(error) : reason;
}

const char *fetch_end(struct fetch *fetch)
{
    if (!fetch->complete && fetch->status != 0) {
        llhttp_finish(&fetch->parser); /* a body that lasts to the end of the stream is complete */
    }
    return fetch->complete ? NULL : "the response was cut off";
}
