/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conformance of everything but channels, as programs meet it (docs/syscalls.md).
 */
#include "kernel_test.h"

static const struct self_mode modes[] = {
    {"fault", mode_fault},
    {"share", mode_share},
    {"touch", mode_touch},
    {"spend-handles", mode_spend_handles},
    {"spend-threads", mode_spend_threads},
    {"spend-thread", mode_spend_thread},
    {"spend-messages", mode_spend_messages},
    {"floats", mode_floats},
    {"futex", mode_futex},
    {"idle", mode_idle},
    {"quit", mode_quit},
};

int mode_idle(int argc, char **argv)
{
    sk_thread_sleep(SK_DEADLINE_NEVER);
    return 0;
}

int main(int argc, char **argv)
{
    int code = self_run_mode(modes, COUNT(modes), argc, argv);
    if (code >= 0) {
        return code;
    }
    self_begin();
    test_basics();
    test_handles();
    test_waits();
    test_futexes();
    test_memory();
    test_faults();
    test_pointers();
    test_budgets();
    test_threads();
    test_resources();
    test_slices();
    test_sweeps();
    return test_done();
}
