/* SPDX-License-Identifier: BSD-2-Clause */
/* See net_world.h. */
#include "net_world.h"

#include <string.h>

#include <sk/protocol/nic.h>

#define RX_BUFFERS 16u
#define TX_BUFFERS 8u
#define BUFFER_BYTES 2048u
#define HEADROOM 16u
#define NONE_MAX 3u /* in one input: who gets none for a minute gives up */

static struct {
    struct held pool, rings, to_client;
    uint32_t rx_ready, tx_done, rx_free, tx_submit; /* our indices */
    uint32_t free[RX_BUFFERS], free_count;          /* receive buffers that it has */
    bool scribbled; /* over what net writes, too: what is read there is nobody's fault */
} driver;
static uint32_t none;

void driver_new_input(void)
{
    none = 0;
}

static struct sk_nic_rings *rings(void)
{
    return (void *)driver.rings.object->bytes;
}

static void driver_begin(struct sk_in *in)
{
    held_drop(&driver.pool);
    held_drop(&driver.rings);
    held_drop(&driver.to_client);
    driver.pool = memory_make(NULL, (RX_BUFFERS + TX_BUFFERS) * BUFFER_BYTES);
    driver.rings = memory_make(NULL, sizeof(struct sk_nic_rings));
    driver.to_client = object_make(SK_TYPE_EVENT);
    driver.rx_ready = driver.tx_done = driver.rx_free = driver.tx_submit = 0;
    driver.scribbled = false;
    for (driver.free_count = 0; driver.free_count < RX_BUFFERS; driver.free_count++) {
        driver.free[driver.free_count] = driver.free_count;
    }
    atomic_store(&rings()->link_up, 1);
    in->handles[in->handle_count++] = double_give(held_copy(driver.pool, DOUBLE_ALL_RIGHTS));
    in->handles[in->handle_count++] = double_give(held_copy(driver.rings, DOUBLE_ALL_RIGHTS));
    in->handles[in->handle_count++] = double_give(object_make(SK_TYPE_EVENT));
    in->handles[in->handle_count++] = double_give(held_copy(driver.to_client, DOUBLE_ALL_RIGHTS));
}

status_t driver_answer(struct object *endpoint, const struct sk_out *out, struct sk_in *in)
{
    const struct object *far = connected("nic0");
    if (far == NULL || far->peer != endpoint) {
        return input_answer(endpoint, out, in);
    }
    uint8_t how = input_byte();
    struct sk_nic_attach_reply reply = {.mac = {2, 0, 0, 0, 0, 1},
                                        .mtu = 1500,
                                        .features = how / 16 % 4 < 3 ? how / 16 % 4 : 7,
                                        .rx_buffer_bytes = BUFFER_BYTES,
                                        .tx_buffer_bytes = BUFFER_BYTES,
                                        .rx_buffers = RX_BUFFERS,
                                        .tx_buffers = TX_BUFFERS,
                                        .headroom = HEADROOM,
                                        .segment_max = how / 16 % 4 == 3 ? UINT16_MAX : 0};
    memcpy(in->bytes, &reply, sizeof reply);
    in->length = sizeof reply;
    if (how % 16 == 15 && none++ < NONE_MAX) { /* one that cannot be: another one comes */
        input_fill((uint8_t *)in->bytes + input_byte() % (sizeof reply - 4), 4);
        in->length -= input_byte() % 4;
        return input_byte() % 4 == 0 ? SK_TIMED_OUT : SK_OK;
    }
    driver_begin(in);
    return SK_OK;
}

/* Net has given a piece of a frame: it must lie in one of its buffers. */
static bool check_submitted(const struct sk_nic_descriptor *d)
{
    bool good = !(d->buffer >= TX_BUFFERS || d->length == 0 || d->offset > BUFFER_BYTES ||
                  d->length > BUFFER_BYTES - d->offset ||
                  (d->segment_bytes != 0 && d->segment_bytes > 1460));
    if (!good && !driver.scribbled) {
        double_broke("net sends %u bytes at %u of buffer %u", d->length, d->offset, d->buffer);
    }
    return good;
}

/* Takes what there is to send, and gives its buffers back. */
static void take_frames(void)
{
    struct sk_nic_rings *r = rings();
    uint32_t count = atomic_load(&r->tx_submit.head) - driver.tx_submit;
    for (uint32_t i = 0; i < count && count <= TX_BUFFERS; i++) {
        struct sk_nic_descriptor d = r->tx_submit_entries[driver.tx_submit++ % SK_NIC_RING_ENTRIES];
        if (!check_submitted(&d)) {
            continue;
        }
        frame_sent(driver.pool.object->bytes + (RX_BUFFERS + d.buffer) * BUFFER_BYTES + d.offset,
                   d.length);
        r->tx_done_entries[driver.tx_done++ % SK_NIC_RING_ENTRIES] = d.buffer;
    }
    atomic_store(&r->tx_submit.tail, driver.tx_submit);
    atomic_store(&r->tx_done.head, driver.tx_done);
    atomic_store(&r->tx_starved, 0);
}

/* Receive buffers that net is done with. */
static void take_free(void)
{
    struct sk_nic_rings *r = rings();
    uint32_t count = atomic_load(&r->rx_free.head) - driver.rx_free;
    for (uint32_t i = 0; i < count && driver.free_count < RX_BUFFERS; i++) {
        uint32_t buffer = r->rx_free_entries[driver.rx_free++ % SK_NIC_RING_ENTRIES];
        if (buffer >= RX_BUFFERS && !driver.scribbled) {
            double_broke("net gives back buffer %u", buffer);
        }
        driver.free[driver.free_count] = buffer;
        driver.free_count += buffer < RX_BUFFERS;
    }
    atomic_store(&r->rx_free.tail, driver.rx_free);
}

static void deliver_piece(const uint8_t *bytes, size_t length, uint16_t flags)
{
    struct sk_nic_rings *r = rings();
    uint32_t buffer = driver.free[--driver.free_count];
    memcpy(driver.pool.object->bytes + buffer * BUFFER_BYTES + 18, bytes, length);
    r->rx_ready_entries[driver.rx_ready++ % SK_NIC_RING_ENTRIES] = (struct sk_nic_descriptor){
        .buffer = (uint16_t)buffer, .offset = 18, .length = (uint32_t)length, .flags = flags};
}

/* A frame, in one or two buffers. */
static void deliver(void)
{
    uint8_t frame[FRAME_MAX];
    size_t length = frame_make(frame);
    uint8_t how = input_byte();
    size_t first = how % 8 == 1 && length > 1 ? 1 + how % (length - 1) : length;
    take_free();
    if (driver.free_count < 2) {
        return;
    }
    deliver_piece(frame, first,
                  (uint16_t)((first < length ? SK_NIC_MORE : 0) |
                             (how % 8 == 2 ? 0 : SK_NIC_CHECKSUM_VALID)));
    if (first < length) {
        deliver_piece(frame + first, length - first, 0);
    }
    atomic_store(&rings()->rx_ready.head, driver.rx_ready);
}

/* Something that a driver must not do. */
static void misbehave(void)
{
    uint8_t how = input_byte();
    struct sk_nic_rings *r = rings();
    if (how % 4 == 0) {
        r->tx_done_entries[driver.tx_done++ % SK_NIC_RING_ENTRIES] = how / 4 % (TX_BUFFERS + 2u);
        atomic_store(&r->tx_done.head, driver.tx_done);
    } else if (how % 4 == 1) {
        struct sk_nic_descriptor *d = &r->rx_ready_entries[driver.rx_ready++ % SK_NIC_RING_ENTRIES];
        *d = (struct sk_nic_descriptor){.buffer = how / 4 % (RX_BUFFERS + 2u),
                                        .offset = (uint16_t)input_word(),
                                        .length = (uint32_t)input_word(),
                                        .flags = how / 64};
        atomic_store(&r->rx_ready.head, driver.rx_ready);
    } else {
        size_t at = (size_t)input_word() * 4 % sizeof *r / 4 * 4;
        driver.scribbled = true;
        input_fill((uint8_t *)r + at, 1 + how / 64);
    }
}

void driver_act(void)
{
    uint8_t how = input_byte();
    if (driver.rings.object == NULL) {
        return;
    }
    switch (how % 8) {
    case 0:
        misbehave();
        break;
    case 1:
        atomic_store(&rings()->link_up, how / 128);
        break;
    case 2:
        if (how < 64) {
            disconnect("nic0");
        }
        break;
    case 3:
        take_frames();
        break;
    default:
        take_frames();
        deliver();
    }
    object_signal(driver.to_client.object, SK_SIGNAL_EVENT);
}

bool driver_settle(void)
{
    const struct object *far = connected("nic0");
    if (far == NULL || far->peer == NULL) {
        return false;
    }
    atomic_store(&rings()->link_up, 1);
    take_frames();
    take_free();
    object_signal(driver.to_client.object, SK_SIGNAL_EVENT);
    return true;
}
