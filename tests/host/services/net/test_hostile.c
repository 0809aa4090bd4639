/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that break the socket protocol: their session ends, nobody else notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fixture.h"

static void drop_unaccepted(void)
{
    struct sk_socket *left;
    while (sk_net_next(net) != NULL) {
    }
    while (sk_tcp_accept(listener, &left) == SK_OK) {
        sk_socket_abort(left);
    }
}

static void expect_broken(struct sk_net *hostile, struct net_session *session)
{
    fake_net_run(1);
    assert_true(session->broken);
    sk_net_close(hostile);
    fake_net_run(1);
    assert_int_equal(fake_net_sessions(), 1);
    drop_unaccepted();
    text_both_ways(NULL);
}

static struct net_session *open_hostile(struct sk_net **hostile, struct sk_socket **socket)
{
    assert_int_equal(sk_net_open(hostile, 4, SOON), SK_OK);
    struct net_session *session = fake_net_session();
    assert_int_equal(sk_tcp_connect_wait(*hostile, sk_net_loopback(PORT), SOON, socket), SK_OK);
    return session;
}

static void name_slot(struct net_session *session, uint32_t slot)
{
    struct sk_net_control *control = session->control;
    uint32_t head = atomic_load(&control->to_net.head);
    control->to_net_slots[head % SK_NET_SLOTS_MAX] = (uint16_t)slot;
    atomic_store(&control->to_net.head, head + 1);
}

static void hostile_slot_number(void **state)
{
    struct sk_net *hostile;
    struct sk_socket *socket;
    struct net_session *session = open_hostile(&hostile, &socket);

    name_slot(session, 4);
    expect_broken(hostile, session);
}

static void hostile_ring_index(void **state)
{
    struct sk_net *hostile;
    struct sk_socket *socket;
    struct net_session *session = open_hostile(&hostile, &socket);

    atomic_store(&session->control->to_net.head, 0x80000000u);
    expect_broken(hostile, session);
}

static void hostile_data_head(void **state)
{
    static const uint32_t heads[] = {SK_NET_TX_BYTES + 1, 0xffffffff, 0x7fffffff};

    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct sk_net *hostile;
        struct sk_socket *socket;
        struct net_session *session = open_hostile(&hostile, &socket);
        atomic_store(&session->control->slots[0].tx.head, heads[i]);
        name_slot(session, 0);
        expect_broken(hostile, session);
    }
}

static void hostile_head_steps_back(void **state)
{
    struct sk_net *hostile;
    struct sk_socket *socket;
    struct net_session *session = open_hostile(&hostile, &socket);
    uint32_t written;
    static uint8_t body[60000];

    assert_int_equal(sk_tcp_write(socket, body, sizeof body, &written), SK_OK);
    sk_net_flush(hostile);
    session_poll(session); /* all of it is lwIP's now */
    atomic_store(&session->control->slots[0].tx.head, 10);
    name_slot(session, 0);
    expect_broken(hostile, session);
}

static void hostile_reading(void **state)
{
    static const uint32_t tails[] = {1, 0x80000000u, 0xffffffffu};

    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        struct sk_net *hostile;
        struct sk_socket *socket;
        struct net_session *session = open_hostile(&hostile, &socket);
        atomic_store(&session->control->slots[0].rx.tail, tails[i]); /* nothing was received */
        name_slot(session, 0);
        expect_broken(hostile, session);
    }
}

static void hostile_datagram(void **state)
{
    struct sk_net *hostile;
    struct sk_socket *socket, *udp;
    struct net_session *session = open_hostile(&hostile, &socket);

    assert_int_equal(sk_udp_open(hostile, sk_net_any(0), SOON, &udp), SK_OK);
    struct sk_net_datagram *header = (void *)(session->data + sk_net_tx_offset(1));
    header->length = 0xfffffff0u;
    atomic_store(&session->control->slots[1].tx.head, 64);
    name_slot(session, 1);
    expect_broken(hostile, session);
}

/* Random words all over the control page: whatever happens, the service stays whole. */
static void hostile_noise(void **state)
{
    srand(1);
    for (int round = 0; round < 300; round++) {
        struct sk_net *hostile;
        struct sk_socket *socket;
        struct net_session *session = open_hostile(&hostile, &socket);
        uint32_t *words = (void *)session->control;
        size_t count = sk_net_control_bytes(4) / 4;
        for (int i = 0; i < 20; i++) {
            uint32_t value = rand() % 2 ? (uint32_t)rand() : (uint32_t)rand() % 8;
            words[(size_t)rand() % count] = value;
            name_slot(session, (uint32_t)rand() % 4);
            fake_net_run(1);
        }
        sk_net_close(hostile);
        fake_net_run(2);
        drop_unaccepted();
    }
    fake_net_run(100);
    drop_unaccepted();
    text_both_ways(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(hostile_slot_number),     CASE(hostile_ring_index), CASE(hostile_data_head),
        CASE(hostile_head_steps_back), CASE(hostile_reading),    CASE(hostile_datagram),
        CASE(hostile_noise),
    };
    return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
