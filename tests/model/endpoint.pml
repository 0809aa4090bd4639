/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of endpoints: two channels and two processes that send, receive, duplicate, send ends away and close
 * in every order, as long as they like, then die. Deadlock-free; no assert of kernel.inc fails; when all are
 * dead, only ends that lie in each other's inboxes are left (ipc/collect.c is for those).
 */
#define ENDS 4
#define PROCESSES 2
#define TABLES 8
#ifndef INBOX
#define INBOX 1
#endif
#define DEAD 4
#include "kernel.inc"

#ifndef HANDLES_MAX
#define HANDLES_MAX 1 /* handles to one end at a time */
#endif

byte alive = PROCESSES;

/* Any end that is in the table of p. */
inline choose(p, e)
{
    if
    :: table(p, 0) > 0 -> e = 0
    :: table(p, 1) > 0 -> e = 1
    :: table(p, 2) > 0 -> e = 2
    :: table(p, 3) > 0 -> e = 3
    fi
}

#define holds(p) (table(p, 0) + table(p, 1) + table(p, 2) + table(p, 3) > 0)

proctype user(byte me)
{
    byte e = 0, h = 0, at = 0, item = NONE, victim = 0, result = 0, got = NONE;
    bool last = false;
    do
    :: atomic { holds(me) -> choose(me, e) }
        if
        :: send(me, e, EMPTY)
        :: atomic { holds(me) -> choose(me, h) }
            if /* neither end of the channel that it goes through: INVALID_ARGS */
            :: h / 2 != e / 2 -> send(me, e, h)
            :: h / 2 == e / 2 -> skip
            fi
        :: receive(me, e)
        :: close_handle(me, e)
        :: atomic { handles[e] < HANDLES_MAX -> reference(e); handles[e]++; table(me, e)++ }
        fi;
        atomic { e = 0; h = 0; result = 0; got = NONE; victim = 0; last = false }
    :: break
    od;
    close_all(me);
    atomic { alive--; e = 0 }
}

init
{
    byte e;
    atomic {
        make(0, 0); /* a channel between the two, and */
        table(0, 1)--;
        table(1, 1)++;
        make(1, 2); /* one more, with both ends in one table */
        run user(0);
        run user(1)
    }
    alive == 0;
    d_step {
        for (e : 0 .. ENDS - 1) {
            /* Nobody holds it, so what keeps it is a message; then it lies in an open inbox. */
            assert(table(0, e) == 0 && table(1, e) == 0);
            assert(refs[e] == handles[e]);
            assert(freed[e] == (handles[e] == 0));
            assert(!closed[e] || handles[e] == 0)
        }
        if
        :: empty(inbox[0]) && empty(inbox[1]) && empty(inbox[2]) && empty(inbox[3]) ->
            assert(freed[0] && freed[1] && freed[2] && freed[3])
        :: else
        fi
    }
}
