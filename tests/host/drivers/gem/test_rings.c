/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors of the GEM: who owns them when, in which order they are written, what errors leave behind. */
#include "gem_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t frame[MODEL_FRAME_MAX];

static void fill(uint8_t seed)
{
    for (uint32_t i = 0; i < sizeof frame; i++) {
        frame[i] = (uint8_t)(seed + i * 7);
    }
}

static uint8_t *tx_bytes(uint16_t buffer, uint32_t offset)
{
    return (uint8_t *)device.pool.memory + tx_buffer_offset(buffer) + offset;
}

static const uint8_t *rx_bytes(const struct sk_nic_descriptor *d)
{
    return (const uint8_t *)device.pool.memory + rx_buffer_offset(d->buffer) + d->offset;
}

/* --- Receiving --- */

#define WHOLE (RX1_FIRST | RX1_LAST)

static void frames_arrive_in_order_round_the_ring(void **state)
{
    struct sk_nic_descriptor d;
    model_start(RX_BUFFERS);
    assert_int_equal(device_take_rx(&device, &d), SK_NOT_FOUND);
    for (uint32_t i = 0; i < 3 * RX_RING + 5; i++) {
        fill((uint8_t)i);
        assert_true(model_receive(frame, 60 + i % 1400, WHOLE));
        assert_int_equal(device_take_rx(&device, &d), SK_OK);
        assert_int_equal(d.buffer, i % RX_BUFFERS);
        assert_int_equal(d.offset % 4, 2);
        assert_int_equal(d.length, 60 + i % 1400); /* not what stood there before the fence */
        assert_int_equal(d.flags, 0);
        assert_memory_equal(rx_bytes(&d), frame, d.length);
        assert_int_equal(device.rx_posted, RX_BUFFERS - 1);
        assert_int_equal(device_post_rx(&device, d.buffer), SK_OK);
        assert_int_equal(device_take_rx(&device, &d), SK_NOT_FOUND);
    }
    assert_int_equal(device_post_rx(&device, 0), SK_FULL);
}

static void checked_sums_are_told(void **state)
{
    static const struct {
        uint32_t result;
        uint16_t flags;
    } kinds[] = {{0, 0}, {1, 0}, {2, SK_NIC_CHECKSUM_VALID}, {3, SK_NIC_CHECKSUM_VALID}};
    struct sk_nic_descriptor d;
    model_start(8);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_true(model_receive(frame, 64, WHOLE | kinds[i].result << RX1_CHECKED_SHIFT));
        assert_int_equal(device_take_rx(&device, &d), SK_OK);
        assert_int_equal(d.flags, kinds[i].flags);
    }
    device.features &= ~(uint32_t)SK_NIC_RX_CHECKSUM; /* then the bits mean something else */
    assert_true(model_receive(frame, 64, WHOLE | 3u << RX1_CHECKED_SHIFT));
    assert_int_equal(device_take_rx(&device, &d), SK_OK);
    assert_int_equal(d.flags, 0);
}

static void a_device_without_buffers_goes_on_when_there_are_some(void **state)
{
    struct sk_nic_descriptor d;
    model_start(2);
    assert_true(model_receive(frame, 64, WHOLE));
    assert_true(model_receive(frame, 64, WHOLE));
    assert_false(model_receive(frame, 64, WHOLE));
    assert_int_equal(device_take_rx(&device, &d), SK_OK);
    assert_int_equal(device_post_rx(&device, d.buffer), SK_OK);
    uint32_t before = model.write_count;
    device_show_rx(&device);
    uint32_t at = model_first_write(GEM_CONTROL, before);
    assert_true(at < model.write_count); /* or QEMU's would not look again */
    assert_int_equal(model.writes[at].value, CONTROL_MANAGEMENT | CONTROL_RX | CONTROL_TX);
    assert_true(model_receive(frame, 64, WHOLE));
    uint64_t next;
    device_look(&device, &next);
    assert_int_equal(device.rx_lost, 1);
}

/* An overrun leaves the begin of a frame, or several parts of one. */
static void parts_of_frames_are_dropped(void **state)
{
    struct sk_nic_descriptor d;
    model_start(4);
    assert_true(model_receive(frame, 512, RX1_FIRST));
    assert_true(model_receive(frame, 512, 0));
    assert_true(model_receive(frame, 100, RX1_LAST));
    fill(9);
    assert_true(model_receive(frame, 90, WHOLE));
    assert_int_equal(device_take_rx(&device, &d), SK_OK);
    assert_int_equal(d.length, 90);
    assert_memory_equal(rx_bytes(&d), frame, 90);
    assert_int_equal(device_take_rx(&device, &d), SK_NOT_FOUND);
    assert_int_equal(device.rx_posted, 3); /* theirs are posted again */
    assert_int_equal(device.rx_lost, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(model_receive(frame, 90, WHOLE));
        assert_int_equal(device_take_rx(&device, &d), SK_OK);
    }
}

/* A device that damages everything for ever keeps nobody busy for ever. */
static void only_damage_ends_too(void **state)
{
    struct sk_nic_descriptor d;
    model_start(RX_BUFFERS);
    for (uint32_t i = 0; i < RX_BUFFERS; i++) {
        assert_true(model_receive(frame, 512, 0));
        model_settle();
    }
    model_read_fence();
    assert_int_equal(device_take_rx(&device, &d), SK_NOT_FOUND);
    assert_int_equal(device.rx_posted, RX_BUFFERS);
}

static void impossible_lengths_break_the_device(void **state)
{
    static const uint32_t lengths[] = {0, RX_DMA_BYTES - RX_PACKET_OFFSET + 1, RX1_LENGTH};
    struct sk_nic_descriptor d;
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        model_start(4);
        assert_true(model_receive(frame, 0, WHOLE | lengths[i]));
        assert_int_equal(device_take_rx(&device, &d), SK_IO_ERROR);
    }
}

/* --- Sending --- */

static struct sk_nic_descriptor part(uint16_t buffer, uint16_t offset, uint32_t length, bool more)
{
    for (uint32_t i = 0; i < length; i++) {
        tx_bytes(buffer, offset)[i] = (uint8_t)(buffer * 31 + i);
    }
    return (struct sk_nic_descriptor){
        .buffer = buffer, .offset = offset, .length = length, .flags = more ? SK_NIC_MORE : 0};
}

/* One packet of `count` parts of 20 bytes, from buffer `buffer` on. */
static status_t post(uint16_t buffer, uint32_t count)
{
    struct sk_nic_descriptor d[CHAIN_MAX];
    for (uint32_t i = 0; i < count; i++) {
        d[i] = part((uint16_t)(buffer + i), TX_HEADROOM + i, 20, i + 1 < count);
    }
    return device_post_tx(&device, d, count);
}

static void check_sent(uint32_t index, uint16_t buffer, uint32_t count)
{
    assert_int_equal(model.sent_length[index], 20 * count);
    for (uint32_t i = 0; i < count; i++) {
        assert_memory_equal(model.sent[index] + 20 * i,
                            tx_bytes((uint16_t)(buffer + i), TX_HEADROOM + i), 20);
    }
}

static void packets_go_out_whole_round_the_ring(void **state)
{
    uint16_t buffer;
    model_start(1);
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t count = 1 + i % 5;
        assert_int_equal(post((uint16_t)(i % 50), count), SK_OK);
        assert_int_equal(device.tx_posted, 1);
        assert_int_equal(model_transmit(), 0); /* not shown yet */
        device_show_tx(&device);
        model.sent_count = 0;
        assert_int_equal(device_take_tx(&device, &buffer), SK_NOT_FOUND);
        assert_int_equal(model_transmit(), 1);
        check_sent(0, (uint16_t)(i % 50), count);
        assert_int_equal(device_take_tx(&device, &buffer), SK_OK);
        assert_int_equal(buffer, i % 50);
        assert_int_equal(device_take_tx(&device, &buffer), SK_NOT_FOUND);
        assert_int_equal(device.tx_posted, 0);
    }
}

/* The model looks at every fence: a packet being added behind others must not be seen in parts. */
static void packets_are_added_while_the_device_sends(void **state)
{
    static const uint16_t firsts[] = {0, 3, 7};
    uint16_t buffer;
    model_start(1);
    assert_int_equal(post(0, 3), SK_OK);
    device_show_tx(&device);
    assert_int_equal(post(3, 4), SK_OK);
    assert_int_equal(post(7, 1), SK_OK);
    assert_int_equal(model_transmit(), 3);
    check_sent(1, 3, 4);
    for (uint16_t i = 0; i < 3; i++) {
        assert_int_equal(device_take_tx(&device, &buffer), SK_OK);
        assert_int_equal(buffer, firsts[i]);
    }
}

static void the_ring_never_fills(void **state)
{
    uint32_t posted = 0;
    uint16_t buffer;
    model_start(1);
    while (device_tx_room(&device)) {
        assert_int_equal(post(0, 1), SK_OK);
        posted++;
    }
    assert_int_equal(posted,
                     TX_RING - CHAIN_MAX); /* a packet of CHAIN_MAX - 1 still fits, and a stop */
    assert_int_equal(post(0, 1), SK_FULL);
    device_show_tx(&device);
    model.sent_limit = 1; /* then there is room for one more, and no more */
    assert_int_equal(model_transmit(), 1);
    assert_int_equal(device_take_tx(&device, &buffer), SK_OK);
    assert_true(device_tx_room(&device));
    assert_int_equal(post(0, 1), SK_OK);
    assert_false(device_tx_room(&device));
}

static void only_ethernet_frames_are_sent(void **state)
{
    struct sk_nic_descriptor d[CHAIN_MAX];
    model_start(1);
    d[0] = part(0, TX_HEADROOM, FRAME_BYTES_MAX, false);
    assert_int_equal(device_post_tx(&device, d, 1), SK_OK);
    d[0] = part(1, TX_HEADROOM, FRAME_BYTES_MAX + 1, false);
    assert_int_equal(device_post_tx(&device, d, 1), SK_INVALID_ARGS);
    d[0] = part(1, TX_HEADROOM, FRAME_BYTES_MAX, true);
    d[1] = part(2, 0, 1, false);
    assert_int_equal(device_post_tx(&device, d, 2), SK_INVALID_ARGS);
    assert_int_equal(device_post_tx(&device, d, 0), SK_INVALID_ARGS);
    assert_int_equal(device.tx_posted, 1);
}

static void the_sum_is_left_to_the_device(void **state)
{
    struct sk_nic_descriptor d = part(3, 18, 60, false);
    model_start(1);
    d = part(3, 18, 60, false);
    d.checksum_start = 34;
    d.checksum_offset = 16;
    assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
    assert_int_not_equal(tx_bytes(3, 18)[50], 0); /* nobody asked */
    d.flags = SK_NIC_NEEDS_CHECKSUM;
    assert_int_equal(device_post_tx(&device, &d, 1), SK_OK);
    assert_int_equal(tx_bytes(3, 18)[50], 0);
    assert_int_equal(tx_bytes(3, 18)[51], 0);
    assert_int_not_equal(tx_bytes(3, 18)[49], 0);
    assert_int_not_equal(tx_bytes(3, 18)[52], 0);
}

/* --- Interrupts of packets --- */

static void the_line_rises_for_what_comes_after_the_wish(void **state)
{
    struct sk_nic_descriptor d;
    model_start(4);
    assert_true(model_receive(frame, 64, WHOLE));
    assert_false(model_interrupts());             /* nobody has asked */
    assert_true(device_rx_interrupt_on(&device)); /* there is one already */
    assert_int_equal(device_take_rx(&device, &d), SK_OK);
    device_interrupts_off(&device);
    assert_false(device_rx_interrupt_on(&device));
    assert_true(model_receive(frame, 64, WHOLE)); /* the wish must have arrived by now */
    assert_true(model_interrupts());
    assert_int_equal(device_interrupt(&device), 0);
    assert_false(model_interrupts());
    assert_true(model_receive(frame, 64, WHOLE));
    assert_false(model_interrupts()); /* one wish, one interrupt */
}

static void sent_packets_interrupt_if_wished(void **state)
{
    uint16_t buffer;
    model_start(1);
    assert_int_equal(post(0, 1), SK_OK);
    device_show_tx(&device);
    assert_false(device_tx_interrupt_on(&device));
    assert_int_equal(model_transmit(), 1);
    assert_true(model_interrupts());
    assert_int_equal(device_interrupt(&device), 0);
    assert_true(device_tx_interrupt_on(&device));
    assert_int_equal(device_take_tx(&device, &buffer), SK_OK);
}

/* The device had just found the used bit, and takes the wish to start for one that is over. */
static void a_start_that_was_lost_is_made_up_for(void **state)
{
    uint16_t buffer;
    model_start(1);
    assert_int_equal(post(0, 2), SK_OK);
    model.start_is_lost = true;
    device_show_tx(&device);
    assert_int_equal(model_transmit(), 0);
    assert_false(device_rx_interrupt_on(&device)); /* before every wait */
    assert_int_equal(model_transmit(), 1);
    assert_int_equal(device_take_tx(&device, &buffer), SK_OK);
}

/* As before, but it stops only after the driver has looked: then it interrupts. */
static void a_start_that_is_lost_later_interrupts(void **state)
{
    model_start(1);
    assert_int_equal(post(0, 1), SK_OK);
    device_show_tx(&device);
    assert_false(device_rx_interrupt_on(&device));
    assert_int_equal(model_transmit(), 1);
    assert_true(model_interrupts());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_arrive_in_order_round_the_ring),
        cmocka_unit_test(checked_sums_are_told),
        cmocka_unit_test(a_device_without_buffers_goes_on_when_there_are_some),
        cmocka_unit_test(parts_of_frames_are_dropped),
        cmocka_unit_test(only_damage_ends_too),
        cmocka_unit_test(impossible_lengths_break_the_device),
        cmocka_unit_test(packets_go_out_whole_round_the_ring),
        cmocka_unit_test(packets_are_added_while_the_device_sends),
        cmocka_unit_test(the_ring_never_fills),
        cmocka_unit_test(only_ethernet_frames_are_sent),
        cmocka_unit_test(the_sum_is_left_to_the_device),
        cmocka_unit_test(the_line_rises_for_what_comes_after_the_wish),
        cmocka_unit_test(sent_packets_interrupt_if_wished),
        cmocka_unit_test(a_start_that_was_lost_is_made_up_for),
        cmocka_unit_test(a_start_that_is_lost_later_interrupts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
