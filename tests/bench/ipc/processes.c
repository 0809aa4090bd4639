/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it takes to start a program.
 */
#include "bench.h"

#define SPAWNS 8u

void bench_processes(void)
{
    uint64_t least = ~0ull;
    for (uint32_t i = 0; i < SPAWNS; i++) {
        struct sk_child child;
        struct sk_process_info info;
        handle_t ours, theirs;
        uint64_t in_main;
        struct sk_in in = sk_in_bytes(&in_main, sizeof(in_main));
        must(sk_channel_create(sk_self_job, &ours, &theirs), "channel");
        uint64_t began = sk_instructions();
        child_start(&child, "nothing", theirs);
        must(sk_channel_receive(ours, &in, SK_DEADLINE_NEVER), "child");
        least = in_main - began < least ? in_main - began : least;
        must(sk_process_wait(child.process, SK_DEADLINE_NEVER, &info), "child");
        sk_handle_close(child.process);
        sk_handle_close(child.boot);
        sk_handle_close(ours);
    }
    figure("spawn.small", least);
}
