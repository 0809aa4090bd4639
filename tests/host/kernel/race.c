/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Harts that are POSIX threads run random programs over one kernel, under the thread sanitizer: it
 * finds what is shared without a lock, the kernel's own checks find locks in the wrong order, the
 * end finds what was not given back.
 *
 * A program is a random walk over system calls; what it remembers is in its process's `known` handles.
 * Speaks TAP. Usage: race [STEPS]
 */
#include "race.h"
#include "../harness/job_kill.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include <ipc/call.h>
#include <kernel/clock.h>
#include <kernel/futex.h>
#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/platform.h>
#include <kernel/sched.h>
#include <kernel/syscall.h>
#include <kernel/trap.h>

#define HARTS 4u
#define FIRST_THREADS 4u

/* The device tree has no say here. */
struct platform platform;

bool platform_option(const char *name, char *value, size_t size)
{
    return false;
}

static _Atomic int64_t steps_left;
static _Atomic bool stopping;
static struct job *root, *playground;
static _Thread_local jmp_buf hart_end;

/* Counts down; the step that is the last one ends the playground. */
static void count_step(void)
{
    if (atomic_fetch_sub(&steps_left, 1) == 0) {
        job_kill_all(playground);
        atomic_store(&stopping, true);
    }
}

/* Idle harts let time pass, which counts, as all threads may be suspended; at the end they stop when
 * the playground is empty. */
static void idle_hart(void)
{
    static _Thread_local uint32_t rounds;
    if (++rounds % 64 == 0) {
        count_step();
    }
    atomic_fetch_add(&host_ticks, 20000);
    if (atomic_load(&stopping) && atomic_load(&object_live[SK_TYPE_PROCESS]) == 0) {
        longjmp(hart_end, 1);
    }
    thrd_yield();
}

static void *hart_life(void *argument)
{
    struct hart *hart = argument;
    cpu_set_hart(hart);
    host_idle = idle_hart;
    if (setjmp(hart_end) != 0) {
        sched_idle_end(hart);
        return NULL;
    }
    for (struct thread *thread = kernel_exit();;) {
        if (host_interrupt_pending(hart)) {
            cpu_poll_interrupts();
            thread = kernel_exit();
            continue;
        }
        atomic_fetch_add(&host_ticks, 500);
        count_step();
        if (atomic_load(&stopping)) {
            thread = kernel_exit();
        }
        thread = race_play(thread);
    }
}

static void start_first(uint32_t priority)
{
    struct process *process;
    struct thread *thread;
    struct memory *memory;
    vaddr_t at;
    handle_t job;
    ASSERT(process_create(playground, "first", &process) == SK_OK);
    ASSERT(memory_create(playground, SHARED_PAGES * PAGE_SIZE, &memory) == SK_OK);
    ASSERT(space_map(&process->space, memory, memory_type.rights, 0, SHARED_PAGES * PAGE_SIZE,
                     SHARED_PAGE, SK_PROT_READ | SK_PROT_WRITE | SK_MAP_FIXED, &at) == SK_OK);
    ASSERT(memory_copy_in(memory, NAME_AT - SHARED_PAGE, "child", 5) == SK_OK);
    object_put(&memory->object);
    struct capability capability = capability_make(&playground->object, job_type.rights);
    ASSERT(handle_add(process, capability, &job) == SK_OK);
    struct memory_of_process *own = race_process(process, job);
    capability = capability_make(&process->object, process_type.rights);
    handle_t self;
    ASSERT(handle_add(process, capability, &self) == SK_OK);
    own->self = self;
    struct endpoint *ends[2];
    ASSERT(channel_create(playground, &ends[0], &ends[1]) == SK_OK);
    ASSERT(handle_add_new(process, &ends[0]->object, &own->caller_end) == SK_OK);
    ASSERT(handle_add_new(process, &ends[1]->object, &own->server_end) == SK_OK);
    ASSERT(process_start(process, 0x10000, 0, NULL, 0, priority, &thread) == SK_OK);
    object_put(&thread->object);
    for (uint32_t i = 1; i < FIRST_THREADS; i++) {
        ASSERT(thread_create(process, 0x10000, 0, 0, priority, &thread) == SK_OK);
        thread_ready(thread);
        object_put(&thread->object);
    }
    object_put(&process->object);
}

static void begin(void)
{
    host_machine_start();
    hart_count = HARTS;
    for (uint32_t i = 0; i < HARTS; i++) {
        sched_init_hart(&harts[i], i, i);
        atomic_store(&harts[i].online, true);
    }
    cpu_set_hart(&harts[0]);
    clock_init(1000000000);
    page_add_range(HOST_RAM_BASE, HOST_RAM_BASE + HOST_RAM_BYTES);
    futex_init();
    const uint64_t everything[BUDGET_KINDS] = {16000, 16000, 32000, 8000, 2000};
    root = job_init_root(everything);
    capability_make(&root->object, 0);
    const uint64_t budget[BUDGET_KINDS] = {3000, 4000, 6000, 2000, 300};
    ASSERT(job_create(root, budget, 0, &playground) == SK_OK);
    for (uint32_t i = 0; i < 6; i++) {
        start_first(8 + i % 2);
    }
}

/* Everything that was put off, by one hart after the other. */
static void finish(void)
{
    object_put(&playground->object);
    host_idle = idle_hart;
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < HARTS; i++) {
            cpu_set_hart(&harts[i]);
            chores_assign();
            for (uint32_t step = 0; step < 10000; step++) {
                chores_run();
            }
        }
    }
}

static bool nothing_left(void)
{
    bool good = message_live == 0;
    for (uint32_t type = 0; type < SK_TYPE_COUNT; type++) {
        uint64_t expected = type == SK_TYPE_JOB ? 1 : 0;
        if (object_live[type] != expected) {
            printf("# %lu objects of type %u are left\n", object_live[type], type);
            good = false;
        }
    }
    for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
        uint64_t expected = kind == BUDGET_OBJECTS ? root->used[kind] : 0;
        if (root->used[kind] != expected) {
            printf("# %lu of budget %u are in use\n", root->used[kind], kind);
            good = false;
        }
    }
    uint64_t frames = page_total() - page_free_count() - page_kernel_count();
    if (frames != 0) {
        printf("# %lu frames are left\n", frames);
        good = false;
    }
    return good;
}

int main(int argc, char **argv)
{
    steps_left = argc > 1 ? atoll(argv[1]) : 100000;
    begin();
    pthread_t threads[HARTS];
    for (uint32_t i = 0; i < HARTS; i++) {
        pthread_create(&threads[i], NULL, hart_life, &harts[i]);
    }
    for (uint32_t i = 0; i < HARTS; i++) {
        pthread_join(threads[i], NULL);
    }
    cpu_set_hart(&harts[0]);
    finish();
    uint64_t all = race_calls, long_way = 0;
    for (uint32_t i = 0; i < HARTS; i++) {
        long_way += harts[i].system_calls;
    }
    printf("# %lu system calls, at least %ld by the short way, %u processes, %lu ns\n", all,
           (long)(all - long_way), race_process_count, clock_now_ns());
    bool good = nothing_left();
    printf("%sok 1 - harts race and nothing is left behind\n1..1\n", good ? "" : "not ");
    return good ? 0 : 1;
}
