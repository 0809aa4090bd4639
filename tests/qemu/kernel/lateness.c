/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How late sleepers wake. Run with -icount, where time is what the guest has executed: a busy host makes nobody
 * late, so the limit is the kernel's own.
 */
#include <sk/syscalls.h>
#include <sk/time.h>

#include "guest_test.h"

#define LATE (100 * SK_US)
#define SLEEPS 200u

static void sleepers_wake_in_time(void)
{
    uint64_t duration = 1000, worst = 0;
    for (uint32_t i = 0; i < SLEEPS; i++) {
        uint64_t deadline = sk_now() + duration;
        test_status(sk_thread_sleep(deadline), SK_OK);
        uint64_t now = sk_now();
        test_check(now >= deadline);
        worst = now - deadline > worst ? now - deadline : worst;
        duration = duration * 37 % 20000003; /* up to 20 ms */
    }
    printf("# the latest of %u woke %lu ns after its deadline\n", SLEEPS, (unsigned long)worst);
    test_check(worst < LATE);
}

int main(void)
{
    test_case("sleep: wakes within 100 microseconds", sleepers_wake_in_time);
    return test_done();
}
