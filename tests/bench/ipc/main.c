/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cost of the kernel's operations in guest instructions: `bench ipc.<name> <value>` lines.
 */
#include <stdlib.h>
#include <string.h>

#include <sk/cpio.h>

#include "bench.h"

uint64_t counter_cost;

void figure(const char *name, uint64_t value)
{
    printf("bench ipc.%s %lu instructions\n", name, (unsigned long)value);
}

void fail(status_t status, const char *what)
{
    printf("Bail out! %s: %s\n", what, sk_status_words(status));
    exit(1);
}

static struct sk_cpio_entry find_self(void)
{
    static struct sk_cpio_entry entry;
    if (entry.name == NULL) {
        struct sk_memory_info info;
        uint64_t written, address;
        handle_t bootfs = sk_boot_handle("bootfs");
        must(sk_object_info(bootfs, &info, sizeof(info), &written), "boot archive");
        must(sk_memory_map(sk_self_process, bootfs, 0, info.size, 0, SK_PROT_READ, &address),
             "boot archive");
        must(sk_cpio_find((const void *)address, info.size, "bin/bench-ipc", &entry), "itself");
    }
    return entry;
}

void child_start(struct sk_child *child, const char *mode, handle_t serve)
{
    struct sk_cpio_entry image = find_self();
    const char *arguments[] = {"bench-ipc", mode};
    struct sk_spawn_handle handles[] = {{"serve", serve}};
    struct sk_spawn spawn = {
        .name = "bench-server",
        .job = sk_self_job,
        .image = sk_boot_handle("bootfs"),
        .image_offset = image.offset,
        .image_size = image.size,
        .argument_count = 2,
        .arguments = arguments,
        .handles = handles,
        .handle_count = 1,
    };
    must(sk_spawn(&spawn, child), "server");
}

void child_end(struct sk_child *child)
{
    struct sk_process_info info;
    must(sk_process_kill(child->process, 0), "end of server");
    must(sk_process_wait(child->process, SK_DEADLINE_NEVER, &info), "end of server");
    sk_handle_close(child->process);
    sk_handle_close(child->boot);
}

static void bench_one_hart(void)
{
    counter_cost = MEASURE();
    bench_calls();
    bench_objects();
    bench_processes();
    bench_interrupts();
}

/* run=bench-ipc[,idle|,wall|,pairs,N,ROUNDS]; a child is started with its mode alone. */
int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (argc == 1) {
        bench_one_hart();
    } else if (argc == 4 && strcmp(what, "pairs") == 0) {
        bench_pairs((uint32_t)strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    } else if (strcmp(what, "wall") == 0) {
        bench_wall();
    } else if (strcmp(what, "idle") == 0) {
        bench_idle();
    } else {
        child_main(what);
    }
    printf("bench end\n");
    return 0;
}
