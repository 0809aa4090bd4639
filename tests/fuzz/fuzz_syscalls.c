/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sequences of system calls on handles, channels, calls, events and wait sets, by three threads of two processes,
 * against a model (syscalls.h): each status, each message, its sender and its handles, who is woken and who must not
 * be; at the end nothing is left. The input is the sequence: four bytes for each call.
 */
#include "syscalls.h"

#include <string.h>

#define STEPS 120

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void step(const uint8_t bytes[4])
{
    struct mthread *t = &m.threads[bytes[0] / 16 % THREADS];
    if (t->waits || t->calls) {
        return;
    }
    uint8_t call = bytes[0] % 16;
    enum kind kinds[2] = {END, bytes[2] % 4 < 2 ? END : EVENT};
    kinds[0] = call == 11 || call == 12 || call == 15 ? SET : call == 13 ? EVENT : END;
    kinds[0] = call == 2 || call == 3 ? (enum kind)(bytes[3] % 3) : kinds[0];
    struct mhandle *a = handle_at(t->process, bytes[1], kinds[0]);
    struct mhandle *b = handle_at(t->process, bytes[2], kinds[1]);
    struct mhandle *c = handle_at(t->process, bytes[3], (enum kind)(bytes[3] % 3));
    struct mhandle *const pair[2] = {b, c};
    ipc_slow = bytes[0] >= 128;
    switch (call) {
    case 0:
        do_create(t, END);
        break;
    case 1:
        do_create(t, bytes[1] % 2 == 0 ? EVENT : SET);
        break;
    case 2:
        do_close(t, a);
        break;
    case 3:
        do_duplicate(t, a, bytes[2]);
        break;
    case 4:
        do_send(t, a, pair, 0);
        break;
    case 5:
        do_send(t, a, pair, 1);
        break;
    case 6:
        do_send(t, a, pair, 2);
        break;
    case 7:
        do_receive(t, a, true);
        break;
    case 8:
        do_receive(t, a, false);
        break;
    case 9:
        do_call(t, a, bytes[2] == 0);
        break;
    case 10:
        do_reply(t, bytes[1], bytes[2] % 8 != 0);
        break;
    case 11:
        do_add(t, a, b);
        break;
    case 12:
        do_remove(t, a, b);
        break;
    case 13:
        do_signal(t, a);
        break;
    case 14:
        do_receive(t, a, true);
        break;
    default:
        do_receive(t, a, bytes[2] % 4 != 0);
        break;
    }
    check_threads();
}

/* Two processes, each of a job of its own. */
static void begin(void)
{
    memset(&m, 0, sizeof m);
    m.next_id = 1;
    for (uint32_t p = 0; p < 2; p++) {
        m.users[p] = user_start(SK_PRIORITY_DEFAULT);
        m.pages[p] = map_pages(m.users[p].thread, 1, SK_PROT_READ | SK_PROT_WRITE, NULL);
        for (uint32_t i = 0; i < HANDLES; i++) {
            m.tables[p][i].object = -1;
        }
        for (uint32_t i = 0; i < TOKENS; i++) {
            m.tokens[p][i].caller = -1;
        }
    }
    m.threads[0] = (struct mthread){.thread = m.users[0].thread, .process = 0};
    m.threads[1] = (struct mthread){.thread = m.users[1].thread, .process = 1};
    m.threads[2] = (struct mthread){.thread = user_thread(&m.users[1], SK_PRIORITY_DEFAULT),
                                    .process = 1};
    /* One channel between the two to begin with. */
    do_create(&m.threads[0], END);
    struct mhandle *end = &m.tables[0][1];
    handle_new(1, give(m.users[0].thread, end->value, m.users[1].thread), end->object, end->rights);
    end->object = -1;
}

static void end(void)
{
    user_stop(&m.users[0]);
    user_stop(&m.users[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kernel_start(1);
    settle();
    struct census before = census_take(NULL);
    begin();
    for (size_t at = 0; at + 4 <= size && at < 4 * STEPS; at += 4) {
        step(&data[at]);
    }
    end();
    settle();
    struct census after = census_take(NULL);
    census_assert_equal(&before, &after, "at the end");
    return 0;
}
