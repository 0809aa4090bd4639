/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A client of the web server over loopback: one request after the other, each with a connection of
 * its own, and how long each took in guest time.
 */
#include <stdlib.h>

#include <sk/socket.h>

#include "hostile.h"

#define REQUESTS_MAX 1000u
#define PAUSE_MAX_US 3000u
#define LIMIT (20 * SK_SECOND)

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/* True if the whole page came; its length must be the same every time. */
static bool get_page(struct sk_net *net)
{
    static uint64_t page_bytes;
    char buffer[2048], status[13] = "";
    struct sk_socket *socket;
    uint64_t deadline = sk_deadline_after(LIMIT), total = 0;
    status_t result = sk_tcp_connect_wait(net, sk_net_loopback(HTTP_PORT), deadline, &socket);
    if (!test_status(result, SK_OK)) {
        return false;
    }
    result = sk_tcp_write_all(socket, request, sizeof request - 1, deadline);
    for (uint32_t length = 1; result == SK_OK && length > 0; total += length) {
        result = sk_tcp_read_wait(socket, buffer, sizeof buffer, deadline, &length);
        length = result == SK_OK ? length : 0;
        for (uint32_t i = 0; i < length && total + i < sizeof status - 1; i++) {
            status[total + i] = buffer[i];
        }
    }
    sk_socket_close(socket);
    page_bytes = page_bytes == 0 ? total : page_bytes;
    return test_status(result, SK_OK) && test_equal(strncmp(status, "HTTP/1.1 200", 12), 0) &&
           test_equal(total, page_bytes);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void client_run(struct client *client, uint32_t requests)
{
    static uint64_t took_ns[REQUESTS_MAX];
    static uint64_t random = 7;
    struct sk_net *net;
    *client = (struct client){.requests = requests};
    if (requests > REQUESTS_MAX || !test_status(sk_net_open(&net, 4, test_deadline()), SK_OK)) {
        client->failures = requests;
        return;
    }
    for (uint32_t i = 0; i < requests; i++) {
        sk_sleep((PAUSE_MAX_US / 3 + random_next(&random) % PAUSE_MAX_US) * SK_US);
        uint64_t began_ns = sk_now();
        client->failures += !get_page(net);
        took_ns[i] = sk_now() - began_ns;
    }
    sk_net_close(net);
    qsort(took_ns, requests, sizeof took_ns[0], compare);
    client->p50_ns = took_ns[requests / 2];
    client->p99_ns = took_ns[(requests * 99 - 1) / 100];
    client->worst_ns = took_ns[requests - 1];
}
