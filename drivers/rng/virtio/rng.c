/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtio entropy device (virtio 1.1, section 5.4). Serves "rng" (<sk/protocol/rng.h>).
 *
 * The device fills a small pool; requests wait in a bounded queue, in the order they came, and each
 * is answered from bytes that are then wiped and never used again. A request whose caller has
 * given up still gets its turn: the bytes are thrown away with the failed answer. A device that fails is started
 * anew for the next request.
 * One thread, no locks. The virtqueue code has its tests in tests/host/drivers/virtio/.
 */
#include <stdio.h>

#include <sk/driver.h>
#include <sk/print.h>
#include <sk/protocol/rng.h>
#include <virtio/mmio.h>

#define QUEUE_SIZE 8u
#define POOL_BYTES 512u /* at least SK_RNG_BYTES_MAX */
#define WAITING_MAX 64u
#define WAITING_EACH 4u /* of one client */

struct waiting {
    const struct sk_client *client;
    token_t token;
    uint32_t count;
};

struct rng {
    struct sk_driver driver;
    struct virtio_mmio device;
    struct virtq queue;
    struct virtq_slot slots[QUEUE_SIZE];
    struct sk_dma rings, pool;
    uint32_t pool_next, pool_end; /* bytes not given out yet */
    bool filling;                 /* the device has the pool */
    bool failed;
    struct waiting waiting[WAITING_MAX]; /* a ring */
    uint32_t waiting_first, waiting_count;
};

static struct rng rng;

static status_t bring_up(void)
{
    status_t status = virtio_mmio_negotiate(&rng.device, 0, 0);

    if (status != SK_OK) {
        return status;
    }
    uint16_t size = virtio_mmio_queue_size(&rng.device, 0, QUEUE_SIZE);
    if (size == 0) {
        return SK_NOT_SUPPORTED;
    }
    memset(rng.rings.memory, 0, rng.rings.size);
    virtq_init(&rng.queue, 0, size, rng.rings.memory, rng.rings.physical, rng.slots, false);
    status = virtio_mmio_queue_enable(&rng.device, &rng.queue);
    return status == SK_OK ? virtio_mmio_start(&rng.device) : status;
}

/* The device starts, or starts anew: it has forgotten what it was told, and so has the driver. */
static status_t start(void)
{
    rng.pool_next = rng.pool_end = 0;
    status_t status = virtio_mmio_open(&rng.device, rng.driver.ranges[0].base, VIRTIO_DEVICE_RNG);
    if (status == SK_OK) {
        status = bring_up();
        if (status != SK_OK) {
            virtio_mmio_fail(&rng.device);
        }
    }
    rng.failed = status != SK_OK;
    return status;
}

static status_t rng_init(struct sk_driver *driver)
{
    if (driver->range_count != 1 || driver->ranges[0].size < VIRTIO_MMIO_BYTES ||
        driver->interrupt_count != 1) {
        return SK_INVALID_ARGS;
    }
    status_t status = sk_dma_create(driver, virtq_bytes(QUEUE_SIZE), &rng.rings);
    if (status == SK_OK) {
        status = sk_dma_create(driver, POOL_BYTES, &rng.pool);
    }
    return status == SK_OK ? start() : status;
}

/*
 * Gives the device all of the pool that holds no bytes; they move to its front. The rest is wiped: no byte comes twice,
 * though the device may say that it has written what it has not.
 */
static void fill(void)
{
    uint8_t *pool = rng.pool.memory;
    uint32_t left = rng.pool_end - rng.pool_next;
    struct virtq_buffer buffer = {rng.pool.physical + left, POOL_BYTES - left};

    memmove(pool, pool + rng.pool_next, left);
    memset(pool + left, 0, POOL_BYTES - left);
    rng.pool_next = 0;
    rng.pool_end = left;
    if (virtq_add(&rng.queue, &buffer, 0, 1, 0) == SK_OK) {
        rng.filling = true;
        if (virtq_publish(&rng.queue)) {
            virtio_mmio_notify(&rng.device, &rng.queue);
        }
    }
}

/* Moves `count` bytes out of the pool, which holds as many. */
static void take(uint8_t *to, uint32_t count)
{
    uint8_t *from = (uint8_t *)rng.pool.memory + rng.pool_next;

    memcpy(to, from, count);
    memset(from, 0, count);
    rng.pool_next += count;
}

static struct waiting *waiting_at(uint32_t place)
{
    return &rng.waiting[(rng.waiting_first + place) % WAITING_MAX];
}

static void answer(const struct waiting *waiting)
{
    struct {
        int64_t status;
        uint8_t bytes[SK_RNG_BYTES_MAX];
    } reply = {.status = SK_OK};

    take(reply.bytes, waiting->count);
    sk_server_answer(waiting->token, &reply, sizeof reply.status + waiting->count, NULL, 0);
    sk_driver_served(&rng.driver);
}

/* Answers those who wait, as far as the bytes go, and asks for more when they ran out. */
static void serve_waiting(void)
{
    while (rng.waiting_count > 0 && !rng.filling) {
        const struct waiting *next = waiting_at(0);
        if (rng.failed) {
            sk_server_answer_status(next->token, SK_IO_ERROR);
        } else if (rng.pool_end - rng.pool_next < next->count) {
            fill();
            return;
        } else {
            answer(next);
        }
        rng.waiting_first = (rng.waiting_first + 1) % WAITING_MAX;
        rng.waiting_count--;
    }
}

/* The device broke the rules: it is silenced, and everybody is told. */
static void give_up(void)
{
    printf("the device has failed\n");
    virtio_mmio_reset(&rng.device);
    virtio_mmio_fail(&rng.device);
    rng.failed = true;
    rng.filling = false;
}

static void rng_irq(struct sk_driver *driver, uint32_t index)
{
    uint32_t cookie, written;

    virtio_mmio_interrupt(&rng.device);
    if (rng.failed) {
        return;
    }
    status_t status = virtq_take(&rng.queue, &cookie, &written);
    if (status == SK_OK) {
        rng.filling = false;
        rng.pool_end += written;
    }
    if (status == SK_IO_ERROR || virtio_mmio_needs_reset(&rng.device)) {
        give_up();
    }
    serve_waiting();
}

static uint32_t waiting_of(const struct sk_client *client)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < rng.waiting_count; i++) {
        count += waiting_at(i)->client == client;
    }
    return count;
}

static status_t rng_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                            struct sk_reply *reply)
{
    const struct sk_rng_read *request = sk_request(in, struct sk_rng_read);

    if (request == NULL || request->operation != SK_RNG_READ || !in->is_call ||
        request->count == 0 || request->count > SK_RNG_BYTES_MAX) {
        return SK_INVALID_ARGS;
    }
    if (rng.failed && start() != SK_OK) {
        return SK_IO_ERROR;
    }
    if (rng.waiting_count == WAITING_MAX || waiting_of(client) == WAITING_EACH) {
        return SK_BUSY;
    }
    *waiting_at(rng.waiting_count++) = (struct waiting){client, in->token,
                                                        (uint32_t)request->count};
    serve_waiting();
    return SK_PENDING;
}

/* Who was dropped may still wait: requests do not end with their connection. */
static void rng_disconnect(struct sk_server *server, struct sk_client *client)
{
    uint32_t count = rng.waiting_count;

    rng.waiting_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct waiting waiting = *waiting_at(i);
        if (waiting.client == client) {
            sk_server_answer_status(waiting.token, SK_PEER_CLOSED);
        } else {
            *waiting_at(rng.waiting_count++) = waiting;
        }
    }
}

static const struct sk_driver_ops ops = {
    .init = rng_init,
    .on_irq = rng_irq,
    .server = {.message = rng_message, .disconnect = rng_disconnect}};

int main(int argc, char **argv)
{
    return sk_driver_main(&rng.driver, &ops, argc, argv);
}
