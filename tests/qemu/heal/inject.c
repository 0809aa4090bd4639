/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a network driver misbehave: linked with the driver for virtio, between it and the loop that calls
 * it (-Wl,--wrap). Asked to, it injects a number of faults, one each time the driver is about to wait, so
 * that it works in between. The faults follow from the seed and from when packets come.
 *
 * One thing no machine without an IOMMU survives: a device that is told to write outside the driver's
 * memory. The injector looks at every descriptor before the device is shown it, and at its own writes;
 * what would escape is counted and not let happen.
 *
 * The program's code lies in memory of its own, so that bits in it can be flipped through a second mapping;
 * this file's functions and state are left alone.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sk/driver.h>
#include <sk/print.h>
#include <sk/service.h>
#include <virtio/mmio.h>

#include "inject.h"

/* Together, after the program's other code; the linker makes two symbols of the section's name. */
#define OWN __attribute__((section("inject_code"), noinline, used))
extern const char __start_inject_code[], __stop_inject_code[];
#define REGIONS_MAX 8u
#define QUEUES_MAX 2u
#define STACK_BYTES 1024u
#define ESCAPED 99 /* exit code */

struct region {
    uint8_t *start;
    uint64_t size;
    uint64_t physical; /* DMA memory only */
};

/* As in virtio/queue.c: virtio 1.1, 2.6.5. */
struct descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

static struct {
    struct sk_server_ops ops; /* the driver's, with ours in front */
    const struct sk_driver_ops *driver_ops;
    struct sk_driver *driver;
    struct region code, data, dma[REGIONS_MAX];
    uint8_t *code_alias; /* the same memory as code, writable */
    uint32_t dma_count;
    struct virtq *queues[QUEUES_MAX];
    uint32_t queue_count;
    uint64_t random, left, only;
    token_t token;
    bool lose, wrong_take, wrong_add;
    struct inject_result *result;
} inject;

void __real_virtq_init(struct virtq *queue, uint16_t index, uint16_t size, void *memory,
                       uint64_t physical, struct virtq_slot *slots, bool event_index);
status_t __real_virtq_add(struct virtq *queue, const struct virtq_buffer *buffers,
                          uint16_t out_count, uint16_t in_count, uint32_t cookie);
bool __real_virtq_publish(struct virtq *queue);
status_t __real_virtq_take(struct virtq *queue, uint32_t *cookie, uint32_t *written);
status_t __real_virtio_mmio_queue_enable(struct virtio_mmio *device, const struct virtq *queue);
status_t __real_sk_dma_create(const struct sk_driver *driver, uint64_t size, struct sk_dma *dma);
int __real_sk_driver_main(struct sk_driver *driver, const struct sk_driver_ops *ops, int argc,
                          char **argv);
void __wrap_virtq_init(struct virtq *queue, uint16_t index, uint16_t size, void *memory,
                       uint64_t physical, struct virtq_slot *slots, bool event_index);
status_t __wrap_virtq_add(struct virtq *queue, const struct virtq_buffer *buffers,
                          uint16_t out_count, uint16_t in_count, uint32_t cookie);
bool __wrap_virtq_publish(struct virtq *queue);
status_t __wrap_virtq_take(struct virtq *queue, uint32_t *cookie, uint32_t *written);
status_t __wrap_virtio_mmio_queue_enable(struct virtio_mmio *device, const struct virtq *queue);
status_t __wrap_sk_dma_create(const struct sk_driver *driver, uint64_t size, struct sk_dma *dma);
int __wrap_sk_driver_main(struct sk_driver *driver, const struct sk_driver_ops *ops, int argc,
                          char **argv);

/* xorshift64* */
OWN static uint64_t next_random(void)
{
    inject.random ^= inject.random >> 12;
    inject.random ^= inject.random << 25;
    inject.random ^= inject.random >> 27;
    return inject.random * UINT64_C(2685821657736338717);
}

/* --- What must not happen --- */

OWN static _Noreturn void escaped(void)
{
    if (inject.result != NULL) {
        inject.result->escapes++;
    }
    sk_process_exit(ESCAPED);
    for (;;) {
    }
}

OWN static bool in_grant(uint64_t physical, uint64_t length)
{
    for (uint32_t i = 0; i < inject.dma_count; i++) {
        const struct region *dma = &inject.dma[i];
        if (physical >= dma->physical && length <= dma->size &&
            physical - dma->physical <= dma->size - length) {
            return true;
        }
    }
    return false;
}

OWN static bool descriptor_is_safe(const struct descriptor *d)
{
    return d->length == 0 || in_grant(d->address, d->length);
}

OWN static void check_queue(const struct virtq *queue)
{
    const struct descriptor *table = (const void *)queue->descriptors;
    for (uint32_t i = 0; i < queue->size; i++) {
        if (!descriptor_is_safe(&table[i])) {
            escaped();
        }
    }
}

/* Would it, written at `at`, show the device a descriptor that reaches outside? */
OWN static bool write_is_safe(const uint8_t *at, uint64_t value)
{
    for (uint32_t i = 0; i < inject.queue_count; i++) {
        const uint8_t *table = (const uint8_t *)inject.queues[i]->descriptors;
        uint64_t offset = (uint64_t)(at - table);
        if (at >= table && offset < inject.queues[i]->size * sizeof(struct descriptor)) {
            struct descriptor d = *(const struct descriptor *)(table + offset / 16 * 16);
            if (offset % 16 == 0) {
                d.address = value;
            } else {
                d.length = (uint32_t)value;
            }
            return descriptor_is_safe(&d);
        }
    }
    return true;
}

/* Registers that tell the device where its queues are (virtio 1.1, 4.2.2 and 4.2.4). */
OWN static bool register_is_safe(uint64_t offset)
{
    return offset != 0x28 && offset != 0x3c && offset != 0x40 && (offset < 0x80 || offset >= 0xb0);
}

/* --- The faults --- */

OWN static void flip(uint8_t *at)
{
    *at ^= (uint8_t)(1u << (next_random() & 7));
}

OWN static void flip_code(void)
{
    uint64_t offset = next_random() % inject.code.size;
    const char *at = (const char *)inject.code.start + offset;
    if (at >= __start_inject_code && at < __stop_inject_code) {
        return; /* ours */
    }
    flip(inject.code_alias + offset);
    __builtin___clear_cache((char *)inject.code.start + offset,
                            (char *)inject.code.start + offset + 1);
}

OWN static void flip_data(void)
{
    uint8_t here;
    uint64_t offset = next_random() % (inject.data.size + STACK_BYTES);
    uint8_t *at = offset < inject.data.size ? inject.data.start + offset
                                            : &here + (offset - inject.data.size);
    if (at < (uint8_t *)&inject || at >= (uint8_t *)(&inject + 1)) {
        flip(at);
    }
}

OWN static void write_wildly(void)
{
    uint64_t value = next_random(), where = next_random() % (inject.dma_count + 2);
    if (where == 0) {
        uint64_t offset = next_random() % VIRTIO_MMIO_BYTES / 4 * 4;
        if (!register_is_safe(offset)) {
            inject.result->escapes++;
            return;
        }
        *(uint32_t *)(inject.driver->ranges[0].base + offset) = (uint32_t)value;
        return;
    }
    const struct region *region = where == 1 ? &inject.data : &inject.dma[where - 2];
    uint8_t *at = region->start + next_random() % (region->size / 8) * 8;
    if (at + 8 > (uint8_t *)&inject && at < (uint8_t *)(&inject + 1)) {
        return;
    }
    if (!write_is_safe(at, value)) {
        inject.result->escapes++;
        return;
    }
    *(uint64_t *)at = value;
}

OWN static enum inject_kind choose(void)
{
    uint32_t dice = (uint32_t)(next_random() >> 32) % 100;
    if (inject.only != 0) {
        return (enum inject_kind)(inject.only - 1);
    }
    return dice < 40   ? INJECT_CODE
           : dice < 60 ? INJECT_DATA
           : dice < 80 ? INJECT_WRITE
           : dice < 90 ? INJECT_INTERRUPT
           : dice < 99 ? INJECT_LENGTH
                       : INJECT_LOOP;
}

OWN static void inject_one(void)
{
    enum inject_kind kind = choose();
    inject.result->injected[kind]++;
    inject.result->last = kind;
    switch (kind) {
    case INJECT_CODE:
        flip_code();
        break;
    case INJECT_DATA:
        flip_data();
        break;
    case INJECT_WRITE:
        write_wildly();
        break;
    case INJECT_INTERRUPT:
        inject.lose = true;
        break;
    case INJECT_LENGTH:
        inject.wrong_take = (next_random() & 1) != 0;
        inject.wrong_add = !inject.wrong_take;
        break;
    default:
        for (;;) {
        }
    }
}

/* --- Between the driver and what it stands on --- */

OWN void __wrap_virtq_init(struct virtq *queue, uint16_t index, uint16_t size, void *memory,
                           uint64_t physical, struct virtq_slot *slots, bool event_index)
{
    __real_virtq_init(queue, index, size, memory, physical, slots, event_index);
    if (index < QUEUES_MAX) {
        inject.queues[index] = queue;
        inject.queue_count = index >= inject.queue_count ? index + 1u : inject.queue_count;
    }
}

OWN status_t __wrap_virtq_add(struct virtq *queue, const struct virtq_buffer *buffers,
                              uint16_t out_count, uint16_t in_count, uint32_t cookie)
{
    if (inject.wrong_add) {
        inject.wrong_add = false;
        ((struct virtq_buffer *)(uintptr_t)buffers)->length = (uint32_t)next_random() & 0x1fff;
    }
    return __real_virtq_add(queue, buffers, out_count, in_count, cookie);
}

OWN bool __wrap_virtq_publish(struct virtq *queue)
{
    check_queue(queue);
    return __real_virtq_publish(queue);
}

OWN status_t __wrap_virtq_take(struct virtq *queue, uint32_t *cookie, uint32_t *written)
{
    status_t status = __real_virtq_take(queue, cookie, written);
    if (status == SK_OK && inject.wrong_take) {
        inject.wrong_take = false;
        *written = (uint32_t)next_random() & 0x1fff;
    }
    return status;
}

OWN status_t __wrap_virtio_mmio_queue_enable(struct virtio_mmio *device, const struct virtq *queue)
{
    if (!in_grant(queue->descriptors_pa, 1) || !in_grant(queue->available_pa, 1) ||
        !in_grant(queue->used_pa, 1)) {
        escaped();
    }
    return __real_virtio_mmio_queue_enable(device, queue);
}

OWN status_t __wrap_sk_dma_create(const struct sk_driver *driver, uint64_t size, struct sk_dma *dma)
{
    status_t status = __real_sk_dma_create(driver, size, dma);
    if (status == SK_OK && inject.dma_count < REGIONS_MAX) {
        inject.dma[inject.dma_count++] = (struct region){dma->memory, dma->size, dma->physical};
    }
    return status;
}

/* --- Asked to --- */

OWN static status_t begin(struct sk_in *in)
{
    const struct inject_request *request = sk_request(in, struct inject_request);
    uint64_t address;
    if (request == NULL || !in->is_call || in->handle_count != 1 || inject.left != 0) {
        return SK_INVALID_ARGS;
    }
    status_t status = sk_memory_map(sk_self_process, in->handles[0], 0, SK_PAGE_SIZE, 0,
                                    SK_PROT_READ | SK_PROT_WRITE | SK_MAP_POPULATE, &address);
    if (status != SK_OK) {
        return status;
    }
    inject.result = (struct inject_result *)(uintptr_t)address;
    inject.random = request->seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    inject.left = request->count;
    inject.only = request->only;
    inject.token = in->token;
    return SK_PENDING;
}

OWN static status_t on_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                               struct sk_reply *reply)
{
    if (in->length >= 8 && *(const uint64_t *)in->bytes == INJECT_OPERATION) {
        return begin(in);
    }
    return inject.driver_ops->server.message(server, client, in, reply);
}

OWN static bool before_wait(struct sk_server *server)
{
    if (inject.left > 0) {
        inject_one();
        if (--inject.left == 0) {
            sk_server_answer_status(inject.token, SK_OK);
        }
    }
    if (inject.lose) {
        inject.lose = false;
        return false; /* sleeps without having looked */
    }
    return inject.driver_ops->server.before_wait(server);
}

/* --- Code that can be changed --- */

/* Where the loader put the program: its headers begin the first segment. Constants are no data to write to. */
OWN static void find_segments(void)
{
    extern const Elf64_Ehdr __ehdr_start;
    extern uint8_t __relro_end[];
    const uint8_t *base = (const uint8_t *)&__ehdr_start;
    const Elf64_Phdr *headers = (const void *)(base + __ehdr_start.e_phoff);
    for (uint32_t i = 0; i < __ehdr_start.e_phnum; i++) {
        uint8_t *start = (uint8_t *)((uintptr_t)base + headers[i].p_vaddr - headers[0].p_vaddr);
        struct region region = {start, headers[i].p_memsz, 0};
        if (headers[i].p_type == PT_LOAD && (headers[i].p_flags & PF_X) != 0) {
            inject.code = region;
        } else if (headers[i].p_type == PT_LOAD && (headers[i].p_flags & PF_W) != 0) {
            inject.data = (struct region){__relro_end,
                                          (uint64_t)(start + region.size - __relro_end), 0};
        }
    }
}

/* Runs in a copy of the code, since it takes the original away: registers only. */
OWN static status_t swap(handle_t process, handle_t memory, uint64_t start, uint64_t size)
{
    uint64_t mapped;
    sk_memory_unmap(process, start, size);
    return sk_memory_map(process, memory, 0, size, start,
                         SK_PROT_READ | SK_PROT_EXECUTE | SK_MAP_FIXED | SK_MAP_POPULATE, &mapped);
}

OWN static status_t make_code_writable(void)
{
    uint64_t start = (uintptr_t)inject.code.start, alias, copy;
    uint64_t size = (inject.code.size + SK_PAGE_SIZE - 1) & ~(uint64_t)(SK_PAGE_SIZE - 1);
    handle_t memory;
    status_t status = sk_memory_create(sk_self_job, size, SK_MEMORY_COMMIT, &memory);
    if (status == SK_OK) {
        status = sk_memory_map(sk_self_process, memory, 0, size, 0,
                               SK_PROT_READ | SK_PROT_WRITE | SK_MAP_POPULATE, &alias);
    }
    if (status == SK_OK) {
        inject.code_alias = (uint8_t *)(uintptr_t)alias;
        memcpy(inject.code_alias, inject.code.start, inject.code.size);
        status = sk_memory_map(sk_self_process, memory, 0, size, 0,
                               SK_PROT_READ | SK_PROT_EXECUTE | SK_MAP_POPULATE, &copy);
    }
    if (status == SK_OK) {
        __builtin___clear_cache((char *)(uintptr_t)copy, (char *)(uintptr_t)(copy + size));
        status_t (*volatile swap_copy)(handle_t, handle_t, uint64_t, uint64_t) = (status_t(*)(
            handle_t, handle_t, uint64_t, uint64_t))(uintptr_t)((uintptr_t)swap - start + copy);
        status = swap_copy(sk_self_process, memory, start, size);
    }
    return status;
}

OWN int __wrap_sk_driver_main(struct sk_driver *driver, const struct sk_driver_ops *ops, int argc,
                              char **argv)
{
    static struct sk_driver_ops ours;
    find_segments();
    status_t status = make_code_writable();
    if (status != SK_OK) {
        sk_die("cannot make the code writable: %s", sk_status_words(status));
    }
    inject.driver = driver;
    inject.driver_ops = ops;
    ours = *ops;
    ours.server.message = on_message;
    ours.server.before_wait = before_wait;
    return __real_sk_driver_main(driver, &ours, argc, argv);
}
