/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The areas of test-ipc, and what they share.
 */
#ifndef IPC_TEST_H
#define IPC_TEST_H

#include "self.h"

void test_channels(void);
void test_transfers(void);
void test_calls(void);
void test_call_priority(void);
void test_call_ends(void);
void test_waitsets(void);
void test_races(void);
void test_model(void);

/* Modes of the program as a child. */
int mode_receiver(int argc, char **argv);
int mode_small_table(int argc, char **argv);
int mode_server(int argc, char **argv);
int mode_caller(int argc, char **argv);
int mode_poor_sender(int argc, char **argv);
int mode_hammer(int argc, char **argv);
int mode_answer(int argc, char **argv);

/* Sends and receives plain bytes; the status is returned. */
static inline status_t send_bytes(handle_t endpoint, const void *bytes, size_t length)
{
    struct sk_out out = sk_out_bytes(bytes, length);
    return sk_channel_send(endpoint, &out);
}

static inline status_t send_word(handle_t endpoint, uint64_t word)
{
    return send_bytes(endpoint, &word, sizeof word);
}

static inline status_t send_handles(handle_t endpoint, const handle_t *handles, size_t count)
{
    struct sk_out out = {.handles = handles, .handle_count = count};
    return sk_channel_send(endpoint, &out);
}

/* A message of one word; the status is returned. */
static inline status_t receive_word(handle_t source, uint64_t *word, uint64_t deadline)
{
    struct sk_in in = sk_in_bytes(word, sizeof *word);
    return sk_channel_receive(source, &in, deadline);
}

/* Expects exactly `count` handles. */
static inline status_t receive_handles(handle_t source, handle_t *handles, size_t count)
{
    struct sk_in in = {.handles = handles, .handle_capacity = count};
    status_t status = sk_channel_receive(source, &in, test_deadline());
    if (status == SK_OK) {
        test_equal(in.handle_count, count);
    }
    return status;
}

static inline status_t call_word(handle_t endpoint, uint64_t word, uint64_t *reply,
                                 uint64_t deadline)
{
    struct sk_out out = sk_out_bytes(&word, sizeof word);
    struct sk_in in = sk_in_bytes(reply, sizeof *reply);
    return sk_channel_call(endpoint, &out, &in, deadline);
}

/* A thread's function: a call of one word, and what came of it. */
struct one_call {
    handle_t endpoint;
    uint64_t word, reply;
    status_t status;
};

static inline void call_once(void *argument)
{
    struct one_call *call = argument;
    call->status = call_word(call->endpoint, call->word, &call->reply, test_deadline());
}

static inline status_t reply_word(token_t token, uint64_t word)
{
    struct sk_out out = sk_out_bytes(&word, sizeof word);
    return sk_channel_reply(token, &out);
}

#endif
