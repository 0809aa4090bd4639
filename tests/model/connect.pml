/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connect transaction and restart (services/init/broker.c, docs/init.md "Connecting"): init, a service that
 * dies at any step and is started again, a client that asks, uses what it got, and may die at any step, too.
 *
 * Every request is answered; a client that was given an end hears from the service or that it has gone; at the
 * end nothing is left of any channel. ONE_FLAG puts the predecessor's bug back (kernel.inc). With
 * LOOK_BEFORE_SEND init looks whether the service lives and then trusts that look, instead of the send's result:
 * the client waits for ever.
 */
#define ENDS 8 /* 0 control of the first service, 2 of the second, 4 and 6 the client's connections */
#define PROCESSES 3
#define TABLES 24
#define INBOX 2
#define DEAD 4
#include "kernel.inc"
#define INIT 0
#define SERVICE 1
#define CLIENT 2
#define REQUESTS 2

mtype = { connected, service_down, busy };
chan request = [0] of { byte };       /* the end that the channel to be made begins with */
chan answer = [1] of { mtype, byte }; /* the client's call: the reply never blocks init */
chan died = [1] of { byte };          /* the service's exit event */
bool client_ended;
byte services_ended;

proctype service(byte control)
{
    byte at = 0, item = NONE, victim = 0, result = 0, got = NONE, connection = NONE;
    bool last = false;
    do
    :: nempty(inbox[control]) || closed[peer(control)] ->
        receive(SERVICE, control);
        if
        :: result == 1 -> break /* init has closed it: it ends */
        :: got != NONE -> connection = got;
            if
            :: nempty(inbox[connection]) || closed[peer(connection)] ->
                receive(SERVICE, connection);
                if
                :: got != NONE -> send(SERVICE, connection, EMPTY)
                :: got == NONE
                fi;
                close_handle(SERVICE, connection)
            :: goto dies
            fi
        :: result != 1 && got == NONE
        fi;
        atomic { connection = NONE; got = NONE; result = 0 }
    :: goto dies /* at any time */
    od;
dies:
    close_all(SERVICE);
    died!control
}

proctype client()
{
    byte n = 0, at = 0, item = NONE, victim = 0, result = 0, got = NONE, mine = NONE;
    mtype how;
    bool last = false;
    do
    :: n < REQUESTS ->
        request!(4 + 2 * n);
        answer?how, mine;
        if
        :: how == connected ->
            send(CLIENT, mine, EMPTY);
            if
            :: nempty(inbox[mine]) || closed[peer(mine)] -> /* a reply or PEER_CLOSED: one of them comes */
                receive(CLIENT, mine)
            :: goto dies
            fi;
            close_handle(CLIENT, mine)
        :: how != connected -> assert(mine == NONE)
        fi;
        n++;
        atomic { mine = NONE; got = NONE; result = 0 }
    :: n == REQUESTS -> break
    :: goto dies
    od;
dies:
    close_all(CLIENT);
    client_ended = true
}

/* The name goes down: at a send that fails, or at the exit event, whichever comes first. */
inline take_down()
{
    if
    :: control != NONE -> close_handle(INIT, control); control = NONE
    :: control == NONE
    fi
}

proctype broker()
{
    byte at = 0, item = NONE, victim = 0, result = 0, ours = NONE, theirs = NONE, control = 0, which = NONE;
    bool last = false, looked;
    do
    :: request?ours ->
        if
        :: control == NONE -> answer!service_down, NONE
        :: control != NONE ->
            theirs = peer(ours);
#ifdef LOOK_BEFORE_SEND
            looked = !closed[peer(control)];
#endif
            make(INIT, ours);
            send(INIT, control, theirs);
#ifdef LOOK_BEFORE_SEND
            if
            :: looked -> result = 0
            :: !looked
            fi;
#endif
            if
            :: result == 0 -> /* the reply moves the handle */
                atomic { reference_to_give(ours); refs[ours]--; table(INIT, ours)--; table(CLIENT, ours)++ }
                answer!connected, ours
            :: result == 1 ->
                close_handle(INIT, theirs);
                close_handle(INIT, ours);
                take_down();
                answer!service_down, NONE
            :: result == 2 ->
                close_handle(INIT, theirs);
                close_handle(INIT, ours);
                answer!busy, NONE
            fi
        fi;
        atomic { ours = NONE; theirs = NONE; result = 0 }
    :: died?which ->
        take_down();
        atomic {
            services_ended++;
            if
            :: which == 1 -> /* the restart */
                make(INIT, 2);
                table(INIT, 3)--;
                table(SERVICE, 3)++;
                control = 2;
                run service(3)
            :: which != 1
            fi
        }
    :: client_ended && services_ended == 1 && control != NONE -> take_down() /* power-off */
    :: client_ended && services_ended == 2 -> break
    od;
    atomic {
        for (at : 0 .. ENDS - 1) {
            assert(refs[at] == 0 && handles[at] == 0);
            assert(empty(inbox[at]))
        }
        for (at : 0 .. TABLES - 1) { assert(has[at] == 0) }
    }
}

init
{
    atomic {
        make(INIT, 0);
        table(INIT, 1)--;
        table(SERVICE, 1)++;
        run service(1);
        run client();
        run broker()
    }
}
