/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One HTTP request over loopback.
 */
#include <stdio.h>
#include <string.h>

#include <sk/socket.h>
#include <sk/time.h>

#include "heal_test.h"

static status_t exchange(struct sk_socket *socket, const char *path, char *body, size_t size,
                         uint64_t deadline)
{
    static char response[16384];
    char request[256];
    size_t used = 0;
    uint32_t length = 1;
    int wanted = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", path);
    status_t status = sk_tcp_write_all(socket, request, (uint32_t)wanted, deadline);
    while (status == SK_OK && length != 0 && used < sizeof response - 1) {
        status = sk_tcp_read_wait(socket, response + used, (uint32_t)(sizeof response - 1 - used),
                                  deadline, &length);
        used += status == SK_OK ? length : 0;
    }
    response[used] = 0;
    char *head_end = strstr(response, "\r\n\r\n");
    if (status == SK_OK && (strncmp(response, "HTTP/1.1 200 ", 13) != 0 || head_end == NULL)) {
        status = SK_BAD_FORMAT;
    }
    if (status == SK_OK && size > 0) {
        strncpy(body, head_end + 4, size - 1);
        body[size - 1] = 0;
    }
    return status;
}

status_t heal_get(const char *path, char *body, size_t size, uint64_t deadline)
{
    struct sk_net *net;
    struct sk_socket *socket;
    status_t status = sk_net_open(&net, 2, deadline);
    if (status != SK_OK) {
        return status;
    }
    status = sk_tcp_connect_wait(net, sk_net_loopback(80), deadline, &socket);
    if (status == SK_OK) {
        status = exchange(socket, path, body, size, deadline);
        sk_socket_close(socket);
    }
    sk_net_close(net);
    return status;
}
