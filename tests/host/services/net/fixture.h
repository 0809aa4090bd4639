/* SPDX-License-Identifier: BSD-2-Clause */
/* What the socket tests share: a session with a listener, and connections to it. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "fake_net.h"

#include <sk/socket.h>

#define SOON (~0ull >> 1)
#define PORT 8000
#define SECOND 1000000000ull

extern struct sk_net *net;
extern struct sk_socket *listener; /* of `net`, on PORT */

int sockets_start(void **state);
/* Every test ends with nothing left, in the service and in lwIP. */
int sockets_stop(void **state);

struct sk_socket *connect_one(void);
struct sk_socket *accept_one(void);
void expect_text(struct sk_socket *socket, const char *text);
void expect_end(struct sk_socket *socket);
/* A whole connection: a test by itself, and the proof in others that the service still serves. */
void text_both_ways(void **state);

#define CASE(name) cmocka_unit_test_setup_teardown(name, sockets_start, sockets_stop)

#endif
