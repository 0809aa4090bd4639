/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handles in messages: they move all or nothing, with the rights they had, whatever has become of
 * the other side. The first bug of this project's predecessor was here.
 */
#include <stdlib.h>

#include "ipc_test.h"

#define CHAIN 1000u

static void one_handle_moves(void)
{
    handle_t ends[2], event = make_event(), got;
    uint64_t id = id_of(event), observed;
    make_channel(ends);
    test_status(send_handles(ends[0], &event, 1), SK_OK);
    test_check(!handle_is_good(event));
    test_status(sk_handle_close(event), SK_BAD_HANDLE);
    test_status(receive_handles(ends[1], &got, 1), SK_OK);
    test_equal(id_of(got), id);
    test_status(sk_event_signal(got), SK_OK);
    test_status(sk_object_wait(got, SK_SIGNAL_EVENT, SK_DEADLINE_POLL, &observed), SK_OK);
    test_status(sk_handle_close(got), SK_OK);
    close_all(ends, 2);
}

static void eight_handles_move_in_order(void)
{
    handle_t ends[2], out[SK_MESSAGE_HANDLES_MAX], got[SK_MESSAGE_HANDLES_MAX];
    uint64_t ids[SK_MESSAGE_HANDLES_MAX];
    make_channel(ends);
    for (uint32_t i = 0; i < SK_MESSAGE_HANDLES_MAX; i++) {
        out[i] = i % 2 ? make_event() : make_memory(1);
        ids[i] = id_of(out[i]);
    }
    test_status(send_handles(ends[0], out, SK_MESSAGE_HANDLES_MAX), SK_OK);
    test_status(receive_handles(ends[1], got, SK_MESSAGE_HANDLES_MAX), SK_OK);
    for (uint32_t i = 0; i < SK_MESSAGE_HANDLES_MAX; i++) {
        test_equal(id_of(got[i]), ids[i]);
    }
    close_all(got, SK_MESSAGE_HANDLES_MAX);
    close_all(ends, 2);
}

static void rights_are_not_widened(void)
{
    static const uint32_t masks[] = {
        SK_RIGHT_TRANSFER,
        SK_RIGHT_TRANSFER | SK_RIGHT_READ,
        SK_RIGHT_TRANSFER | SK_RIGHT_READ | SK_RIGHT_MAP | SK_RIGHT_INSPECT,
    };
    handle_t ends[2], memory = make_memory(1), got, refused;
    make_channel(ends);
    for (size_t i = 0; i < COUNT(masks); i++) {
        handle_t copy = duplicate(memory, masks[i]);
        test_status(send_handles(ends[0], &copy, 1), SK_OK);
        test_status(receive_handles(ends[1], &got, 1), SK_OK);
        test_equal(rights_of(got), masks[i]);
        test_status(sk_handle_duplicate(got, masks[i], &refused), SK_ACCESS_DENIED);
        test_status(sk_handle_close(got), SK_OK);
    }
    handle_t copy = duplicate(memory, SK_RIGHT_DUPLICATE | SK_RIGHT_READ);
    test_status(sk_handle_duplicate(copy, SK_RIGHT_READ | SK_RIGHT_WRITE, &refused),
                SK_INVALID_ARGS);
    test_status(sk_handle_duplicate(copy, 1u << 31, &refused), SK_INVALID_ARGS);
    close_all((handle_t[]){copy, memory, ends[0], ends[1]}, 4);
}

/* Every way in which a send fails leaves every handle in its slot. */
static void a_failed_send_moves_nothing(void)
{
    handle_t ends[2], handles[4], word = 0;
    uint8_t bytes[64] = {0};
    make_channel(ends);
    for (int i = 0; i < 3; i++) {
        handles[i] = make_event();
    }
    handle_t fixed = duplicate(handles[0], SK_RIGHT_WRITE); /* without TRANSFER */
    const struct {
        handle_t last;
        status_t status;
    } cases[] = {
        {fixed, SK_ACCESS_DENIED},  {handles[0], SK_INVALID_ARGS}, {SK_HANDLE_NONE, SK_BAD_HANDLE},
        {ends[0], SK_INVALID_ARGS}, {ends[1], SK_INVALID_ARGS},    {0x7fffffff, SK_BAD_HANDLE},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        handles[3] = cases[i].last;
        test_status(send_handles(ends[0], handles, 4), cases[i].status);
    }
    struct sk_out out = {bytes, sizeof bytes, (handle_t *)8, 3};
    test_status(sk_channel_send(ends[0], &out), SK_BAD_ADDRESS);
    out = (struct sk_out){edge(), 64, handles, 3};
    test_status(sk_channel_send(ends[0], &out), SK_BAD_ADDRESS);
    while (send_word(ends[0], 0) == SK_OK) {
    }
    test_status(send_handles(ends[0], handles, 3), SK_FULL);
    test_status(sk_handle_close(ends[1]), SK_OK);
    test_status(send_handles(ends[0], handles, 3), SK_PEER_CLOSED);
    test_equal(word, 0);
    for (int i = 0; i < 3; i++) {
        test_status(sk_event_signal(handles[i]), SK_OK);
    }
    close_all(handles, 3);
    close_all((handle_t[]){fixed, ends[0]}, 2);
}

/*
 * An endpoint travels through two channels. At step `when` its peer is closed: before it is sent, in
 * flight, received, in flight again, received again. Nothing but the result of its use changes.
 */
static void travel(int when, bool loaded)
{
    handle_t first[2], second[2], ends[2], got;
    uint64_t word = 0;
    make_channel(first);
    make_channel(second);
    make_channel(ends);
    handle_t traveller = ends[0];
    for (int i = 0; loaded && i < 3; i++) {
        test_status(send_word(ends[1], 40 + i), SK_OK);
    }
    for (int step = 0; step <= 4; step++) {
        if (step == when) {
            test_status(sk_handle_close(ends[1]), SK_OK);
        }
        switch (step) {
        case 0:
            test_status(send_handles(first[0], &traveller, 1), SK_OK);
            break;
        case 1:
            test_status(receive_handles(first[1], &got, 1), SK_OK);
            break;
        case 2:
            test_status(send_handles(second[0], &got, 1), SK_OK);
            test_status(sk_handle_close(second[0]), SK_OK);
            break;
        case 3:
            test_status(receive_handles(second[1], &got, 1), SK_OK);
            break;
        }
    }
    test_status(send_word(got, 1), SK_PEER_CLOSED);
    for (uint64_t i = 0; loaded && i < 3; i++) {
        test_status(receive_word(got, &word, SK_DEADLINE_POLL), SK_OK);
        test_equal(word, 40 + i);
    }
    test_status(receive_word(got, &word, SK_DEADLINE_POLL), SK_PEER_CLOSED);
    close_all((handle_t[]){got, first[0], first[1], second[1]}, 4);
}

static void an_endpoint_travels_whatever_its_peer_does(void)
{
    for (int when = 0; when <= 4; when++) {
        travel(when, false);
        travel(when, true);
    }
}

/* Both ends of a channel in flight, stored, and dropped with the inbox that holds them. */
static void both_ends_in_flight(void)
{
    for (int close_first = 0; close_first < 2; close_first++) {
        handle_t carrier[2], ends[2], got[2];
        make_channel(carrier);
        make_channel(ends);
        test_status(send_word(ends[0], 5), SK_OK);
        test_status(send_handles(carrier[0], ends, 2), SK_OK);
        if (close_first) {
            test_status(sk_handle_close(carrier[1]), SK_OK);
            test_status(sk_handle_close(carrier[0]), SK_OK);
            continue;
        }
        uint64_t word = 0;
        test_status(receive_handles(carrier[1], got, 2), SK_OK);
        test_status(receive_word(got[1], &word, SK_DEADLINE_POLL), SK_OK);
        test_equal(word, 5);
        close_all(got, 2);
        close_all(carrier, 2);
    }
}

/* The end of a dead channel is sent to a channel that is dead itself. */
static void a_dead_end_to_a_dead_end(void)
{
    handle_t carrier[2], ends[2];
    make_channel(carrier);
    make_channel(ends);
    test_status(sk_handle_close(ends[1]), SK_OK);
    test_status(sk_handle_close(carrier[1]), SK_OK);
    test_status(send_handles(carrier[0], &ends[0], 1), SK_PEER_CLOSED);
    handle_t copy = duplicate(ends[0], SK_RIGHT_TRANSFER | SK_RIGHT_READ);
    test_status(send_handles(carrier[0], &copy, 1), SK_PEER_CLOSED);
    test_check(handle_is_good(ends[0]) && handle_is_good(copy));
    close_all((handle_t[]){copy, ends[0], carrier[0]}, 3);
}

static void it_works_after_the_sender_has_closed_all_else(void)
{
    handle_t carrier[2], ends[2], got;
    uint64_t word = 0;
    make_channel(carrier);
    make_channel(ends);
    test_status(send_word(ends[1], 7), SK_OK);
    test_status(send_handles(carrier[0], &ends[0], 1), SK_OK);
    test_status(sk_handle_close(carrier[0]), SK_OK);
    test_status(receive_handles(carrier[1], &got, 1), SK_OK);
    test_status(sk_handle_close(carrier[1]), SK_OK);
    test_status(receive_word(got, &word, SK_DEADLINE_POLL), SK_OK);
    test_equal(word, 7);
    test_status(send_word(got, 8), SK_OK);
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_OK);
    test_equal(word, 8);
    close_all((handle_t[]){got, ends[1]}, 2);
}

/* Channels inside channels, 1,000 deep: closing the outermost must not need a deep stack. */
static void a_deep_chain_is_closed(void)
{
    handle_t inner = SK_HANDLE_NONE;
    for (uint32_t i = 0; i < CHAIN; i++) {
        handle_t ends[2];
        make_channel(ends);
        if (inner != SK_HANDLE_NONE && !test_status(send_handles(ends[0], &inner, 1), SK_OK)) {
            break;
        }
        test_status(sk_handle_close(ends[0]), SK_OK);
        inner = ends[1];
    }
    test_status(sk_handle_close(inner), SK_OK);
}

static void a_stale_handle_is_nobody_elses(void)
{
    handle_t old = make_event();
    test_status(sk_handle_close(old), SK_OK);
    for (uint32_t i = 0; i < 5000; i++) {
        handle_t event = make_event();
        if (!test_check(event != old) || !test_status(sk_event_signal(old), SK_BAD_HANDLE)) {
            sk_handle_close(event);
            break;
        }
        test_status(sk_handle_close(event), SK_OK);
    }
}

static void a_full_table_leaves_the_message(void)
{
    enum { MOST = 70000 };
    handle_t ends[2], event = make_event(), got;
    handle_t *copies = malloc(MOST * sizeof *copies);
    uint32_t count = 0;
    status_t status = SK_OK;
    make_channel(ends);
    handle_t sent = duplicate(event, SK_RIGHT_TRANSFER | SK_RIGHT_WRITE);
    test_status(send_handles(ends[0], &sent, 1), SK_OK);
    while (count < MOST &&
           (status = sk_handle_duplicate(event, SK_RIGHT_WRITE, &copies[count])) == SK_OK) {
        count++;
    }
    test_status(status, SK_NO_HANDLES);
    test_status(sk_event_create(sk_self_job, &got), SK_NO_HANDLES);
    struct sk_in in = {.handles = &got, .handle_capacity = 1};
    test_status(sk_channel_receive(ends[1], &in, SK_DEADLINE_POLL), SK_NO_HANDLES);
    test_status(sk_handle_close(copies[--count]), SK_OK);
    test_status(sk_channel_receive(ends[1], &in, SK_DEADLINE_POLL), SK_OK);
    test_status(sk_event_signal(got), SK_OK);
    close_all(copies, count);
    close_all((handle_t[]){got, event, ends[0], ends[1]}, 4);
    free(copies);
}

/* Child: its job allows few handles. It receives when told to, on the endpoint it was given. */
int mode_small_table(int argc, char **argv)
{
    handle_t endpoint = sk_boot_handle("given"), copies[64], got[4];
    uint32_t count = 0;
    struct sk_in in = {.handles = got, .handle_capacity = 4};
    while (count < 64 && sk_handle_duplicate(endpoint, SK_RIGHT_WRITE, &copies[count]) == SK_OK) {
        count++;
    }
    if (count < 4 || sk_channel_receive(endpoint, &in, test_deadline()) != SK_OVER_BUDGET) {
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        sk_handle_close(copies[--count]);
    }
    if (sk_channel_receive(endpoint, &in, test_deadline()) != SK_OVER_BUDGET) {
        return 2;
    }
    sk_handle_close(copies[--count]);
    if (sk_channel_receive(endpoint, &in, test_deadline()) != SK_OK || in.handle_count != 4) {
        return 3;
    }
    /* What it got counts against it now; the sender's budget is free again. */
    return sk_handle_duplicate(endpoint, SK_RIGHT_WRITE, &copies[count]) == SK_OVER_BUDGET ? 0 : 4;
}

static void a_receiver_over_budget_loses_nothing(void)
{
    handle_t ends[2], events[4];
    make_channel(ends);
    for (int i = 0; i < 4; i++) {
        events[i] = make_event();
    }
    test_status(send_handles(ends[0], events, 4), SK_OK);
    handle_t job = test_job_with((struct sk_budget){
        .pages = 200, .objects = 64, .handles = 24, .messages = 16, .threads = 2});
    struct sk_child child = self_spawn(job, "small-table", NULL, ends[1]);
    self_expect_exit(&child, 0);
    test_job_end(job);
    test_status(send_word(ends[0], 1), SK_PEER_CLOSED);
    test_status(sk_handle_close(ends[0]), SK_OK);
}

/* Child: its job allows few messages, few handles, few pages. */
int mode_poor_sender(int argc, char **argv)
{
    static uint8_t bytes[SK_MESSAGE_BYTES_MAX];
    handle_t endpoint = sk_boot_handle("given"), event;
    uint32_t sent = 0;
    status_t status;
    while ((status = send_word(endpoint, sent)) == SK_OK) {
        sent++;
    }
    if (status != SK_OVER_BUDGET || sent != 5) {
        return 1;
    }
    if (sk_event_create(sk_self_job, &event) != SK_OK ||
        send_handles(endpoint, &event, 1) != SK_OVER_BUDGET || !handle_is_good(event)) {
        return 2;
    }
    struct sk_out out = {bytes, sizeof bytes, &event, 1};
    if (sk_channel_send(endpoint, &out) != SK_OVER_BUDGET || !handle_is_good(event)) {
        return 3;
    }
    return 0;
}

static void a_sender_over_budget_loses_nothing(void)
{
    handle_t ends[2];
    uint64_t word = 0;
    make_channel(ends);
    handle_t job = test_job_with((struct sk_budget){
        .pages = 200, .objects = 64, .handles = 64, .messages = 6, .threads = 2});
    /* Its boot message, unread at the time of the count, is one more. */
    struct sk_child child = self_spawn(job, "poor-sender", NULL, ends[1]);
    struct sk_process_info info = test_child_end(&child);
    test_equal(info.exit_reason, SK_EXIT_EXITED);
    test_check(info.exit_code == 0 || info.exit_code == 1);
    /* The messages of the dead are still delivered. */
    uint64_t received = 0;
    while (receive_word(ends[0], &word, SK_DEADLINE_POLL) == SK_OK) {
        test_equal(word, received++);
    }
    test_check(received == 5 || received == 6);
    test_job_end(job);
    test_status(sk_handle_close(ends[0]), SK_OK);
}

/* Child: answers each message with its own, the same bytes and handles. */
int mode_receiver(int argc, char **argv)
{
    static uint8_t bytes[SK_MESSAGE_BYTES_MAX];
    handle_t endpoint = sk_boot_handle("given"), handles[SK_MESSAGE_HANDLES_MAX];
    for (;;) {
        struct sk_in in = {bytes, sizeof bytes, handles, SK_MESSAGE_HANDLES_MAX};
        status_t status = sk_channel_receive(endpoint, &in, SK_DEADLINE_NEVER);
        if (status != SK_OK) {
            return status == SK_PEER_CLOSED ? 0 : 1;
        }
        struct sk_out out = {bytes, in.length, handles, in.handle_count};
        if (sk_channel_send(endpoint, &out) != SK_OK) {
            return 2;
        }
    }
}

static void handles_go_to_another_process_and_back(void)
{
    handle_t ends[2], handles[SK_MESSAGE_HANDLES_MAX];
    static uint8_t bytes[SK_MESSAGE_BYTES_MAX];
    uint64_t ids[SK_MESSAGE_HANDLES_MAX];
    make_channel(ends);
    handle_t job = test_job();
    struct sk_child child = self_spawn(job, "receiver", NULL, ends[1]);
    for (uint32_t round = 0; round < 100; round++) {
        uint32_t count = round % (SK_MESSAGE_HANDLES_MAX + 1);
        size_t length = round * 41 % SK_MESSAGE_BYTES_MAX;
        for (uint32_t i = 0; i < count; i++) {
            handles[i] = make_event();
            ids[i] = id_of(handles[i]);
        }
        fill(bytes, length, round);
        struct sk_out out = {bytes, length, handles, count};
        test_status(sk_channel_send(ends[0], &out), SK_OK);
        memset(bytes, 0, sizeof bytes);
        struct sk_in in = {bytes, sizeof bytes, handles, SK_MESSAGE_HANDLES_MAX};
        if (!test_status(sk_channel_receive(ends[0], &in, test_deadline()), SK_OK)) {
            break;
        }
        test_equal(in.length, length);
        test_equal(in.handle_count, count);
        test_check(filled(bytes, length, round));
        for (uint32_t i = 0; i < count; i++) {
            test_equal(id_of(handles[i]), ids[i]);
        }
        close_all(handles, count);
    }
    test_status(sk_handle_close(ends[0]), SK_OK);
    self_expect_exit(&child, 0);
    test_job_end(job);
}

void test_transfers(void)
{
    self_case("handles: one moves", one_handle_moves);
    self_case("handles: eight move in order", eight_handles_move_in_order);
    self_case("handles: rights are not widened", rights_are_not_widened);
    self_case("handles: a failed send moves nothing", a_failed_send_moves_nothing);
    self_case("handles: an endpoint travels whatever its peer does",
              an_endpoint_travels_whatever_its_peer_does);
    self_case("handles: both ends in flight", both_ends_in_flight);
    self_case("handles: a dead end to a dead end", a_dead_end_to_a_dead_end);
    self_case("handles: an endpoint works after its sender closed all else",
              it_works_after_the_sender_has_closed_all_else);
    self_case("handles: a chain of 1,000 inboxes is closed", a_deep_chain_is_closed);
    self_case("handles: a stale one is nobody else's", a_stale_handle_is_nobody_elses);
    self_case("handles: a full table leaves the message", a_full_table_leaves_the_message);
    self_case("handles: a receiver over budget loses nothing",
              a_receiver_over_budget_loses_nothing);
    self_case("handles: a sender over budget loses nothing", a_sender_over_budget_loses_nothing);
    self_case("handles: to another process and back", handles_go_to_another_process_and_back);
}
