/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A plain process with an endpoint whose peer is closed: it sends it, stores it, sends it on, uses
 * it, in every order. Lifetime is not liveness: each of these is an ordinary operation.
 */
#include <string.h>

#include "broker_test.h"
#include "guest_test.h"

/* The stations of one endpoint: it travels over two channels, and its peer dies on the way. */
enum station { AT_HOME, IN_FIRST, RECEIVED, IN_SECOND, ARRIVED, STATION_COUNT };

struct pair {
    handle_t ends[2];
};

static struct pair make(void)
{
    struct pair pair = {{SK_HANDLE_NONE, SK_HANDLE_NONE}};
    test_status(sk_channel_create(sk_self_job, &pair.ends[0], &pair.ends[1]), SK_OK);
    return pair;
}

static void close_both(struct pair *pair)
{
    sk_handle_close(pair->ends[0]);
    sk_handle_close(pair->ends[1]);
}

static status_t send_handle(handle_t to, handle_t handle)
{
    uint64_t word = 1;
    struct sk_out out = {&word, sizeof word, &handle, 1};
    return sk_channel_send(to, &out);
}

static status_t receive_handle(handle_t from, handle_t *handle)
{
    uint64_t word;
    struct sk_in in = {&word, sizeof word, handle, 1};
    status_t status = sk_channel_receive(from, &in, SK_DEADLINE_POLL);
    if (status == SK_OK) {
        test_equal(in.handle_count, 1);
    }
    return status;
}

/* Everything that can be done with an endpoint whose peer is gone. */
static void use_widow(handle_t widow)
{
    uint64_t word = 1, observed = 0, info = 0, id;
    handle_t copy = SK_HANDLE_NONE;
    struct sk_out out = sk_out_bytes(&word, sizeof word);
    struct sk_in in = sk_in_bytes(&word, sizeof word);
    test_status(sk_channel_send(widow, &out), SK_PEER_CLOSED);
    test_status(sk_channel_receive(widow, &in, test_deadline()), SK_PEER_CLOSED);
    test_status(sk_channel_call(widow, &out, &in, test_deadline()), SK_PEER_CLOSED);
    test_check(!in.delivered);
    test_status(sk_object_wait(widow, SK_SIGNAL_PEER_CLOSED, test_deadline(), &observed), SK_OK);
    test_status(sk_handle_info(widow, &info, &id), SK_OK);
    test_status(sk_handle_duplicate(widow, (uint32_t)(info >> 32), &copy), SK_OK);
    test_status(sk_handle_close(copy), SK_OK);
}

/* The peer dies when the endpoint is at `death`; the endpoint is used at every station after it. */
static void travel(enum station death)
{
    struct pair victim = make(), first = make(), second = make();
    handle_t traveller = victim.ends[0];
    for (enum station at = AT_HOME; at < STATION_COUNT; at++) {
        if (at == IN_FIRST) {
            test_status(send_handle(first.ends[0], traveller), SK_OK);
            test_status(sk_handle_close(traveller), SK_BAD_HANDLE);
        } else if (at == RECEIVED) {
            test_status(receive_handle(first.ends[1], &traveller), SK_OK);
        } else if (at == IN_SECOND) {
            test_status(send_handle(second.ends[0], traveller), SK_OK);
        } else if (at == ARRIVED) {
            test_status(receive_handle(second.ends[1], &traveller), SK_OK);
        }
        if (at == death) {
            test_status(sk_handle_close(victim.ends[1]), SK_OK);
        }
        if (at >= death && (at == AT_HOME || at == RECEIVED || at == ARRIVED)) {
            use_widow(traveller);
        }
    }
    test_status(sk_handle_close(traveller), SK_OK);
    close_both(&first);
    close_both(&second);
}

static void an_endpoint_travels_while_its_peer_dies(void)
{
    for (enum station death = AT_HOME; death < STATION_COUNT; death++) {
        travel(death);
    }
}

/* The channel that carries it is closed, either end first, before or after the peer. */
static void a_carrier_is_closed_with_the_endpoint_inside(void)
{
    for (unsigned order = 0; order < 8; order++) {
        struct pair victim = make(), carrier = make();
        bool peer_first = (order & 1) != 0, receiver_first = (order & 2) != 0;
        bool both_inside = (order & 4) != 0;
        test_status(send_handle(carrier.ends[0], victim.ends[0]), SK_OK);
        if (both_inside) {
            test_status(send_handle(carrier.ends[0], victim.ends[1]), SK_OK);
        } else if (peer_first) {
            test_status(sk_handle_close(victim.ends[1]), SK_OK);
        }
        test_status(sk_handle_close(carrier.ends[receiver_first ? 1 : 0]), SK_OK);
        test_status(sk_handle_close(carrier.ends[receiver_first ? 0 : 1]), SK_OK);
        if (!both_inside && !peer_first) {
            use_widow(victim.ends[1]);
            test_status(sk_handle_close(victim.ends[1]), SK_OK);
        }
    }
}

/* The broken broker's own sequence: the send fails, and what was to be sent is still there. */
static void a_failed_send_leaves_the_endpoint(void)
{
    struct pair control = make(), fresh = make();
    test_status(sk_handle_close(control.ends[1]), SK_OK);
    test_status(send_handle(control.ends[0], fresh.ends[0]), SK_PEER_CLOSED);
    uint64_t word = 5;
    struct sk_out out = sk_out_bytes(&word, sizeof word);
    struct sk_in in = sk_in_bytes(&word, sizeof word);
    test_status(sk_channel_send(fresh.ends[0], &out), SK_OK);
    test_status(sk_channel_receive(fresh.ends[1], &in, SK_DEADLINE_POLL), SK_OK);
    test_status(sk_handle_close(fresh.ends[0]), SK_OK);
    use_widow(fresh.ends[1]);
    test_status(sk_handle_close(fresh.ends[1]), SK_OK);
    test_status(sk_handle_close(control.ends[0]), SK_OK);
}

/* As a boot handle, a widow reaches a child that uses it. */
static void a_child_gets_a_widow(void)
{
    struct pair victim = make();
    struct sk_child child;
    handle_t job = test_job();
    const char *const arguments[] = {"relay", NULL};
    sk_handle_close(victim.ends[1]);
    struct sk_spawn_handle given = {"relay", victim.ends[0]};
    if (test_status(test_spawn(job, arguments, &given, 1, &child), SK_OK)) {
        test_equal(test_child_end(&child).exit_code, 1);
    }
    test_job_end(job);
}

/* Two endpoints, each inside the other's inbox: nobody can reach them, and their job's end frees them. */
static void a_cycle_goes_with_its_job(void)
{
    struct pair a = {{SK_HANDLE_NONE}}, b = {{SK_HANDLE_NONE}};
    handle_t job = test_job();
    test_status(sk_channel_create(job, &a.ends[0], &a.ends[1]), SK_OK);
    test_status(sk_channel_create(job, &b.ends[0], &b.ends[1]), SK_OK);
    test_status(send_handle(a.ends[0], b.ends[0]), SK_OK);
    test_status(send_handle(b.ends[1], a.ends[1]), SK_OK);
    test_status(sk_handle_close(a.ends[0]), SK_OK);
    test_status(sk_handle_close(b.ends[1]), SK_OK);
    test_job_end(job);
}

/* The job's end must not touch what somebody still reaches, through another inbox or directly. */
static void what_is_reached_outlives_its_job(void)
{
    struct pair a = {{SK_HANDLE_NONE}}, b = {{SK_HANDLE_NONE}};
    handle_t job = test_job(), inner = SK_HANDLE_NONE;
    uint64_t word = 7;
    struct sk_out out = sk_out_bytes(&word, sizeof word);
    struct sk_in in = sk_in_bytes(&word, sizeof word);
    test_status(sk_channel_create(job, &a.ends[0], &a.ends[1]), SK_OK);
    test_status(sk_channel_create(job, &b.ends[0], &b.ends[1]), SK_OK);
    test_status(sk_channel_send(b.ends[1], &out), SK_OK);
    test_status(send_handle(a.ends[0], b.ends[0]), SK_OK);
    test_status(sk_handle_close(a.ends[0]), SK_OK);
    test_status(sk_handle_close(b.ends[1]), SK_OK);
    test_job_end(job);
    sk_sleep(5 * SK_MS);
    test_status(receive_handle(a.ends[1], &inner), SK_OK);
    test_status(sk_channel_receive(inner, &in, SK_DEADLINE_POLL), SK_OK);
    test_equal(word, 7);
    test_status(sk_channel_receive(inner, &in, SK_DEADLINE_POLL), SK_PEER_CLOSED);
    test_status(sk_handle_close(inner), SK_OK);
    test_status(sk_handle_close(a.ends[1]), SK_OK);
}

/* A ring of many endpoints, each inside the next, with a call waiting at one that nobody reaches. */
static void a_long_cycle_goes_with_its_job(void)
{
    enum { RING = 100 };
    struct pair ring[RING];
    handle_t job = test_job();
    for (int i = 0; i < RING; i++) {
        ring[i] = (struct pair){{SK_HANDLE_NONE}};
        test_status(sk_channel_create(job, &ring[i].ends[0], &ring[i].ends[1]), SK_OK);
    }
    for (int i = 0; i < RING; i++) {
        test_status(send_handle(ring[(i + 1) % RING].ends[0], ring[i].ends[1]), SK_OK);
    }
    for (int i = 1; i < RING; i++) {
        test_status(sk_handle_close(ring[i].ends[0]), SK_OK);
    }
    test_job_end(job);
    uint64_t observed = 0;
    test_status(sk_object_wait(ring[0].ends[0], SK_SIGNAL_PEER_CLOSED, test_deadline(), &observed),
                SK_OK);
    use_widow(ring[0].ends[0]);
    test_status(sk_handle_close(ring[0].ends[0]), SK_OK);
}

static void a_handle_cannot_go_through_its_own_channel(void)
{
    struct pair a = make();
    test_status(send_handle(a.ends[0], a.ends[0]), SK_INVALID_ARGS);
    test_status(send_handle(a.ends[0], a.ends[1]), SK_INVALID_ARGS);
    close_both(&a);
}

void endpoint_tests(void)
{
    test_case("an endpoint travels while its peer dies", an_endpoint_travels_while_its_peer_dies);
    test_case("a carrier is closed with the endpoint inside",
              a_carrier_is_closed_with_the_endpoint_inside);
    test_case("a failed send leaves the endpoint", a_failed_send_leaves_the_endpoint);
    test_case("a child gets an endpoint whose peer is closed", a_child_gets_a_widow);
    test_case("a cycle of endpoints goes with its job", a_cycle_goes_with_its_job);
    test_case("a long cycle goes with its job", a_long_cycle_goes_with_its_job);
    test_case("what is reached outlives its job", what_is_reached_outlives_its_job);
    test_case("a handle cannot go through its own channel",
              a_handle_cannot_go_through_its_own_channel);
}
