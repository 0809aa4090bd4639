/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Malformed messages to every operation of every service, drivers and init included: too short, too long,
 * full of zeroes, ones and noise, with handles that nobody asked for, as calls and as plain messages; and
 * operations that there are not. Every call must be answered, with a status; the service then gives a right
 * answer to a right request; nobody is started again, and everything is given back.
 *
 *   run=test-malformed          what connects to everything, the drivers being busy with others
 *   run=test-malformed,alone    without console and net (off=console,net): their drivers are ours
 *
 * The table must name every operation of <sk/protocol/>: malformed_table.py compares.
 */
#include <stdlib.h>
#include <string.h>

#include <sk/protocol/console.h>
#include <sk/protocol/devmgr.h>
#include <sk/protocol/fs.h>
#include <sk/protocol/net.h>
#include <sk/protocol/nic.h>
#include <sk/protocol/rng.h>
#include <sk/protocol/rtc.h>
#include <sk/protocol/sysinfo.h>
#include <sk/protocol/uart.h>

#include "restarts.h"
#include "self.h"

#define ROUNDS 120u
#define SHOWN_ROUNDS 40u      /* of what is to be read by people */
#define PATIENCE (50 * SK_MS) /* for an operation that may wait */

enum {
    WAITS = 1u << 0,  /* it may go unanswered for as long as it likes */
    SHOWN = 1u << 1,  /* its bytes come on the console: letters only */
    SINGLE = 1u << 2, /* its service has one client; with "alone" that is us */
};

struct operation {
    const char *service;
    uint64_t number;
    uint32_t flags;
};

static const struct operation operations[] = {
    {"init", SK_INIT_CONNECT, WAITS},
    {"init", SK_INIT_OFFER, 0},
    {"init", SK_INIT_NO_DEVICE, 0},
    {"init", SK_INIT_READY, 0},
    {"init", SK_INIT_SERVICES, 0},
    {"init", SK_INIT_POWER, 0},
    {"init", SK_INIT_DELEGATE, 0},
    {"init", SK_INIT_KILL, 0},
    {"init", SK_INIT_COMPLAIN, 0},
    {"init", SK_INIT_KEEP, 0},
    {"console", SK_CONSOLE_WRITE, WAITS | SHOWN},
    {"console", SK_CONSOLE_READ, WAITS},
    {"console", SK_CONSOLE_DRAIN, WAITS},
    {"devmgr", SK_DEVMGR_LIST, 0},
    {"devmgr", SK_DEVMGR_RESTART, 0},
    {"fs", SK_FS_OPEN, 0},
    {"fs", SK_FS_STAT, 0},
    {"fs", SK_FS_LIST, 0},
    {"sysinfo", SK_SYSINFO_STATUS, 0},
    {"sysinfo", SK_SYSINFO_SYSTEM, 0},
    {"sysinfo", SK_SYSINFO_PROCESSES, 0},
    {"sysinfo", SK_SYSINFO_HARTS, 0},
    {"sysinfo", SK_SYSINFO_SERVICES, 0},
    {"net", SK_NET_OP_OPEN, 0},
    {"net", SK_NET_OP_LISTEN, 0},
    {"net", SK_NET_OP_CONNECT, 0},
    {"net", SK_NET_OP_UDP, 0},
    {"net", SK_NET_OP_RESOLVE, WAITS},
    {"net", SK_NET_OP_INFO, 0},
    {"net", SK_NET_OP_TIME, 0},
    {"net", SK_NET_OP_JOIN, 0},
    {"net", SK_NET_OP_LEAVE, 0},
    {"net", SK_NET_OP_LOST, 0},
    {"nic0", SK_NIC_OP_ATTACH, 0},
    {"nic0", SK_NIC_OP_INFO, 0},
    {"uart0", SK_UART_WRITE, SINGLE | SHOWN},
    {"uart0", SK_UART_WRITTEN, SINGLE},
    {"uart0", SK_UART_INPUT, SINGLE},
    {"rtc", SK_RTC_READ, 0},
    {"rng", SK_RNG_READ, WAITS},
};

/* A right request to each service, which must be answered with OK. */
struct proof {
    const char *service;
    uint64_t request[3];
    size_t length;
};

static const struct proof proofs[] = {
    {"init", {SK_INIT_SERVICES, 0}, 16},
    {"console", {SK_CONSOLE_DRAIN}, 8},
    {"devmgr", {SK_DEVMGR_LIST, 0}, 16},
    {"fs", {SK_FS_STAT, 0, 0x646e692f777777}, 16 + 3}, /* "www" */
    {"sysinfo", {SK_SYSINFO_SYSTEM, 0}, 16},
    {"net", {SK_NET_OP_INFO}, 8},
    {"nic0", {SK_NIC_OP_INFO}, 8},
    {"rtc", {SK_RTC_READ}, 8},
    {"rng", {SK_RNG_READ, 8}, 16},
};

static bool alone;
static uint64_t random_state;

static uint64_t next(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return random_state >> 33;
}

static bool is_off(const char *service)
{
    return alone && (strcmp(service, "console") == 0 || strcmp(service, "net") == 0);
}

/* A way to the service; NONE is a failure. */
static handle_t open_service(const struct operation *operation)
{
    handle_t endpoint = SK_HANDLE_NONE;
    if (strcmp(operation->service, "init") == 0) {
        test_status(sk_delegate("malformed", sk_self_job, &endpoint), SK_OK);
    } else {
        test_status(sk_connect(operation->service, test_deadline(), &endpoint), SK_OK);
    }
    return endpoint;
}

/* What one message is made of. The first rounds go through the lengths that matter. */
static size_t make_bytes(const struct operation *operation, uint32_t round, uint8_t *bytes)
{
    static const size_t lengths[] = {8,   0,   1,    4,    7,    9,    12,   16,   17,   23,  24,
                                     31,  32,  33,   39,   40,   41,   48,   56,   64,   72,  255,
                                     256, 512, 1023, 1032, 1033, 2048, 2064, 4088, 4095, 4096};
    size_t length = round < 3 * COUNT(lengths) ? lengths[round % COUNT(lengths)] : next() % 200;
    uint32_t kind = round < 3 * COUNT(lengths) ? round / COUNT(lengths) : 3;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = kind == 0 ? 0 : kind == 1 ? 0xff : (uint8_t)next();
        if (kind == 3 && next() % 2 == 0) {
            bytes[i] = 0; /* small numbers and short names are met, too */
        }
        if ((operation->flags & SHOWN) != 0) {
            bytes[i] = (uint8_t)('a' + bytes[i] % 26);
        }
    }
    if ((operation->flags & SHOWN) != 0 && length > 0) {
        bytes[length - 1] = '\n'; /* or the next line of the test would not be one */
    }
    memcpy(bytes, &operation->number, length < 8 ? length : 8);
    return length;
}

static size_t make_handles(uint32_t round, handle_t *handles)
{
    size_t count = round % 5 == 3 ? 1 : round % 5 == 4 ? 1 + next() % SK_MESSAGE_HANDLES_MAX : 0;
    for (size_t i = 0; i < count; i++) {
        handle_t other;
        status_t status;
        switch (next() % 4) {
        case 0:
            status = sk_channel_create(sk_self_job, &handles[i], &other);
            if (status == SK_OK) {
                sk_handle_close(other);
            }
            break;
        case 1:
            status = sk_memory_create(sk_self_job, SK_PAGE_SIZE, 0, &handles[i]);
            break;
        case 2: /* good for nothing but to be moved */
            status = sk_handle_duplicate(sk_self_job, SK_RIGHT_TRANSFER, &handles[i]);
            break;
        default:
            status = sk_event_create(sk_self_job, &handles[i]);
            break;
        }
        must(status);
    }
    return count;
}

static bool is_status(int64_t word)
{
    return word <= SK_OK && word >= SK_BAD_SYSCALL;
}

/* Sends one message; false when the service did something that it must not. */
static bool attack(const struct operation *operation, handle_t endpoint, uint32_t round)
{
    static _Alignas(8) uint8_t bytes[SK_MESSAGE_BYTES_MAX], answer[SK_MESSAGE_BYTES_MAX];
    handle_t given[SK_MESSAGE_HANDLES_MAX], got[SK_MESSAGE_HANDLES_MAX];
    size_t length = make_bytes(operation, round, bytes);
    struct sk_out out = {bytes, length, given, make_handles(round, given)};
    struct sk_in in = {answer, sizeof answer, got, COUNT(got)};
    status_t status;
    int64_t word = SK_OK;
    if (round % 4 == 1) {
        status = sk_channel_send(endpoint, &out);
        status = status == SK_FULL ? SK_OK : status;
    } else {
        bool waits = (operation->flags & WAITS) != 0 && length >= 8;
        uint64_t deadline = waits ? sk_deadline_after(PATIENCE) : test_deadline();
        status = sk_channel_call(endpoint, &out, &in, deadline);
        for (size_t i = 0; status == SK_OK && i < in.handle_count; i++) {
            sk_handle_close(got[i]);
        }
        if (status == SK_OK) {
            word = in.length >= sizeof word ? *(int64_t *)answer : 1;
        }
        status = waits && status == SK_TIMED_OUT ? SK_OK : status;
    }
    for (size_t i = 0; i < out.handle_count; i++) {
        sk_handle_close(given[i]); /* one that was taken is a harmless BAD_HANDLE */
    }
    bool good = test_status(status, SK_OK) && test_check(is_status(word));
    if (!good) {
        printf("# operation %llu of %s, round %u, %u bytes, %u handles\n",
               (unsigned long long)operation->number, operation->service, (unsigned)round,
               (unsigned)length, (unsigned)out.handle_count);
    }
    return good;
}

static void attack_operation(const struct operation *operation)
{
    handle_t endpoint = open_service(operation);
    bool good = endpoint != SK_HANDLE_NONE;
    uint32_t rounds = (operation->flags & SHOWN) != 0 ? SHOWN_ROUNDS : ROUNDS;
    random_state = operation->number * 977 + (uint64_t)operation->service[0];
    for (uint32_t round = 0; round < rounds && good; round++) {
        good = attack(operation, endpoint, round);
    }
    if (endpoint != SK_HANDLE_NONE) {
        sk_handle_close(endpoint);
    }
}

static const char *current;

static void still_right(void)
{
    for (uint32_t i = 0; i < COUNT(proofs); i++) {
        static _Alignas(8) uint8_t answer[SK_MESSAGE_BYTES_MAX];
        const struct operation to = {proofs[i].service, 0, 0};
        struct sk_out out = sk_out_bytes(proofs[i].request, proofs[i].length);
        struct sk_in in = sk_in_bytes(answer, sizeof answer);
        handle_t endpoint = strcmp(to.service, current) == 0 ? open_service(&to) : SK_HANDLE_NONE;
        if (strcmp(to.service, "init") == 0 && endpoint != SK_HANDLE_NONE) {
            sk_handle_close(endpoint); /* a delegate has no grants: we ask ourselves */
            test_status(sk_channel_call(sk_boot_endpoint, &out, &in, test_deadline()), SK_OK);
            test_status((status_t) * (int64_t *)answer, SK_OK);
        } else if (endpoint != SK_HANDLE_NONE) {
            test_status(sk_channel_call(endpoint, &out, &in, test_deadline()), SK_OK);
            test_status((status_t) * (int64_t *)answer, SK_OK);
            sk_handle_close(endpoint);
        }
    }
}

static uint32_t driver_restarts(void)
{
    static struct sk_devmgr_devices list;
    struct sk_devmgr_list request = {.operation = SK_DEVMGR_LIST};
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&list, sizeof list);
    uint32_t restarts = 0;
    handle_t devmgr;
    if (test_status(sk_connect("devmgr", test_deadline(), &devmgr), SK_OK)) {
        test_status(sk_channel_call(devmgr, &out, &in, test_deadline()), SK_OK);
        for (uint32_t i = 0; i < list.count; i++) {
            restarts += list.entries[i].restarts;
        }
        sk_handle_close(devmgr);
    }
    return restarts;
}

/* All operations of one service, and numbers around and far from them. */
static void every_operation(void)
{
    static const uint64_t none[] = {0, 1u << 16, UINT64_MAX};
    uint32_t before = restarts_in_all(), drivers_before = driver_restarts();
    uint64_t highest = 0;
    const struct operation *last = NULL;
    for (uint32_t i = 0; i < COUNT(operations); i++) {
        if (strcmp(operations[i].service, current) == 0) {
            attack_operation(&operations[i]);
            last = &operations[i];
            highest = last->number > highest ? last->number : highest;
        }
    }
    for (uint32_t i = 0; i <= COUNT(none); i++) {
        struct operation unknown = {current, i < COUNT(none) ? none[i] : highest + 1,
                                    last->flags & SINGLE};
        attack_operation(&unknown);
    }
    still_right();
    test_equal(restarts_in_all(), before);
    test_equal(driver_restarts(), drivers_before);
}

int main(int argc, char **argv)
{
    self_begin();
    alone = argc > 1 && strcmp(argv[1], "alone") == 0;
    for (uint32_t i = 0; i < COUNT(operations); i++) {
        char name[64];
        if (i > 0 && strcmp(operations[i].service, operations[i - 1].service) == 0) {
            continue;
        }
        current = operations[i].service;
        if (is_off(current) || ((operations[i].flags & SINGLE) != 0 && !alone)) {
            printf(
                "# %s: it is off, or has another client; the other of the two boots attacks it\n",
                current);
            continue;
        }
        /* What a service opens at a first request, such as a file or a connection of its own, stays. */
        snprintf(name, sizeof name, "malformed messages to %s", current);
        test_case_uncounted(name, every_operation);
        snprintf(name, sizeof name, "malformed messages to %s leave nothing behind", current);
        test_case(name, every_operation);
    }
    return test_done();
}
