/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Torture: processes of several threads do random things to the handles they share and send each
 * other, and are killed in the middle of it. Whatever they do is an error of theirs at most; when
 * they are gone, every count is back. The seed is printed and may be given: run=test-stress,SEED.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "self.h"

#define SLOTS 48u
#define THREADS 3u
#define PROCESSES 3u
#define ROUNDS 6u
#define ROUND_TIME (400 * SK_MS)
/* The last codes of <skerry/status.h> that a kernel call may give. */
#define STATUS_LAST SK_BAD_SYSCALL

/* Handles of the process; any thread may take, use or close any of them at any time. */
static _Atomic handle_t slots[SLOTS];
static _Atomic uint32_t words[8];

struct actor {
    uint64_t state;
    token_t token;
    struct sk_thread thread;
};

static uint32_t choose(struct actor *actor, uint32_t below)
{
    return random_next(&actor->state) % below;
}

static handle_t any(struct actor *actor)
{
    return atomic_load(&slots[choose(actor, SLOTS)]);
}

static uint64_t short_while(struct actor *actor)
{
    return choose(actor, 4) == 0 ? SK_DEADLINE_POLL : sk_now() + choose(actor, 300) * SK_US;
}

static void keep(struct actor *actor, handle_t handle)
{
    _Atomic handle_t *slot = &slots[choose(actor, SLOTS)];
    sk_handle_close(atomic_exchange(slot, handle));
}

/* A result that no call may give ends the process with a code of its own. */
static status_t ok(status_t status)
{
    if (status > SK_OK || status <= STATUS_LAST) {
        sk_process_exit(66);
    }
    return status;
}

static void make_something(struct actor *actor)
{
    handle_t made[2] = {SK_HANDLE_NONE, SK_HANDLE_NONE};
    switch (choose(actor, 7)) {
    case 0:
        ok(sk_event_create(sk_self_job, &made[0]));
        break;
    case 1:
        ok(sk_timer_create(sk_self_job, &made[0]));
        break;
    case 2:
        ok(sk_waitset_create(sk_self_job, &made[0]));
        break;
    case 3:
        ok(sk_memory_create(sk_self_job, (1 + choose(actor, 8)) * SK_PAGE_SIZE, 0, &made[0]));
        break;
    case 4:
        ok(sk_process_create(sk_self_job, "victim", 6, &made[0]));
        break;
    default:
        ok(sk_channel_create(sk_self_job, &made[0], &made[1]));
        break;
    }
    for (int i = 0; i < 2; i++) {
        if (made[i] != SK_HANDLE_NONE) {
            keep(actor, made[i]);
        }
    }
}

static struct sk_out something_to_say(struct actor *actor, uint8_t *bytes, handle_t handles[4])
{
    uint32_t count = choose(actor, 4);
    for (uint32_t i = 0; i < count; i++) {
        handles[i] = any(actor);
    }
    size_t length = choose(actor, 3) == 0 ? choose(actor, 1000) : choose(actor, 33);
    return (struct sk_out){bytes, length, handles, count};
}

static void heard(struct actor *actor, const struct sk_in *in, status_t status)
{
    if (status != SK_OK) {
        return;
    }
    for (size_t i = 0; i < in->handle_count; i++) {
        keep(actor, in->handles[i]);
    }
    if (in->is_call) {
        actor->token = in->token;
    }
}

static void talk(struct actor *actor)
{
    uint8_t bytes[1000] = {0}, room[1000];
    handle_t given[4], got[4];
    status_t replied;
    struct sk_out out = something_to_say(actor, bytes, given);
    struct sk_in in = {room, choose(actor, 8) == 0 ? 40 : sizeof room, got, choose(actor, 5)};
    switch (choose(actor, 6)) {
    case 0:
    case 1:
        ok(sk_channel_send(any(actor), &out));
        break;
    case 2:
        heard(actor, &in, ok(sk_channel_call(any(actor), &out, &in, short_while(actor))));
        break;
    case 3:
        ok(sk_channel_reply(actor->token, &out));
        break;
    case 4:
        heard(actor, &in,
              ok(sk_channel_reply_receive(actor->token, &out, &replied, any(actor), &in,
                                          short_while(actor))));
        ok(replied);
        break;
    default:
        heard(actor, &in, ok(sk_channel_receive(any(actor), &in, short_while(actor))));
        break;
    }
}

static void wait_and_signal(struct actor *actor)
{
    uint64_t observed;
    const _Atomic uint32_t *word = &words[choose(actor, COUNT(words))];
    switch (choose(actor, 8)) {
    case 0:
        ok(sk_event_signal(any(actor)));
        break;
    case 1:
        ok(sk_timer_set(any(actor), sk_now() + choose(actor, 500) * SK_US));
        break;
    case 2:
        ok(sk_object_wait(any(actor), 1u << choose(actor, 6), short_while(actor), &observed));
        break;
    case 3:
        ok(sk_waitset_add(any(actor), any(actor), 1u << choose(actor, 6), choose(actor, 100)));
        break;
    case 4:
        ok(sk_waitset_add(any(actor), any(actor), SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED, 5));
        break;
    case 5:
        ok(sk_waitset_remove(any(actor), any(actor)));
        break;
    case 6:
        ok(sk_futex_wait((const void *)word, 0, short_while(actor)));
        break;
    default:
        ok(sk_futex_wake((const void *)word, 1 + choose(actor, 3), &observed));
        break;
    }
}

static void use_memory(struct actor *actor)
{
    uint8_t bytes[100] = {0};
    uint64_t at = 0;
    handle_t memory = any(actor);
    handle_t process = choose(actor, 3) == 0 ? any(actor) : sk_self_process;
    uint64_t length = (1 + choose(actor, 4)) * SK_PAGE_SIZE;
    uint32_t flags = choose(actor, 2) * SK_PROT_WRITE | SK_PROT_READ;
    flags |= choose(actor, 2) * SK_MAP_POPULATE;
    switch (choose(actor, 4)) {
    case 0:
        ok(sk_memory_read(memory, choose(actor, 5000), bytes, sizeof bytes));
        break;
    case 1:
        ok(sk_memory_write(memory, choose(actor, 5000), bytes, sizeof bytes));
        break;
    default:
        if (ok(sk_memory_map(process, memory, 0, length, 0, flags, &at)) == SK_OK &&
            process == sk_self_process) {
            if ((flags & SK_PROT_WRITE) != 0) {
                *(_Atomic uint32_t *)at = 5;
            }
            ok(sk_memory_protect(process, at, SK_PAGE_SIZE, SK_PROT_READ));
            ok(sk_memory_unmap(process, at, length));
        }
        break;
    }
}

static void handle_handles(struct actor *actor)
{
    handle_t made = SK_HANDLE_NONE;
    uint64_t info, id;
    switch (choose(actor, 6)) {
    case 0:
        ok(sk_handle_close(any(actor)));
        break;
    case 1:
        if (ok(sk_handle_duplicate(any(actor), choose(actor, SK_RIGHTS_ALL + 1), &made)) == SK_OK) {
            keep(actor, made);
        }
        break;
    case 2:
        if (ok(sk_handle_info(any(actor), &info, &id)) == SK_OK &&
            ok(sk_handle_duplicate(any(actor), (uint32_t)(info >> 32), &made)) == SK_OK) {
            keep(actor, made);
        }
        break;
    case 3:
        if (ok(sk_process_start(any(actor), 0x20000, 0x30000, any(actor), 1 + choose(actor, 15),
                                &made)) == SK_OK) {
            keep(actor, made);
        }
        break;
    case 4: {
        /* A thread of its own process may be among them: never stop it for good. */
        handle_t other = any(actor);
        if (ok(sk_thread_suspend(other)) == SK_OK) {
            ok(sk_thread_resume(other));
        }
        break;
    }
    default:
        sk_handle_close(atomic_exchange(&slots[choose(actor, SLOTS)], SK_HANDLE_NONE));
        break;
    }
}

static void act(void *argument)
{
    struct actor *actor = argument;
    for (;;) {
        switch (choose(actor, 8)) {
        case 0:
            make_something(actor);
            break;
        case 1:
            handle_handles(actor);
            break;
        case 2:
            use_memory(actor);
            break;
        case 3:
        case 4:
            wait_and_signal(actor);
            break;
        default:
            talk(actor);
            break;
        }
    }
}

/* Child: acts for ever, on what it was given and what it makes. */
static int mode_act(int argc, char **argv)
{
    static struct actor actors[THREADS];
    uint64_t seed = strtoull(argv[1], NULL, 10);
    for (uint32_t i = 0; i < 4; i++) {
        handle_t copy;
        /* An end of the ring, or an event, which has fewer rights. */
        const uint32_t rights = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_WRITE |
                                SK_RIGHT_WAIT;
        handle_t given = sk_boot_handle("given");
        if (sk_handle_duplicate(given, rights | SK_RIGHT_READ, &copy) == SK_OK ||
            sk_handle_duplicate(given, rights, &copy) == SK_OK) {
            atomic_store(&slots[i], copy);
        }
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        actors[i].state = seed * 31 + i;
        if (i > 0) {
            must(sk_thread_start(&actors[i].thread, act, &actors[i], 0, SK_PRIORITY_DEFAULT));
        }
    }
    act(&actors[0]);
    return 0;
}

static uint64_t seed = 1;

static struct sk_child start_actor(handle_t job, handle_t given, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)(seed * 1000 + number));
    return self_spawn(job, "act", text, given);
}

/* Ends by the kill, or by a fault that it brought upon itself; never by the check in ok(). */
static void end_actor(struct sk_child *child)
{
    sk_process_kill(child->process, 9);
    struct sk_process_info info = test_child_end(child);
    if (!test_check(info.exit_reason == SK_EXIT_KILLED ||
                    info.exit_reason == SK_EXIT_OVER_BUDGET)) {
        printf("# reason %u, code %lld\n", (unsigned)info.exit_reason, (long long)info.exit_code);
    }
}

/* Channels in a ring: each process gets one end of its own and, as the first message on it, a handle
 * to the far end of the next one's. */
static void make_ring(handle_t near[PROCESSES])
{
    handle_t far[PROCESSES];
    for (uint32_t i = 0; i < PROCESSES; i++) {
        handle_t ends[2];
        make_channel(ends);
        near[i] = ends[0];
        far[i] = ends[1];
    }
    for (uint32_t i = 0; i < PROCESSES; i++) {
        handle_t next = far[(i + 1) % PROCESSES], copy = duplicate(next, rights_of(next));
        struct sk_out out = {.handles = &copy, .handle_count = 1};
        must(sk_channel_send(far[i], &out));
    }
    close_all(far, PROCESSES);
}

static void one_round(uint64_t round)
{
    struct sk_child children[PROCESSES];
    handle_t near[PROCESSES], jobs[PROCESSES];
    uint32_t victim = (uint32_t)(round % PROCESSES);
    make_ring(near);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        jobs[i] = test_job_with((struct sk_budget){
            .pages = 1500, .objects = 1000, .handles = 1000, .messages = 300, .threads = 60});
        children[i] = start_actor(jobs[i], near[i], round * 10 + i);
    }
    sk_sleep(ROUND_TIME);
    end_actor(&children[victim]);
    children[victim] = start_actor(jobs[victim], make_event(), round * 10 + 9);
    sk_sleep(ROUND_TIME / 2);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        end_actor(&children[i]);
    }
    for (uint32_t i = 0; i < PROCESSES; i++) {
        test_job_end(jobs[i]);
    }
}

static void processes_do_random_things(void)
{
    for (uint64_t round = 0; round < ROUNDS; round++) {
        one_round(round);
    }
}

int main(int argc, char **argv)
{
    static const struct self_mode modes[] = {{"act", mode_act}};
    int code = self_run_mode(modes, COUNT(modes), argc, argv);
    if (code >= 0) {
        return code;
    }
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 10);
    }
    printf("# seed %llu\n", (unsigned long long)seed);
    self_begin();
    self_case("stress: processes do random things and are killed", processes_do_random_things);
    return test_done();
}
