/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of threads, mutexes, conditions and libc's own locks, on one and several harts.
 */
#include <errno.h>
#include <fenv.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <sk/thread.h>

#include "guest_test.h"

#define THREADS 4u
#define ROUNDS 20000u

static struct sk_mutex mutex;
static struct sk_condition condition;
static uint64_t counter; /* [mutex] */

static void run_threads(void (*entry)(void *argument), uint32_t priority)
{
    static struct sk_thread threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        test_status(sk_thread_start(&threads[i], entry, (void *)i, 0, priority), SK_OK);
    }
    for (size_t i = 0; i < THREADS; i++) {
        test_status(sk_thread_join(&threads[i], sk_deadline_after(30 * SK_SECOND)), SK_OK);
    }
}

static void count(void *argument)
{
    for (unsigned i = 0; i < ROUNDS; i++) {
        sk_mutex_lock(&mutex);
        counter++;
        sk_mutex_unlock(&mutex);
    }
}

static void a_mutex_excludes(void)
{
    counter = 0;
    run_threads(count, SK_PRIORITY_DEFAULT);
    test_equal(counter, THREADS * ROUNDS);
    test_equal(mutex.state, 0);
}

static void a_mutex_times_out(void)
{
    sk_mutex_lock(&mutex);
    test_check(!sk_mutex_try_lock(&mutex));
    uint64_t deadline = sk_deadline_after(10 * SK_MS);
    test_status(sk_mutex_lock_until(&mutex, deadline), SK_TIMED_OUT);
    test_check(sk_now() >= deadline);
    sk_mutex_unlock(&mutex);
    test_check(sk_mutex_try_lock(&mutex));
    sk_mutex_unlock(&mutex);
}

/* Threads take turns by number, each waiting for its own. */
static uint64_t turn; /* [mutex] */

static void take_turns(void *argument)
{
    for (unsigned round = 0; round < 500; round++) {
        sk_mutex_lock(&mutex);
        while (turn % THREADS != (uint64_t)argument) {
            sk_condition_wait(&condition, &mutex, SK_DEADLINE_NEVER);
        }
        turn++;
        sk_condition_broadcast(&condition);
        sk_mutex_unlock(&mutex);
    }
}

static void conditions_wake(void)
{
    turn = 0;
    run_threads(take_turns, SK_PRIORITY_DEFAULT);
    test_equal(turn, THREADS * 500);
    sk_mutex_lock(&mutex);
    test_status(sk_condition_wait(&condition, &mutex, sk_deadline_after(5 * SK_MS)), SK_TIMED_OUT);
    sk_mutex_unlock(&mutex);
}

static _Thread_local uint64_t mine;
static _Thread_local uint64_t preset = 12345;
static atomic_uint bad_locals;

static void use_locals(void *argument)
{
    bool good = mine == 0 && preset == 12345;
    for (unsigned i = 0; i < ROUNDS; i++) {
        mine += (uint64_t)argument;
        preset++;
        errno = (int)(uint64_t)argument;
    }
    good = good && mine == (uint64_t)argument * ROUNDS && preset == 12345 + ROUNDS &&
           errno == (int)(uint64_t)argument;
    bad_locals += !good;
}

static void locals_are_each_threads_own(void)
{
    bad_locals = 0;
    run_threads(use_locals, SK_PRIORITY_DEFAULT);
    test_equal(bad_locals, 0);
    test_equal(mine, 0);
}

static atomic_uint bad_blocks;

/* Blocks of random sizes, filled and checked, so that two threads given one block would see it. */
static void use_malloc(void *argument)
{
    unsigned seed = (unsigned)(uint64_t)argument + 1;
    for (unsigned i = 0; i < 2000; i++) {
        seed = seed * 1103515245 + 12345;
        size_t size = 1 + seed / 65536 % 500;
        unsigned char *block = malloc(size);
        if (block == NULL) {
            bad_blocks++;
            return;
        }
        memset(block, (int)seed, size);
        for (size_t at = 0; at < size; at++) {
            bad_blocks += block[at] != (unsigned char)seed;
        }
        free(block);
    }
}

static void malloc_serves_all_threads(void)
{
    bad_blocks = 0;
    run_threads(use_malloc, SK_PRIORITY_DEFAULT);
    test_equal(bad_blocks, 0);
}

static atomic_uint bad_sums;

/* Floating point in every thread at once: no thread may see another's registers. */
static void use_fpu(void *argument)
{
    double step = 1.0 / (double)((uint64_t)argument + 3), sum = 0;
    for (unsigned i = 0; i < 200000; i++) {
        sum += step;
    }
    double expected = 200000.0 * step;
    bad_sums += sum < expected * 0.999999 || sum > expected * 1.000001;
}

static void fpu_state_is_each_threads_own(void)
{
    bad_sums = 0;
    run_threads(use_fpu, SK_PRIORITY_DEFAULT);
    test_equal(bad_sums, 0);
}

static _Atomic uint64_t left_over; /* bits that a new thread found in its registers */
static uint8_t raw_stack[16384] __attribute__((aligned(16)));

/* The first instruction of a thread that no library has touched: what is no argument of its own is zero. */
static void raw_entry(uint64_t argument, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
                      uint64_t a5, uint64_t a6, uint64_t a7, double f0, double f1, double f2,
                      double f3, double f4, double f5, double f6, double f7)
{
    const double floats[] = {f0, f1, f2, f3, f4, f5, f6, f7};
    uint64_t found = a1 | a2 | a3 | a4 | a5 | a6 | a7;
    for (size_t i = 0; i < sizeof floats / sizeof floats[0]; i++) {
        uint64_t bits;
        memcpy(&bits, &floats[i], sizeof bits);
        found |= bits;
    }
    found |= (uint64_t)fetestexcept(FE_ALL_EXCEPT) | (uint64_t)fegetround();
    left_over |= found | (argument ^ 0x1234);
    sk_thread_exit();
}

/* Leaves something in every register and flag that raw_entry looks at. */
static void fill_registers(void *argument)
{
    use_fpu(argument);
    fesetround(FE_UPWARD);
    feraiseexcept(FE_INEXACT | FE_DIVBYZERO);
    sk_thread_yield();
}

/* On each hart after threads that have used everything. */
static void a_new_threads_registers_are_zero(void)
{
    left_over = 0;
    for (int round = 0; round < 8; round++) {
        handle_t thread = SK_HANDLE_NONE;
        uint64_t observed;
        run_threads(fill_registers, SK_PRIORITY_DEFAULT);
        test_status(sk_thread_create(sk_self_process, (uint64_t)(uintptr_t)raw_entry,
                                     (uint64_t)(uintptr_t)(raw_stack + sizeof raw_stack), 0x1234,
                                     SK_PRIORITY_DEFAULT, &thread),
                    SK_OK);
        test_status(sk_object_wait(thread, SK_SIGNAL_TERMINATED, test_deadline(), &observed),
                    SK_OK);
        sk_handle_close(thread);
    }
    test_equal(left_over, 0);
}

static void do_nothing(void *argument) {}

static void a_thousand_threads_leave_nothing(void)
{
    for (int i = 0; i < 1000; i++) {
        struct sk_thread thread;
        if (!test_status(sk_thread_start(&thread, do_nothing, NULL, 0, SK_PRIORITY_DEFAULT),
                         SK_OK) ||
            !test_status(sk_thread_join(&thread, test_deadline()), SK_OK)) {
            return;
        }
    }
}

static void sleep_until_told(void *argument)
{
    _Atomic bool *told = argument;
    while (!atomic_load(told)) {
        sk_sleep(SK_MS);
    }
}

static void a_join_times_out(void)
{
    struct sk_thread thread;
    _Atomic bool told = false;
    test_status(sk_thread_start(&thread, sleep_until_told, &told, 0, SK_PRIORITY_DEFAULT), SK_OK);
    test_status(sk_thread_join(&thread, sk_deadline_after(SK_MS)), SK_TIMED_OUT);
    atomic_store(&told, true);
    test_status(sk_thread_join(&thread, test_deadline()), SK_OK);
}

static void a_higher_priority_is_refused(void)
{
    struct sk_thread thread;
    test_status(sk_thread_start(&thread, do_nothing, NULL, 0, SK_PRIORITY_MAX), SK_ACCESS_DENIED);
    test_status(sk_thread_start(&thread, do_nothing, NULL, 0, SK_PRIORITY_MAX + 1),
                SK_INVALID_ARGS);
}

static void sleeps_last(void)
{
    for (uint64_t duration = SK_US; duration <= 10 * SK_MS; duration *= 10) {
        uint64_t begin = sk_now();
        sk_sleep(duration);
        uint64_t passed = sk_now() - begin;
        test_check(passed >= duration);
        test_check(passed < duration + SK_SECOND);
    }
}

int main(void)
{
    test_case("a mutex excludes", a_mutex_excludes);
    test_case("a mutex times out", a_mutex_times_out);
    test_case("conditions wake", conditions_wake);
    test_case("locals are each thread's own", locals_are_each_threads_own);
    test_case("malloc serves all threads", malloc_serves_all_threads);
    test_case("floating point state is each thread's own", fpu_state_is_each_threads_own);
    test_case("a new thread's registers are zero", a_new_threads_registers_are_zero);
    test_case("1,000 threads leave nothing", a_thousand_threads_leave_nothing);
    test_case("a join times out", a_join_times_out);
    test_case("a higher priority is refused", a_higher_priority_is_refused);
    test_case("sleeps last at least as long as asked", sleeps_last);
    return test_done();
}
