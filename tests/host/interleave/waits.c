/* SPDX-License-Identifier: BSD-2-Clause */
/* Wait sets, futexes, timers, suspension: nobody sleeps on who has been woken. */
#include "ledger.h"
#include "scenarios.h"

#include <kernel/clock.h>
#include <kernel/sched.h>

#define SIGNALS 3u
#define KEY_EVENT 7u
#define KEY_END 8u

static struct party *client, *server, *other;
static handle_t client_end, server_end, set, event, timer, target;
static uint32_t signals, taken;
static bool ready, told;        /* the handles of the scenario are there; a busy thread may go on */
static volatile uint32_t *word; /* a futex */

/* ---- wait sets ---- */

static void play_caller(struct actor *self)
{
    for (uint32_t i = 0; i < 2; i++) {
        ledger_call(self, client_end, SK_HANDLE_NONE, act_soon(self));
    }
}

static handle_t create(struct actor *self, uint32_t number)
{
    CHECK(act(self, number, self->party->job_handle, 0, 0, 0) == SK_OK);
    return (handle_t)act_value(self, 0);
}

static void play_signaller(struct actor *self)
{
    act_spin(self, &ready);
    for (uint32_t i = 0; i < SIGNALS; i++) {
        CHECK(act(self, SK_SYS_event_signal, event, 0, 0, 0) == SK_OK);
        signals++;
        if (explore_draw(2) == 0) {
            act(self, SK_SYS_thread_sleep, act_soon(self), 0, 0, 0);
        }
    }
}

/* Serves until the event has come and the callers have gone. */
static void play_set_server(struct actor *self)
{
    struct message_in message;
    bool event_seen = false, callers_gone = false;
    uint32_t shown = SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED;
    event = create(self, SK_SYS_event_create);
    set = create(self, SK_SYS_waitset_create);
    ready = true;
    CHECK(act(self, SK_SYS_waitset_add, set, server_end, shown, KEY_END) == SK_OK);
    CHECK(act(self, SK_SYS_waitset_add, set, event, SK_SIGNAL_EVENT, KEY_EVENT) == SK_OK);
    while (!(event_seen && callers_gone)) {
        CHECK(act_receive(self, set, SK_DEADLINE_NEVER, &message) == SK_OK);
        if (!(message.info & SK_INFO_SIGNALS)) {
            CHECK(message.key == KEY_END);
            ledger_received(&message);
            ledger_reply(self, &message);
        } else if (message.key == KEY_EVENT) {
            taken++;
            event_seen = true;
        } else {
            CHECK(message.key == KEY_END && message.word == SK_SIGNAL_PEER_CLOSED);
            callers_gone = true; /* which it would go on telling */
            CHECK(act(self, SK_SYS_waitset_remove, set, server_end, 0, 0) == SK_OK);
        }
    }
}

static void begin_waitset(void)
{
    client = party_make("client", NULL);
    server = party_make("server", NULL);
    party_connect(client, &client_end, server, &server_end);
    actor_make(server, "server", play_set_server);
    actor_make(client, "caller", play_caller);
    actor_make(client, "second caller", play_caller);
    actor_make(server, "signaller", play_signaller);
}

static void check_waitset(void)
{
    ledger_check(false);
    CHECK(taken >= 1 && taken <= signals);
}

const struct scenario scenario_waitset = {"waitset",
                                          "a wait set with calls, an event and a peer that closes",
                                          begin_waitset, check_waitset};

static void check_nothing(void) {}

/* ---- a crowd in one wait set ---- */

#define CROWD 6u /* more than are woken at once */

static void play_in_crowd(struct actor *self)
{
    struct message_in message;
    act_spin(self, &ready);
    status_t status = act_receive(self, set, SK_DEADLINE_NEVER, &message);
    if (status == SK_OK) {
        CHECK(message.key == KEY_END && (message.info & SK_INFO_SIGNALS) &&
              message.word == SK_SIGNAL_PEER_CLOSED);
        return;
    }
    CHECK(told && (status == SK_BAD_STATE || status == SK_BAD_HANDLE));
}

/* Makes the set that all wait in, and may close it. */
static void play_first_in_crowd(struct actor *self)
{
    set = create(self, SK_SYS_waitset_create);
    CHECK(act(self, SK_SYS_waitset_add, set, server_end, SK_SIGNAL_PEER_CLOSED, KEY_END) == SK_OK);
    ready = true;
    if (explore_draw(2) == 0) {
        act(self, SK_SYS_thread_sleep, act_soon(self), 0, 0, 0);
    }
    if (explore_draw(4) == 0) {
        told = true;
        CHECK(act(self, SK_SYS_handle_close, set, 0, 0, 0) == SK_OK);
    }
}

static void play_leaver(struct actor *self)
{
    act_spin(self, &ready);
    act(self, SK_SYS_thread_sleep, act_soon(self), 0, 0, 0);
    CHECK(act(self, SK_SYS_handle_close, client_end, 0, 0, 0) == SK_OK);
}

static void begin_crowd(void)
{
    client = party_make("client", NULL);
    server = party_make("server", NULL);
    party_connect(client, &client_end, server, &server_end);
    actor_make(server, "first", play_first_in_crowd);
    for (uint32_t i = 0; i < CROWD; i++) {
        actor_make(server, "one of the crowd", play_in_crowd);
    }
    actor_make(client, "leaver", play_leaver);
}

const struct scenario scenario_crowd = {
    "crowd", "a level goes to each of many threads that wait in one set, which may be closed",
    begin_crowd, check_nothing};

/* ---- futexes ---- */

#define ROUNDS 4u

static uint32_t arrived[ROUNDS]; /* consumers that have seen this word */
static bool all_arrived[ROUNDS];

static vaddr_t word_of(const struct actor *self)
{
    return self->area - (self->area & PAGE_MASK) + PAGE_SIZE - 64;
}

static void play_consumer(struct actor *self)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        while (*word == round) {
            status_t status = act(self, SK_SYS_futex_wait, word_of(self), round,
                                  explore_draw(4) ? SK_DEADLINE_NEVER : act_soon(self), 0);
            CHECK(status == SK_OK || status == SK_BAD_STATE || status == SK_TIMED_OUT);
        }
        all_arrived[round] = ++arrived[round] == 2;
        act_spin(self, &all_arrived[round]);
    }
}

static void play_producer(struct actor *self)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (explore_draw(4) == 0) {
            act(self, SK_SYS_thread_sleep, act_soon(self), 0, 0, 0);
        }
        *word = round + 1;
        uint32_t at_once = 1 + explore_draw(2);
        for (uint32_t woken = 0; woken < 2; woken += at_once) {
            CHECK(act(self, SK_SYS_futex_wake, word_of(self), at_once, 0, 0) == SK_OK);
        }
        act_spin(self, &all_arrived[round]);
    }
}

static void begin_futex(void)
{
    server = party_make("server", NULL);
    struct actor *first = actor_make(server, "consumer", play_consumer);
    actor_make(server, "second consumer", play_consumer);
    actor_make(server, "producer", play_producer);
    char *page = (char *)first->handles - (first->area & PAGE_MASK);
    word = (volatile uint32_t *)(void *)(page + PAGE_SIZE - 64);
    *word = 0;
}

const struct scenario scenario_futex = {
    "futex", "two threads wait for each word that a third one writes", begin_futex, check_nothing};

/* ---- timers, events, sleepers ---- */

static void play_timer_waiter(struct actor *self)
{
    timer = create(self, SK_SYS_timer_create);
    ready = true;
    uint64_t deadline = clock_now_ns() + 200000;
    status_t status = act(self, SK_SYS_object_wait, timer, SK_SIGNAL_TIMER, deadline, 0);
    CHECK(status == SK_OK || (status == SK_TIMED_OUT && clock_now_ns() >= deadline));
    uint64_t until = act_soon(self);
    CHECK(act(self, SK_SYS_thread_sleep, until, 0, 0, 0) == SK_OK);
    CHECK(clock_now_ns() >= until);
}

static void play_timer_setter(struct actor *self)
{
    act_spin(self, &ready);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK(act(self, SK_SYS_timer_set, timer, act_soon(self), 0, 0) == SK_OK);
    }
}

static void play_event_waiter(struct actor *self)
{
    event = create(self, SK_SYS_event_create);
    told = true;
    status_t status = act(self, SK_SYS_object_wait, event, SK_SIGNAL_EVENT, SK_DEADLINE_NEVER, 0);
    CHECK(status == SK_OK || status == SK_BAD_STATE || status == SK_BAD_HANDLE);
}

static void play_event_setter(struct actor *self)
{
    act_spin(self, &told);
    CHECK(act(self, SK_SYS_event_signal, event, 0, 0, 0) == SK_OK);
    CHECK(act(self, SK_SYS_handle_close, event, 0, 0, 0) == SK_OK);
}

static void begin_timer(void)
{
    server = party_make("server", NULL);
    actor_make(server, "timer waiter", play_timer_waiter);
    actor_make(server, "timer setter", play_timer_setter);
    actor_make(server, "event waiter", play_event_waiter);
    actor_make(server, "event setter", play_event_setter);
}

const struct scenario scenario_timer = {"timer",
                                        "a timer that is moved, an event that is closed, sleepers",
                                        begin_timer, check_nothing};

/* ---- suspension ---- */

static void play_suspender(struct actor *self)
{
    for (uint32_t i = 0; i < 3; i++) {
        if (act(self, SK_SYS_thread_suspend, target, 0, 0, 0) == SK_OK) {
            if (explore_draw(2) == 0) {
                act(self, SK_SYS_thread_sleep, act_soon(self), 0, 0, 0);
            }
            status_t status = act(self, SK_SYS_thread_resume, target, 0, 0, 0);
            CHECK(status == SK_OK || status == SK_BAD_STATE);
        }
    }
}

static void play_server(struct actor *self)
{
    ledger_serve(self, server_end);
}

static void begin_suspend(void)
{
    client = party_make("client", NULL);
    server = party_make("server", NULL);
    other = party_make("other", NULL);
    party_connect(client, &client_end, server, &server_end);
    struct actor *first = actor_make(server, "server", play_server);
    struct actor *second = actor_make(client, "caller", play_caller);
    struct actor *suspended = explore_draw(2) == 0 ? first : second;
    target = party_give(other, &suspended->thread->object, thread_type.rights);
    actor_make(other, "suspender", play_suspender);
    actor_make(other, "second suspender", play_suspender);
}

static void check_suspend(void)
{
    ledger_check(false);
}

const struct scenario scenario_suspend = {
    "suspend", "a caller or its server is suspended and resumed by two others", begin_suspend,
    check_suspend};

/* ---- threads that never enter the kernel by themselves ---- */

static bool never;

/* Shares its hart until the kill comes, which does not wait for the end of a turn. */
static void play_busy(struct actor *self)
{
    act_spin(self, &told);
    act_hold(self, &never);
}

static void play_patient(struct actor *self)
{
    act_spin(self, &told);
}

static void play_end_busy(struct actor *self)
{
    told = true;
    uint64_t killed_ns = clock_now_ns();
    CHECK(act(self, SK_SYS_process_kill, target, 1, 0, 0) == SK_OK);
    CHECK(act(self, SK_SYS_object_wait, target, SK_SIGNAL_TERMINATED, SK_DEADLINE_NEVER, 0) ==
          SK_OK);
    CHECK(clock_now_ns() - killed_ns < SCHED_PERIOD_NS / 4);
}

static void begin_kill_busy(void)
{
    server = party_make("server", NULL);
    other = party_make("other", NULL);
    target = party_give(other, &server->process->object, process_type.rights);
    server->priority = other->priority; /* so that each has its turn */
    actor_make(server, "busy", play_busy);
    actor_make(server, "second busy", play_busy);
    actor_make(other, "patient", play_patient);
    actor_make(other, "killer", play_end_busy);
}

const struct scenario scenario_kill_busy = {
    "kill-busy", "threads that make no system call are interrupted, share and are killed",
    begin_kill_busy, check_nothing};

/* ---- threads of accounts that soon cannot pay ---- */

#define POOR 2u

static handle_t targets[POOR];

static void play_poor(struct actor *self)
{
    for (;;) {
        if (explore_draw(2) == 0) {
            act(self, SK_SYS_thread_sleep, act_soon(self), 0, 0, 0);
        } else {
            act_compute(self);
        }
    }
}

static void play_end_poor(struct actor *self)
{
    for (uint32_t i = 0; i < POOR; i++) {
        uint64_t when_ns = clock_now_ns() + explore_draw(10 * SCHED_PERIOD_NS);
        CHECK(act(self, SK_SYS_thread_sleep, when_ns, 0, 0, 0) == SK_OK);
        CHECK(act(self, SK_SYS_process_kill, targets[i], 1, 0, 0) == SK_OK);
        CHECK(act(self, SK_SYS_object_wait, targets[i], SK_SIGNAL_TERMINATED, SK_DEADLINE_NEVER,
                  0) == SK_OK);
    }
}

static void begin_unpaid(void)
{
    other = party_make("other", NULL);
    for (uint32_t i = 0; i < POOR; i++) {
        struct party *party = party_make_poor("poor", explore_draw(3));
        targets[i] = party_give(other, &party->process->object, process_type.rights);
        actor_make(party, "poor", play_poor);
        actor_make(party, "second poor", play_poor);
    }
    actor_make(other, "killer", play_end_poor);
}

const struct scenario scenario_unpaid = {
    "unpaid", "threads whose shares are used up make way for each other, and are killed",
    begin_unpaid, check_nothing};

/* ---- a thread that is woken runs on a hart that idles ---- */

#define SPREAD_SIGNALS 12u

static uint64_t signalled_ns;
static uint32_t woken;
static bool answered;

/* More urgent than the helper, and never lets go of its hart. */
static void play_urgent(struct actor *self)
{
    event = create(self, SK_SYS_event_create);
    ready = true;
    for (uint32_t i = 0; i < SPREAD_SIGNALS; i++) {
        answered = false;
        signalled_ns = clock_now_ns();
        CHECK(act(self, SK_SYS_event_signal, event, 0, 0, 0) == SK_OK);
        act_hold(self, &answered);
    }
}

static void play_helper(struct actor *self)
{
    act_spin(self, &ready);
    for (uint32_t i = 0; i < SPREAD_SIGNALS; i++) {
        CHECK(act(self, SK_SYS_object_wait, event, SK_SIGNAL_EVENT, SK_DEADLINE_NEVER, 0) == SK_OK);
        CHECK(clock_now_ns() - signalled_ns < SCHED_PERIOD_NS / 4);
        woken++;
        answered = true;
    }
}

static void begin_spread(void)
{
    server = party_make("server", NULL);
    server->priority = 10;
    actor_make(server, "urgent", play_urgent);
    server->priority = 8;
    actor_make(server, "helper", play_helper);
}

static void check_spread(void)
{
    CHECK(woken == SPREAD_SIGNALS);
}

const struct scenario scenario_spread = {
    "spread",
    "who is woken runs on an idle hart at once, though a more urgent thread keeps this one",
    begin_spread, check_spread};
