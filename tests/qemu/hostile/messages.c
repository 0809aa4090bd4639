/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that misuse channels: their own, and their connections to services.
 */
#include <stdlib.h>
#include <string.h>

#include "hostile.h"

static const char *const services[] = {"fs", "net", "sysinfo"};

/* Inboxes full of messages that are full of endpoints, dropped and made again. */
int mode_stuff(int argc, char **argv)
{
    for (;;) {
        handle_t outer[2], inner[2 * SK_MESSAGE_HANDLES_MAX];
        if (sk_channel_create(sk_self_job, &outer[0], &outer[1]) != SK_OK) {
            continue;
        }
        status_t status = SK_OK;
        while (status == SK_OK) {
            size_t count = 0;
            while (count < SK_MESSAGE_HANDLES_MAX &&
                   sk_channel_create(sk_self_job, &inner[count],
                                     &inner[SK_MESSAGE_HANDLES_MAX + count]) == SK_OK) {
                count++;
            }
            struct sk_out out = {"full", 5, inner, count};
            status = sk_channel_send(outer[0], &out);
            if (status != SK_OK) {
                close_all(inner, count);
            }
            close_all(inner + SK_MESSAGE_HANDLES_MAX, count);
        }
        insist(status == SK_FULL || status == SK_OVER_BUDGET);
        close_all(outer, 2);
    }
}

enum { RING = 6, ROUNDS = 100 };

/* A ring of endpoints, each in the inbox of the next, which two jobs pay for in turns; then nobody can reach them any
 * more. False: it cost the program its budget, which is found when the job ends. */
static bool make_ring(const handle_t jobs[2])
{
    handle_t ends[RING][2];
    for (uint32_t i = 0; i < RING; i++) {
        if (sk_channel_create(jobs[i % 2], &ends[i][0], &ends[i][1]) != SK_OK) {
            return false;
        }
    }
    for (uint32_t i = 0; i < RING; i++) {
        /* The far end of each travels into the inbox of the next. */
        struct sk_out out = {"loop", 5, &ends[i][1], 1};
        status_t status = sk_channel_send(ends[(i + 1) % RING][0], &out);
        if (status != SK_OK) {
            insist(status == SK_OVER_BUDGET);
            return false;
        }
    }
    for (uint32_t i = 0; i < RING; i++) {
        sk_handle_close(ends[i][0]);
    }
    return true;
}

/* Rings that one job pays for, or ("jobs") that a job below pays for, too, which ends before this one. */
int mode_cycles(int argc, char **argv)
{
    const struct sk_budget budget = {.objects = 2 * RING};
    bool below = argc > 1 && strcmp(argv[1], "jobs") == 0;
    for (uint32_t round = 0; !below || round < ROUNDS; round++) {
        handle_t jobs[2] = {sk_self_job, sk_self_job};
        if (below && sk_job_create(sk_self_job, &budget, &jobs[1]) != SK_OK) {
            return 0;
        }
        if (!make_ring(jobs)) {
            return 0;
        }
        if (below) {
            sk_handle_close(jobs[1]);
        }
    }
    return 0;
}

static handle_t connect_to(const char *service)
{
    handle_t endpoint = SK_HANDLE_NONE;
    status_t status = sk_connect(service, test_deadline(), &endpoint);
    insist(status == SK_OK || status == SK_BUSY || status == SK_OVER_BUDGET);
    return endpoint;
}

/* 10,000 requests to each service, of both kinds, and no answer is ever looked at. */
int mode_deaf(int argc, char **argv)
{
    handle_t ends[COUNT(services)];
    for (uint32_t s = 0; s < COUNT(services); s++) {
        ends[s] = connect_to(services[s]);
    }
    for (uint32_t i = 0; i < 10000; i++) {
        uint64_t request[2] = {1 + i % 5, 0}, answer[8];
        struct sk_out out = sk_out_bytes(request, sizeof request);
        struct sk_in in = sk_in_bytes(answer, sizeof answer);
        for (uint32_t s = 0; s < COUNT(services); s++) {
            if (i % 2 == 0) {
                sk_channel_send(ends[s], &out);
            } else {
                /* Over before the answer is there. */
                sk_channel_call(ends[s], &out, &in, sk_now() + i % 200 * SK_US);
            }
        }
    }
    return 0;
}

/* Ends in the middle of something that a service does for it. */
int mode_die(int argc, char **argv)
{
    uint32_t step = (uint32_t)atoi(argv[1]);
    const char *service = services[step % COUNT(services)];
    handle_t endpoint = connect_to(service);
    uint64_t request[3] = {1, 4, 0}, answer[64];
    handle_t handles[8];
    struct sk_out out = sk_out_bytes(request, 16);
    struct sk_in in = {answer, sizeof answer, handles, COUNT(handles)};
    switch (step / COUNT(services)) {
    case 0: /* connected */
        break;
    case 1: /* a request on its way */
        sk_channel_send(endpoint, &out);
        break;
    case 2: /* a call that may or may not have been received */
        sk_channel_call(endpoint, &out, &in, SK_DEADLINE_POLL + 1);
        break;
    case 3: /* answered, with what it was given still open */
        sk_channel_call(endpoint, &out, &in, test_deadline());
        break;
    default: /* by a fault, with a second call in another thread's hands */
        sk_channel_call(endpoint, &out, &in, sk_now() + 20 * SK_US);
        __builtin_trap();
    }
    sk_process_exit(0);
    return 0;
}

static void random_request(uint64_t *state, uint8_t *bytes, uint64_t operation)
{
    for (uint32_t i = 0; i < 512; i++) {
        bytes[i] = random_next(state) % 4 != 0 ? (uint8_t)random_next(state) : 0;
    }
    if (random_next(state) % 8 != 0) {
        memcpy(bytes, &operation, sizeof operation);
    }
}

/* Every operation of every service, and some that there are not: of every length, with noise, with
 * handles that nobody asked for. An answer is an answer; none may be late. */
int mode_malformed(int argc, char **argv)
{
    static uint8_t bytes[SK_MESSAGE_BYTES_MAX], answer[SK_MESSAGE_BYTES_MAX];
    uint64_t state = (uint64_t)atoi(argv[1]);
    handle_t ends[COUNT(services)] = {0};
    for (uint64_t round = 0;; round++) {
        uint32_t s = round % COUNT(services);
        if (ends[s] == SK_HANDLE_NONE) {
            ends[s] = connect_to(services[s]);
            continue;
        }
        handle_t given[2] = {SK_HANDLE_NONE, SK_HANDLE_NONE}, got[8];
        size_t length = random_next(&state) % 3 == 0 ? random_next(&state) % sizeof bytes
                                                     : random_next(&state) % 9 * 8;
        random_request(&state, bytes, random_next(&state) % 12);
        size_t handles = random_next(&state) % 8 == 0 ? 2 : 0;
        if (handles != 0 && sk_channel_create(sk_self_job, &given[0], &given[1]) != SK_OK) {
            handles = 0;
        }
        struct sk_out out = {bytes, length, given, handles};
        struct sk_in in = {answer, sizeof answer, got, COUNT(got)};
        status_t status = sk_channel_call(ends[s], &out, &in, test_deadline());
        if (status == SK_OK) {
            close_all(got, in.handle_count);
        } else {
            /* A service that drops its client has answered too; one that is silent has not. */
            insist(status == SK_PEER_CLOSED || status == SK_OVER_BUDGET);
        }
        close_all(given, 2); /* those that were taken are closed already */
        if (status != SK_OK || random_next(&state) % 64 == 0) {
            sk_handle_close(ends[s]);
            ends[s] = SK_HANDLE_NONE;
        }
    }
}

/* Connections to services, opened and dropped as fast as init gives them; and to what is not ours. */
int mode_connect(int argc, char **argv)
{
    static const char *const others[] = {"devmgr", "nic0", "uart0", "init", "*"};
    handle_t ends[12];
    for (;;) {
        for (uint32_t i = 0; i < COUNT(ends); i++) {
            ends[i] = connect_to(services[i % COUNT(services)]);
        }
        for (uint32_t i = 0; i < COUNT(others); i++) {
            handle_t endpoint;
            status_t status = sk_connect(others[i], test_deadline(), &endpoint);
            insist(status == SK_NOT_ALLOWED || status == SK_NOT_FOUND);
        }
        close_all(ends, COUNT(ends));
    }
}
