/* SPDX-License-Identifier: BSD-2-Clause */
/* See messages.h. One service per program; it lives through all inputs, as it does in the system. */
#include "messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sk/protocol/init.h>
#include <sk/service.h>

#define CLIENTS_MAX 6u
#define CONNECTED_MAX 8u
#define STEPS_MAX 64u
#define FAILURES_MAX 3u /* of allocations, in one input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *input;
static size_t input_left;

static struct held clients[CLIENTS_MAX];
static struct held control; /* outside's end */
static uint64_t sequence;

static struct {
    char name[SK_INIT_NAME_MAX];
    struct held end;
} connections[CONNECTED_MAX];

uint8_t input_byte(void)
{
    if (input_left == 0) {
        return 0;
    }
    input_left--;
    return *input++;
}

uint64_t input_word(void)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     8,
                                     0x7f,
                                     0xff,
                                     4096,
                                     0xffff,
                                     0x10000,
                                     0x7fffffff,
                                     0xffffffff,
                                     0x100000000,
                                     INT64_MAX,
                                     UINT64_MAX,
                                     UINT64_MAX - 1,
                                     SK_DEADLINE_NEVER,
                                     (uint64_t)INT64_MIN};
    uint8_t byte = input_byte();
    if (byte % 2 == 0) {
        return byte / 2;
    }
    return byte % 4 == 1 ? edges[byte / 4 % (sizeof edges / sizeof edges[0])]
                         : (uint64_t)input_byte() << 8 | input_byte();
}

void input_fill(void *buffer, size_t size)
{
    uint8_t *bytes = buffer;
    for (size_t i = 0; i < size && input_left != 0; i++) {
        bytes[i] = input_byte();
    }
}

static size_t append(uint8_t *bytes, size_t capacity, size_t at, const void *from, size_t length)
{
    length = length < capacity - at ? length : capacity - at;
    memcpy(bytes + at, from, length);
    return at + length;
}

static const char *input_name(void)
{
    uint32_t count = 0;
    while (target.words != NULL && target.words[count] != NULL) {
        count++;
    }
    return count != 0 ? target.words[input_byte() % count] : "";
}

/* One field, by its letter in target.shapes. */
static size_t input_field(uint8_t *bytes, size_t capacity, size_t at, char letter,
                          uint64_t operation)
{
    uint8_t field[FIELD_MAX] = {0};
    uint64_t word = letter == '0' ? 0 : letter == 'w' || letter == 'i' ? input_word() : 0;
    size_t length = letter == 'i' ? sizeof(uint32_t) : sizeof word;
    const char *name;
    memcpy(field, &word, sizeof word);
    switch (letter) {
    case 'n':
        name = input_name();
        length = SK_INIT_NAME_MAX;
        memcpy(field, name, strnlen(name, length));
        break;
    case 's':
        name = input_name();
        length = strlen(name);
        memcpy(field, name, length);
        break;
    case 'b':
        length = input_byte() % 32;
        input_fill(field, length);
        break;
    case 'f':
        length = input_byte();
        memset(field, input_byte(), length);
        break;
    case 'x':
        length = target.field(field, operation);
        break;
    default:
        break;
    }
    return append(bytes, capacity, at, field, length);
}

size_t input_message(uint8_t *bytes, size_t capacity, uint64_t operation)
{
    static const char letters[] = "wwwwwwiinnssbbff";
    uint64_t word = operation != 0 ? operation : input_word();
    size_t at = append(bytes, capacity, 0, &word, sizeof word);
    uint8_t how = input_byte();
    if (target.shapes != NULL && operation - 1 < target.operations && how % 4 != 0) {
        for (const char *shape = target.shapes[operation - 1]; *shape != '\0'; shape++) {
            at = input_field(bytes, capacity, at, *shape, operation);
        }
        how = how % 4 == 1 ? how : 0; /* and perhaps more, or less, than it should be */
    }
    for (uint32_t more = how / 16u; more > 0; more--) {
        at = input_field(bytes, capacity, at, letters[input_byte() % 16u], operation);
    }
    size_t cut = how % 16 == 9 ? input_byte() % 32u : 0;
    return cut < at ? at - cut : 0;
}

static size_t input_handles(struct held *handles)
{
    static const enum sk_type types[] = {SK_TYPE_ENDPOINT, SK_TYPE_EVENT,  SK_TYPE_MEMORY,
                                         SK_TYPE_JOB,      SK_TYPE_EVENT,  SK_TYPE_PROCESS,
                                         SK_TYPE_TIMER,    SK_TYPE_WAITSET};
    static const uint32_t rights[] = {DOUBLE_ALL_RIGHTS, DOUBLE_ALL_RIGHTS, DOUBLE_ALL_RIGHTS,
                                      SK_RIGHT_TRANSFER};
    uint8_t byte = input_byte();
    size_t count = byte % 8 < 4 ? 0 : byte % 8 == 7 ? byte / 32 + 1u : byte % 8 - 3u;
    for (size_t i = 0; i < count; i++) {
        uint8_t kind = input_byte();
        enum sk_type type = types[kind % 8];
        struct held ends[2] = {{NULL, 0}, {NULL, 0}};
        if (type == SK_TYPE_ENDPOINT) {
            channel_make(ends);
            held_drop(&ends[1]); /* its peer has gone already */
        } else {
            ends[0] = type == SK_TYPE_MEMORY ? memory_make(NULL, SK_PAGE_SIZE) : object_make(type);
        }
        handles[i] = (struct held){ends[0].object, ends[0].rights & rights[kind / 8 % 4]};
    }
    return count;
}

/* --- What the service asks of others --- */

struct object *connected(const char *service)
{
    for (uint32_t i = 0; i < CONNECTED_MAX; i++) {
        if (strcmp(connections[i].name, service) == 0) {
            return connections[i].end.object;
        }
    }
    return NULL;
}

void disconnect(const char *service)
{
    for (uint32_t i = 0; i < CONNECTED_MAX; i++) {
        if (strcmp(connections[i].name, service) == 0) {
            held_drop(&connections[i].end);
        }
    }
}

static status_t connection_keep(const char *name, struct held end)
{
    uint32_t i = 0;
    while (i < CONNECTED_MAX && connections[i].end.object != NULL &&
           connections[i].end.object->peer != NULL && strcmp(connections[i].name, name) != 0) {
        i++;
    }
    if (i == CONNECTED_MAX) {
        return SK_BUSY;
    }
    held_drop(&connections[i].end);
    snprintf(connections[i].name, sizeof connections[i].name, "%s", name);
    connections[i].end = end;
    return SK_OK;
}

/* Init: gives a connection to whatever target.words knows, takes what it is given, says OK. */
static status_t init_answer(const struct sk_out *out, struct sk_in *in)
{
    const struct sk_init_connect *request = out->bytes;
    int64_t status = SK_OK;
    if (request->operation == SK_INIT_CONNECT) {
        struct held ends[2];
        channel_make(ends);
        status = connection_keep(request->name, ends[1]);
        if (status == SK_OK) {
            in->handles[in->handle_count++] = double_give(ends[0]);
        } else {
            held_drop(&ends[0]);
            held_drop(&ends[1]);
        }
    } else if (request->operation == SK_INIT_SERVICES) {
        memset(in->bytes, 0, in->capacity);
        input_fill((uint8_t *)in->bytes + sizeof status, in->capacity - sizeof status);
        in->length = in->capacity;
        return SK_OK;
    }
    memcpy(in->bytes, &status, sizeof status);
    in->length = sizeof status;
    return SK_OK;
}

status_t input_answer(struct object *endpoint, const struct sk_out *out, struct sk_in *in)
{
    if (endpoint == double_boot) {
        return init_answer(out, in);
    }
    uint8_t kind = input_byte();
    if (kind % 8 == 1) {
        return SK_TIMED_OUT;
    }
    memset(in->bytes, 0, in->capacity < 8 ? in->capacity : 8);
    in->length = kind % 2 == 0 ? in->capacity : input_word() % (in->capacity + 1);
    if (in->length > 8) {
        memset((uint8_t *)in->bytes + 8, 0, in->length - 8);
        input_fill((uint8_t *)in->bytes + 8, kind % 8 == 2 ? in->length - 8 : 8);
    }
    return SK_OK;
}

/* --- Clients --- */

struct held connect_by_control(uint8_t how)
{
    struct held ends[2];
    channel_make(ends);
    struct sk_init_new_client message = {.operation = SK_INIT_NEW_CLIENT,
                                         .sequence = ++sequence,
                                         .client_id = 10 + how % 3u,
                                         .grants = how / 4u,
                                         .client_name = "client"};
    outside_send(control.object, &message, sizeof message, &ends[1], 1);
    return ends[0];
}

static void client_connect(struct held *client, uint8_t how)
{
    *client = target.connect != NULL ? target.connect(how) : connect_by_control(how);
}

static void client_leave(struct held *client)
{
    held_drop(client);
}

/* What the inputs were worth: for each operation, how often it was answered, and with OK. */
static struct {
    uint64_t all, good;
} answers[64];

static void tell_answers(void)
{
    printf("# calls of each operation answered, and with OK:");
    for (uint64_t i = 1; i <= target.operations; i++) {
        printf(" %llu/%llu", (unsigned long long)answers[i].all,
               (unsigned long long)answers[i].good);
    }
    printf("\n");
}

static void count_answer(const struct call *call)
{
    if (call->state == CALL_ANSWERED && call->operation < 64) {
        answers[call->operation].all++;
        answers[call->operation].good += call->status == SK_OK;
    }
}

/* Answers are looked at, and what they gave is given back. */
static void forget_answered(void)
{
    for (struct call *call = double_calls, *next; call != NULL; call = next) {
        next = call->next;
        count_answer(call);
        if (call->state == CALL_ANSWERED && target.answered != NULL) {
            target.answered(call);
        }
        if (call->state == CALL_ANSWERED || call->state == CALL_ABANDONED) {
            call_forget(call);
        }
    }
}

/* The service has come to rest: who waits does so because the operation may. */
static void check_waiting(void)
{
    for (struct call *call = double_calls; call != NULL; call = call->next) {
        if (call->state != CALL_QUEUED && call->state != CALL_RECEIVED) {
            continue;
        }
        bool dropped = call->endpoint->peer == NULL;
        bool may_wait = call->operation < 64 && (target.waits >> call->operation & 1) != 0;
        if (call->state == CALL_QUEUED || dropped || !may_wait) {
            double_broke("a call of operation %llu is not %s%s",
                         (unsigned long long)call->operation,
                         call->state == CALL_QUEUED ? "received" : "answered",
                         dropped ? ", and its client was dropped" : "");
        }
    }
}

static void come_to_rest(void)
{
    double_run();
    check_waiting();
    forget_answered();
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        while (clients[i].object != NULL && outside_discard(clients[i].object)) {
        }
    }
    while (outside_discard(control.object)) {
    }
}

bool ask(const void *bytes, size_t length)
{
    struct held client;
    client_connect(&client, 3);
    struct call *call = outside_call(client.object, bytes, length, NULL, 0);
    double_run();
    bool good = call->state == CALL_ANSWERED && call->status == SK_OK;
    client_leave(&client);
    come_to_rest();
    return good;
}

static void send_message(void)
{
    static uint8_t bytes[SK_MESSAGE_BYTES_MAX];
    struct held handles[SK_MESSAGE_HANDLES_MAX];
    uint8_t how = input_byte();
    struct held *client = &clients[how % CLIENTS_MAX];
    uint64_t operation = input_byte() % (target.operations + 2);
    size_t length = input_message(bytes, sizeof bytes, operation);
    if (client->object == NULL || client->object->peer == NULL) {
        client_leave(client);
        client_connect(client, how);
    }
    if (client->object == NULL) {
        return; /* there is nobody who could */
    }
    size_t count = input_handles(handles);
    if (how >= 64) {
        outside_call(client->object, bytes, length, handles, count);
    } else {
        outside_send(client->object, bytes, length, handles, count);
    }
}

static void give_up_a_call(void)
{
    uint32_t skip = input_byte() % 8;
    for (struct call *call = double_calls; call != NULL; call = call->next) {
        if (skip-- == 0) {
            call_abandon(call);
            return;
        }
    }
}

/* Init asks whether the service's loop turns, or says who else's does not. */
static void ping(void)
{
    if (sequence % 4 == 3) {
        struct sk_init_name stuck = {SK_INIT_STUCK, "nic0"};
        outside_send(control.object, &stuck, sizeof stuck, NULL, 0);
    }
    struct sk_init_ping message = {SK_INIT_PING, ++sequence};
    outside_send(control.object, &message, sizeof message, NULL, 0);
}

static uint32_t failures; /* of this input */

static void step(void)
{
    uint8_t kind = input_byte();
    switch (kind % 16) {
    case 0:
        client_leave(&clients[input_byte() % CLIENTS_MAX]);
        break;
    case 1:
        give_up_a_call();
        break;
    case 2:
        double_advance(1ull << input_byte() % 40, true);
        break;
    case 3:
        double_fail_in(failures++ < FAILURES_MAX ? 1 + input_byte() % 16u : 0);
        break;
    case 4:
    case 5:
    case 6:
        if (target.special != NULL) {
            target.special();
        }
        break;
    case 7:
        ping();
        break;
    default:
        send_message();
        break;
    }
    if (kind >= 64) {
        come_to_rest();
    }
}

static void end(void)
{
    double_fail_in(0);
    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        client_leave(&clients[i]);
    }
    come_to_rest();
    if (target.rest != NULL) {
        target.rest();
        come_to_rest();
    }
}

static void start(void)
{
    struct held ends[2];
    static char name[8 + SK_INIT_NAME_MAX];
    double_answer = input_answer;
    double_fill = input_fill;
    channel_make(ends);
    control = ends[0];
    snprintf(name, sizeof name, target.service[0] != '\0' ? "control:%s" : "control%s",
             target.service);
    double_boot_handle(name, ends[1]);
    if (target.prepare != NULL) {
        target.prepare();
    }
    double_start(target.run);
    if (target.settle != NULL) {
        target.settle();
    }
    end();
}

static uint32_t handles, blocks; /* when there was no client yet */

bool all_is_back(void)
{
    return double_handles() <= handles + target.kept && double_blocks() <= blocks;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool started;
    if (!started) {
        started = true;
        start();
        atexit(tell_answers);
        handles = double_handles();
        blocks = double_blocks();
    }
    input = data;
    input_left = size;
    failures = 0;
    for (uint32_t i = 0; i < STEPS_MAX && input_left != 0; i++) {
        step();
    }
    input_left = 0;
    end();
    if (!all_is_back()) {
        double_tell_handles();
        double_broke("%u handles and %u blocks more than before any client",
                     double_handles() - handles, double_blocks() - blocks);
    }
    return 0;
}
