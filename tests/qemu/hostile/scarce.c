/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Services with hardly anything to live on (etc/scarce-*.manifest): clients come until one is told BUSY;
 * those that were there before still get right answers; some go, and new ones are served again. Nobody is
 * started again over it, and everything is given back.
 */
#include <stdlib.h>
#include <string.h>

#include <sk/protocol/fs.h>
#include <sk/protocol/net.h>
#include <sk/protocol/sysinfo.h>
#include <sk/socket.h>

#include "restarts.h"
#include "self.h"

#define CLIENTS_MAX 40u
#define HTTP_PORT 80u
#define LIMIT (10 * SK_SECOND)
#define BORED (50 * SK_MS) /* so long without a reset: the web server waits for the rest */
#define BROWSERS_MAX 64u

/* One client of a service: what it asks first makes the service keep something for it. */
struct service {
    const char *name;
    status_t (*begin)(handle_t endpoint); /* its first request */
    status_t (*again)(handle_t endpoint); /* any later one; the answer is looked at */
};

static status_t ask(handle_t endpoint, const void *request, size_t length, struct sk_in *in)
{
    struct sk_out out = sk_out_bytes(request, length);
    int64_t word = SK_BAD_FORMAT;
    status_t status = sk_channel_call(endpoint, &out, in, sk_deadline_after(LIMIT));
    if (status == SK_PEER_CLOSED) {
        return sk_connect_refusal(endpoint);
    }
    if (status == SK_OK && in->length >= sizeof word) {
        memcpy(&word, in->bytes, sizeof word);
    }
    return status == SK_OK ? (status_t)word : status;
}

static status_t ask_fs(handle_t endpoint, uint64_t operation, const char *path)
{
    struct {
        struct sk_fs_request request;
        char path[32];
    } message = {.request.operation = operation};
    struct sk_fs_reply reply;
    handle_t memory = SK_HANDLE_NONE;
    struct sk_in in = {&reply, sizeof reply, &memory, 1};
    memcpy(message.path, path, strlen(path));
    status_t status = ask(endpoint, &message, sizeof message.request + strlen(path), &in);
    if (status == SK_OK && operation == SK_FS_OPEN) {
        status = in.handle_count == 1 && reply.size != 0 ? sk_handle_close(memory) : SK_BAD_FORMAT;
    }
    return status;
}

static status_t fs_again(handle_t endpoint)
{
    return ask_fs(endpoint, SK_FS_OPEN, "www/index.html");
}

static status_t sysinfo_again(handle_t endpoint)
{
    struct sk_sysinfo_request request = {SK_SYSINFO_STATUS, 0};
    static _Alignas(8) char reply[SK_MESSAGE_BYTES_MAX];
    const size_t head = sizeof(struct sk_sysinfo_reply);
    struct sk_in in = sk_in_bytes(reply, sizeof reply);
    status_t status = ask(endpoint, &request, sizeof request, &in);
    bool sound = status != SK_OK || (in.length > head + 1000 && reply[head] == '{');
    return sound ? status : SK_BAD_FORMAT;
}

static status_t net_begin(handle_t endpoint)
{
    struct sk_net_open_request request = {.op = SK_NET_OP_OPEN, .slots = 1};
    struct sk_net_open_reply reply;
    handle_t handles[4];
    struct sk_in in = {&reply, sizeof reply, handles, COUNT(handles)};
    status_t status = ask(endpoint, &request, sizeof request, &in);
    for (size_t i = 0; status == SK_OK && i < in.handle_count; i++) {
        sk_handle_close(handles[i]);
    }
    return status;
}

/* It has a session: a second one is refused as that, and as nothing else. */
static status_t net_again(handle_t endpoint)
{
    status_t status = net_begin(endpoint);
    return status == SK_BAD_STATE ? SK_OK : status == SK_OK ? SK_BAD_FORMAT : status;
}

static const struct service services[] = {
    {"fs", fs_again, fs_again},
    {"sysinfo", sysinfo_again, sysinfo_again},
    {"net", net_begin, net_again},
};

/* --- Clients of one service --- */

static const struct service *current;
static handle_t clients[CLIENTS_MAX];

/* A new client with what it keeps of the service; *endpoint is there on success only. */
static status_t client_begin(handle_t *endpoint)
{
    status_t status = sk_connect(current->name, test_deadline(), endpoint);
    if (status == SK_OK) {
        status = current->begin(*endpoint);
        if (status != SK_OK) {
            sk_handle_close(*endpoint);
            *endpoint = SK_HANDLE_NONE;
        }
    }
    return status;
}

/* Until one is turned away; how many there are then. */
static uint32_t clients_fill(void)
{
    status_t status = SK_OK;
    uint32_t count = 0;
    while (count < CLIENTS_MAX && (status = client_begin(&clients[count])) == SK_OK) {
        count++;
    }
    test_status(status, SK_BUSY);
    return count;
}

static void check_old(uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        test_status(current->again(clients[i]), SK_OK);
    }
}

static void leave(uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        sk_handle_close(clients[i]);
        clients[i] = SK_HANDLE_NONE;
    }
}

/* The service learns of an end when it comes to it: a new client may have to ask again. */
static void new_is_served(handle_t *client)
{
    uint64_t limit = sk_deadline_after(LIMIT);
    status_t status;
    while ((status = client_begin(client)) == SK_BUSY && sk_now() < limit) {
        sk_sleep(SK_MS);
    }
    test_status(status, SK_OK);
}

static void busy_and_back(void)
{
    uint32_t before = restarts_in_all();
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t count = clients_fill();
        handle_t endpoint = SK_HANDLE_NONE;
        printf("# %s: %u clients\n", current->name, (unsigned)count);
        test_check(count >= 2);
        check_old(0, count);
        for (uint32_t i = 0; i < 20;
             i++) { /* who insists gets no further, and takes nothing along */
            test_status(client_begin(&endpoint), SK_BUSY);
        }
        check_old(0, count);
        uint32_t kept = count / 2;
        leave(kept, count);
        new_is_served(&clients[kept]);
        check_old(0, kept + 1);
        leave(0, kept + 1);
    }
    test_equal(restarts_in_all(), before);
}

/* --- The web server --- */

static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n";

/* PENDING: let in, and waited for; else why not. */
static status_t half_a_request(struct sk_net *net, struct sk_socket **socket)
{
    char byte;
    uint32_t length;
    status_t status = sk_tcp_connect_wait(net, sk_net_loopback(HTTP_PORT), sk_deadline_after(LIMIT),
                                          socket);
    if (status == SK_OK) {
        status = sk_tcp_write_all(*socket, request, sizeof request - 1, sk_deadline_after(LIMIT));
        if (status == SK_OK) {
            status = sk_tcp_read_wait(*socket, &byte, 1, sk_deadline_after(BORED), &length);
            status = status == SK_TIMED_OUT ? SK_PENDING : status == SK_OK ? SK_BUSY : status;
        }
        if (status != SK_PENDING) {
            sk_socket_abort(*socket);
        }
    }
    return status;
}

static status_t other_half(struct sk_socket *socket)
{
    char answer[13] = "";
    uint32_t length = 0, done = 0;
    uint64_t deadline = sk_deadline_after(LIMIT);
    status_t status = sk_tcp_write_all(socket, "\r\n", 2, deadline);
    while (status == SK_OK && done < sizeof answer - 1) {
        status = sk_tcp_read_wait(socket, answer + done, sizeof answer - 1 - done, deadline,
                                  &length);
        done += status == SK_OK ? length : 0;
        status = status == SK_OK && length == 0 ? SK_PEER_CLOSED : status;
    }
    sk_socket_close(socket);
    return status != SK_OK ? status : strcmp(answer, "HTTP/1.1 200") == 0 ? SK_OK : SK_BAD_FORMAT;
}

static void web_server(void)
{
    struct sk_net *net;
    struct sk_socket *sockets[BROWSERS_MAX];
    uint32_t before = restarts_in_all(), count = 0;
    status_t status = SK_PENDING;
    if (!test_status(sk_net_open(&net, BROWSERS_MAX + 2, sk_deadline_after(LIMIT)), SK_OK)) {
        return;
    }
    /* The page is in the server's memory once it was asked for. */
    if (test_status(half_a_request(net, &sockets[0]), SK_PENDING)) {
        test_status(other_half(sockets[0]), SK_OK);
    }
    while (count < BROWSERS_MAX && status == SK_PENDING) {
        status = half_a_request(net, &sockets[count]);
        count += status == SK_PENDING;
    }
    printf("# %u clients, then: %s\n", (unsigned)count, sk_status_words(status));
    test_check(count >= 2 && (status == SK_BUSY || status == SK_CONNECTION_RESET ||
                              status == SK_CONNECTION_REFUSED));
    for (uint32_t i = 0; i < count; i++) {
        test_status(other_half(sockets[i]), SK_OK);
    }
    status = half_a_request(net, &sockets[0]);
    if (test_status(status, SK_PENDING)) {
        test_status(other_half(sockets[0]), SK_OK);
    }
    sk_net_close(net);
    test_equal(restarts_in_all(), before);
}

int main(int argc, char **argv)
{
    self_begin();
    for (uint32_t i = 0; i < COUNT(services); i++) {
        char name[64];
        current = &services[i];
        snprintf(name, sizeof name, "%s without memory", current->name);
        test_case_uncounted(name, busy_and_back); /* what it opens at a first request stays */
        snprintf(name, sizeof name, "%s without memory, again", current->name);
        test_case(name, busy_and_back);
    }
    if (argc > 1 && strcmp(argv[1], "web") == 0) {
        test_case_uncounted("http-server without memory", web_server);
        test_case("http-server without memory, again", web_server);
    }
    return test_done();
}
