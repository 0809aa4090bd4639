/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events, timers, and waiting for one object.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "kernel_test.h"

/* A busy host may keep a hart waiting; how exact a wake-up is, the counted runs tell. */
#define LATE (5 * SK_SECOND)
#define ROUNDS 3000u
#define TIMERS 1000u

static status_t wait_for(handle_t handle, uint32_t signals, uint64_t deadline)
{
    uint64_t observed = 0;
    status_t status = sk_object_wait(handle, signals, deadline, &observed);
    if (status == SK_OK) {
        test_equal(observed, signals);
    }
    return status;
}

static void an_event_is_one_bit(void)
{
    handle_t event = make_event();
    test_status(wait_for(event, SK_SIGNAL_EVENT, SK_DEADLINE_POLL), SK_TIMED_OUT);
    for (int i = 0; i < 3; i++) {
        test_status(sk_event_signal(event), SK_OK);
    }
    test_status(wait_for(event, SK_SIGNAL_EVENT, SK_DEADLINE_POLL), SK_OK);
    test_status(wait_for(event, SK_SIGNAL_EVENT, SK_DEADLINE_POLL), SK_TIMED_OUT);
    test_status(wait_for(event, 0, SK_DEADLINE_POLL), SK_INVALID_ARGS);
    test_status(wait_for(event, SK_SIGNAL_TIMER, SK_DEADLINE_POLL), SK_INVALID_ARGS);
    test_status(wait_for(event, ~0u, SK_DEADLINE_POLL), SK_INVALID_ARGS);
    test_status(sk_handle_close(event), SK_OK);
}

struct waiter {
    handle_t handle;
    uint32_t signals;
    uint64_t deadline;
    _Atomic uint32_t *taken;
    status_t status;
};

static void wait_once(void *argument)
{
    struct waiter *waiter = argument;
    waiter->status = wait_for(waiter->handle, waiter->signals, waiter->deadline);
    atomic_fetch_add(waiter->taken, waiter->status == SK_OK);
}

static void one_signal_wakes_one(void)
{
    handle_t event = make_event();
    struct sk_thread threads[5];
    struct waiter waiters[5];
    _Atomic uint32_t taken = 0;
    for (int i = 0; i < 5; i++) {
        waiters[i] = (struct waiter){event, SK_SIGNAL_EVENT, test_deadline(), &taken, SK_PENDING};
        start_thread(&threads[i], wait_once, &waiters[i]);
        wait_blocked(threads[i].handle);
    }
    for (uint32_t i = 1; i <= 5; i++) {
        uint64_t limit = test_deadline();
        test_status(sk_event_signal(event), SK_OK);
        while (atomic_load(&taken) < i && sk_now() < limit) {
            sk_thread_yield();
        }
        sk_sleep(SK_MS);
        test_equal(atomic_load(&taken), i);
    }
    for (int i = 0; i < 5; i++) {
        join_thread(&threads[i]);
    }
    test_status(wait_for(event, SK_SIGNAL_EVENT, SK_DEADLINE_POLL), SK_TIMED_OUT);
    test_status(sk_handle_close(event), SK_OK);
}

static void closing_ends_every_wait(void)
{
    handle_t event = make_event();
    struct sk_thread threads[3];
    struct waiter waiters[3];
    _Atomic uint32_t taken = 0;
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){event, SK_SIGNAL_EVENT, SK_DEADLINE_NEVER, &taken, SK_PENDING};
        start_thread(&threads[i], wait_once, &waiters[i]);
        wait_blocked(threads[i].handle);
    }
    test_status(sk_handle_close(event), SK_OK);
    for (int i = 0; i < 3; i++) {
        join_thread(&threads[i]);
        test_status(waiters[i].status, SK_BAD_STATE);
    }
}

static void a_wait_ends_in_time(void)
{
    handle_t event = make_event();
    for (uint64_t duration = 0; duration <= 8 * SK_MS; duration += 2 * SK_MS) {
        uint64_t deadline = sk_deadline_after(duration);
        test_status(wait_for(event, SK_SIGNAL_EVENT, deadline), SK_TIMED_OUT);
        uint64_t now = sk_now();
        test_check(now >= deadline && now < deadline + LATE);
    }
    test_status(sk_handle_close(event), SK_OK);
}

/* Signal and time-out race; whoever wins, the signal is not lost. */
struct race {
    handle_t event;
    _Atomic uint32_t go;
};

static void signal_in_a_race(void *argument)
{
    struct race *race = argument;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        while (!atomic_exchange(&race->go, 0)) {
            sk_thread_yield();
        }
        sk_event_signal(race->event);
    }
}

static void no_signal_is_lost_to_a_time_out(void)
{
    struct race race = {make_event(), 0};
    struct sk_thread thread;
    start_thread(&thread, signal_in_a_race, &race);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        atomic_store(&race.go, 1);
        uint64_t deadline = sk_now() + (i % 50) * SK_US;
        status_t status = wait_for(race.event, SK_SIGNAL_EVENT, deadline);
        if (status != SK_OK &&
            (!test_status(status, SK_TIMED_OUT) ||
             !test_status(wait_for(race.event, SK_SIGNAL_EVENT, test_deadline()), SK_OK))) {
            break;
        }
    }
    join_thread(&thread);
    test_status(wait_for(race.event, SK_SIGNAL_EVENT, SK_DEADLINE_POLL), SK_TIMED_OUT);
    test_status(sk_handle_close(race.event), SK_OK);
}

static handle_t make_timer(void)
{
    handle_t timer;
    must(sk_timer_create(sk_self_job, &timer));
    return timer;
}

static void a_timer_expires_once(void)
{
    handle_t timer = make_timer();
    test_status(wait_for(timer, SK_SIGNAL_TIMER, SK_DEADLINE_POLL), SK_TIMED_OUT);
    uint64_t when = soon();
    test_status(sk_timer_set(timer, when), SK_OK);
    test_status(wait_for(timer, SK_SIGNAL_TIMER, SK_DEADLINE_POLL), SK_TIMED_OUT);
    test_status(wait_for(timer, SK_SIGNAL_TIMER, SK_DEADLINE_NEVER), SK_OK);
    test_check(sk_now() >= when && sk_now() < when + LATE);
    test_status(wait_for(timer, SK_SIGNAL_TIMER, soon()), SK_TIMED_OUT);
    test_status(sk_timer_set(timer, 1), SK_OK); /* long ago */
    test_status(wait_for(timer, SK_SIGNAL_TIMER, test_deadline()), SK_OK);
    test_status(sk_handle_close(timer), SK_OK);
}

static void a_timer_is_moved_and_stopped(void)
{
    handle_t timer = make_timer();
    test_status(sk_timer_set(timer, soon()), SK_OK);
    test_status(sk_timer_set(timer, SK_DEADLINE_NEVER), SK_OK);
    test_status(wait_for(timer, SK_SIGNAL_TIMER, sk_deadline_after(20 * SK_MS)), SK_TIMED_OUT);
    /* An expiry that nobody took is forgotten. */
    test_status(sk_timer_set(timer, 1), SK_OK);
    sk_sleep(2 * SK_MS);
    test_status(sk_timer_set(timer, test_deadline()), SK_OK);
    test_status(wait_for(timer, SK_SIGNAL_TIMER, SK_DEADLINE_POLL), SK_TIMED_OUT);
    test_status(sk_timer_set(timer, sk_deadline_after(2 * SK_MS)), SK_OK);
    test_status(wait_for(timer, SK_SIGNAL_TIMER, test_deadline()), SK_OK);
    test_status(sk_timer_set(timer, sk_deadline_after(5 * SK_MS)), SK_OK);
    test_status(sk_handle_close(timer), SK_OK); /* while it runs */
    sk_sleep(10 * SK_MS);
}

static void a_thousand_timers(void)
{
    handle_t set, *timers = malloc(TIMERS * sizeof *timers);
    uint64_t *when = malloc(TIMERS * sizeof *when), last = 0, begin = sk_deadline_after(30 * SK_MS);
    must(sk_waitset_create(sk_self_job, &set));
    for (uint64_t i = 0; i < TIMERS; i++) {
        timers[i] = make_timer();
        when[i] = begin + i * 7919 % TIMERS * 20 * SK_US;
        test_status(sk_waitset_add(set, timers[i], SK_SIGNAL_TIMER, i), SK_OK);
        test_status(sk_timer_set(timers[i], when[i]), SK_OK);
    }
    for (uint64_t i = 0; i < TIMERS; i++) {
        struct sk_in in = {.length = 0};
        if (!test_status(sk_channel_receive(set, &in, test_deadline()), SK_OK) ||
            !test_check(in.key < TIMERS)) {
            break;
        }
        test_check(sk_now() >= when[in.key]);
        last += in.key;
    }
    test_equal(last, TIMERS * (TIMERS - 1) / 2);
    close_all(timers, TIMERS);
    test_status(sk_handle_close(set), SK_OK);
    free(timers);
    free(when);
}

static void timers_are_set_from_everywhere(void)
{
    handle_t timer = make_timer();
    for (int i = 0; i < 20000; i++) {
        sk_timer_set(timer, sk_now() + (i % 7) * 10 * SK_US);
        if (i % 3 == 0) {
            uint64_t observed;
            sk_object_wait(timer, SK_SIGNAL_TIMER, SK_DEADLINE_POLL, &observed);
        }
    }
    test_status(sk_timer_set(timer, 1), SK_OK);
    test_status(wait_for(timer, SK_SIGNAL_TIMER, test_deadline()), SK_OK);
    test_status(sk_handle_close(timer), SK_OK);
}

static void nothing(void *argument) {}

static void ends_are_waited_for(void)
{
    struct sk_thread thread;
    start_thread(&thread, nothing, NULL);
    test_status(wait_for(thread.handle, SK_SIGNAL_TERMINATED, test_deadline()), SK_OK);
    test_status(wait_for(thread.handle, SK_SIGNAL_TERMINATED, SK_DEADLINE_POLL), SK_OK);
    join_thread(&thread);
    handle_t ends[2];
    make_channel(ends);
    test_status(wait_for(ends[0], SK_SIGNAL_PEER_CLOSED, SK_DEADLINE_POLL), SK_TIMED_OUT);
    test_status(sk_handle_close(ends[1]), SK_OK);
    test_status(wait_for(ends[0], SK_SIGNAL_PEER_CLOSED, SK_DEADLINE_POLL), SK_OK);
    test_status(sk_handle_close(ends[0]), SK_OK);
}

void test_waits(void)
{
    self_case("wait: an event is one bit", an_event_is_one_bit);
    self_case("wait: one signal wakes one", one_signal_wakes_one);
    self_case("wait: closing ends every wait", closing_ends_every_wait);
    self_case("wait: it ends in time", a_wait_ends_in_time);
    self_case("wait: no signal is lost to a time-out", no_signal_is_lost_to_a_time_out);
    self_case("wait: a timer expires once", a_timer_expires_once);
    self_case("wait: a timer is moved and stopped", a_timer_is_moved_and_stopped);
    self_case("wait: a thousand timers", a_thousand_timers);
    self_case("wait: timers are set again and again", timers_are_set_from_everywhere);
    self_case("wait: ends are waited for", ends_are_waited_for);
}
