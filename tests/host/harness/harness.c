/* SPDX-License-Identifier: BSD-2-Clause */
/* Booting, stepping, system calls. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kernel/futex.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/trap.h>

struct job *root_job;
bool ipc_slow;

static jmp_buf idle_exit;

static void leave_idle(void)
{
    longjmp(idle_exit, 1);
}

/* What each system call has been seen to return, by number and -status; to be appended to the file that
 * SKERRY_PAIRS names (see tests/host/kernel/pairs_test.py). */
#define STATUSES 64
static bool seen[SK_SYS_COUNT][STATUSES];

static void pairs_write(void)
{
    const char *path = getenv("SKERRY_PAIRS");
    FILE *file = path == NULL ? NULL : fopen(path, "a");
    for (uint32_t number = 0; file != NULL && number < SK_SYS_COUNT; number++) {
        for (uint32_t i = 0; i < STATUSES; i++) {
            if (seen[number][i]) {
                fprintf(file, "%u -%u\n", number, i);
            }
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* The number stays in its register; the results are in others. */
static void note_result(const struct thread *thread)
{
    uint64_t number = frame_number(&thread->frame);
    status_t status = (status_t)thread->frame.arg[0];
    if (number < SK_SYS_COUNT && status <= 0 && -status < STATUSES) {
        seen[number][-status] = true;
    }
}

void kernel_start(uint32_t hart_number)
{
    static bool started;
    if (started) {
        return;
    }
    started = true;
    atexit(pairs_write);
    host_machine_start();
    host_clock_set(1000);
    hart_count = hart_number;
    for (uint32_t i = 0; i < hart_count; i++) {
        sched_init_hart(&harts[i], i, i + 10);
        atomic_store(&harts[i].online, true);
    }
    on_hart(0);
    host_idle = leave_idle;
    clock_init(1000000000);
    /* Two ranges with a hole, as boards have them. */
    page_add_range(HOST_RAM_BASE, HOST_RAM_BASE + (24ull << 20));
    page_add_range(HOST_RAM_BASE + (25ull << 20), HOST_RAM_BASE + HOST_RAM_BYTES);
    futex_init();
    uint64_t frames = page_free_count();
    root_job = job_init_root((const uint64_t[BUDGET_KINDS]){frames - frames / 8, frames, frames * 2,
                                                            frames / 2, THREADS_MAX});
    /* The root job has a handle, as init's. */
    capability_make(&root_job->object, 0);
}

void on_hart(uint32_t number)
{
    cpu_set_hart(&harts[number]);
}

struct thread *pass(void)
{
    if (setjmp(idle_exit) != 0) {
        sched_idle_end(cpu_hart());
        return NULL;
    }
    cpu_poll_interrupts();
    return kernel_exit();
}

void settle(void)
{
    struct hart *before = cpu_hart();
    bool again = true;
    for (uint32_t round = 0; again; round++) {
        assert_true(round < 100000);
        again = false;
        for (uint32_t i = 0; i < hart_count; i++) {
            if (atomic_load(&harts[i].attention) || harts[i].chores ||
                host_interrupt_pending(&harts[i])) {
                on_hart(i);
                pass();
                again = true;
            }
        }
    }
    cpu_set_hart(before);
}

void advance_to(uint64_t ns)
{
    assert_true(ns >= clock_now_ns());
    host_clock_set(clock_ns_to_ticks(ns));
    struct hart *before = cpu_hart();
    for (uint32_t i = 0; i < hart_count; i++) {
        if (host_interrupt_pending(&harts[i])) {
            on_hart(i);
            pass();
        }
    }
    cpu_set_hart(before);
}

/* What lists are empty has changed. */
static void set_mask(struct hart *hart)
{
    uint64_t mask = 0;
    for (uint32_t rank = 0; rank < RANKS; rank++) {
        mask |= (uint64_t)!list_empty(&hart->ready[rank]) << rank;
    }
    hart->ready_mask = mask;
    mask >>= RANK_PAID;
    hart->ready_top = mask == 0 ? 0 : 63 - (uint32_t)__builtin_clzll(mask);
}

/* Takes a ready thread from whatever queue it is in to the front of this hart's. */
static void fetch(struct thread *thread)
{
    struct hart *from = thread->hart, *hart = cpu_hart();
    list_remove(&thread->run_link);
    set_mask(from);
    from->ready_count--;
    list_prepend(&hart->ready[thread->priority + RANK_PAID], &thread->run_link);
    set_mask(hart);
    hart->ready_count++;
    thread->hart = hart;
}

void run(struct thread *thread)
{
    struct hart *hart = cpu_hart(), *from = NULL;
    if (hart->current == thread) {
        return;
    }
    for (uint32_t i = 0; i < hart_count; i++) {
        from = harts[i].current == thread ? &harts[i] : from;
    }
    if (from != NULL) {
        cpu_set_hart(from);
        sched_yield(thread);
        cpu_set_hart(hart);
    }
    if (hart->current != NULL) {
        sched_yield(hart->current);
    } else {
        sched_idle_end(hart);
    }
    assert_int_equal(thread->state, THREAD_READY);
    fetch(thread);
    struct thread *runs = pass();
    assert_ptr_equal(runs, thread);
    if (from != NULL) {
        cpu_set_hart(from);
        pass();
        cpu_set_hart(hart);
    }
}

bool is_blocked(const struct thread *thread)
{
    return thread->state == THREAD_ACTIVE && thread->wait.lock != NULL;
}

bool is_dead(const struct thread *thread)
{
    return thread->state == THREAD_DEAD;
}

/* After a trap of `self`: an interrupt that is due is taken before the user program goes on. */
static status_t outcome(struct thread *self)
{
    if (is_dead(self)) {
        return ENDED;
    }
    return is_blocked(self) ? BLOCKED : status_of(self);
}

status_t status_of(const struct thread *thread)
{
    note_result(thread);
    return (status_t)thread->frame.arg[0];
}

uint64_t value_of(const struct thread *thread, uint32_t index)
{
    return thread->frame.arg[1 + index];
}

status_t syscall_array(struct thread *thread, uint32_t number, const uint64_t arguments[8])
{
    run(thread);
    object_get(&thread->object);
    memcpy(thread->frame.arg, arguments, 7 * sizeof(uint64_t));
    thread->frame.arg[7] = number;
    for (uint32_t i = 0; i < 7; i++) {
        thread->frame.extra[i] = 0xdead0000 + i;
    }
    if (setjmp(idle_exit) == 0) {
        trap_syscall(thread);
    } else {
        sched_idle_end(cpu_hart());
    }
    status_t status = outcome(thread);
    object_put(&thread->object);
    return status;
}

/* The entry code's choice between the ways, and what it leaves in the frame. */
static struct thread *ipc_trap(struct thread *thread, uint32_t number, const struct ipc *ipc)
{
    struct arch_frame *frame = &thread->frame;
    const uint64_t *words = ipc->words;
    bool is_short = ipc->info <= SK_MESSAGE_REGISTER_BYTES;
    memset(frame->arg, 0x5a, sizeof frame->arg);
    memset(frame->extra, 0x5b, sizeof frame->extra);
    frame->arg[7] = number;
    frame->extra[0] = ipc->out_buffer;
    frame->extra[1] = ipc->out_handles;
    frame->extra[2] = ipc->in_buffer;
    frame->extra[3] = ipc->in_room;
    frame->extra[4] = ipc->in_handles;
    if (!ipc_slow && number == SK_SYS_channel_call) {
        return (is_short ? trap_call : trap_call_long)(ipc->handle, ipc->info, words[0], words[1],
                                                       words[2], words[3], ipc->deadline);
    }
    if (!ipc_slow && number == SK_SYS_channel_reply_receive) {
        return (is_short ? trap_reply_receive
                         : trap_reply_receive_long)(ipc->handle, ipc->info, words[0], words[1],
                                                    words[2], words[3], ipc->deadline, ipc->token);
    }
    frame->arg[0] = ipc->handle;
    frame->arg[1] = ipc->info;
    memcpy(&frame->arg[2], words, sizeof ipc->words);
    frame->arg[6] = ipc->deadline;
    frame->extra[5] = ipc->token;
    return trap_syscall(thread);
}

status_t ipc_as(struct thread *thread, uint32_t number, const struct ipc *ipc)
{
    run(thread);
    object_get(&thread->object);
    if (setjmp(idle_exit) == 0) {
        ipc_trap(thread, number, ipc);
    } else {
        sched_idle_end(cpu_hart());
    }
    status_t status = outcome(thread);
    object_put(&thread->object);
    return status;
}

void assert_panics(void (*function)(void), const char *text)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        function();
        _exit(0);
    }
    close(ends[1]);
    static char said[65536];
    size_t length = 0;
    ssize_t part;
    while ((part = read(ends[0], said + length, sizeof said - 1 - length)) > 0) {
        length += (size_t)part;
    }
    said[length] = '\0';
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    if (strstr(said, text) == NULL) {
        print_error("it said: %s\n", said);
    }
    assert_non_null(strstr(said, text));
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
