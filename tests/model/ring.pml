/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring protocol (userland/include/sk/ring.h) on a weakly ordered machine: a store waits in a buffer of its
 * own variable and reaches memory at any later time, in any order with those to other variables. A release
 * store comes after what it releases; a full fence waits until the thread's buffers are empty.
 *
 * Every entry arrives once and in order; no wake-up is lost (nobody waits for ever); at most one signal for each
 * sleep. Each switch takes one thing away, and the model must fail:
 *
 *   NO_PRODUCER_FENCE, NO_CONSUMER_FENCE  the two full fences around the sleeper's flag
 *   NO_RELEASE                            the index may become visible before the entry
 *   NO_ACQUIRE                            the entry may be read before the index
 */
#ifndef ITEMS
#define ITEMS 5
#endif
#define SIZE 2 /* entries of the ring */

/* Memory. */
byte slot[SIZE], head, tail;
bool flag;
bool event;

/* Stores under way. Head values are consecutive, so the next one out is head + 1. */
chan slot0_out = [2] of { byte };
chan slot1_out = [2] of { byte };
chan head_out = [3] of { byte };
chan tail_out = [3] of { byte };
chan flag_out = [3] of { bool };
byte slots_out; /* entries that have reached memory */

byte sleeps, signals;

active proctype memory()
{
    byte value;
    bool set;
end:
    do
    :: atomic { slot0_out?value -> slot[0] = value; slots_out++; value = 0 }
    :: atomic { slot1_out?value -> slot[1] = value; slots_out++; value = 0 }
#ifdef NO_RELEASE
    :: atomic { head_out?value -> head = value; value = 0 }
#else
    :: atomic { nempty(head_out) && slots_out > head -> head_out?value; head = value; value = 0 }
#endif
    :: atomic { tail_out?value -> tail = value; value = 0 }
    :: atomic { flag_out?set -> flag = set; set = false }
    od
}

active proctype producer()
{
    byte own = 0;
    bool was;
    do
    :: own < ITEMS ->
        own - tail < SIZE; /* sk_ring_room; it has other ways to wait for that */
        if
        :: own % SIZE == 0 -> slot0_out!own + 1
        :: own % SIZE == 1 -> slot1_out!own + 1
        fi;
        own++;
        head_out!own; /* sk_ring_publish */
#ifndef NO_PRODUCER_FENCE
        empty(slot0_out) && empty(slot1_out) && empty(head_out);
#endif
        if /* sk_wake_needed */
        :: flag ->
            atomic { was = flag; flag = false } /* the exchange */
            if
            :: was -> atomic { signals++; assert(signals <= sleeps + 1); event = true; was = false }
            :: !was
            fi
        :: !flag
        fi
    :: own == ITEMS -> break
    od
}

active proctype consumer()
{
    byte own = 0, seen = 0, value = 0;
    do
    :: own < ITEMS ->
#ifdef NO_ACQUIRE
        value = slot[own % SIZE];
#endif
        seen = head;
        if
        :: seen == own -> /* sk_sleep_begin */
            flag_out!true;
#ifndef NO_CONSUMER_FENCE
            empty(flag_out) && empty(tail_out);
#endif
            atomic { seen = head; sleeps++ }
            if
            :: seen == own -> atomic { event -> event = false }
            :: seen != own
            fi;
            flag_out!false /* sk_sleep_end */
        :: seen != own ->
            assert(seen - own <= SIZE);
#ifndef NO_ACQUIRE
            value = slot[own % SIZE];
#endif
            assert(value == own + 1);
            own++;
            tail_out!own; /* sk_ring_release */
            value = 0
        fi
    :: own == ITEMS -> break
    od
}
