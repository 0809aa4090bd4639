/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs of the race: each is a random walk over system calls. What they remember is in their
 * process's `known` handles, which any thread may overwrite.
 */
#include "race.h"

#include <pthread.h>
#include <string.h>

#include <kernel/clock.h>
#include <kernel/panic.h>
#include <kernel/syscall.h>
#include <kernel/trap.h>
#include <skerry/ipc.h>

#define PLAY_BASE ((vaddr_t)0x800000)
#define FUTEX_AT (NAME_AT + 64)

struct program {
    uint64_t id; /* of the thread; 0: none yet */
    uint64_t random;
    struct memory_of_process *process;
    uint32_t last; /* the system call made last */
    uint32_t stage;
    handle_t child, child_memory;
    token_t token;
};

static struct program programs[THREADS_MAX]; /* by slot */
static struct memory_of_process processes[4096];
uint32_t race_process_count;
static pthread_mutex_t processes_mutex = PTHREAD_MUTEX_INITIALIZER;

_Atomic uint64_t race_calls;

static uint32_t draw(struct program *program, uint32_t limit)
{
    program->random = program->random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(program->random >> 33) % limit;
}

struct memory_of_process *race_process(const struct process *process, handle_t argument)
{
    pthread_mutex_lock(&processes_mutex);
    uint32_t i = 0;
    while (i < race_process_count && processes[i].id != process->object.id) {
        i++;
    }
    if (i == race_process_count) {
        ASSERT(race_process_count < 4096);
        race_process_count++;
        processes[i].id = process->object.id;
        processes[i].job = argument;
    }
    pthread_mutex_unlock(&processes_mutex);
    return &processes[i];
}

static struct program *program_of(struct thread *thread)
{
    struct program *program = &programs[thread->token_slot];
    if (program->id != thread->object.id) {
        *program = (struct program){
            .id = thread->object.id,
            .random = thread->object.id * 77 + 5,
            .process = race_process(thread->process, (handle_t)thread->frame.arg[0])};
        atomic_fetch_add(&program->process->threads, 1);
    }
    return program;
}

static handle_t known(struct program *program)
{
    return atomic_load_explicit(&program->process->known[draw(program, KNOWN)],
                                memory_order_relaxed);
}

static void know(struct program *program, handle_t handle)
{
    atomic_store_explicit(&program->process->known[draw(program, KNOWN)], handle,
                          memory_order_relaxed);
}

static struct thread *trap(struct thread *thread, uint32_t number, const uint64_t a[6])
{
    program_of(thread)->last = number;
    atomic_fetch_add_explicit(&race_calls, 1, memory_order_relaxed);
    memset(thread->frame.arg, 0, sizeof thread->frame.arg);
    memcpy(thread->frame.arg, a, 6 * sizeof(uint64_t));
    thread->frame.arg[7] = number;
    return trap_syscall(thread);
}

#define TRAP(thread, number, ...) trap((thread), (number), (const uint64_t[6]){__VA_ARGS__})

static vaddr_t area_of(const struct thread *thread)
{
    return SHARED_PAGE + thread->token_slot % AREAS * AREA_BYTES;
}

/* Usually soon, so that nobody waits long for what never comes. */
static uint64_t deadline_of(struct program *program)
{
    return draw(program, 8) == 0 ? SK_DEADLINE_POLL : clock_now_ns() + draw(program, 300000);
}

static struct thread *trap_ipc(struct thread *thread, uint32_t number)
{
    struct program *program = program_of(thread);
    struct arch_frame *frame = &thread->frame;
    uint32_t handles = draw(program, 3) == 0 ? draw(program, 3) : 0;
    uint32_t length = draw(program, 4) == 0 ? 33 + draw(program, 90) : draw(program, 33);
    bool calls = number == SK_SYS_channel_call;
    bool paired = program->process->server_end != 0 && number != SK_SYS_channel_send &&
                  draw(program, 4) != 0;
    handle_t to = !paired ? known(program)
                  : calls ? program->process->caller_end
                          : program->process->server_end;
    handle_t moved[2] = {known(program), known(program)};
    if (!host_user_copy(thread, area_of(thread) + 256, NULL, moved, sizeof moved)) {
        return kernel_exit();
    }
    program->last = number;
    uint64_t info = SK_INFO(length, handles);
    uint64_t deadline = deadline_of(program);
    if (paired && draw(program, 4) != 0) {
        /* Every other thread may wait for ever, so that some always come to call. */
        bool patient = !calls && thread->token_slot % 2 == 0;
        deadline = patient ? SK_DEADLINE_NEVER : clock_now_ns() + 12000000;
    }
    memset(frame->arg, 0, sizeof frame->arg);
    frame->arg[7] = number;
    frame->extra[0] = area_of(thread);
    frame->extra[1] = area_of(thread) + 256;
    frame->extra[2] = area_of(thread) + 128;
    frame->extra[3] = SK_ROOM(128, draw(program, 6) == 0 ? 0 : 2);
    frame->extra[4] = area_of(thread) + 264;
    atomic_fetch_add_explicit(&race_calls, 1, memory_order_relaxed);
    if (info <= SK_MESSAGE_REGISTER_BYTES && number == SK_SYS_channel_call) {
        return trap_call(to, info, 1, 2, 3, 4, deadline);
    }
    if (info <= SK_MESSAGE_REGISTER_BYTES && number == SK_SYS_channel_reply_receive) {
        return trap_reply_receive(to, info, 5, 6, 7, 8, deadline, program->token);
    }
    frame->arg[0] = to;
    frame->arg[1] = info;
    frame->arg[6] = deadline;
    frame->extra[5] = program->token;
    return trap_syscall(thread);
}

/* Remembers what the last system call brought; false: the thread may not run on. */
static bool take_results(struct thread *thread, struct program *program)
{
    const struct arch_frame *frame = &thread->frame;
    bool good = (status_t)frame->arg[0] == SK_OK;
    switch (program->last) {
    case SK_SYS_channel_receive:
    case SK_SYS_channel_reply_receive:
        program->token = good ? frame->arg[6] : program->token;
        /* fall through */
    case SK_SYS_channel_call:
        if (good && SK_INFO_HANDLES(frame->arg[1]) > 0) {
            handle_t got[2];
            if (!host_user_copy(thread, area_of(thread) + 264, got, NULL, sizeof got)) {
                return false;
            }
            know(program, got[0]);
        }
        break;
    case SK_SYS_channel_create:
        know(program, good ? (handle_t)frame->arg[2] : 0);
        /* fall through */
    case SK_SYS_event_create:
    case SK_SYS_timer_create:
    case SK_SYS_waitset_create:
    case SK_SYS_memory_create:
    case SK_SYS_handle_duplicate:
    case SK_SYS_thread_create:
        know(program, good ? (handle_t)frame->arg[1] : 0);
        break;
    }
    program->last = ~0u;
    return true;
}

/* Making a child takes several system calls; what fails on the way is left to the end. */
static struct thread *spawn(struct thread *thread, struct program *program)
{
    const struct arch_frame *frame = &thread->frame;
    handle_t job = program->process->job;
    bool good = (status_t)frame->arg[0] == SK_OK;
    if (program->stage > 1 && !good) {
        program->stage = 0;
        return TRAP(thread, SK_SYS_handle_close, program->child);
    }
    switch (program->stage++) {
    case 1:
        return TRAP(thread, SK_SYS_process_create, job, NAME_AT, 5);
    case 2:
        program->child = (handle_t)frame->arg[1];
        return TRAP(thread, SK_SYS_memory_create, job, SHARED_PAGES * PAGE_SIZE, 0);
    case 3:
        program->child_memory = (handle_t)frame->arg[1];
        return TRAP(thread, SK_SYS_memory_map, program->child, program->child_memory, 0,
                    SHARED_PAGES * PAGE_SIZE, SHARED_PAGE,
                    SK_PROT_READ | SK_PROT_WRITE | SK_MAP_FIXED);
    case 4:
        return TRAP(thread, SK_SYS_memory_write, program->child_memory, NAME_AT - SHARED_PAGE,
                    NAME_AT, 5);
    case 5:
        know(program, program->child_memory);
        return TRAP(thread, SK_SYS_handle_duplicate, job,
                    SK_RIGHTS_ALL &
                        ~(SK_RIGHT_READ | SK_RIGHT_WRITE | SK_RIGHT_EXECUTE | SK_RIGHT_MAP));
    case 6:
        return TRAP(thread, SK_SYS_process_start, program->child, 0x10000, 0,
                    (handle_t)frame->arg[1], 1 + draw(program, 16));
    default:
        know(program, program->child);
        program->stage = 0;
        return TRAP(thread, SK_SYS_handle_close, (handle_t)frame->arg[1]);
    }
}

static struct thread *play_memory(struct thread *thread, struct program *program)
{
    handle_t self = program->process->self;
    vaddr_t at = PLAY_BASE + draw(program, 8) * PAGE_SIZE;
    uint64_t length = (1 + draw(program, 3)) * PAGE_SIZE;
    uint32_t prot = SK_PROT_READ | (draw(program, 3) == 0 ? 0 : SK_PROT_WRITE);
    switch (draw(program, 5)) {
    case 0:
        return TRAP(thread, SK_SYS_memory_create, program->process->job, 4 * PAGE_SIZE, 0);
    case 1:
        return TRAP(thread, SK_SYS_memory_map, self, known(program), 0, length, at,
                    prot | SK_MAP_FIXED | (draw(program, 2) ? SK_MAP_POPULATE : 0));
    case 2:
        return TRAP(thread, SK_SYS_memory_unmap, self, at, length);
    case 3:
        return TRAP(thread, SK_SYS_memory_protect, self, at, length, prot);
    default:
        return TRAP(thread, SK_SYS_memory_read, known(program), 0, area_of(thread), 100);
    }
}

static struct thread *play_threads(struct thread *thread, struct program *program)
{
    switch (draw(program, 8)) {
    case 0:
        if (atomic_load(&program->process->threads) < 60) {
            return TRAP(thread, SK_SYS_thread_create, program->process->self, 0x10000, 0, 0,
                        1 + draw(program, 16));
        }
        /* fall through */
    case 1:
        return TRAP(thread, SK_SYS_thread_suspend, known(program));
    case 2:
    case 3:
        return TRAP(thread, SK_SYS_thread_resume, known(program));
    case 4:
        return TRAP(thread, SK_SYS_thread_set_priority, known(program), 1 + draw(program, 16));
    case 5:
        if (draw(program, 10) == 0) {
            return TRAP(thread, SK_SYS_process_kill, known(program), 7);
        }
        if (draw(program, 10) == 0) {
            return TRAP(thread, SK_SYS_thread_exit, 0);
        }
        /* fall through */
    case 6:
        if (program->process->job != 0 && draw(program, 4) == 0) {
            program->stage = 1;
            return spawn(thread, program);
        }
        /* fall through */
    default:
        return TRAP(thread, SK_SYS_thread_yield, 0);
    }
}

static struct thread *play_signals(struct thread *thread, struct program *program)
{
    handle_t job = program->process->job;
    switch (draw(program, 10)) {
    case 0:
        return TRAP(thread, SK_SYS_event_create, job);
    case 1:
        return TRAP(thread, SK_SYS_timer_create, job);
    case 2:
        return TRAP(thread, SK_SYS_waitset_create, job);
    case 3:
        return TRAP(thread, SK_SYS_waitset_add, known(program), known(program),
                    1u << draw(program, 4), 9);
    case 4:
        return TRAP(thread, SK_SYS_waitset_remove, known(program), known(program));
    case 5:
    case 6:
        return TRAP(thread, SK_SYS_event_signal, known(program));
    case 7:
        return TRAP(thread, SK_SYS_timer_set, known(program), deadline_of(program));
    case 8:
        return TRAP(thread, draw(program, 2) ? SK_SYS_futex_wake : SK_SYS_futex_wait, FUTEX_AT, 0,
                    deadline_of(program));
    default:
        return TRAP(thread, SK_SYS_object_wait, known(program), 1u << draw(program, 6),
                    deadline_of(program));
    }
}

struct thread *race_play(struct thread *thread)
{
    struct program *program = program_of(thread);
    if (!take_results(thread, program)) {
        return kernel_exit();
    }
    if (program->stage > 0) {
        return spawn(thread, program);
    }
    switch (draw(program, 16)) {
    case 0:
        return TRAP(thread, SK_SYS_channel_create, program->process->job);
    case 1:
    case 2:
        return trap_ipc(thread, SK_SYS_channel_send);
    case 3:
    case 4:
        return trap_ipc(thread, SK_SYS_channel_call);
    case 5:
    case 6:
        return trap_ipc(thread, SK_SYS_channel_receive);
    case 7:
    case 8:
        return trap_ipc(thread, SK_SYS_channel_reply_receive);
    case 9:
        return trap_ipc(thread, SK_SYS_channel_reply);
    case 10:
        return TRAP(thread, SK_SYS_handle_duplicate, known(program), SK_RIGHTS_ALL);
    case 11:
        return TRAP(thread, SK_SYS_handle_close, known(program));
    case 12:
        return play_memory(thread, program);
    case 13:
        return play_threads(thread, program);
    default:
        return play_signals(thread, program);
    }
}
