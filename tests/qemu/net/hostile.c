/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests and shared memory from a program that means ill: an error for it, nothing for others. */
#include <stdlib.h>

#include "net_test.h"

#define PORT 7300

/* Every operation with every length that is too short, and operations that do not exist. */
static void malformed_requests(void)
{
    uint64_t message[40];
    int64_t answer;
    handle_t net;

    if (!test_status(sk_connect("net", test_deadline(), &net), SK_OK)) {
        return;
    }
    for (uint64_t op = 0; op < 12; op++) {
        for (size_t length = 8; length <= sizeof message; length += 8) {
            struct sk_in in = sk_in_bytes(message, sizeof message);
            memset(message, 0xff, sizeof message);
            message[0] = op;
            struct sk_out out = sk_out_bytes(message, length);
            if (!test_status(sk_channel_call(net, &out, &in, test_deadline()), SK_OK)) {
                break;
            }
            memcpy(&answer, message, sizeof answer);
            test_check(answer <= 0);
        }
    }
    sk_handle_close(net);
}

struct hostile {
    handle_t endpoint, handles[4];
    struct sk_net_control *control;
};

static bool hostile_open(struct hostile *h)
{
    struct sk_net_open_request request = {.op = SK_NET_OP_OPEN, .slots = 4};
    struct sk_net_open_reply reply;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&reply, sizeof reply);
    uint64_t address = 0;

    in.handles = h->handles;
    in.handle_capacity = 4;
    if (!test_status(sk_connect("net", test_deadline(), &h->endpoint), SK_OK) ||
        !test_status(sk_channel_call(h->endpoint, &out, &in, test_deadline()), SK_OK) ||
        !test_status((status_t)reply.status, SK_OK) ||
        !test_status(sk_memory_map(sk_self_process, h->handles[0], 0, sk_net_control_bytes(4), 0,
                                   SK_PROT_READ | SK_PROT_WRITE, &address),
                     SK_OK)) {
        return false;
    }
    h->control = (void *)(uintptr_t)address;
    return true;
}

static void hostile_close(struct hostile *h)
{
    sk_memory_unmap(sk_self_process, (uintptr_t)h->control, sk_net_control_bytes(4));
    for (int i = 0; i < 4; i++) {
        sk_handle_close(h->handles[i]);
    }
    sk_handle_close(h->endpoint);
}

/* Noise all over the control page; the service drops the session or lives with it. */
static void noise_in_shared_memory(void)
{
    struct net_echo echo;
    struct sk_net *net = net_session(4);

    if (net == NULL || !net_echo_start(&echo, PORT)) {
        sk_net_close(net);
        return;
    }
    srand(7);
    for (int round = 0; round < 40; round++) {
        struct hostile h;
        if (!hostile_open(&h)) {
            break;
        }
        uint32_t *words = (uint32_t *)h.control;
        for (int i = 0; i < 50; i++) {
            words[(size_t)rand() % (sk_net_control_bytes(4) / 4)] = (uint32_t)rand();
        }
        sk_event_signal(h.handles[2]);
        if (round % 10 == 0) {
            test_check(net_round_trip(net, PORT, "unharmed"));
        }
        hostile_close(&h);
    }
    test_check(net_round_trip(net, PORT, "unharmed"));
    net_echo_stop(&echo);
    sk_net_close(net);
}

void run_hostile_cases(void)
{
    test_case("malformed requests get an error", malformed_requests);
    test_case("noise in shared memory harms its own session only", noise_in_shared_memory);
}
