/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls with tokens (ipc/call.c, kernel/wait.c, docs/ipc.md "How a call ends"): callers in thread slots that are
 * used again when a thread was killed, a server process with two threads that pass tokens to each other and may
 * answer twice, late time-outs, kills, the server's death at any step, a reply that does not fit.
 *
 * Each call ends exactly once and by what belongs to it; DELIVERED tells the truth about where the call's
 * handle is; nobody waits for ever. Each switch takes away one look of the kernel's, and the model must fail:
 *
 *   NO_TOKEN_SEQUENCE  a reply goes by the slot alone: an old token answers a newer call
 *   NO_WAIT_SEQUENCE   a time-out ends whatever wait it finds: it was armed for an earlier one
 *   NO_LOOK_AGAIN      the wait is not looked at again under its lock: a call ends twice
 *   NO_SECOND_LOOK     a thread that blocks does not look whether it was killed meanwhile: it sleeps for ever
 *   BREAK_FIRST        the dead server's calls are broken while its threads still receive: a caller is forgotten
 */
#ifndef CALLERS
#define CALLERS 1
#endif
#ifndef CALLS
#define CALLS 2 /* that each slot makes */
#endif
#define SERVERS 2
#define NONE 255

/* How a call ended. */
mtype = { running, answered, timed_out, refused, broken, misfit, cancelled };

/* Where the handle of a call is. */
mtype = { at_caller, reserved, at_server };

/* A thread slot; its memory keeps its type, so its sequences survive the thread. */
bool waiting[CALLERS];  /* wait.lock names a lock */
byte wait_seq[CALLERS]; /* wait.sequence */
byte call_seq[CALLERS]; /* call.sequence, the token's other half */
bool served[CALLERS];   /* call.server is the server; false: queued */
bool killed[CALLERS];   /* pending */
mtype ended[CALLERS];
bool delivered[CALLERS];
mtype place[CALLERS];

bool kill_server, server_killed, server_dead, end_closed;
byte server_threads = SERVERS;
chan inbox = [CALLERS] of { byte };              /* slots of queued calls */
chan timer = [CALLERS * CALLS] of { byte, byte }; /* slot, wait sequence that the deadline was armed for */
chan tokens = [CALLERS * CALLS] of { byte, byte }; /* slot, call sequence: received and kept for later */

/* The end of a wait: under the channel's lock, exactly once. */
inline finish(t, how, was_delivered)
{
    assert(waiting[t]);
    assert(ended[t] == running);
    waiting[t] = false;
    ended[t] = how;
    delivered[t] = was_delivered;
    served[t] = false
}

/* wait_cancel's inner part, the wait's lock held. */
inline cancel(t, how)
{
    if
    :: served[t] -> finish(t, how, true)
    :: !served[t] -> inbox??eval(t); place[t] = at_caller; finish(t, how, false)
    fi
}

proctype caller(byte t)
{
    byte n = 0;
    do
    :: n < CALLS ->
        atomic { /* channel_call, under the lock */
            n++;
            ended[t] = running;
            if
            :: end_closed -> ended[t] = refused; delivered[t] = false; place[t] = at_caller
            :: !end_closed ->
                call_seq[t]++;
                wait_seq[t]++;
                served[t] = false;
                place[t] = reserved;
                inbox!t;
                waiting[t] = true;
                if
                :: timer!t, wait_seq[t]
                :: true /* SK_DEADLINE_NEVER */
                fi
            fi
        }
#ifndef NO_SECOND_LOOK
        atomic { /* dispatch: a kill that came before the wait was there */
            if
            :: killed[t] && waiting[t] -> cancel(t, cancelled)
            :: !(killed[t] && waiting[t])
            fi
        }
#endif
        if
        :: !waiting[t] /* runs again */
        :: timeout -> /* nothing moves any more: it may sleep on only while its server lives and is silent */
            assert(!killed[t] && !server_dead && empty(timer));
            break
        fi;
        atomic {
            assert(ended[t] != running);
            /* DELIVERED tells where the handle is. */
            assert(delivered[t] || place[t] == at_caller);
            assert(!delivered[t] || place[t] == at_server);
            if /* the thread ends; its slot is taken by a new one, in its own place in the loop */
            :: killed[t] -> killed[t] = false
            :: !killed[t]
            fi
        }
    :: n == CALLS -> break
    od
}

/* The hart's clock: pops a deadline, then takes the lock that the wait names. */
proctype clock()
{
    byte t, seq;
end:
    do
    :: timer?t, seq;
        atomic {
#ifdef NO_WAIT_SEQUENCE
            if
            :: waiting[t] -> assert(seq == wait_seq[t]); cancel(t, timed_out)
            :: !waiting[t]
            fi
#else
            if
            :: waiting[t] && wait_seq[t] == seq -> cancel(t, timed_out)
            :: !(waiting[t] && wait_seq[t] == seq)
            fi
#endif
        }
    od
}

/* Kills whatever thread is in the slot, once. */
proctype killer(byte t)
{
    bool seen;
    if
    :: true ->
        killed[t] = true;
        seen = waiting[t]; /* wait.lock, read without it */
        if
        :: seen ->
            atomic {
#ifdef NO_LOOK_AGAIN
                cancel(t, cancelled)
#else
                if
                :: waiting[t] -> cancel(t, cancelled)
                :: !waiting[t]
                fi
#endif
            }
        :: !seen
        fi
    :: true
    fi
}

inline reply()
{
    seen = waiting[t] && served[t]; /* wait.lock, read without it */
    if
    :: seen ->
        atomic { /* lock_served and what follows */
            if
#ifdef NO_LOOK_AGAIN
            :: true ->
#elif defined(NO_TOKEN_SEQUENCE)
            :: waiting[t] && served[t] -> assert(call_seq[t] == seq);
#else
            :: waiting[t] && served[t] && call_seq[t] == seq ->
#endif
                if
                :: finish(t, answered, true)
                :: finish(t, misfit, true) /* NOT_DELIVERED */
                fi
            :: !(waiting[t] && served[t] && call_seq[t] == seq) /* NOT_FOUND */
            fi
        }
    :: !seen
    fi
}

proctype server()
{
    byte t, seq;
    bool seen;
end:
    do
    :: true -> /* silent from now on */
end_silent:
        server_killed;
        break
    :: !server_killed && nempty(inbox); /* in the kernel now, where a kill does not stop it */
        atomic { /* receives: the channel's lock */
            if
            :: nempty(inbox) ->
                inbox?t;
                served[t] = true;
                place[t] = at_server;
                tokens!t, call_seq[t];
                t = 0
            :: empty(inbox)
            fi
        }
    :: atomic { !server_killed && tokens?[t, seq] -> tokens?t, seq } /* any of its threads, in any order */
        reply();
        if
        :: reply() /* once more: it must not be found */
        :: true
        fi;
        atomic { t = 0; seq = 0; seen = false }
    :: server_killed -> break
    od;
    atomic { server_threads--; t = 0; seq = 0 }
}

/* Kills the server at any time, and does what the reaper does then. */
proctype reaper()
{
    byte t;
    bool seen;
end:
    kill_server; /* or never */
    server_killed = true;
#ifndef BREAK_FIRST
    server_threads == 0;
#endif
    t = 0;
    do
    :: t < CALLERS ->
        seen = waiting[t] && served[t]; /* read without the lock */
        if
        :: seen ->
            atomic {
                if
                :: waiting[t] && served[t] -> finish(t, broken, true)
                :: !(waiting[t] && served[t])
                fi
            }
        :: !seen
        fi;
        t++;
        seen = false
    :: t == CALLERS -> break
    od;
    atomic { /* its handles are closed: endpoint_orphan */
        end_closed = true;
        do
        :: nempty(inbox) -> inbox?t; place[t] = at_caller; finish(t, refused, false)
        :: empty(inbox) -> break
        od
    }
    server_dead = true
}

init
{
    atomic {
        byte i;
        for (i : 0 .. CALLERS - 1) { ended[i] = running; place[i] = at_caller; run caller(i) }
        for (i : 0 .. SERVERS - 1) { run server() }
        run clock();
        run killer(0);
        run reaper();
        if
        :: kill_server = true
        :: true
        fi
    }
}
