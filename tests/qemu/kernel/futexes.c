/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting on a word of memory.
 */
#include <stdatomic.h>

#include "kernel_test.h"

#define INCREMENTS 5000u
#define THREADS 4u
#define TURNS 2000u

static uint32_t wake(const _Atomic uint32_t *word, uint32_t count)
{
    uint64_t woken = ~0ull;
    test_status(sk_futex_wake((const void *)word, count, &woken), SK_OK);
    return (uint32_t)woken;
}

static status_t wait_on(const _Atomic uint32_t *word, uint32_t expected, uint64_t deadline)
{
    return sk_futex_wait((const void *)word, expected, deadline);
}

static void it_compares_first(void)
{
    _Atomic uint32_t word = 5;
    test_status(wait_on(&word, 4, SK_DEADLINE_NEVER), SK_BAD_STATE);
    test_status(wait_on(&word, 5, SK_DEADLINE_POLL), SK_TIMED_OUT);
    uint64_t deadline = soon();
    test_status(wait_on(&word, 5, deadline), SK_TIMED_OUT);
    test_check(sk_now() >= deadline);
    test_equal(wake(&word, ~0u), 0);
}

static void bad_words_are_refused(void)
{
    uint64_t woken;
    static const uintptr_t bad[] = {0, 4, 0x3ffffffff8, 0xffffffc000000000, ~(uintptr_t)3};
    for (size_t i = 0; i < COUNT(bad); i++) {
        test_status(sk_futex_wait((void *)bad[i], 0, soon()), SK_BAD_ADDRESS);
        test_status(sk_futex_wake((void *)bad[i], 1, &woken), SK_BAD_ADDRESS);
    }
    test_status(sk_futex_wait((char *)edge() + 32, 0, soon()), SK_BAD_ADDRESS);
    for (int i = 1; i < 4; i++) {
        test_status(sk_futex_wait((char *)edge() + i, 0, soon()), SK_INVALID_ARGS);
        test_status(sk_futex_wake((char *)edge() + i, 1, &woken), SK_INVALID_ARGS);
    }
}

struct sleeper {
    const _Atomic uint32_t *word;
    _Atomic uint32_t *order;
    uint32_t place;
    status_t status;
};

static void sleep_on(void *argument)
{
    struct sleeper *sleeper = argument;
    sleeper->status = wait_on(sleeper->word, 0, test_deadline());
    sleeper->place = atomic_fetch_add(sleeper->order, 1);
}

static void it_wakes_in_order(void)
{
    _Atomic uint32_t words[2] = {0, 0}, order = 0;
    struct sk_thread threads[6];
    struct sleeper sleepers[6];
    for (int i = 0; i < 6; i++) {
        sleepers[i] = (struct sleeper){&words[i == 5], &order, 99, SK_PENDING};
        start_thread(&threads[i], sleep_on, &sleepers[i]);
        wait_blocked(threads[i].handle);
    }
    test_equal(wake(&words[0], 0), 0);
    for (uint32_t i = 0; i < 3; i++) {
        test_equal(wake(&words[0], 1), 1);
        join_thread(&threads[i]);
        test_equal(sleepers[i].place, i);
    }
    test_equal(wake(&words[0], 100), 2); /* not the one on the other word */
    test_equal(wake(&words[1], 1), 1);
    for (uint32_t i = 3; i < 6; i++) {
        join_thread(&threads[i]);
    }
    for (uint32_t i = 0; i < 6; i++) {
        test_status(sleepers[i].status, SK_OK);
    }
}

/* The word is the memory's, whatever address it is seen at. */
static void two_mappings_are_one_word(void)
{
    handle_t memory = make_memory(1);
    uint64_t first = map_memory(memory, 1, SK_PROT_READ | SK_PROT_WRITE);
    uint64_t second = map_memory(memory, 1, SK_PROT_READ);
    _Atomic uint32_t order = 0;
    struct sk_thread thread;
    struct sleeper sleeper = {(const _Atomic uint32_t *)(second + 64), &order, 9, SK_PENDING};
    start_thread(&thread, sleep_on, &sleeper);
    wait_blocked(thread.handle);
    test_equal(wake((const _Atomic uint32_t *)(first + 60), 1), 0);
    test_equal(wake((const _Atomic uint32_t *)(first + 64), 1), 1);
    join_thread(&thread);
    test_status(sleeper.status, SK_OK);
    must(sk_memory_unmap(sk_self_process, first, SK_PAGE_SIZE));
    must(sk_memory_unmap(sk_self_process, second, SK_PAGE_SIZE));
    must(sk_handle_close(memory));
}

/* The mapping goes away under a waiter: it waits on, and can be woken through another one. */
static void a_waiter_survives_unmapping(void)
{
    handle_t memory = make_memory(1);
    uint64_t first = map_memory(memory, 1, SK_PROT_READ | SK_PROT_WRITE);
    _Atomic uint32_t order = 0;
    struct sk_thread thread;
    struct sleeper sleeper = {(const _Atomic uint32_t *)first, &order, 9, SK_PENDING};
    start_thread(&thread, sleep_on, &sleeper);
    wait_blocked(thread.handle);
    must(sk_memory_unmap(sk_self_process, first, SK_PAGE_SIZE));
    uint64_t second = map_memory(memory, 1, SK_PROT_READ);
    test_equal(wake((const _Atomic uint32_t *)second, 1), 1);
    join_thread(&thread);
    test_status(sleeper.status, SK_OK);
    must(sk_memory_unmap(sk_self_process, second, SK_PAGE_SIZE));
    must(sk_handle_close(memory));
}

static struct sk_mutex mutex;
static uint64_t counter; /* [mutex] */

static void count_up(void *argument)
{
    for (uint32_t i = 0; i < INCREMENTS; i++) {
        sk_mutex_lock(&mutex);
        uint64_t value = counter;
        if (i % 512 == 0) {
            sk_thread_yield();
        }
        counter = value + 1;
        sk_mutex_unlock(&mutex);
    }
}

static void a_mutex_excludes(void)
{
    struct sk_thread threads[THREADS];
    counter = 0;
    for (uint32_t i = 0; i < THREADS; i++) {
        start_thread(&threads[i], count_up, NULL);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        join_thread(&threads[i]);
    }
    test_equal(counter, THREADS * INCREMENTS);
}

/* Two sides hand a word to and fro; a lost wake-up would end in the deadline. */
struct turns {
    _Atomic uint32_t *word;
    uint32_t mine, other;
    status_t status;
};

static void take_turns(void *argument)
{
    struct turns *turns = argument;
    for (uint32_t i = 0; i < TURNS; i++) {
        while (atomic_load(turns->word) != turns->mine) {
            turns->status = wait_on(turns->word, turns->other, test_deadline());
            if (turns->status == SK_TIMED_OUT) {
                return;
            }
        }
        atomic_store(turns->word, turns->other);
        wake(turns->word, 1);
    }
    turns->status = SK_OK;
}

static void no_wake_up_is_lost(void)
{
    _Atomic uint32_t word = 1;
    struct sk_thread thread;
    struct turns a = {&word, 1, 2, SK_OK}, b = {&word, 2, 1, SK_OK};
    start_thread(&thread, take_turns, &b);
    take_turns(&a);
    join_thread(&thread);
    test_status(a.status, SK_OK);
    test_status(b.status, SK_OK);
}

/* Child: takes turns with its parent on the memory it was given. */
int mode_futex(int argc, char **argv)
{
    uint64_t address;
    if (sk_memory_map(sk_self_process, sk_boot_handle("given"), 0, SK_PAGE_SIZE, 0,
                      SK_PROT_READ | SK_PROT_WRITE, &address) != SK_OK) {
        return 1;
    }
    struct turns turns = {(_Atomic uint32_t *)address, 2, 1, SK_OK};
    take_turns(&turns);
    return turns.status == SK_OK ? 0 : 2;
}

static void processes_share_a_word(void)
{
    handle_t memory = make_memory(1), job = test_job();
    uint64_t address = map_memory(memory, 1, SK_PROT_READ | SK_PROT_WRITE);
    atomic_store((_Atomic uint32_t *)address, 1);
    struct turns turns = {(_Atomic uint32_t *)address, 1, 2, SK_OK};
    struct sk_child child = self_spawn(job, "futex", NULL, memory);
    take_turns(&turns);
    test_status(turns.status, SK_OK);
    self_expect_exit(&child, 0);
    must(sk_memory_unmap(sk_self_process, address, SK_PAGE_SIZE));
    test_job_end(job);
}

void test_futexes(void)
{
    self_case("futex: it compares first", it_compares_first);
    self_case("futex: bad words are refused", bad_words_are_refused);
    self_case("futex: it wakes in order", it_wakes_in_order);
    self_case("futex: two mappings are one word", two_mappings_are_one_word);
    self_case("futex: a waiter survives unmapping", a_waiter_survives_unmapping);
    self_case("futex: a mutex excludes", a_mutex_excludes);
    self_case("futex: no wake-up is lost", no_wake_up_is_lost);
    self_case("futex: processes share a word", processes_share_a_word);
}
