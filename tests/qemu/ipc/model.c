/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random operations on channels, checked one by one against a model of a few lines: who holds which
 * end, and what lies in which inbox. Seeded, so a failure repeats.
 *
 * A message into an inbox of channel i carries only ends of channels above i, so that no end can come
 * to lie in an inbox that only it keeps alive.
 */
#include <stdlib.h>

#include "ipc_test.h"

#define CHANNELS 12u
#define STEPS 20000u
#define SEEDS 4u
#define INBOX SK_INBOX_MESSAGES_MAX
#define CARRIED 3u

enum where { GONE, HELD, IN_FLIGHT };

struct parcel {
    uint32_t length, seed, count;
    uint32_t ends[CARRIED]; /* channel * 2 + side */
};

struct end {
    enum where where;
    handle_t handle; /* HELD */
    uint64_t id;
    uint32_t count, bytes, first;
    struct parcel inbox[INBOX];
};

static struct end ends[2 * CHANNELS];
static uint64_t state, objects_before;
static uint8_t buffer[SK_MESSAGE_BYTES_MAX];

static uint32_t choose(uint32_t below)
{
    return random_next(&state) % below;
}

/* An end and what its inbox held are no more. */
static void model_close(uint32_t which)
{
    struct end *end = &ends[which];
    end->where = GONE;
    while (end->count > 0) {
        const struct parcel *parcel = &end->inbox[end->first];
        end->first = (end->first + 1) % INBOX;
        end->count--;
        for (uint32_t i = 0; i < parcel->count; i++) {
            model_close(parcel->ends[i]);
        }
    }
    end->bytes = 0;
}

static void step_create(uint32_t channel)
{
    struct end *pair = &ends[2 * channel];
    if (pair[0].where != GONE || pair[1].where != GONE) {
        return;
    }
    handle_t handles[2];
    make_channel(handles);
    for (int i = 0; i < 2; i++) {
        pair[i] = (struct end){.where = HELD, .handle = handles[i], .id = id_of(handles[i])};
    }
}

/* The kernel closes what an inbox held in steps, after handle_close has returned. */
static void wait_for_the_dead(void)
{
    uint64_t limit = test_deadline(), expected = objects_before;
    for (uint32_t i = 0; i < 2 * CHANNELS; i++) {
        expected += ends[i].where != GONE;
    }
    while (job_info(sk_self_job).used.objects != expected && sk_now() < limit) {
        sk_thread_yield();
    }
    test_equal(job_info(sk_self_job).used.objects, expected);
}

static void step_close(uint32_t which)
{
    if (ends[which].where == HELD) {
        test_status(sk_handle_close(ends[which].handle), SK_OK);
        model_close(which);
        wait_for_the_dead();
    }
}

static uint32_t random_length(void)
{
    switch (choose(4)) {
    case 0:
        return choose(33);
    case 1:
        return choose(200);
    case 2:
        return choose(SK_MESSAGE_BYTES_MAX + 1);
    default:
        return 8;
    }
}

static void step_send(uint32_t which)
{
    if (ends[which].where != HELD) {
        return;
    }
    struct end *peer = &ends[which ^ 1];
    struct parcel parcel = {.length = random_length(), .seed = choose(1000)};
    handle_t handles[CARRIED];
    uint32_t above = 2 * (which / 2 + 1);
    for (uint32_t i = choose(CARRIED + 1); i > 0 && above < 2 * CHANNELS; i--) {
        uint32_t other = above + choose(2 * CHANNELS - above);
        bool named = false;
        for (uint32_t k = 0; k < parcel.count; k++) {
            named = named || parcel.ends[k] == other;
        }
        if (ends[other].where == HELD && !named) {
            handles[parcel.count] = ends[other].handle;
            parcel.ends[parcel.count++] = other;
        }
    }
    fill(buffer, parcel.length, parcel.seed);
    struct sk_out out = {buffer, parcel.length, handles, parcel.count};
    status_t expected = SK_OK;
    if (peer->where == GONE) {
        expected = SK_PEER_CLOSED;
    } else if (peer->count == INBOX || peer->bytes + parcel.length > SK_INBOX_BYTES_MAX) {
        expected = SK_FULL;
    }
    test_status(sk_channel_send(ends[which].handle, &out), expected);
    for (uint32_t i = 0; i < parcel.count; i++) {
        test_equal(handle_is_good(handles[i]), expected != SK_OK);
    }
    if (expected == SK_OK) {
        for (uint32_t i = 0; i < parcel.count; i++) {
            ends[parcel.ends[i]].where = IN_FLIGHT;
        }
        peer->inbox[(peer->first + peer->count++) % INBOX] = parcel;
        peer->bytes += parcel.length;
    }
}

static void take_parcel(struct end *end, const struct sk_in *in, const handle_t *handles)
{
    const struct parcel *parcel = &end->inbox[end->first];
    test_equal(in->length, parcel->length);
    test_equal(in->handle_count, parcel->count);
    test_equal(in->key, end->id);
    test_check(filled(buffer, parcel->length, parcel->seed));
    for (uint32_t i = 0; i < parcel->count; i++) {
        struct end *carried = &ends[parcel->ends[i]];
        test_equal(id_of(handles[i]), carried->id);
        carried->where = HELD;
        carried->handle = handles[i];
    }
    end->first = (end->first + 1) % INBOX;
    end->count--;
    end->bytes -= parcel->length;
}

static void step_receive(uint32_t which)
{
    struct end *end = &ends[which];
    if (end->where != HELD) {
        return;
    }
    handle_t handles[CARRIED];
    uint32_t room = choose(3) > 0 ? SK_MESSAGE_BYTES_MAX : 32 + random_length();
    uint32_t handle_room = choose(3) > 0 ? CARRIED : choose(CARRIED);
    room = room < SK_MESSAGE_BYTES_MAX ? room : SK_MESSAGE_BYTES_MAX;
    const struct parcel *parcel = &end->inbox[end->first];
    status_t expected = SK_OK;
    if (end->count == 0) {
        expected = ends[which ^ 1].where == GONE ? SK_PEER_CLOSED : SK_TIMED_OUT;
    } else if (parcel->length > room || parcel->count > handle_room) {
        expected = SK_TOO_SMALL;
    }
    struct sk_in in = {buffer, room, handles, handle_room};
    test_status(sk_channel_receive(end->handle, &in, SK_DEADLINE_POLL), expected);
    if (expected == SK_OK) {
        take_parcel(end, &in, handles);
    }
}

static void one_step(void)
{
    uint32_t which = choose(2 * CHANNELS);
    switch (choose(16)) {
    case 0:
        step_create(which / 2);
        break;
    case 1:
        if (choose(4) == 0) {
            step_close(which);
        }
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        step_receive(which);
        break;
    default:
        step_send(which);
        break;
    }
}

static void channels_do_what_the_model_does(void)
{
    memset(ends, 0, sizeof ends);
    objects_before = job_info(sk_self_job).used.objects;
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        state = seed;
        for (uint32_t i = 0; i < STEPS; i++) {
            one_step();
        }
        for (uint32_t i = 0; i < 2 * CHANNELS; i++) {
            step_close(i);
        }
        for (uint32_t i = 0; i < 2 * CHANNELS; i++) {
            test_equal(ends[i].where, GONE);
        }
    }
}

void test_model(void)
{
    self_case("model: 80,000 random steps", channels_do_what_the_model_does);
}
