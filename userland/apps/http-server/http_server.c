/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The web server: one thread, one event loop over all connections. Owns the connections and their
 * time-outs; what a request means is session.c's, what is served is site.c's. An ordinary program:
 * it reaches the network, the files and the system's state through services only.
 * Invariant: every connection is in exactly one of the queues, each in the order of its deadlines.
 * Tests: tests/qemu/http/.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sk/print.h>
#include <sk/service.h>
#include <sk/socket.h>
#include <sk/time.h>

#include "access_log.h"
#include "session.h"
#include "site.h"
#include "skerry_version.h"
#include "wallclock.h"

#define SOCKETS_MAX SK_NET_SLOTS_MAX
#define BACKLOG_MAX 128u
#define IDLE_LEAST_NS SK_SECOND /* a client that has been idle for less is not sent away */
#define NET_LIMIT_NS (10 * SK_SECOND)
#define NET_ATTEMPT_NS (3 * SK_SECOND) /* init wants to hear of us every 10 seconds */
#define ANSWER_NS SK_SECOND            /* however much there is to serve */
#define CONTROL "control:http"         /* see sk_control_answer */
#define REQUESTS_PER_TURN 32           /* of one connection before the others have their turn */

/* What a connection waits for, and how long it may. */
enum queue { QUEUE_IDLE, QUEUE_READING, QUEUE_SENDING, QUEUE_LINGER, QUEUE_READY, QUEUE_COUNT };

static const uint64_t queue_limit[QUEUE_COUNT] = {
    [QUEUE_IDLE] = 60 * SK_SECOND,
    [QUEUE_READING] = 15 * SK_SECOND, /* for a whole request, however it trickles in */
    [QUEUE_SENDING] = 30 * SK_SECOND, /* without the client taking a byte */
    [QUEUE_LINGER] = 2 * SK_SECOND,   /* for a refused client to notice */
    [QUEUE_READY] = 0,                /* has more to do, waits for its turn */
};

struct connection {
    struct connection *next, *previous; /* in its queue; `next` also in the free list */
    enum queue queue;
    uint64_t deadline;
    struct sk_socket *socket;
    struct http_session session;
};

struct queue_ends {
    struct connection *first, *last;
};

static struct sk_net *net;
static handle_t control; /* SK_HANDLE_NONE: init does not look after this program */
static struct queue_ends queues[QUEUE_COUNT];
static struct connection *free_connections;
static uint32_t connection_count, connection_max;
static bool others_wait; /* in the listener's queue, as there is no room for them */
static uint64_t now;     /* read once per report */
static struct http_server server = {.version = SKERRY_VERSION, .find = site_find};

/* --- Queues --- */

static void queue_remove(struct connection *c)
{
    struct queue_ends *ends = &queues[c->queue];
    *(c->previous != NULL ? &c->previous->next : &ends->first) = c->next;
    *(c->next != NULL ? &c->next->previous : &ends->last) = c->previous;
}

static void queue_append(struct connection *c, enum queue queue)
{
    struct queue_ends *ends = &queues[queue];
    c->queue = queue;
    c->deadline = now + queue_limit[queue];
    c->next = NULL;
    c->previous = ends->last;
    *(ends->last != NULL ? &ends->last->next : &ends->first) = c;
    ends->last = c;
}

static void queue_move(struct connection *c, enum queue queue)
{
    queue_remove(c);
    queue_append(c, queue);
}

/* --- Connections --- */

/* The socket is closed, or reset if `reset`. */
static void drop(struct connection *c, bool reset)
{
    if (reset) {
        sk_socket_abort(c->socket);
    } else {
        sk_socket_close(c->socket);
    }
    http_session_end(&c->session);
    queue_remove(c);
    c->next = free_connections;
    free_connections = c;
    connection_count--;
}

/* When the client that was idle longest may be sent away for another. */
static uint64_t room_due(void)
{
    struct connection *oldest = queues[QUEUE_IDLE].first;
    return oldest != NULL ? oldest->deadline - queue_limit[QUEUE_IDLE] + IDLE_LEAST_NS
                          : SK_DEADLINE_NEVER;
}

static bool make_room(void)
{
    if (connection_count == connection_max && room_due() <= now) {
        drop(queues[QUEUE_IDLE].first, false);
    }
    return connection_count < connection_max;
}

static struct connection *new_connection(struct sk_socket *socket)
{
    struct connection *c = free_connections;
    if (c != NULL) {
        free_connections = c->next;
    } else if ((c = malloc(sizeof(*c))) == NULL) {
        return NULL;
    }
    connection_count++;
    c->socket = socket;
    http_session_init(&c->session, &server, c);
    sk_socket_set_context(socket, c);
    queue_append(c, QUEUE_IDLE);
    return c;
}

static void on_answered(void *context, const struct http_request *request, int status,
                        uint64_t sent, void *connection)
{
    struct connection *c = connection;
    struct sk_net_address peer = sk_socket_remote(c->socket);
    access_log_add(now, peer.ip, request, status, sent);
}

/* Everything is sent. A client that was refused may still be sending: a reset, which its bytes would
   cause, could overtake the answer, so they are read until it has seen the end (RFC 9112 9.6). */
static void finish(struct connection *c)
{
    if (c->session.refused && sk_tcp_shutdown(c->socket) == SK_OK) {
        queue_move(c, QUEUE_LINGER);
    } else {
        drop(c, false);
    }
}

/* Sends until nothing is left (SK_OK) or there is no room (PENDING). */
static status_t send_answer(struct connection *c, bool *progress)
{
    const void *bytes;
    size_t length;
    while (http_session_output(&c->session, &bytes, &length)) {
        uint32_t written;
        uint32_t part = length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
        status_t status = sk_tcp_write(c->socket, bytes, part, &written);
        if (status != SK_OK) {
            return status;
        }
        http_session_sent(&c->session, written);
        *progress = true;
    }
    return SK_OK;
}

/* A lingering client's bytes are thrown away until its end comes. */
static void drain(struct connection *c)
{
    const void *bytes;
    uint32_t length;
    status_t status;
    while ((status = sk_tcp_peek(c->socket, &bytes, &length)) == SK_OK && length > 0) {
        sk_tcp_consume(c->socket, length);
    }
    if (status != SK_PENDING) {
        drop(c, status != SK_OK);
    }
}

/* The connection has nothing more to do now: it waits, in the queue of what it waits for. */
static void rest(struct connection *c, bool progress)
{
    enum queue queue = http_session_phase(&c->session) == HTTP_SENDING   ? QUEUE_SENDING
                       : http_session_phase(&c->session) == HTTP_READING ? QUEUE_READING
                                                                         : QUEUE_IDLE;
    /* A request that trickles in gets no more time for it. */
    if (queue != c->queue || (progress && queue != QUEUE_READING)) {
        queue_move(c, queue);
    }
}

/* Goes on with a connection until it has to wait. */
static void serve(struct connection *c)
{
    bool progress = false;
    if (c->queue == QUEUE_LINGER) {
        drain(c);
        return;
    }
    for (int turn = 0; turn < REQUESTS_PER_TURN; turn++) {
        const void *bytes;
        uint32_t length;
        status_t status = send_answer(c, &progress);
        if (status == SK_OK) {
            if (http_session_phase(&c->session) == HTTP_CLOSING) {
                finish(c);
                return;
            }
            status = sk_tcp_peek(c->socket, &bytes, &length);
        }
        if (status == SK_PENDING) {
            rest(c, progress);
            return;
        }
        if (status != SK_OK || length == 0) {
            drop(c, status != SK_OK);
            return;
        }
        sk_tcp_consume(c->socket, (uint32_t)http_session_input(&c->session, bytes, length));
    }
    queue_move(c, QUEUE_READY);
}

/* Lets in who waits, as long as there is room. Who finds none makes every client leave after its next
   answer, so that all have their turn. */
static void accept_all(struct sk_socket *listener)
{
    struct sk_socket *socket;
    others_wait = false;
    for (;;) {
        if (!make_room()) {
            others_wait = (sk_socket_events(listener) & SK_SOCKET_READABLE) != 0;
            break;
        }
        if (sk_tcp_accept(listener, &socket) != SK_OK) {
            break;
        }
        struct connection *c = new_connection(socket);
        if (c == NULL) {
            sk_socket_abort(socket);
            continue;
        }
        serve(c);
    }
    server.crowded = others_wait;
}

/* Ends what has waited too long. */
static void expire(void)
{
    for (int i = 0; i < QUEUE_READY; i++) {
        struct connection *c;
        while ((c = queues[i].first) != NULL && c->deadline <= now) {
            if (i != QUEUE_READING) {
                drop(c, i == QUEUE_SENDING);
                continue;
            }
            http_session_timed_out(&c->session);
            queue_move(c, QUEUE_SENDING);
            serve(c);
        }
    }
}

/* --- The loop --- */

static uint64_t next_deadline(void)
{
    uint64_t room = others_wait ? room_due() : SK_DEADLINE_NEVER;
    uint64_t deadline = access_log_due() < room ? access_log_due() : room;
    for (int i = 0; i < QUEUE_COUNT; i++) {
        if (queues[i].first != NULL && queues[i].first->deadline < deadline) {
            deadline = queues[i].first->deadline;
        }
    }
    return deadline;
}

/* Shows init that we do not hang. False: the system is being switched off. */
static bool answer_init(void)
{
    return control == SK_HANDLE_NONE || sk_control_answer(control) != SK_PEER_CLOSED;
}

/* Serves until the net service dies (true) or the system is switched off; returns with every connection gone. */
static bool run(struct sk_socket *listener)
{
    uint64_t answer_due = 0;
    bool stopping = false;
    while (!stopping) {
        struct sk_socket *socket = NULL;
        uint64_t deadline = queues[QUEUE_READY].first != NULL ? SK_DEADLINE_POLL : next_deadline();
        status_t status = sk_net_wait(net, deadline, &socket);
        sk_clock_read(&now);
        if (status == SK_PEER_CLOSED) {
            break;
        }
        if (status == SK_PENDING || now >= answer_due) {
            answer_due = now + ANSWER_NS;
            stopping = !answer_init();
        }
        wallclock_update(&server, net, now);
        if (status == SK_OK && socket != listener) {
            struct connection *c = sk_socket_context(socket);
            if (c != NULL) {
                serve(c);
            }
        }
        if (others_wait || (status == SK_OK && socket == listener)) {
            accept_all(listener);
        }
        if (queues[QUEUE_READY].first != NULL) {
            serve(queues[QUEUE_READY].first);
        }
        expire();
        access_log_update(now);
    }
    for (int i = 0; i < QUEUE_COUNT; i++) {
        while (queues[i].first != NULL) {
            drop(queues[i].first, false);
        }
    }
    return !stopping;
}

static status_t open_session(void)
{
    uint64_t limit = sk_deadline_after(NET_LIMIT_NS);
    status_t status;
    do {
        status = sk_net_open(&net, SOCKETS_MAX, sk_deadline_after(NET_ATTEMPT_NS));
        answer_init();
    } while (status == SK_TIMED_OUT && sk_now() < limit);
    if (status == SK_OK && control != SK_HANDLE_NONE) {
        status = sk_net_watch(net, control);
    }
    return status;
}

static struct sk_socket *open_port(uint16_t port)
{
    struct sk_socket *listener;
    status_t status = open_session();
    if (status != SK_OK) {
        sk_die("cannot connect to service \"net\": %s", sk_status_words(status));
    }
    /* Whom there is no room for waits in the backlog, or has its first packet dropped and tries again:
       nobody is reset. An eighth of the sockets is for connections that are still being closed. */
    uint32_t sockets = sk_net_capacity(net);
    uint32_t backlog = sockets / 4 < BACKLOG_MAX ? sockets / 4 : BACKLOG_MAX;
    connection_max = sockets * 5 / 8 > 0 ? sockets * 5 / 8 : 1;
    status = sk_tcp_listen(net, sk_net_any(port), backlog > 0 ? backlog : 1,
                           sk_deadline_after(NET_ATTEMPT_NS), &listener);
    if (status != SK_OK) {
        sk_die("cannot listen on port %u: %s", port, sk_status_words(status));
    }
    return listener;
}

struct options {
    bool log_requests;
    uint16_t port;
    const char *root;
};

static struct options parse_arguments(int argc, char **argv)
{
    static const char usage[] = "usage: http-server [--port N] [--root FOLDER] [--no-access-log]";
    struct options options = {true, 80, "/www"};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-access-log") == 0) {
            options.log_requests = false;
        } else if (strcmp(argv[i], "--root") == 0 && i + 1 < argc) {
            options.root = argv[++i];
        } else if (strcmp(argv[i], "--port") == 0 && i + 1 < argc) {
            char *end;
            unsigned long port = strtoul(argv[++i], &end, 10);
            if (port == 0 || port > UINT16_MAX || *end != 0) {
                sk_die("%s", usage);
            }
            options.port = (uint16_t)port;
        } else {
            sk_die("%s", usage);
        }
    }
    return options;
}

int main(int argc, char **argv)
{
    struct options options = parse_arguments(argc, argv);
    control = sk_boot_handle(CONTROL);
    server.answered = options.log_requests ? on_answered : NULL;
    server.context = site_create(SKERRY_VERSION, options.root);
    if (server.context == NULL) {
        sk_die("out of memory");
    }
    bool running = true;
    for (bool first = true; running; first = false) {
        struct sk_socket *listener = open_port(options.port);
        printf("listening on port %u\n", options.port);
        if (first) {
            sk_ready();
        }
        running = run(listener);
        sk_net_close(net);
        if (running) {
            printf("the net service has gone\n");
        }
    }
    access_log_update(SK_DEADLINE_NEVER); /* what is still to be written */
    return 0;
}
