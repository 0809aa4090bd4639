/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is behind: sockets with more to do than goes at once, in lists of their sessions. Sessions take turns,
 * and of a session its sockets do, so that nobody gains by having many. One thread, no lock.
 * Invariant: a session is among those that are behind exactly while its list is not empty.
 * Tests: tests/host/services/net/test_sockets.c, "bytes to oneself" and "datagrams to oneself" in tests/qemu/hostile.
 */
#include "session.h"

static struct net_session *sessions, **sessions_end = &sessions;

static void append_session(struct net_session *session)
{
    session->next_behind = NULL;
    *sessions_end = session;
    sessions_end = &session->next_behind;
}

static void remove_session(struct net_session *session)
{
    struct net_session **link = &sessions;

    while (*link != session) {
        link = &(*link)->next_behind;
    }
    *link = session->next_behind;
    if (*link == NULL) {
        sessions_end = link;
    }
}

void turn_wait(struct net_socket *socket)
{
    struct net_session *session = socket->session;

    if (socket->is_behind) {
        return;
    }
    if (session->behind == NULL) {
        append_session(session);
        session->behind_end = &session->behind;
    }
    socket->is_behind = true;
    socket->next_behind = NULL;
    *session->behind_end = socket;
    session->behind_end = &socket->next_behind;
}

bool turn_at_once(struct net_socket *socket)
{
    struct net_session *session = socket->session;

    if (socket->is_behind || session->at_once == 0) {
        turn_wait(socket);
        return false;
    }
    session->at_once--;
    return true;
}

void turn_forget(struct net_socket *socket)
{
    struct net_session *session = socket->session;
    struct net_socket **link = &session->behind;

    if (!socket->is_behind) {
        return;
    }
    while (*link != socket) {
        link = &(*link)->next_behind;
    }
    *link = socket->next_behind;
    if (*link == NULL) {
        session->behind_end = link;
    }
    socket->is_behind = false;
    if (session->behind == NULL) {
        remove_session(session);
    }
}

bool turn_waits(void)
{
    return sessions != NULL;
}

void turn_serve(void)
{
    struct net_session *session = sessions;
    struct net_socket *socket = session->behind;

    remove_session(session);
    append_session(session); /* after the others */
    turn_forget(socket);
    if (socket->kind == NET_UDP) {
        udp_socket_go_on(socket);
    } else {
        tcp_socket_go_on(socket);
    }
}
