/* SPDX-License-Identifier: BSD-2-Clause */
/* Split virtqueues against a device that follows the rules in its own order, and one that does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "virtio/queue.h"

#define SIZE 8u
#define PHYSICAL 0x80000000ull

/* The layout of virtio 1.1, 2.6, as the device sees it. */
struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

static uint8_t *memory;
static struct virtq queue;
static struct virtq_slot slots[SIZE];
static uint16_t device_index; /* chains the device has looked at */

static uint16_t *available(void)
{
    return (uint16_t *)(memory + SIZE * sizeof(struct descriptor));
}

static uint16_t *used(void)
{
    return (uint16_t *)(memory + (queue.used_pa - PHYSICAL));
}

static void setup(bool event_index)
{
    free(memory);
    memory = aligned_alloc(4096, virtq_bytes(SIZE));
    memset(memory, 0, virtq_bytes(SIZE));
    virtq_init(&queue, 3, SIZE, memory, PHYSICAL, slots, event_index);
    device_index = 0;
}

static status_t add(uint16_t out, uint16_t in, uint32_t cookie)
{
    const struct virtq_buffer buffers[4] = {{0x1000, 10}, {0x2000, 20}, {0x3000, 30}, {0x4000, 40}};
    return virtq_add(&queue, buffers, out, in, cookie);
}

/* The next chain's head that the device finds. */
static uint16_t device_take(void)
{
    assert_int_not_equal(available()[1], device_index);
    return available()[2 + device_index++ % SIZE];
}

static void device_finish(uint32_t id, uint32_t length)
{
    uint16_t *index = &used()[1];
    uint32_t *entry = (uint32_t *)(void *)(used() + 2) + 2 * (*index % SIZE);
    entry[0] = id;
    entry[1] = length;
    (*index)++;
}

static void a_chain_goes_and_comes_back(void **state)
{
    uint32_t cookie, written;
    setup(false);
    assert_int_equal(add(1, 2, 77), SK_OK);
    assert_int_equal(available()[1], 0); /* not shown yet */
    assert_true(virtq_publish(&queue));
    assert_false(virtq_publish(&queue));
    const struct descriptor *all = (const struct descriptor *)memory;
    uint16_t head = device_take();
    assert_int_equal(all[head].address, 0x1000);
    assert_int_equal(all[head].flags, 1); /* NEXT */
    const struct descriptor *second = &all[all[head].next];
    assert_int_equal(second->length, 20);
    assert_int_equal(second->flags, 3); /* NEXT, WRITE */
    assert_int_equal(all[second->next].flags, 2);
    assert_int_equal(virtq_take(&queue, &cookie, &written), SK_NOT_FOUND);
    device_finish(head, 50);
    assert_int_equal(virtq_take(&queue, &cookie, &written), SK_OK);
    assert_int_equal(cookie, 77);
    assert_int_equal(written, 50);
    assert_int_equal(virtq_take(&queue, &cookie, &written), SK_NOT_FOUND);
}

static void a_full_queue_says_so_and_recovers(void **state)
{
    uint32_t cookie, written;
    setup(false);
    assert_int_equal(add(0, 0, 1), SK_INVALID_ARGS);
    for (uint32_t i = 0; i < SIZE / 2; i++) {
        assert_int_equal(add(1, 1, i), SK_OK);
    }
    assert_int_equal(add(1, 0, 99), SK_FULL);
    virtq_publish(&queue);
    uint16_t heads[SIZE / 2];
    for (uint32_t i = 0; i < SIZE / 2; i++) {
        heads[i] = device_take();
    }
    for (uint32_t i = SIZE / 2; i-- > 0;) { /* in its own order */
        device_finish(heads[i], 0);
        assert_int_equal(virtq_take(&queue, &cookie, &written), SK_OK);
        assert_int_equal(cookie, i);
    }
    assert_int_equal(queue.free_count, SIZE);
}

static void random_traffic_loses_nothing(void **state)
{
    uint32_t in_flight[SIZE], flying = 0, next_cookie = 0, returned = 0, cookie, written;
    uint16_t heads[SIZE];
    setup(false);
    srand(1);
    for (uint32_t step = 0; step < 200000; step++) {
        if (rand() % 2 == 0) {
            uint16_t out = (uint16_t)(rand() % 2), in = (uint16_t)(1 + rand() % 2);
            status_t status = add(out, in, next_cookie);
            if (status == SK_OK) {
                virtq_publish(&queue);
                heads[flying] = device_take();
                in_flight[flying++] = next_cookie++;
            } else {
                assert_int_equal(status, SK_FULL);
            }
        } else if (flying > 0) {
            uint32_t one = (uint32_t)rand() % flying;
            device_finish(heads[one], 5);
            assert_int_equal(virtq_take(&queue, &cookie, &written), SK_OK);
            assert_int_equal(cookie, in_flight[one]);
            heads[one] = heads[--flying];
            in_flight[one] = in_flight[flying];
            returned++;
        }
    }
    assert_true(returned > 50000);
}

static void a_device_that_breaks_the_rules_breaks_the_queue(void **state)
{
    static const struct {
        uint32_t id, length, extra;
    } lies[] = {{SIZE, 0, 0}, {~0u, 0, 0}, {1, 0, 0}, {0, 51, 0}, {0, 0, 1}, {0, 0, 4000}};
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        uint32_t cookie = 123, written = 456;
        setup(false);
        add(1, 2, 7); /* descriptors 0, 1, 2; 50 bytes writable */
        virtq_publish(&queue);
        device_finish(lies[i].id, lies[i].length);
        used()[1] = (uint16_t)(used()[1] + lies[i].extra);
        assert_int_equal(virtq_take(&queue, &cookie, &written), SK_IO_ERROR);
        assert_int_equal(cookie, 123);
        assert_int_equal(written, 456);
        assert_int_equal(add(1, 0, 8), SK_IO_ERROR);
        assert_false(virtq_publish(&queue));
    }
}

static void a_chain_comes_back_once(void **state)
{
    uint32_t cookie, written;
    setup(false);
    add(1, 0, 1);
    add(1, 0, 2);
    virtq_publish(&queue);
    uint16_t head = device_take();
    device_finish(head, 0);
    device_finish(head, 0);
    assert_int_equal(virtq_take(&queue, &cookie, &written), SK_OK);
    assert_int_equal(virtq_take(&queue, &cookie, &written), SK_IO_ERROR);
}

static void the_device_is_told_when_it_wants(void **state)
{
    setup(false);
    used()[0] = 1; /* NO_NOTIFY */
    add(1, 0, 1);
    assert_false(virtq_publish(&queue));
    setup(true);
    uint16_t *event = used() + 2 + 4 * SIZE;
    *event = 1; /* tell me at the second */
    add(1, 0, 1);
    assert_false(virtq_publish(&queue));
    add(1, 0, 2);
    assert_true(virtq_publish(&queue));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_goes_and_comes_back),
        cmocka_unit_test(a_full_queue_says_so_and_recovers),
        cmocka_unit_test(random_traffic_loses_nothing),
        cmocka_unit_test(a_device_that_breaks_the_rules_breaks_the_queue),
        cmocka_unit_test(a_chain_comes_back_once),
        cmocka_unit_test(the_device_is_told_when_it_wants),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(memory);
    return failed;
}
