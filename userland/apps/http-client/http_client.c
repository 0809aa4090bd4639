/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fetches a URL and writes the body to stdout. Exit code 0 only for a complete response with a 2xx
 * status whose body was written. Tests: tests/qemu/http/.
 */
#include <stdio.h>
#include <string.h>

#include <sk/print.h>
#include <sk/service.h>
#include <sk/socket.h>
#include <sk/time.h>

#include "fetch.h"

#define CONNECT_LIMIT_NS (10 * SK_SECOND)
#define READ_LIMIT_NS (30 * SK_SECOND) /* without a byte */

static bool write_body(void *context, const char *bytes, size_t length)
{
    return fwrite(bytes, 1, length, stdout) == length;
}

static struct sk_socket *connect_to(const struct url *url, struct sk_net **net)
{
    uint64_t deadline = sk_deadline_after(CONNECT_LIMIT_NS);
    struct sk_net_address address = {.port = url->port};
    struct sk_socket *socket;
    status_t status = sk_net_open(net, 1, deadline);
    if (status != SK_OK) {
        sk_die("cannot connect to service \"net\": %s", sk_status_words(status));
    }
    status = sk_net_resolve(*net, url->host, deadline, address.ip);
    if (status != SK_OK) {
        sk_die("cannot resolve %s: %s", url->host, sk_status_words(status));
    }
    status = sk_tcp_connect_wait(*net, address, deadline, &socket);
    if (status != SK_OK) {
        sk_die("cannot connect to %s port %u: %s", url->host, url->port, sk_status_words(status));
    }
    return socket;
}

/* Reads the response to its end. */
static void receive(struct sk_socket *socket, struct fetch *fetch)
{
    static char buffer[8192];
    while (!fetch->complete) {
        uint32_t length;
        status_t status = sk_tcp_read_wait(socket, buffer, sizeof(buffer),
                                           sk_deadline_after(READ_LIMIT_NS), &length);
        if (status != SK_OK) {
            sk_die("cannot read: %s", sk_status_words(status));
        }
        const char *wrong = length > 0 ? fetch_feed(fetch, buffer, length) : fetch_end(fetch);
        if (wrong != NULL) {
            sk_die("bad response: %s", wrong);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        sk_die("usage: http-client URL");
    }
    struct url url;
    struct fetch fetch;
    struct sk_net *net;
    char request[FETCH_REQUEST_MAX];
    const char *wrong = url_parse(argv[1], &url);
    if (wrong != NULL) {
        sk_die("%s: %s", argv[1], wrong);
    }
    struct sk_socket *socket = connect_to(&url, &net);
    status_t status = sk_tcp_write_all(socket, request, (uint32_t)fetch_request(&url, request),
                                       sk_deadline_after(CONNECT_LIMIT_NS));
    if (status != SK_OK) {
        sk_die("cannot send the request: %s", sk_status_words(status));
    }
    fetch_init(&fetch, write_body, NULL);
    receive(socket, &fetch);
    sk_net_close(net);
    if (fflush(stdout) != 0) {
        sk_die("cannot write the body");
    }
    if (fetch.status / 100 != 2) {
        sk_die("%s: status %d", argv[1], fetch.status);
    }
    return 0;
}
