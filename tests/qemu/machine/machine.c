/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of what the kernel does with the machine: floating-point registers, translations, fresh code
 * and clocks, with threads that move between harts.
 */
#include <fenv.h>
#include <stdatomic.h>
#include <string.h>

#include <sk/syscalls.h>
#include <sk/thread.h>

#include "guest_test.h"

#define THREADS 5u /* more than harts, so that they share and move */
#define READERS 3u
#define PRIORITY 20u /* the first thread's own in bare.manifest: it spins for the others */

static struct sk_thread threads[THREADS];

static void start(unsigned index, void (*entry)(void *argument))
{
    void *argument = (void *)(uintptr_t)index;
    test_status(sk_thread_start(&threads[index], entry, argument, 0, PRIORITY), SK_OK);
}

static void join(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        test_status(sk_thread_join(&threads[i], sk_deadline_after(60 * SK_SECOND)), SK_OK);
    }
}

/* A chain of roundings that keeps more values than there are floating-point registers. */
static double wander(double seed, bool yields)
{
    double value[40];
    for (unsigned i = 0; i < 40; i++) {
        value[i] = seed + i / 7.0;
    }
    for (unsigned round = 0; round < 2000; round++) {
        for (unsigned i = 0; i < 40; i++) {
            value[i] = value[i] * 0.999 + value[(i + 13) % 40] / 3.7;
            value[i] -= value[i] > 1e6 ? 1e6 : 0.0;
        }
        if (yields && round % 16 == 0) {
            sk_thread_yield();
        }
    }
    double sum = 0;
    for (unsigned i = 0; i < 40; i++) {
        sum += value[i];
    }
    return sum;
}

static double results[THREADS];

static void wander_as(void *argument)
{
    uintptr_t index = (uintptr_t)argument;
    results[index] = wander(1.0 + (double)index, true);
}

static void floats_stay_with_their_thread(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        start(i, wander_as);
    }
    join(THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        double expected = wander(1.0 + (double)i, false);
        test_check(memcmp(&expected, &results[i], sizeof expected) == 0);
    }
}

static _Atomic unsigned wrong;

static void keep_rounding(void *argument)
{
    static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    wrong += fegetround() != FE_TONEAREST; /* a new thread starts clean */
    int mode = modes[(uintptr_t)argument % 4];
    fesetround(mode);
    for (unsigned i = 0; i < 500; i++) {
        sk_thread_yield();
        wrong += fegetround() != mode;
    }
}

static void rounding_modes_stay_with_their_thread(void)
{
    wrong = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        start(i, keep_rounding);
    }
    join(THREADS);
    test_equal(wrong, 0);
    test_equal(fegetround(), FE_TONEAREST);
}

static _Atomic uint64_t latest_ns;

static void watch_clock(void *argument)
{
    for (unsigned i = 0; i < 3000; i++) {
        uint64_t before = latest_ns;
        uint64_t now = sk_now();
        wrong += now < before;
        while (before < now && !atomic_compare_exchange_weak(&latest_ns, &before, now)) {
        }
    }
}

static void harts_agree_on_the_time(void)
{
    wrong = 0;
    latest_ns = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        start(i, watch_clock);
    }
    join(THREADS);
    test_equal(wrong, 0);
}

/* Readers look at one address again and again; what is behind it changes between rounds, while they
 * spin on a word elsewhere and so keep their translations. */
#define ROUNDS 40u
static volatile uint32_t *looked_at;
static _Atomic unsigned round_now, done_count;

static void look(void *argument)
{
    for (unsigned round = 1; round <= ROUNDS; round++) {
        while (round_now != round) {
            sk_thread_yield();
        }
        wrong += *looked_at != round;
        done_count++;
    }
}

static handle_t numbered_memory(uint32_t number)
{
    handle_t memory = SK_HANDLE_NONE;
    test_status(sk_memory_create(sk_self_job, SK_PAGE_SIZE, 0, &memory), SK_OK);
    test_status(sk_memory_write(memory, 0, &number, sizeof number), SK_OK);
    return memory;
}

static void nobody_sees_an_old_mapping(void)
{
    wrong = 0;
    round_now = 0;
    uint64_t address = 0;
    for (unsigned i = 0; i < READERS; i++) {
        start(i, look);
    }
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        handle_t memory = numbered_memory(round);
        uint64_t fixed = address;
        if (round > 1) {
            test_status(sk_memory_unmap(sk_self_process, address, SK_PAGE_SIZE), SK_OK);
        }
        test_status(sk_memory_map(sk_self_process, memory, 0, SK_PAGE_SIZE, fixed,
                                  SK_PROT_READ | (round > 1 ? SK_MAP_FIXED : 0u), &address),
                    SK_OK);
        sk_handle_close(memory);
        looked_at = (volatile uint32_t *)(uintptr_t)address;
        done_count = 0;
        round_now = round;
        while (done_count < READERS) {
            sk_thread_yield();
        }
    }
    join(READERS);
    test_status(sk_memory_unmap(sk_self_process, address, SK_PAGE_SIZE), SK_OK);
    test_equal(wrong, 0);
}

/* Machine code: load a number, return. */
static void write_code(handle_t memory, uint32_t number)
{
    const uint32_t code[] = {number << 20 | 0x513u, 0x8067u};
    test_status(sk_memory_write(memory, 0, code, sizeof code), SK_OK);
}

static uint64_t code_address;

static void run_code(void *argument)
{
    unsigned (*code)(void) = (unsigned (*)(void))(uintptr_t)code_address;
    wrong += code() != round_now;
}

static void fresh_code_runs_everywhere(void)
{
    handle_t memory = SK_HANDLE_NONE;
    test_status(sk_memory_create(sk_self_job, SK_PAGE_SIZE, 0, &memory), SK_OK);
    wrong = 0;
    for (uint32_t round = 1; round <= 20; round++) {
        write_code(memory, round);
        round_now = round;
        test_status(sk_memory_map(sk_self_process, memory, 0, SK_PAGE_SIZE, 0,
                                  SK_PROT_READ | SK_PROT_EXECUTE, &code_address),
                    SK_OK);
        for (unsigned i = 0; i < THREADS; i++) {
            start(i, run_code);
        }
        join(THREADS);
        test_status(sk_memory_unmap(sk_self_process, code_address, SK_PAGE_SIZE), SK_OK);
    }
    sk_handle_close(memory);
    test_equal(wrong, 0);
}

int main(void)
{
    test_case("floating-point registers stay with their thread", floats_stay_with_their_thread);
    test_case("rounding modes stay with their thread", rounding_modes_stay_with_their_thread);
    test_case("harts agree on the time", harts_agree_on_the_time);
    test_case("nobody sees an old mapping", nobody_sees_an_old_mapping);
    test_case("fresh code runs everywhere", fresh_code_runs_everywhere);
    return test_done();
}
