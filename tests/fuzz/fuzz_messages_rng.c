/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to the driver of a virtio entropy device (virtio 1.1, 5.4), which lies, is slow, or says nothing (virtio.h).
 * Whatever it does, it is only ever told of memory for its bytes, of none twice; no byte is answered twice; and reads are
 * served as long as it does its part, and again when it does.
 */
#include <string.h>

#include <sk/protocol/rng.h>

#include "virtio.h"

/*
 * What the device makes of its memory are units of three bytes that hold a number: 1nnnnnnn 01nnnnnn 01nnnnnn. A unit is known
 * wherever an answer begins, and a part of one with others' bytes or zeros behind it is not taken for one.
 */
#define UNIT_BYTES 3u
#define UNITS (1u << 19)
#define BUFFERS_MAX 256u
#define READS 6u /* that must come at the end of an input */

static const char *const shapes[] = {"x"};

static bool is_fresh[UNITS]; /* written, and not answered since */
static uint32_t unit_next;
static bool obliges;       /* the device serves whatever it is told of, at once */
static uint32_t broken_at; /* after which reset it broke the rules of its queue */
static uint64_t pool;      /* the page of what it was last told of */
static struct held crowd;  /* a client with many reads */

/* --- The device --- */

/* It broke the rules since the last reset, in a way that the driver must notice. */
static bool is_broken(void)
{
    return broken_at != 0 && broken_at == virtio_resets;
}

/* Never a zero. */
static void write_units(uint8_t *to, uint32_t length)
{
    memset(to, 0x40, length);
    for (uint32_t at = 0; at + UNIT_BYTES <= length; at += UNIT_BYTES) {
        uint32_t unit = unit_next++ % UNITS;
        to[at] = (uint8_t)(0x80 | unit >> 12);
        to[at + 1] = 0x40 | (unit >> 6 & 0x3f);
        to[at + 2] = 0x40 | (unit & 0x3f);
        is_fresh[unit] = true;
    }
}

static bool unit_at(const uint8_t *bytes, uint32_t *unit)
{
    *unit = (bytes[0] & 0x7fu) << 12 | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu);
    return bytes[0] >= 0x80 && bytes[1] >> 6 == 1 && bytes[2] >> 6 == 1;
}

/* What it has, while it looks at all. */
static struct {
    uint64_t address;
    uint32_t length;
} buffers[BUFFERS_MAX];
static uint32_t buffer_count;
static bool looks;

static uint8_t *piece(const struct virtio_queue *queue, uint64_t address, uint32_t length,
                      bool is_writable)
{
    uint64_t rings_end = queue->used + 4 + 8 * queue->size + 2;
    if (!is_writable || length == 0 ||
        (address < rings_end && queue->descriptors < address + length)) {
        double_broke("the device was told of %u bytes at %llx, which are not for it", length,
                     (unsigned long long)address);
    }
    pool = address / SK_PAGE_SIZE * SK_PAGE_SIZE;
    for (uint32_t i = 0; looks && !queue->lied && !is_broken() && i < buffer_count; i++) {
        if (address < buffers[i].address + buffers[i].length &&
            buffers[i].address < address + length) {
            double_broke("the device was told of memory at %llx twice",
                         (unsigned long long)address);
        }
    }
    if (looks && buffer_count < BUFFERS_MAX) {
        buffers[buffer_count].address = address;
        buffers[buffer_count++].length = length;
    }
    return dma_at(address, length);
}

static void look_at_all(void)
{
    looks = true;
    buffer_count = 0;
    virtio_look();
    looks = false;
}

static void serve_well(struct virtio_queue *queue)
{
    uint32_t length;
    uint16_t head;
    for (uint8_t *bytes; (bytes = virtio_take(queue, &head, &length)) != NULL;) {
        write_units(bytes, length);
        virtio_give(queue, head, length);
        virtio_interrupt(VIRTIO_INTERRUPT_QUEUE);
    }
}

static void serve(struct virtio_queue *queue)
{
    uint8_t how = input_byte();
    uint32_t length;
    uint16_t head;
    uint8_t *bytes = virtio_take(queue, &head, &length);
    if (bytes == NULL) {
        return;
    }
    uint32_t id = how % 32 == 31 ? input_byte() : head;
    uint32_t written = how < 128 ? length : 1 + how % length, told = written;
    if (how % 8 == 0) {
        told = how < 128 ? length + 1 + how / 8 : (uint32_t)input_word();
    } else if (how % 8 == 1) {
        written = how / 8;
        told = length;
    } else if (how % 8 == 2) {
        told = 0;
    }
    write_units(bytes, written < length ? written : length);
    if (!queue->lied && (told > length || id != head)) {
        broken_at = virtio_resets;
    }
    virtio_give(queue, id, told);
}

static void notified(struct virtio_queue *queue)
{
    look_at_all();
    if (obliges) {
        serve_well(queue);
    }
}

/* --- The client --- */

static void answered(struct call *call)
{
    if (call->operation != SK_RNG_READ || call->status != SK_OK) {
        return;
    }
    const uint8_t *bytes = call->bytes + offsetof(struct sk_rng_bytes, bytes);
    size_t count = call->length - offsetof(struct sk_rng_bytes, bytes);
    if (count == 0 || count > SK_RNG_BYTES_MAX) {
        double_broke("a read gives %zu bytes", count);
    }
    for (size_t i = 0; i + UNIT_BYTES <= count; i++) {
        uint32_t unit;
        if (unit_at(bytes + i, &unit) && !is_fresh[unit]) {
            double_broke("bytes are answered twice");
        } else if (unit_at(bytes + i, &unit)) {
            is_fresh[unit] = false;
        }
    }
}

/* How much a read asks for: mostly about as much as it may. */
static size_t field(uint8_t *bytes, uint64_t operation)
{
    uint8_t how = input_byte();
    uint64_t count = how < 192 ? how * 3u / 2 : input_word();
    memcpy(bytes, &count, sizeof count);
    return sizeof count;
}

static struct call *read_call(struct held *client, uint64_t count)
{
    struct sk_rng_read request = {.operation = SK_RNG_READ, .count = count};
    if (client->object == NULL || client->object->peer == NULL) {
        held_drop(client);
        *client = connect_by_control(3);
    }
    return outside_call(client->object, &request, sizeof request, NULL, 0);
}

static void special(void)
{
    uint8_t how = input_byte();
    if (how == UINT8_MAX) {
        held_drop(&crowd);
    } else if (how % 8 == 0) {
        for (uint32_t count = how / 2; count > 0; count--) {
            read_call(&crowd, 1 + how % 64);
        }
    } else if (how % 8 == 1) {
        virtio_transport(how / 8 % 4, input_byte());
    } else {
        virtio_act();
    }
}

/* --- The end of an input: the device does its part --- */

/* Some large ones, so that the pool is filled more than once. `is_new`: from one that was right since its last reset. */
static void reads_must_come(const char *when, bool is_new)
{
    static uint32_t next;
    struct call *calls[READS];
    struct held client = {NULL, 0};
    uint32_t count = SK_RNG_BYTES_MAX - next++ % 32;
    for (uint32_t i = 0; i < READS; i++) {
        calls[i] = read_call(&client, count);
    }
    double_run();
    for (uint32_t i = 0; i < READS; i++) {
        if (calls[i]->state != CALL_ANSWERED || calls[i]->status != SK_OK ||
            calls[i]->length != sizeof calls[i]->status + count) {
            double_broke("a read of %u bytes does not come %s", count, when);
        }
        if (is_new && memchr(calls[i]->bytes + sizeof calls[i]->status, 0, count) != NULL) {
            double_broke("a read gives what the device has not written");
        }
    }
    held_drop(&client);
}

/* Who has not gone has got something. */
static void crowd_must_have_gone(void)
{
    for (const struct call *call = double_calls; call != NULL; call = call->next) {
        if (call->state == CALL_RECEIVED) {
            double_broke("a read is not answered, though the device serves");
        }
    }
    held_drop(&crowd);
}

/* One that was right all the time serves without a reset. */
static void rest_right(void)
{
    uint32_t resets = virtio_resets;
    serve_well(&virtio_queues[0]);
    virtio_interrupt(VIRTIO_INTERRUPT_QUEUE); /* it may not have, for the last that it gave */
    double_run();
    reads_must_come("from a device that did nothing wrong", false);
    if (virtio_resets != resets) {
        double_broke("a device that did nothing wrong was reset");
    }
}

/* One that was not is silenced, and brought up again for the next. */
static void rest_wrong(void)
{
    bool was_broken = is_broken() && !virtio_queues[0].lied;
    virtio_interrupt(VIRTIO_INTERRUPT_CONFIG);
    double_run();
    if (was_broken && virtio_is_up()) {
        double_broke("a device that broke the rules is believed");
    }
    virtio_need_reset();
    virtio_interrupt(VIRTIO_INTERRUPT_CONFIG);
    double_run();
    if (virtio_queues[0].size != 0) {
        double_broke("a device that has failed is not silenced");
    }
}

/* What was answered is nowhere any more. */
static void look_for_remains(void)
{
    const uint8_t *bytes = dma_at(pool, SK_PAGE_SIZE);
    for (uint32_t i = 0, unit; i + UNIT_BYTES <= SK_PAGE_SIZE; i++) {
        if (unit_at(bytes + i, &unit) && !is_fresh[unit]) {
            double_broke("bytes that were answered are still in the pool");
        }
    }
}

static void rest(void)
{
    obliges = true;
    look_at_all();
    virtio_settle();
    if (pool != 0) {
        look_for_remains();
    }
    if (virtio_is_up() && !virtio_queues[0].lied && !is_broken()) {
        rest_right();
    }
    rest_wrong();
    crowd_must_have_gone();
    reads_must_come("after the device has failed", true);
    obliges = false;
}

static void prepare(void)
{
    uint8_t *registers = registers_give(SK_PAGE_SIZE);
    interrupt_give();
    dma_give();
    virtio_prepare(registers);
}

static int run(void)
{
    static const char *const arguments[] = {"mmio0=0,0x200", NULL};
    return driver_run(arguments);
}

const struct virtio_device virtio_device = {
    .id = VIRTIO_DEVICE_RNG,
    .queues = 1,
    .piece = piece,
    .serve = serve,
    .notified = notified,
};

const struct target target = {
    .service = "",
    .run = run,
    .operations = SK_RNG_READ,
    .waits = UINT64_C(1) << SK_RNG_READ, /* while the device gives nothing */
    .shapes = shapes,
    .field = field,
    .prepare = prepare,
    .answered = answered,
    .special = special,
    .rest = rest,
};
