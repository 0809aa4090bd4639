/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What -fsanitize=thread compiles the kernel's memory accesses into, in place of the sanitizer's own functions: each
 * atomic operation is a point at which another hart may go on.
 *
 * With late stores, the atomic stores of a hart arrive in their order, but later: other harts read the old values
 * meanwhile, the hart itself the new ones. A seq_cst fence, a seq_cst load, and a read-modify-write that releases, wait
 * for them; one that only acquires does not, as on RISC-V. Loads are never early. So what is found is what a fence
 * between a store and a later load is there for; orders that only a weaker machine shows are not.
 */
#include <stdatomic.h>
#include <string.h>

#include "explore.h"

#define LATE_MAX 16u

struct store {
    volatile void *at;
    uint32_t size;
    uint64_t value;
};

static struct {
    struct store stores[LATE_MAX]; /* oldest first */
    uint32_t count;
} late[HARTS_MAX];

static void arrive_first(uint32_t hart)
{
    const struct store *store = &late[hart].stores[0];
    memcpy((void *)store->at, &store->value, store->size);
    memmove(&late[hart].stores[0], &late[hart].stores[1],
            --late[hart].count * sizeof late[hart].stores[0]);
}

void stores_arrive(uint32_t hart)
{
    while (late[hart].count > 0) {
        arrive_first(hart);
    }
}

bool stores_are_late(uint32_t hart)
{
    return late[hart].count > 0;
}

void stores_tick(void)
{
    if (explore_is_late() && explore_draw(explore_arrival_rate()) == 0) {
        uint32_t hart = explore_draw(hart_count);
        if (late[hart].count > 0) {
            arrive_first(hart);
        }
    }
}

/* The hart's latest store that touches these bytes and has not arrived. */
static const struct store *find_late(uint32_t hart, const volatile void *at, size_t size)
{
    for (uint32_t i = late[hart].count; i-- > 0;) {
        const struct store *store = &late[hart].stores[i];
        if ((const volatile char *)at < (const volatile char *)store->at + store->size &&
            (const volatile char *)store->at < (const volatile char *)at + size) {
            return store;
        }
    }
    return NULL;
}

/* Any access that is not an atomic store finds the hart's own earlier stores done. */
static void settle(const volatile void *at, size_t size)
{
    uint32_t hart = explore_hart();
    if (late[hart].count > 0 && find_late(hart, at, size) != NULL) {
        stores_arrive(hart);
    }
}

static uint64_t load(const volatile void *at, uint32_t size, int order)
{
    uint32_t hart = explore_hart();
    explore_point();
    if (order == memory_order_seq_cst && explore_active()) {
        stores_arrive(hart);
    }
    const struct store *own = find_late(hart, at, size);
    if (own != NULL && (own->at != at || own->size != size)) {
        stores_arrive(hart);
        own = NULL;
    }
    uint64_t value = 0;
    memcpy(&value, own != NULL ? (const void *)&own->value : (const void *)at, size);
    return value;
}

static void store(volatile void *at, uint32_t size, uint64_t value)
{
    explore_point();
    if (!explore_active() || !explore_is_late()) {
        memcpy((void *)at, &value, size);
        return;
    }
    uint32_t hart = explore_hart();
    if (late[hart].count == LATE_MAX) {
        arrive_first(hart);
    }
    late[hart].stores[late[hart].count++] = (struct store){at, size, value};
}

/* Before a read-modify-write. */
static void modify(volatile void *at, uint32_t size, int order)
{
    explore_point();
    if (order == memory_order_release || order == memory_order_acq_rel ||
        order == memory_order_seq_cst) {
        stores_arrive(explore_hart());
    }
    settle(at, size);
}

#define MODIFY(bits, name, expression)                                                             \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *at, uint##bits##_t value, \
                                                int order);                                        \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *at, uint##bits##_t value, \
                                                int order)                                         \
    {                                                                                              \
        modify(at, sizeof *at, order);                                                             \
        uint##bits##_t old = *at;                                                                  \
        *at = (uint##bits##_t)(expression);                                                        \
        return old;                                                                                \
    }

#define COMPARE(bits, name)                                                                        \
    int __tsan_atomic##bits##_compare_exchange_##name(                                             \
        volatile uint##bits##_t *at, uint##bits##_t *expected, uint##bits##_t value, int order,    \
        int failing);                                                                              \
    int __tsan_atomic##bits##_compare_exchange_##name(                                             \
        volatile uint##bits##_t *at, uint##bits##_t *expected, uint##bits##_t value, int order,    \
        int failing)                                                                               \
    {                                                                                              \
        modify(at, sizeof *at, order);                                                             \
        if (*at != *expected) {                                                                    \
            *expected = *at;                                                                       \
            return 0;                                                                              \
        }                                                                                          \
        *at = value;                                                                               \
        return 1;                                                                                  \
    }

#define ATOMICS(bits)                                                                              \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order);       \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *at, int order)        \
    {                                                                                              \
        return (uint##bits##_t)load(at, sizeof *at, order);                                        \
    }                                                                                              \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t value,            \
                                     int order);                                                   \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *at, uint##bits##_t value, int order) \
    {                                                                                              \
        store(at, sizeof *at, value);                                                              \
    }                                                                                              \
    MODIFY(bits, exchange, value)                                                                  \
    MODIFY(bits, fetch_add, old + value)                                                           \
    MODIFY(bits, fetch_sub, old - value)                                                           \
    MODIFY(bits, fetch_and, old &value)                                                            \
    MODIFY(bits, fetch_or, old | value)                                                            \
    MODIFY(bits, fetch_xor, old ^ value)                                                           \
    COMPARE(bits, strong)                                                                          \
    COMPARE(bits, weak)

ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    explore_point();
    if (order == memory_order_seq_cst) {
        stores_arrive(explore_hart());
    }
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order) {}

/* Plain accesses are no points: locks guard them, which the sanitizer itself checks (tests/host/kernel/race.c). */
#define PLAIN(name, size)                                                                          \
    void __tsan_##name(void *at);                                                                  \
    void __tsan_##name(void *at)                                                                   \
    {                                                                                              \
        settle(at, size);                                                                          \
    }

#define PLAINS(size)                                                                               \
    PLAIN(read##size, size)                                                                        \
    PLAIN(write##size, size)                                                                       \
    PLAIN(volatile_read##size, size)                                                               \
    PLAIN(volatile_write##size, size)                                                              \
    PLAIN(unaligned_read##size, size)                                                              \
    PLAIN(unaligned_write##size, size)

PLAINS(1)
PLAINS(2)
PLAINS(4)
PLAINS(8)
PLAINS(16)

#define RANGE(name)                                                                                \
    void __tsan_##name(void *at, size_t size);                                                     \
    void __tsan_##name(void *at, size_t size)                                                      \
    {                                                                                              \
        settle(at, size);                                                                          \
    }
RANGE(read_range)
RANGE(write_range)

void __tsan_init(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller) {}
void __tsan_func_exit(void);
void __tsan_func_exit(void) {}
