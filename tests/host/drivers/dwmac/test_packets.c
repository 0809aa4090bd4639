/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets, their descriptors and interrupts in the Ethernet driver of the JH7110. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sk/time.h>

#include "fixture.h"

/* --- Receiving --- */

static const uint8_t *received(const struct sk_nic_descriptor *d)
{
    return (const uint8_t *)device.pool.memory + rx_buffer_offset(d->buffer) + d->offset;
}

static void a_packet_arrives(void **state)
{
    uint8_t packet[1514];
    struct sk_nic_descriptor d;
    run(V13B, 0, 1000);
    for (size_t i = 0; i < sizeof packet; i++) {
        packet[i] = (uint8_t)(i * 7);
    }
    memcpy(packet, mac, 6);
    assert_int_equal(device_take_rx(&device, &d), SK_NOT_FOUND);
    assert_true(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
    uint32_t fences = model_read_fences;
    assert_int_equal(device_take_rx(&device, &d), SK_OK);
    assert_true(model_read_fences > fences);
    assert_int_equal(d.length, sizeof packet);
    assert_int_equal(d.offset % 4, 2);
    assert_true(d.offset >= 2);
    assert_int_equal(d.flags, 0);
    assert_memory_equal(received(&d), packet, sizeof packet);
    assert_int_equal(device.rx_posted, RX_BUFFERS - 1);
    assert_int_equal(device_take_rx(&device, &d), SK_NOT_FOUND);
    packet[0] = 0x6e; /* somebody else's */
    assert_false(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
    packet[0] = 0x01; /* a group nobody asked for */
    assert_false(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
}

/* Damaged ones, ones too long for a buffer, and what the device lost come to nobody and are counted. */
static void bad_packets_are_dropped_and_counted(void **state)
{
    uint8_t packet[4000] = {255, 255, 255, 255, 255, 255};
    struct sk_nic_descriptor d;
    run(V13B, 1, 100);
    assert_true(model_receive(packet, 100, MODEL_CRC_ERROR));
    assert_true(model_receive(packet, 4000, MODEL_NO_ERROR)); /* three buffers */
    assert_true(model_receive(packet, 10, MODEL_NO_ERROR));
    assert_true(model_receive(packet, 77, MODEL_NO_ERROR));
    assert_int_equal(device_take_rx(&device, &d), SK_OK);
    assert_int_equal(d.length, 77);
    assert_int_equal(device.rx_lost, 5);
    assert_int_equal(device.rx_posted, RX_BUFFERS - 1);
    while (model_receive(packet, 64, MODEL_NO_ERROR)) {
    }
    look();
    assert_int_equal(device.rx_lost, 6);
    /* All 127 others are there, and when they are given back it goes on. */
    for (uint32_t i = 0; i < RX_BUFFERS - 1; i++) {
        assert_int_equal(device_take_rx(&device, &d), SK_OK);
        assert_int_equal(device_post_rx(&device, d.buffer), SK_OK);
    }
    assert_int_equal(device_take_rx(&device, &d), SK_NOT_FOUND);
    assert_false(model_receive(packet, 64, MODEL_NO_ERROR)); /* not shown yet */
    device_show_rx(&device);
    assert_true(model_receive(packet, 64, MODEL_NO_ERROR));
}

static void no_more_buffers_than_there_are(void **state)
{
    run(V13B, 1, 1000);
    assert_int_equal(device_post_rx(&device, 0), SK_FULL);
    assert_int_equal(device.rx_posted, RX_BUFFERS);
}

/* --- Sending --- */

static void a_packet_of_several_parts_goes_out(void **state)
{
    uint8_t bytes[2048];
    uint16_t first;
    struct sk_nic_descriptor d[3] = {{.buffer = 5, .offset = 16, .length = 54},
                                     {.buffer = 9, .offset = 0, .length = 1000},
                                     {.buffer = 7, .offset = 3, .length = 460}};
    run(V12A, 1, 100);
    uint8_t *pool = device.pool.memory;
    memset(pool + tx_buffer_offset(5) + 16, 'a', 54);
    memset(pool + tx_buffer_offset(9), 'b', 1000);
    memset(pool + tx_buffer_offset(7) + 3, 'c', 460);
    assert_int_equal(device_post_tx(&device, d, 3), SK_OK);
    assert_int_equal(model_send(bytes, sizeof bytes, false), 0); /* not shown */
    device_show_tx(&device);
    assert_int_equal(device_take_tx(&device, &first), SK_NOT_FOUND);
    assert_int_equal(model_send(bytes, sizeof bytes, false), 1514);
    assert_true(bytes[0] == 'a' && bytes[53] == 'a' && bytes[54] == 'b' && bytes[1053] == 'b' &&
                bytes[1054] == 'c' && bytes[1513] == 'c');
    assert_int_equal(device_take_tx(&device, &first), SK_OK);
    assert_int_equal(first, 5);
    assert_int_equal(device.tx_posted, 0);
    assert_int_equal(device.tx_failed, 0);
    assert_int_equal(device_take_tx(&device, &first), SK_NOT_FOUND);
}

static void what_the_fifo_cannot_hold_is_refused(void **state)
{
    struct sk_nic_descriptor d = {.buffer = 1, .offset = 16, .length = 1519};
    struct sk_nic_descriptor many[CHAIN_MAX + 1] = {d};
    run(V13B, 0, 1000);
    assert_int_equal(device_post_tx(&device, &d, 1), SK_INVALID_ARGS);
    d.length = 13;
    assert_int_equal(device_post_tx(&device, &d, 1), SK_INVALID_ARGS);
    assert_int_equal(device_post_tx(&device, many, CHAIN_MAX + 1), SK_INVALID_ARGS);
    d.length = 1518;
    assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
    assert_int_equal(device.tx_posted, 1);
}

static void a_packet_that_fails_comes_back_and_is_counted(void **state)
{
    struct sk_nic_descriptor d = {.buffer = 1, .offset = 16, .length = 60};
    uint8_t bytes[2048];
    uint16_t first;
    run(V13B, 0, 1000);
    device_post_tx(&device, &d, 1);
    device_show_tx(&device);
    assert_int_equal(model_send(bytes, sizeof bytes, true), 60);
    assert_int_equal(device_take_tx(&device, &first), SK_OK);
    assert_int_equal(device.tx_failed, 1);
}

/* However full the ring is: if it says so, a packet of the most parts fits, and none is lost. */
static void room_is_for_a_packet_of_any_shape(void **state)
{
    struct sk_nic_descriptor parts[CHAIN_MAX];
    for (uint16_t i = 0; i < CHAIN_MAX; i++) {
        parts[i] = (struct sk_nic_descriptor){.buffer = i, .offset = 16, .length = 60};
    }
    for (uint32_t first = 0; first < CHAIN_MAX; first++) {
        uint32_t packets = 0;
        run(V13B, 0, 1000);
        for (; packets < first; packets++) {
            assert_int_equal(device_post_tx(&device, parts, 1), SK_OK);
        }
        for (; device_tx_room(&device); packets++) {
            assert_int_equal(device_post_tx(&device, parts, CHAIN_MAX), SK_OK);
        }
        assert_true(packets >= 5);
        while (device_post_tx(&device, parts, 1) == SK_OK) {
            packets++;
        }
        device_show_tx(&device);
        uint8_t bytes[2048];
        uint16_t buffer;
        for (; packets > 0; packets--) {
            assert_true(model_send(bytes, sizeof bytes, false) > 0);
            assert_int_equal(device_take_tx(&device, &buffer), SK_OK);
        }
        assert_true(device_tx_room(&device));
    }
}

/* --- Both, for long --- */

static void random_traffic_loses_nothing(void **state)
{
    uint8_t packet[1514] = {255, 255, 255, 255, 255, 255}, bytes[2048];
    uint32_t arrived = 0, taken = 0, sent = 0, left = 0, back = 0;
    bool free_tx[TX_BUFFERS];
    memset(free_tx, 1, sizeof free_tx);
    srand(7);
    run(V13B, 0, 1000);
    for (uint32_t step = 0; step < 40000; step++) {
        struct sk_nic_descriptor d;
        uint16_t buffer = (uint16_t)(rand() % TX_BUFFERS);
        uint32_t length = 14 + (uint32_t)rand() % 1500;
        switch (rand() % 5) {
        case 0:
            memcpy(packet + 6, &arrived, 4);
            arrived += model_receive(packet, length, MODEL_NO_ERROR);
            break;
        case 1:
            if (device_take_rx(&device, &d) == SK_OK) {
                assert_memory_equal(received(&d) + 6, &taken, 4);
                taken++;
                assert_int_equal(device_post_rx(&device, d.buffer), SK_OK);
                device_show_rx(&device);
            }
            break;
        case 2:
            if (free_tx[buffer] && device_tx_room(&device)) {
                d = (struct sk_nic_descriptor){.buffer = buffer, .offset = 16, .length = length};
                memcpy((uint8_t *)device.pool.memory + tx_buffer_offset(buffer) + 16, &sent, 4);
                assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
                device_show_tx(&device);
                free_tx[buffer] = false;
                sent++;
            }
            break;
        case 3:
            if (model_send(bytes, sizeof bytes, false) > 0) {
                assert_memory_equal(bytes, &left, 4);
                left++;
            }
            break;
        default:
            if (device_take_tx(&device, &buffer) == SK_OK) {
                assert_false(free_tx[buffer]);
                free_tx[buffer] = true;
                back++;
            }
        }
        if (step % 1000 == 0) {
            board_writes();
        }
    }
    assert_true(taken > 5000 && back > 5000);
    struct sk_nic_descriptor d;
    while (device_take_rx(&device, &d) == SK_OK) {
        taken++;
    }
    assert_int_equal(taken, arrived);
    assert_int_equal(device.rx_lost, 0);
    assert_int_equal(sent - back, device.tx_posted);
}

/* --- Interrupts --- */

static void interrupts_come_when_asked_for(void **state)
{
    uint8_t packet[60] = {255, 255, 255, 255, 255, 255};
    struct sk_nic_descriptor d;
    run(V13B, 1, 1000);
    assert_true(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
    assert_false(model_line());
    assert_true(device_rx_interrupt_on(&device)); /* there is one already */
    assert_int_equal(device_take_rx(&device, &d), SK_OK);
    assert_false(device_rx_interrupt_on(&device));
    assert_false(model_line()); /* of what is taken nothing is told again */
    assert_true(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
    assert_true(model_line());
    assert_int_equal(device_interrupt(&device), 0);
    model_register(0);
    device_interrupts_off(&device);
    assert_false(model_line());
    assert_true(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
    assert_false(model_line());
}

/* A packet that comes right behind the last look is told: the clearing must be over by then. */
static void no_interrupt_is_lost_behind_a_late_clearing(void **state)
{
    uint8_t packet[60] = {255, 255, 255, 255, 255, 255}, bytes[2048];
    struct sk_nic_descriptor d = {.buffer = 3, .offset = 16, .length = 60};
    run(V13B, 1, 1000);
    assert_false(device_rx_interrupt_on(&device));
    assert_true(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
    model_register(0);
    gmac_read(0x16040000); /* whatever is read next pushes the writes out */
    assert_true(model_line());
    assert_int_equal(device_interrupt(&device), 0);
    gmac_read(0x16040000);
    assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
    device_show_tx(&device);
    assert_false(device_tx_interrupt_on(&device));
    assert_int_equal(model_send(bytes, sizeof bytes, false), 60);
    gmac_read(0x16040000);
    assert_true(model_line());
}

static void a_bus_error_is_a_broken_device_that_starts_anew(void **state)
{
    uint8_t packet[60] = {255, 255, 255, 255, 255, 255};
    struct sk_nic_descriptor d;
    run(V13B, 0, 1000);
    model_bus_error();
    assert_true(model_line()); /* whatever is asked for */
    assert_int_equal(device_interrupt(&device), DEVICE_BROKEN);
    gmac_read(0x16030000);
    assert_false(model_line());
    assert_int_equal(device_start(&device), SK_OK);
    assert_int_equal(device.rx_posted, 0);
    for (uint16_t i = 0; i < RX_BUFFERS; i++) {
        assert_int_equal(device_post_rx(&device, i), SK_OK);
    }
    device_show_rx(&device);
    assert_int_equal(look(), DEVICE_LINK_CHANGED); /* it was up, and is again */
    assert_true(model_receive(packet, sizeof packet, MODEL_NO_ERROR));
    assert_int_equal(device_take_rx(&device, &d), SK_OK);
    assert_memory_equal(device.mac, mac, 6);
}

static void want_groups(const uint8_t (*groups)[6], uint32_t count)
{
    memcpy(device.groups, groups, count * sizeof groups[0]);
    device.group_count = count;
}

static bool passes(const uint8_t group[6])
{
    uint8_t packet[60] = {0};
    struct sk_nic_descriptor d;
    memcpy(packet, group, 6);
    bool passed = model_receive(packet, sizeof packet, MODEL_NO_ERROR);
    assert_int_equal(device_take_rx(&device, &d), passed ? SK_OK : SK_NOT_FOUND);
    return passed;
}

/* Their places in a table of 64 bits are 6, 48, 23 and 1. */
static const uint8_t groups[4][6] = {{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03},
                                     {0x01, 0x00, 0x5e, 0x00, 0x00, 0xfb},
                                     {0x01, 0x00, 0x5e, 0x4d, 0x58, 0x63},
                                     {0x33, 0x33, 0x00, 0x00, 0x00, 0x01}};

static void only_groups_that_are_wanted_pass(void **state)
{
    for (model_hash_size = 1; model_hash_size <= 3; model_hash_size++) {
        run(V13B, 0, 1000);
        assert_false(passes(groups[0]));
        want_groups(groups, 2);
        device_set_groups(&device);
        assert_true(passes(groups[0]) && passes(groups[1]));
        assert_false(passes(groups[2]) || passes(groups[3]));
        if (model_hash_size == 1) {
            assert_int_equal(model_register(MAC_HASH_TABLE), 1u << 6);
            assert_int_equal(model_register(MAC_HASH_TABLE + 4), 1u << (48 - 32));
        }
        want_groups(groups + 1, 1);
        device_set_groups(&device);
        assert_true(passes(groups[1]));
        assert_false(passes(groups[0]));
    }
    model_hash_size = 1;
}

static void a_new_start_keeps_the_groups(void **state)
{
    prepare(V13B, 0);
    want_groups(groups, 1);
    model_phy.clock = false;
    assert_int_equal(device_start(&device), SK_OK);
    device_set_groups(&device); /* while the controller waits for its clock */
    model_phy.clock = true;
    look();
    assert_int_equal(model_register(MAC_HASH_TABLE), 1u << 6);
}

static void without_a_table_all_groups_pass_or_none(void **state)
{
    model_hash_size = 0;
    run(V13B, 0, 1000);
    assert_false(passes(groups[0]));
    want_groups(groups, 1);
    device_set_groups(&device);
    assert_true(passes(groups[0]) && passes(groups[3]));
    model_hash_size = 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_arrives),
        cmocka_unit_test(bad_packets_are_dropped_and_counted),
        cmocka_unit_test(no_more_buffers_than_there_are),
        cmocka_unit_test(a_packet_of_several_parts_goes_out),
        cmocka_unit_test(what_the_fifo_cannot_hold_is_refused),
        cmocka_unit_test(a_packet_that_fails_comes_back_and_is_counted),
        cmocka_unit_test(room_is_for_a_packet_of_any_shape),
        cmocka_unit_test(random_traffic_loses_nothing),
        cmocka_unit_test(interrupts_come_when_asked_for),
        cmocka_unit_test(no_interrupt_is_lost_behind_a_late_clearing),
        cmocka_unit_test(a_bus_error_is_a_broken_device_that_starts_anew),
        cmocka_unit_test(only_groups_that_are_wanted_pass),
        cmocka_unit_test(a_new_start_keeps_the_groups),
        cmocka_unit_test(without_a_table_all_groups_pass_or_none),
    };
    if (argc != 3) {
        return 1;
    }
    board_folders(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
