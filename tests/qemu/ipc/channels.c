/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels: bytes, order, bounds, close. Handles in messages are in transfers.c.
 */
#include <stdlib.h>

#include "ipc_test.h"

#define CYCLES 100000u
#define ORDERED 20000u
#define SENDERS 4u
#define PER_SENDER 2000u

static uint8_t out_bytes[SK_MESSAGE_BYTES_MAX + 64], in_bytes[SK_MESSAGE_BYTES_MAX + 64];

static void two_ends_differ(void)
{
    handle_t ends[2];
    uint64_t type = 0, id[2] = {0};
    make_channel(ends);
    test_check(ends[0] != ends[1]);
    for (int i = 0; i < 2; i++) {
        test_status(sk_handle_info(ends[i], &type, &id[i]), SK_OK);
        test_equal((uint32_t)type, SK_TYPE_ENDPOINT);
        test_equal(type >> 32, SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_READ |
                                   SK_RIGHT_WRITE | SK_RIGHT_WAIT);
        test_equal((int32_t)ends[i] > 0, true);
    }
    test_equal(id[0] ^ id[1], 1);
    close_all(ends, 2);
}

static void a_closed_handle_is_nothing(void)
{
    handle_t ends[2];
    uint64_t word = 0;
    make_channel(ends);
    test_status(sk_handle_close(ends[0]), SK_OK);
    test_status(sk_handle_close(ends[0]), SK_BAD_HANDLE);
    test_status(send_word(ends[0], 1), SK_BAD_HANDLE);
    test_status(receive_word(ends[0], &word, SK_DEADLINE_POLL), SK_BAD_HANDLE);
    test_status(sk_handle_close(ends[1]), SK_OK);
    test_status(sk_handle_close(SK_HANDLE_NONE), SK_BAD_HANDLE);
    test_status(sk_handle_close(~(handle_t)0), SK_BAD_HANDLE);
}

static void every_length_arrives_intact(void)
{
    handle_t ends[2];
    make_channel(ends);
    for (size_t length = 0; length <= SK_MESSAGE_BYTES_MAX; length++) {
        fill(out_bytes, length, (uint32_t)length);
        memset(in_bytes, 0xee, sizeof in_bytes);
        struct sk_in in = sk_in_bytes(in_bytes, length);
        status_t sent = send_bytes(ends[length & 1], out_bytes, length);
        status_t received = sk_channel_receive(ends[~length & 1], &in, SK_DEADLINE_POLL);
        bool tail = in_bytes[length] == 0xee && in_bytes[length + 1] == 0xee;
        if (sent != SK_OK || received != SK_OK || in.length != length || in.handle_count != 0 ||
            in.is_call || !filled(in_bytes, length, (uint32_t)length) || !tail) {
            test_equal(length, -1);
            break;
        }
    }
    close_all(ends, 2);
}

/* The system call itself, with an info word of our choice. */
static status_t send_info(handle_t endpoint, uint64_t info)
{
    struct sk_ipc_registers r = {.a0 = endpoint, .info = info};
    r.out_bytes = (uint64_t)(uintptr_t)out_bytes;
    r.out_handles = (uint64_t)(uintptr_t)out_bytes;
    sk_syscall_ipc(SK_SYS_channel_send, &r);
    return (status_t)r.a0;
}

static void malformed_info_words_are_refused(void)
{
    handle_t ends[2];
    uint64_t word;
    make_channel(ends);
    test_status(send_info(ends[0], SK_INFO(4097, 0)), SK_TOO_BIG);
    test_status(send_info(ends[0], SK_INFO(8191, 0)), SK_TOO_BIG);
    test_status(send_info(ends[0], SK_INFO(0, 9)), SK_TOO_BIG);
    test_status(send_info(ends[0], SK_INFO(0, 15)), SK_TOO_BIG);
    test_status(send_info(ends[0], SK_INFO_CALL), SK_INVALID_ARGS);
    test_status(send_info(ends[0], SK_INFO_SIGNALS | 8), SK_INVALID_ARGS);
    test_status(send_info(ends[0], SK_INFO_DELIVERED), SK_INVALID_ARGS);
    test_status(send_info(ends[0], 1ull << 13), SK_INVALID_ARGS);
    test_status(send_info(ends[0], 1ull << 63), SK_INVALID_ARGS);
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_TIMED_OUT);
    close_all(ends, 2);
}

static void the_key_is_the_kernels(void)
{
    handle_t ends[2];
    uint64_t word;
    make_channel(ends);
    struct sk_in in = sk_in_bytes(&word, sizeof word);
    /* Nothing that the sender has in its registers gets there. */
    struct sk_ipc_registers r = {.a0 = ends[0], .info = 8, .words = {7, 0, 0, 0}, .deadline = 99};
    r.out_bytes = 0x1234;
    r.token = 77;
    sk_syscall_ipc(SK_SYS_channel_send, &r);
    test_status((status_t)r.a0, SK_OK);
    test_status(sk_channel_receive(ends[1], &in, SK_DEADLINE_POLL), SK_OK);
    test_equal(in.key, id_of(ends[1]));
    test_equal(in.token, SK_TOKEN_NONE);
    test_equal(word, 7);
    close_all(ends, 2);
}

static void receive_leaves_no_old_registers(void)
{
    handle_t ends[2];
    make_channel(ends);
    test_status(send_word(ends[0], 5), SK_OK);
    struct sk_ipc_registers r = {.a0 = ends[1],
                                 .in_bytes = 1,
                                 .in_room = SK_ROOM(32, 0),
                                 .in_handles = 3,
                                 .token = 4,
                                 .out_handles = 5};
    r.words[3] = 6;
    sk_syscall_ipc(SK_SYS_channel_receive, &r);
    test_status((status_t)r.a0, SK_OK);
    test_equal(r.info, 8);
    test_equal(r.words[0], 5);
    test_equal(r.words[3], 0);
    test_equal(r.in_bytes, 0);
    test_equal(r.in_room, 0);
    test_equal(r.in_handles, 0);
    test_equal(r.token, 0);
    test_equal(r.out_handles, 0);
    close_all(ends, 2);
}

static void receive_on_empty_waits_and_ends(void)
{
    handle_t ends[2];
    uint64_t word, begin = sk_now();
    make_channel(ends);
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_TIMED_OUT);
    test_status(receive_word(ends[1], &word, 1), SK_TIMED_OUT);
    test_status(receive_word(ends[1], &word, begin + 5 * SK_MS), SK_TIMED_OUT);
    test_check(sk_now() >= begin + 5 * SK_MS);
    test_status(send_word(ends[0], 3), SK_OK);
    /* Readiness counts before expiry. */
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_OK);
    close_all(ends, 2);
}

static void what_was_sent_before_the_close_arrives(void)
{
    handle_t ends[2];
    uint64_t word = 0;
    make_channel(ends);
    for (uint64_t i = 0; i < 10; i++) {
        test_status(send_word(ends[0], i), SK_OK);
    }
    test_status(sk_handle_close(ends[0]), SK_OK);
    for (uint64_t i = 0; i < 10; i++) {
        test_status(receive_word(ends[1], &word, SK_DEADLINE_NEVER), SK_OK);
        test_equal(word, i);
    }
    test_status(receive_word(ends[1], &word, SK_DEADLINE_NEVER), SK_PEER_CLOSED);
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_PEER_CLOSED);
    test_status(send_word(ends[1], 1), SK_PEER_CLOSED);
    test_status(sk_handle_close(ends[1]), SK_OK);
}

static void an_end_is_open_while_any_handle_is(void)
{
    handle_t ends[2], more;
    uint64_t word;
    make_channel(ends);
    more = duplicate(ends[0], SK_RIGHT_WRITE);
    test_status(sk_handle_close(ends[0]), SK_OK);
    test_status(send_word(ends[1], 1), SK_OK);
    test_status(send_word(more, 2), SK_OK);
    test_status(sk_handle_close(more), SK_OK);
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_OK);
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_PEER_CLOSED);
    test_status(sk_handle_close(ends[1]), SK_OK);
}

static void an_inbox_is_bounded_in_messages(void)
{
    handle_t ends[2];
    uint64_t word = 0;
    make_channel(ends);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < SK_INBOX_MESSAGES_MAX; i++) {
            test_status(send_word(ends[0], i), SK_OK);
        }
        test_status(send_word(ends[0], 99), SK_FULL);
        test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_OK);
        test_equal(word, 0);
        test_status(send_word(ends[0], SK_INBOX_MESSAGES_MAX), SK_OK);
        test_status(send_word(ends[0], 99), SK_FULL);
        for (uint64_t i = 1; i <= SK_INBOX_MESSAGES_MAX; i++) {
            test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_OK);
            test_equal(word, i);
        }
        test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_TIMED_OUT);
    }
    for (uint64_t i = 0; i < SK_INBOX_MESSAGES_MAX; i++) {
        test_status(send_word(ends[0], i), SK_OK);
    }
    test_status(sk_handle_close(ends[1]), SK_OK);
    test_status(send_word(ends[0], 1), SK_PEER_CLOSED); /* told before FULL */
    test_status(sk_handle_close(ends[0]), SK_OK);
}

static void an_inbox_is_bounded_in_bytes(void)
{
    handle_t ends[2];
    make_channel(ends);
    fill(out_bytes, SK_MESSAGE_BYTES_MAX, 1);
    for (uint32_t sum = 0; sum < SK_INBOX_BYTES_MAX; sum += SK_MESSAGE_BYTES_MAX) {
        test_status(send_bytes(ends[0], out_bytes, SK_MESSAGE_BYTES_MAX), SK_OK);
    }
    test_status(send_bytes(ends[0], out_bytes, 1), SK_FULL);
    struct sk_in in = sk_in_bytes(in_bytes, sizeof in_bytes);
    test_status(sk_channel_receive(ends[1], &in, SK_DEADLINE_POLL), SK_OK);
    test_check(filled(in_bytes, SK_MESSAGE_BYTES_MAX, 1));
    test_status(send_bytes(ends[0], out_bytes, SK_MESSAGE_BYTES_MAX), SK_OK);
    test_status(send_bytes(ends[0], out_bytes, 1), SK_FULL);
    close_all(ends, 2);
}

static void what_does_not_fit_stays(void)
{
    handle_t ends[2], event = make_event(), got = SK_HANDLE_NONE;
    make_channel(ends);
    fill(out_bytes, 100, 9);
    struct sk_out out = {out_bytes, 100, &event, 1};
    test_status(sk_channel_send(ends[0], &out), SK_OK);
    for (int i = 0; i < 3; i++) {
        struct sk_in in = {in_bytes, 99, &got, 1};
        test_status(sk_channel_receive(ends[1], &in, test_deadline()), SK_TOO_SMALL);
        test_equal(in.length, 100);
        test_equal(in.handle_count, 1);
        in = (struct sk_in){in_bytes, 100, &got, 0};
        test_status(sk_channel_receive(ends[1], &in, test_deadline()), SK_TOO_SMALL);
        in = (struct sk_in){(void *)16, 100, &got, 1};
        test_status(sk_channel_receive(ends[1], &in, test_deadline()), SK_BAD_ADDRESS);
        in = (struct sk_in){in_bytes, 100, (handle_t *)16, 1};
        test_status(sk_channel_receive(ends[1], &in, test_deadline()), SK_BAD_ADDRESS);
    }
    struct sk_in in = {in_bytes, 100, &got, 1};
    test_status(sk_channel_receive(ends[1], &in, test_deadline()), SK_OK);
    test_check(filled(in_bytes, 100, 9));
    test_status(sk_event_signal(got), SK_OK);
    test_status(sk_handle_close(got), SK_OK);
    close_all(ends, 2);
}

static void made_and_closed_for_long(void)
{
    struct sk_job_info before = job_info(sk_self_job);
    for (uint32_t i = 0; i < CYCLES; i++) {
        handle_t ends[2];
        if (sk_channel_create(sk_self_job, &ends[0], &ends[1]) != SK_OK ||
            sk_handle_close(ends[i & 1]) != SK_OK || sk_handle_close(ends[~i & 1]) != SK_OK) {
            test_equal(i, -1);
            break;
        }
    }
    struct sk_job_info after = job_info(sk_self_job);
    test_equal(after.used.objects, before.used.objects);
    test_equal(after.used.handles, before.used.handles);
    test_check(after.used.pages <= before.used.pages + 1);
}

/* Messages left in an inbox go with it, whichever end is closed first. */
static void closing_frees_what_is_queued(void)
{
    for (int first = 0; first < 2; first++) {
        handle_t ends[2];
        make_channel(ends);
        for (int i = 0; i < 10; i++) {
            handle_t event = make_event();
            test_status(send_handles(ends[0], &event, 1), SK_OK);
            test_status(send_bytes(ends[0], out_bytes, 4000), SK_OK);
            test_status(send_bytes(ends[1], out_bytes, 4000), SK_OK);
        }
        test_status(sk_handle_close(ends[first]), SK_OK);
        test_status(sk_handle_close(ends[1 - first]), SK_OK);
    }
}

static void send_in_order(void *argument)
{
    handle_t endpoint = *(handle_t *)argument;
    for (uint64_t i = 0; i < ORDERED;) {
        status_t status = send_word(endpoint, i);
        if (status == SK_OK) {
            i++;
        } else if (!test_status(status, SK_FULL)) {
            return;
        } else {
            sk_thread_yield();
        }
    }
}

static void order_is_kept_between_threads(void)
{
    handle_t ends[2];
    struct sk_thread thread;
    uint64_t word;
    make_channel(ends);
    start_thread(&thread, send_in_order, &ends[0]);
    for (uint64_t i = 0; i < ORDERED; i++) {
        if (!test_status(receive_word(ends[1], &word, test_deadline()), SK_OK) ||
            !test_equal(word, i)) {
            break;
        }
    }
    join_thread(&thread);
    close_all(ends, 2);
}

struct sender {
    handle_t endpoint;
    uint64_t number;
};

static void send_mine(void *argument)
{
    struct sender *sender = argument;
    for (uint64_t i = 0; i < PER_SENDER;) {
        if (send_word(sender->endpoint, sender->number << 32 | i) == SK_OK) {
            i++;
        } else {
            sk_thread_yield();
        }
    }
}

static void many_senders_lose_nothing(void)
{
    handle_t ends[2];
    struct sk_thread threads[SENDERS];
    struct sender senders[SENDERS];
    uint64_t next[SENDERS] = {0}, word;
    make_channel(ends);
    for (uint64_t i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){ends[0], i};
        start_thread(&threads[i], send_mine, &senders[i]);
    }
    for (uint32_t i = 0; i < SENDERS * PER_SENDER; i++) {
        if (!test_status(receive_word(ends[1], &word, test_deadline()), SK_OK)) {
            break;
        }
        if (!test_check(word >> 32 < SENDERS) || !test_equal((uint32_t)word, next[word >> 32]++)) {
            break;
        }
    }
    for (uint32_t i = 0; i < SENDERS; i++) {
        join_thread(&threads[i]);
    }
    test_status(receive_word(ends[1], &word, SK_DEADLINE_POLL), SK_TIMED_OUT);
    close_all(ends, 2);
}

struct blocked {
    handle_t source;
    status_t status;
};

static void receive_for_ever(void *argument)
{
    struct blocked *blocked = argument;
    uint64_t word;
    blocked->status = receive_word(blocked->source, &word, SK_DEADLINE_NEVER);
}

static void closing_ends_a_receive(void)
{
    for (int other = 0; other < 2; other++) {
        handle_t ends[2];
        struct sk_thread thread;
        make_channel(ends);
        struct blocked blocked = {ends[1], SK_OK};
        start_thread(&thread, receive_for_ever, &blocked);
        wait_blocked(thread.handle);
        test_status(sk_handle_close(ends[other ? 0 : 1]), SK_OK);
        join_thread(&thread);
        test_status(blocked.status, other ? SK_PEER_CLOSED : SK_BAD_STATE);
        test_status(sk_handle_close(ends[other ? 1 : 0]), SK_OK);
    }
}

static void each_waiting_receiver_gets_one(void)
{
    handle_t ends[2];
    struct sk_thread threads[5];
    struct blocked blocked[5];
    make_channel(ends);
    for (int i = 0; i < 5; i++) {
        blocked[i] = (struct blocked){ends[1], SK_PENDING};
        start_thread(&threads[i], receive_for_ever, &blocked[i]);
        wait_blocked(threads[i].handle);
    }
    for (int i = 0; i < 5; i++) {
        test_status(send_word(ends[0], 1), SK_OK);
    }
    for (int i = 0; i < 5; i++) {
        join_thread(&threads[i]);
        test_status(blocked[i].status, SK_OK);
    }
    close_all(ends, 2);
}

void test_channels(void)
{
    self_case("channel: two ends, two handles", two_ends_differ);
    self_case("channel: a closed handle is nothing", a_closed_handle_is_nothing);
    self_case("channel: every length arrives intact", every_length_arrives_intact);
    self_case("channel: malformed info words are refused", malformed_info_words_are_refused);
    self_case("channel: the key is the kernel's", the_key_is_the_kernels);
    self_case("channel: receive leaves no old registers", receive_leaves_no_old_registers);
    self_case("channel: receive on empty waits and ends", receive_on_empty_waits_and_ends);
    self_case("channel: what was sent before a close arrives",
              what_was_sent_before_the_close_arrives);
    self_case("channel: an end is open while any handle is", an_end_is_open_while_any_handle_is);
    self_case("channel: an inbox is bounded in messages", an_inbox_is_bounded_in_messages);
    self_case("channel: an inbox is bounded in bytes", an_inbox_is_bounded_in_bytes);
    self_case("channel: what does not fit stays in front", what_does_not_fit_stays);
    self_case("channel: closing frees what is queued", closing_frees_what_is_queued);
    self_case("channel: closing ends a receive", closing_ends_a_receive);
    self_case("channel: each waiting receiver gets one", each_waiting_receiver_gets_one);
    self_case("channel: order is kept between threads", order_is_kept_between_threads);
    self_case("channel: many senders lose nothing", many_senders_lose_nothing);
    self_case("channel: made and closed 100,000 times", made_and_closed_for_long);
}
