/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short way and the long way of a call are one system call: random scripts are run through both, and
 * after every step all result registers of all threads are the same.
 */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define CLIENTS 3u
#define SERVERS 2u
#define THREADS (CLIENTS + SERVERS)
#define STEPS 400u
#define SCRIPTS 200u
#define TRACE (STEPS * (THREADS * 12u + 8u) + 4096u)
#define TOKENS 4096u
#define HANDLES 256u /* that the clients may give away */
#define PAGES 5u /* of a buffer: to send, to receive, two of arrays of handles, one not there yet */

struct world {
    struct user client, server;
    struct thread *thread[THREADS]; /* clients first */
    handle_t client_end[2], server_end[2], waitset;
    uint64_t first_id[2];   /* of the channels' server ends: keys relative to it are comparable */
    token_t owed[SERVERS];  /* the token that a server thread has to answer */
    token_t tokens[TOKENS]; /* in the order they were first seen */
    uint32_t token_count;
    vaddr_t buffer[2]; /* of client and server */
    uint32_t given;    /* handles that the clients have tried to give */
};

static uint64_t traces[2][TRACE];
static uint32_t trace_length[2];
static uint64_t random_state;

static uint32_t draw(uint32_t limit)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 33) % limit;
}

static uint64_t token_name(struct world *world, token_t token)
{
    if (token == SK_TOKEN_NONE) {
        return 0;
    }
    for (uint32_t i = 0; i < world->token_count; i++) {
        if (world->tokens[i] == token) {
            return i + 1;
        }
    }
    assert_true(world->token_count < TOKENS);
    world->tokens[world->token_count++] = token;
    return world->token_count;
}

static void trace(uint32_t way, uint64_t value)
{
    assert_true(trace_length[way] < TRACE);
    traces[way][trace_length[way]++] = value;
}

/* A number for all rights that a process holds, by handle. */
static uint64_t rights_of(const struct process *process)
{
    uint64_t sum = 0;
    for (uint32_t page = 0; page < process->handles.page_count; page++) {
        for (uint32_t i = 0; i < HANDLES_PER_PAGE; i++) {
            const struct handle_entry *entry = &process->handles.pages[page][i];
            bool used = (entry->rights & ENTRY_FREE) == 0;
            sum += used ? (uint64_t)entry->name * 31 + entry->rights : 0;
        }
    }
    return sum;
}

/* What every thread would see now. */
static void record(struct world *world, uint32_t way)
{
    trace(way, world->client.process->handles.used);
    trace(way, world->server.process->handles.used);
    trace(way, world->server.job->used[BUDGET_HANDLES]);
    trace(way, rights_of(world->client.process));
    trace(way, rights_of(world->server.process));
    for (uint32_t i = 0; i < THREADS; i++) {
        const struct thread *thread = world->thread[i];
        const struct arch_frame *frame = &thread->frame;
        trace(way, is_blocked(thread));
        if (is_blocked(thread)) {
            continue;
        }
        for (uint32_t reg = 0; reg < 6; reg++) {
            trace(way, frame->arg[reg]);
        }
        trace(way, token_name(world, frame->arg[6]));
        uint64_t key = frame->extra[0];
        trace(way, key >= world->first_id[0] ? key - world->first_id[0] : key);
        trace(way, frame->extra[1]);
    }
}

static void world_begin(struct world *world, bool with_waitset)
{
    *world = (struct world){.client = user_start(16), .server = user_start(16)};
    world->thread[0] = world->client.thread;
    world->thread[CLIENTS] = world->server.thread;
    for (uint32_t i = 1; i < CLIENTS; i++) {
        world->thread[i] = user_thread(&world->client, 16);
    }
    for (uint32_t i = 1; i < SERVERS; i++) {
        world->thread[CLIENTS + i] = user_thread(&world->server, 16);
    }
    struct thread *client = world->client.thread, *server = world->server.thread;
    for (uint32_t i = 0; i < 2; i++) {
        handle_t end;
        channel_make(client, &world->client_end[i], &end);
        assert_int_equal(syscall_as(client, SK_SYS_handle_info, end), SK_OK);
        world->first_id[i] = value_of(client, 1);
        world->server_end[i] = give(client, end, server);
    }
    if (with_waitset) {
        assert_int_equal(syscall_as(server, SK_SYS_waitset_create, world->server.job_handle),
                         SK_OK);
        world->waitset = (handle_t)value_of(server, 0);
        for (uint32_t i = 0; i < 2; i++) {
            assert_int_equal(syscall_as(server, SK_SYS_waitset_add, world->waitset,
                                        world->server_end[i], SK_SIGNAL_READABLE, 7 + i),
                             SK_OK);
        }
    }
    world->buffer[0] = map_pages(client, PAGES, SK_PROT_READ | SK_PROT_WRITE, NULL);
    world->buffer[1] = map_pages(server, PAGES, SK_PROT_READ | SK_PROT_WRITE, NULL);
    handle_t events[HANDLES];
    for (uint32_t i = 0; i < HANDLES; i++) {
        assert_int_equal(syscall_as(client, SK_SYS_event_create, world->client.job_handle), SK_OK);
        events[i] = (handle_t)value_of(client, 0);
    }
    assert_true(user_write(client, world->buffer[0] + 2 * PAGE_SIZE, events, sizeof events));
    for (uint32_t i = 0; i < THREADS; i++) {
        run(world->thread[i]);
        memset(world->thread[i]->frame.arg, 0, sizeof world->thread[i]->frame.arg);
        memset(world->thread[i]->frame.extra, 0, sizeof world->thread[i]->frame.extra);
    }
}

/* The patient may wait for ever. */
static uint64_t draw_deadline(bool patient)
{
    uint32_t kind = draw(10);
    if (kind == 0) {
        return SK_DEADLINE_POLL;
    }
    uint64_t soon_ns = clock_now_ns() + 1 + draw(40000000);
    return kind < 4 || !patient ? soon_ns : SK_DEADLINE_NEVER;
}

/* Mostly good; else in the middle of two pages, not there, not the user's. */
static vaddr_t draw_place(vaddr_t good)
{
    static const vaddr_t bad[] = {0, 0x1000, 0x4000000000ull - 8, ~(vaddr_t)7,
                                  0xffffffc000000000ull};
    uint32_t kind = draw(24);
    if (kind < sizeof bad / sizeof bad[0]) {
        return bad[kind];
    }
    return kind == 10 ? good + PAGE_SIZE - 40 : kind == 11 ? good + 1 : good;
}

static struct ipc draw_message(struct world *world, bool is_client, bool patient)
{
    vaddr_t buffer = world->buffer[is_client ? 0 : 1];
    /* The server sends on what it has received; the clients what they have, each handle once. */
    vaddr_t arrays = buffer + 2 * PAGE_SIZE;
    vaddr_t out_handles = is_client ? arrays + world->given % HANDLES * sizeof(handle_t)
                                    : arrays + PAGE_SIZE;
    struct ipc ipc = {.out_buffer = draw_place(buffer),
                      .in_buffer = draw_place(buffer + PAGE_SIZE),
                      .out_handles = draw_place(out_handles),
                      .in_handles = draw_place(arrays + PAGE_SIZE),
                      .in_room = draw(4) == 0 ? SK_ROOM(40, 0) : SK_ROOM(4096, 8),
                      .deadline = draw_deadline(patient)};
    uint32_t handles = draw(8) == 0 ? 1 + draw(3) : 0, length = draw(33);
    if (draw(6) == 0) {
        length = draw(3) == 0 ? 40 + 8 * draw(508) : 33 + draw(100);
    }
    ipc.info = SK_INFO(length, handles);
    world->given += is_client ? handles : 0;
    for (uint32_t i = 0; i < 4; i++) {
        ipc.words[i] = draw(1u << 30);
    }
    return ipc;
}

static void client_step(struct world *world, struct thread *thread)
{
    struct ipc ipc = draw_message(world, true, thread != world->thread[0]);
    ipc.handle = world->client_end[draw(2)];
    ipc.handle = draw(30) == 0 ? ipc.handle + 0x10000 : ipc.handle; /* stale, sometimes */
    ipc_as(thread, draw(8) == 0 ? SK_SYS_channel_send : SK_SYS_channel_call, &ipc);
}

static void server_step(struct world *world, uint32_t index)
{
    struct thread *thread = world->thread[CLIENTS + index];
    struct ipc ipc = draw_message(world, false, index != 0);
    uint32_t which = draw(2);
    ipc.handle = world->waitset != 0 && draw(4) != 0 ? world->waitset : world->server_end[which];
    uint32_t action = draw(8);
    if (frame_number(&thread->frame) != 0 && thread->frame.arg[6] != 0 &&
        status_of(thread) == SK_OK) {
        world->owed[index] = thread->frame.arg[6];
    }
    ipc.token = draw(10) == 0 ? SK_TOKEN_NONE : world->owed[index];
    if (action == 0) {
        ipc_as(thread, SK_SYS_channel_receive, &ipc);
    } else if (action == 1) {
        ipc_as(thread, SK_SYS_channel_reply, &ipc);
    } else {
        ipc_as(thread, SK_SYS_channel_reply_receive, &ipc);
    }
}

static void script(uint32_t way, uint64_t seed)
{
    struct world world;
    random_state = seed;
    host_clock_set(seed * 1000000000000ull + way * 100000000000ull);
    trace_length[way] = 0;
    ipc_slow = false;
    world_begin(&world, seed % 2);
    uint64_t began = clock_now_ns();
    for (uint32_t step = 0; step < STEPS; step++) {
        if (draw(6) == 0) {
            on_hart(draw(2));
        }
        uint32_t who = draw(THREADS);
        for (uint32_t i = 0; i < THREADS && is_blocked(world.thread[who]); i++) {
            who = (who + 1) % THREADS;
        }
        if (draw(8) == 0 || is_blocked(world.thread[who])) {
            advance_to(clock_now_ns() + draw(20000000));
        }
        bool kicked = draw(5) == 0;
        if (!is_blocked(world.thread[who])) {
            run(world.thread[who]);
            ipc_slow = way == 1;
            if (way == 0 && kicked) {
                sched_attention(); /* the short way is refused, at its beginning */
            }
            if (who < CLIENTS) {
                client_step(&world, world.thread[who]);
            } else {
                server_step(&world, who - CLIENTS);
            }
            ipc_slow = false;
        }
        trace(way, clock_now_ns() - began);
        record(&world, way);
    }
    on_hart(0);
    user_stop(&world.server); /* all calls end */
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_false(is_blocked(world.thread[i]));
        trace(way, (uint64_t)status_of(world.thread[i]));
        trace(way, world.thread[i]->frame.arg[1]);
    }
    user_stop(&world.client);
}

/* The short way does not count as a system call: so this tells how often it was gone. */
static uint64_t long_calls(void)
{
    return harts[0].system_calls + harts[1].system_calls;
}

static void test_both_ways_are_one(void **state)
{
    uint64_t calls[2] = {0, 0};
    for (uint64_t seed = 1; seed <= SCRIPTS; seed++) {
        uint64_t begun = long_calls();
        script(0, seed);
        uint64_t between = long_calls();
        script(1, seed);
        calls[0] += between - begun;
        calls[1] += long_calls() - between;
        assert_int_equal(trace_length[0], trace_length[1]);
        for (uint32_t i = 0; i < trace_length[0]; i++) {
            if (traces[0][i] != traces[1][i]) {
                print_error("script %lu, entry %u of %u: %lx by the short way, %lx by the long\n",
                            seed, i, trace_length[0], traces[0][i], traces[1][i]);
            }
            assert_int_equal(traces[0][i], traces[1][i]);
        }
    }
    print_message("# %lu system calls, %lu of them by the short way\n", calls[1],
                  calls[1] - calls[0]);
    assert_true(calls[1] - calls[0] > SCRIPTS * STEPS / 60);
}

int main(void)
{
    kernel_start(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_ways_are_one, census_setup, census_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
