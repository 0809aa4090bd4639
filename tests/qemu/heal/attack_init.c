/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nothing that a process can send ends init, stops it or makes it lose something: random messages to
 * every operation, with handles of every kind, as calls and as messages; floods; clients that do not
 * wait for their answers.
 */
#include <string.h>

#include <guest_test.h>
#include <sk/ipc.h>
#include <sk/protocol/init.h>

#include "heal_test.h"

#define SEED UINT64_C(0x5ca1ab1e)
#define MESSAGES 8000

/* What must not be asked by chance: it would end the system or its parts, as the grants allow. */
static bool is_spared(uint64_t operation)
{
    return operation == SK_INIT_POWER || operation == SK_INIT_KILL || operation == SK_INIT_READY;
}

static uint64_t state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static bool init_answers(void)
{
    handle_t endpoint;
    uint64_t deadline = test_deadline();
    status_t status;
    /* BUSY: the service has yet to take what was left in its queue. */
    while ((status = sk_connect("steady", deadline, &endpoint)) == SK_BUSY && sk_now() < deadline) {
        sk_sleep(SK_MS);
    }
    if (status == SK_OK) {
        sk_handle_close(endpoint);
    }
    return status == SK_OK;
}

/* One handle of a random kind, owned by the caller. */
static handle_t any_handle(void)
{
    handle_t handle = SK_HANDLE_NONE, other = SK_HANDLE_NONE;
    switch (next_random() % 6) {
    case 0:
        sk_event_create(sk_self_job, &handle);
        break;
    case 1:
        sk_channel_create(sk_self_job, &handle, &other);
        sk_handle_close(other);
        break;
    case 2:
        sk_memory_create(sk_self_job, SK_PAGE_SIZE, 0, &handle);
        break;
    case 3:
        sk_handle_duplicate(sk_self_job, SK_RIGHT_TRANSFER, &handle);
        break;
    case 4:
        sk_waitset_create(sk_self_job, &handle);
        break;
    default:
        sk_handle_duplicate(sk_self_process, SK_RIGHT_TRANSFER, &handle);
        break;
    }
    return handle;
}

/* A name that init may know, or noise. */
static void put_name(char *to)
{
    static const char *const names[] = {"steady",  "hopeless", "mortal", "own1", "own2",
                                        "console", "devmgr",   "",       "init", "test-supervise"};
    memset(to, (int)next_random(), SK_INIT_NAME_MAX);
    if (next_random() % 4 != 0) {
        strcpy(to, names[next_random() % (sizeof names / sizeof names[0])]);
    }
}

static void random_message(void)
{
    static uint64_t words[SK_MESSAGE_BYTES_MAX / 8], answer[SK_MESSAGE_BYTES_MAX / 8];
    handle_t handles[SK_MESSAGE_HANDLES_MAX], back[SK_MESSAGE_HANDLES_MAX];
    size_t length = next_random() % 8 != 0 ? next_random() % 80 : next_random() % sizeof words;
    size_t count = next_random() % 4 == 0 ? next_random() % (SK_MESSAGE_HANDLES_MAX + 1) : 0;
    for (size_t i = 0; i < 12; i++) {
        words[i] = next_random();
    }
    do {
        words[0] = next_random() % 12;
    } while (is_spared(words[0]));
    if (next_random() % 2 == 0) {
        put_name((char *)&words[words[0] == SK_INIT_CONNECT ? 2 : 1]);
    }
    if (words[0] == SK_INIT_CONNECT) {
        words[1] = next_random() % 2 == 0 ? 0 : sk_now() + next_random() % SK_MS;
    }
    for (size_t i = 0; i < count; i++) {
        handles[i] = any_handle();
    }
    struct sk_out out = {words, length, handles, count};
    struct sk_in in = {answer, sizeof answer, back, SK_MESSAGE_HANDLES_MAX};
    status_t status;
    if (next_random() % 3 == 0) {
        status = sk_channel_send(sk_boot_endpoint, &out);
    } else {
        status = sk_channel_call(sk_boot_endpoint, &out, &in, sk_now() + next_random() % SK_MS);
        for (size_t i = 0; status == SK_OK && i < in.handle_count; i++) {
            sk_handle_close(back[i]);
        }
    }
    if (status != SK_OK && !in.delivered) {
        for (size_t i = 0; i < count; i++) {
            sk_handle_close(handles[i]);
        }
    }
}

static void random_messages(void)
{
    state = SEED;
    for (int i = 0; i < MESSAGES; i++) {
        random_message();
        if (i % 1000 == 0) {
            test_check(init_answers());
        }
    }
    test_check(init_answers());
}

static void floods(void)
{
    uint64_t words[8] = {SK_INIT_COMPLAIN};
    strcpy((char *)&words[1], "steady");
    struct sk_out out = sk_out_bytes(words, sizeof words);
    for (int i = 0; i < 20000; i++) {
        sk_channel_send(sk_boot_endpoint, &out);
    }
    test_check(init_answers());
}

/* Connects whose client has gone before the answer: what init made for them goes as well. */
static void hasty_clients(void)
{
    struct sk_init_connect request = {SK_INIT_CONNECT, SK_DEADLINE_NEVER, "steady"};
    struct sk_init_status answer;
    handle_t endpoint;
    for (int i = 0; i < 5000; i++) {
        struct sk_out out = sk_out_bytes(&request, sizeof request);
        struct sk_in in = {&answer, sizeof answer, &endpoint, 1};
        if (sk_channel_call(sk_boot_endpoint, &out, &in, sk_now() + next_random() % (50 * SK_US)) ==
                SK_OK &&
            in.handle_count == 1) {
            sk_handle_close(endpoint);
        }
    }
    test_check(init_answers());
}

/* More ways to init than it gives, all of which ask at once and go. */
static void many_delegates(void)
{
    handle_t ways[100];
    unsigned count = 0;
    while (count < 100 && sk_delegate("child", sk_self_job, &ways[count]) == SK_OK) {
        count++;
    }
    test_check(count > 10 && count < 100);
    for (unsigned i = 0; i < count; i++) {
        struct sk_init_connect request = {SK_INIT_CONNECT, SK_DEADLINE_NEVER, "own3"};
        struct sk_out out = sk_out_bytes(&request, sizeof request);
        for (int j = 0; j < 70; j++) {
            sk_channel_send(ways[i], &out);
        }
    }
    test_check(init_answers());
    for (unsigned i = 0; i < count; i++) {
        sk_handle_close(ways[i]);
    }
    test_check(init_answers());
}

void attack_init(void)
{
    state = SEED;
    test_case("init: 8,000 random messages", random_messages);
    test_case("init: a flood of complaints", floods);
    test_case("init: 5,000 clients that do not wait", hasty_clients);
    test_case("init: more delegates than it allows", many_delegates);
}
