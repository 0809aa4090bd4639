/* SPDX-License-Identifier: BSD-2-Clause */
/* Processes and their actors; what a hart does outside of the kernel. */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <arch_impl/host.h>
#include <ipc/channel.h>
#include <kernel/clock.h>
#include <kernel/futex.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/platform.h>
#include <kernel/sched.h>
#include <kernel/trap.h>

#define STACK_BYTES (64u << 10)
#define RAM_BYTES (2ull << 20)
#define AREA_BYTES 256u
#define PARTIES_MAX 6u
#define NO_RESULT 0x7e57u /* no status */

/* What an actor's program wants of the hart that runs it. */
struct request {
    struct thread *(*enter)(struct actor *actor);
    uint64_t a[8], token;
};

static struct program {
    struct actor actor;
    struct request request;
    ucontext_t context;
    uint32_t hart; /* that runs it */
    bool started, runs;
} programs[ACTORS_MAX];

static uint32_t program_count;
static struct party parties[PARTIES_MAX];
static uint32_t party_count;
static uint32_t hart_number;
static char *stacks; /* of programs */
static ucontext_t hart_contexts[HARTS_MAX];
struct job *world_root;
bool world_verbose;

/* The device tree has no say here. */
struct platform platform;

bool platform_option(const char *name, char *value, size_t size)
{
    return false;
}

/* All that the kernel, hardware and the actors have in memory: the program's own data, and RAM. */
extern char __data_start[], _end[];
static char *kept_data, *kept_ram;

void world_begin(void)
{
    explore_begin();
    host_machine_start();
    host_clock_set(1000);
    hart_count = HARTS_MAX;
    for (uint32_t i = 0; i < HARTS_MAX; i++) {
        sched_init_hart(&harts[i], i, i);
    }
    cpu_set_hart(&harts[0]);
    clock_init(1000000000);
    page_add_range(HOST_RAM_BASE, HOST_RAM_BASE + RAM_BYTES);
    futex_init();
    const uint64_t everything[BUDGET_KINDS] = {400, 2000, 3000, 2000, 200};
    world_root = job_init_root(everything);
    capability_make(&world_root->object, 0);
    stacks = malloc(ACTORS_MAX * STACK_BYTES);
    size_t size = (size_t)(_end - __data_start);
    kept_ram = malloc(RAM_BYTES);
    kept_data = malloc(size); /* the copy has these two pointers, too */
    memcpy(kept_ram, host_ram, RAM_BYTES);
    memcpy(kept_data, __data_start, size);
}

void world_again(uint64_t seed)
{
    memcpy(host_ram, kept_ram, RAM_BYTES);
    memcpy(__data_start, kept_data, (size_t)(_end - __data_start));
    explore_seed(seed);
    hart_number = 2 + explore_draw(3);
    hart_count = hart_number;
    host_idle = explore_sleep;
    host_relaxing = explore_relax;
    for (uint32_t i = 0; i < hart_number; i++) {
        store_relaxed(&harts[i].online, true);
    }
}

/* ---- processes ---- */

handle_t party_give(struct party *party, struct object *object, uint32_t rights)
{
    handle_t handle;
    CHECK(handle_add(party->process, capability_make(object, rights), &handle) == SK_OK);
    return handle;
}

static struct party *party_start(const char *name, struct job *job)
{
    CHECK(party_count < PARTIES_MAX);
    struct party *party = &parties[party_count++];
    *party = (struct party){.name = name, .job = job, .priority = 8 + explore_draw(3)};
    CHECK(process_create(job, name, &party->process) == SK_OK);
    party->job_handle = party_give(party, &job->object, job_type.rights);
    party->self = party_give(party, &party->process->object, process_type.rights);
    CHECK(memory_create(job, PAGE_SIZE, &party->memory) == SK_OK);
    step_begin();
    CHECK(memory_commit_step(party->memory) == SK_OK);
    return party;
}

static struct party *party_make_with(const char *name, struct job *parent, uint64_t share)
{
    struct job *job;
    const uint64_t budget[BUDGET_KINDS] = {60, 200, 300, 200, 20};
    CHECK(job_create(parent, budget, share, &job) == SK_OK);
    return party_start(name, job);
}

struct party *party_make(const char *name, struct job *parent)
{
    return party_make_with(name, parent != NULL ? parent : world_root, 0);
}

struct party *party_make_poor(const char *name, uint64_t share)
{
    return party_make_with(name, world_root, share);
}

struct party *party_make_in(const char *name, struct party *other)
{
    object_get(&other->job->object);
    return party_start(name, other->job);
}

void party_connect(struct party *a, handle_t *end_a, struct party *b, handle_t *end_b)
{
    struct endpoint *ends[2];
    CHECK(channel_create(a->job, &ends[0], &ends[1]) == SK_OK);
    *end_a = party_give(a, &ends[0]->object, endpoint_type.rights);
    *end_b = party_give(b, &ends[1]->object, endpoint_type.rights);
    object_put(&ends[0]->object);
    object_put(&ends[1]->object);
}

/* ---- actors ---- */

static struct program *program_of(const struct actor *actor)
{
    return (struct program *)(uintptr_t)actor;
}

/* The program begins, on its own stack. */
static void program_begin(void)
{
    struct program *program = NULL;
    for (uint32_t i = 0; i < program_count; i++) {
        program = programs[i].runs && !programs[i].started ? &programs[i] : program;
    }
    program->started = true;
    struct actor *self = &program->actor;
    self->play(self);
    self->done = true;
    act(self, SK_SYS_thread_exit, 0, 0, 0, 0);
    explore_fail("%s runs on after its end", self->name);
}

static void map_area(struct party *party)
{
    vaddr_t at;
    struct address_space *space = &party->process->space;
    uint32_t flags = SK_PROT_READ | SK_PROT_WRITE | SK_MAP_FIXED;
    CHECK(space_map(space, party->memory, memory_type.rights, 0, PAGE_SIZE, 0x100000, flags, &at) ==
          SK_OK);
    CHECK(space_populate(space, at, SK_PROT_WRITE) == SK_OK);
}

struct actor *actor_make(struct party *party, const char *name, void (*play)(struct actor *))
{
    CHECK(program_count < ACTORS_MAX);
    struct program *program = &programs[program_count];
    struct actor *actor = &program->actor;
    *actor = (struct actor){.name = name, .party = party, .play = play};
    cpu_set_hart(&harts[program_count % hart_number]); /* which has it in its queue */
    if (list_empty(&party->process->threads)) {
        map_area(party);
        CHECK(process_start(party->process, 0x10000, 0, NULL, 0, party->priority, &actor->thread) ==
              SK_OK);
    } else {
        CHECK(thread_create(party->process, 0x10000, 0, 0, party->priority, &actor->thread) ==
              SK_OK);
        thread_ready(actor->thread);
    }
    actor->handle = party_give(party, &actor->thread->object, thread_type.rights);
    actor->area = 0x100000 + program_count * AREA_BYTES;
    paddr_t pa;
    CHECK(mmu_lookup(&party->process->space.arch, actor->area, SK_PROT_WRITE, &pa));
    actor->handles = phys_to_virt(pa);
    getcontext(&program->context);
    program->context.uc_stack.ss_sp = stacks + program_count * STACK_BYTES;
    program->context.uc_stack.ss_size = STACK_BYTES;
    makecontext(&program->context, program_begin, 0);
    program_count++;
    return actor;
}

/* The program runs until it enters the kernel; returns who runs next. */
static struct thread *program_run(struct program *program)
{
    program->hart = cpu_hart()->number;
    CHECK(!program->runs);
    program->runs = true;
    swapcontext(&hart_contexts[program->hart], &program->context);
    program->runs = false;
    return program->request.enter(&program->actor);
}

static struct program *program_of_thread(const struct thread *thread)
{
    for (uint32_t i = 0; i < program_count; i++) {
        if (programs[i].actor.thread == thread) {
            return &programs[i];
        }
    }
    explore_fail("a thread that no actor plays runs");
}

/* A hart outside of the kernel. */
static void hart_life(void)
{
    struct hart *hart = cpu_hart();
    for (struct thread *thread = kernel_exit();;) {
        explore_point();
        if (host_interrupt_pending(hart)) {
            cpu_poll_interrupts();
            thread = kernel_exit();
        } else {
            thread = program_run(program_of_thread(thread));
        }
    }
}

/* The program goes into the kernel, and comes back when its thread runs again. */
static void enter(struct actor *self, struct thread *(*way)(struct actor *))
{
    struct program *program = program_of(self);
    program->request.enter = way;
    self->thread->frame.arg[0] = NO_RESULT;
    swapcontext(&program->context, &hart_contexts[program->hart]);
}

static void say(const struct actor *self)
{
    if (world_verbose) {
        const struct arch_frame *frame = &self->thread->frame;
        /* Nothing here may be a point; ticks are nanoseconds. */
        printf("# %6lu ns hart %u  %s: %s = %d, info %lx, word %lu\n", clock_ticks(),
               program_of(self)->hart, self->name, self->doing, (int)frame->arg[0], frame->arg[1],
               frame->arg[2]);
    }
}

/* ---- system calls ---- */

static const char *const names[SK_SYS_COUNT] = {
    [SK_SYS_handle_close] = "handle_close",
    [SK_SYS_handle_duplicate] = "handle_duplicate",
    [SK_SYS_object_wait] = "object_wait",
    [SK_SYS_channel_create] = "channel_create",
    [SK_SYS_channel_send] = "channel_send",
    [SK_SYS_channel_receive] = "channel_receive",
    [SK_SYS_channel_call] = "channel_call",
    [SK_SYS_channel_reply] = "channel_reply",
    [SK_SYS_channel_reply_receive] = "channel_reply_receive",
    [SK_SYS_waitset_add] = "waitset_add",
    [SK_SYS_waitset_remove] = "waitset_remove",
    [SK_SYS_event_signal] = "event_signal",
    [SK_SYS_timer_set] = "timer_set",
    [SK_SYS_thread_sleep] = "thread_sleep",
    [SK_SYS_job_kill] = "job_kill",
    [SK_SYS_process_kill] = "process_kill",
    [SK_SYS_thread_exit] = "thread_exit",
    [SK_SYS_thread_suspend] = "thread_suspend",
    [SK_SYS_thread_resume] = "thread_resume",
    [SK_SYS_futex_wait] = "futex_wait",
    [SK_SYS_futex_wake] = "futex_wake",
};

static struct thread *way_plain(struct actor *self)
{
    struct thread *thread = self->thread;
    memcpy(thread->frame.arg, program_of(self)->request.a, sizeof thread->frame.arg);
    return trap_syscall(thread);
}

status_t act(struct actor *self, uint32_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    struct request *request = &program_of(self)->request;
    const uint64_t arguments[8] = {a, b, c, d, 0, 0, 0, number};
    memcpy(request->a, arguments, sizeof arguments);
    self->doing = names[number] != NULL ? names[number] : "a system call";
    enter(self, way_plain);
    say(self);
    CHECK(self->thread->frame.arg[0] != NO_RESULT);
    return (status_t)self->thread->frame.arg[0];
}

uint64_t act_value(const struct actor *self, uint32_t index)
{
    return self->thread->frame.arg[1 + index];
}

/* The frame of an ipc call; a0 to a7 but for the words after the first, which are zero. */
static void ipc_frame(struct actor *self)
{
    struct arch_frame *frame = &self->thread->frame;
    const struct request *request = &program_of(self)->request;
    memcpy(frame->arg, request->a, sizeof frame->arg);
    frame->extra[0] = 0;
    frame->extra[1] = self->area; /* afterwards, the reply's status */
    frame->extra[2] = 0;
    frame->extra[3] = SK_ROOM(0, 2);
    frame->extra[4] = self->area + 4 * sizeof(handle_t);
    frame->extra[5] = request->token;
}

static struct thread *way_long(struct actor *self)
{
    ipc_frame(self);
    return trap_syscall(self->thread);
}

static struct thread *way_call(struct actor *self)
{
    ipc_frame(self);
    const uint64_t *a = program_of(self)->request.a;
    return (SK_INFO_HANDLES(a[1]) == 0 ? trap_call : trap_call_long)(a[0], a[1], a[2], 0, 0, 0,
                                                                     a[6]);
}

static struct thread *way_reply_receive(struct actor *self)
{
    ipc_frame(self);
    const uint64_t *a = program_of(self)->request.a;
    return (SK_INFO_HANDLES(a[1]) == 0 ? trap_reply_receive : trap_reply_receive_long)(
        a[0], a[1], a[2], 0, 0, 0, a[6], program_of(self)->request.token);
}

static status_t act_ipc(struct actor *self, uint32_t number, handle_t handle, uint64_t word,
                        handle_t moved, uint64_t deadline, token_t token,
                        struct message_in *message)
{
    struct request *request = &program_of(self)->request;
    const uint64_t arguments[8] = {
        handle, SK_INFO(8, moved != SK_HANDLE_NONE), word, 0, 0, 0, deadline, number};
    memcpy(request->a, arguments, sizeof arguments);
    request->token = token;
    self->handles[0] = moved;
    self->doing = names[number];
    bool is_short = explore_draw(4) != 0;
    enter(self, is_short && number == SK_SYS_channel_call            ? way_call
                : is_short && number == SK_SYS_channel_reply_receive ? way_reply_receive
                                                                     : way_long);
    say(self);
    const struct arch_frame *frame = &self->thread->frame;
    status_t status = (status_t)frame->arg[0];
    CHECK(frame->arg[0] != NO_RESULT);
    if (message != NULL) {
        *message = (struct message_in){.info = frame->arg[1],
                                       .word = frame->arg[2],
                                       .token = frame->arg[6],
                                       .key = frame->extra[0],
                                       .reply_status = (status_t)frame->extra[1]};
        message->count = status == SK_OK ? SK_INFO_HANDLES(frame->arg[1]) : 0;
        memcpy(message->handles, self->handles + 4, message->count * sizeof(handle_t));
    }
    return status;
}

status_t act_send(struct actor *self, handle_t end, uint64_t word, handle_t moved)
{
    return act_ipc(self, SK_SYS_channel_send, end, word, moved, 0, SK_TOKEN_NONE, NULL);
}

status_t act_call(struct actor *self, handle_t end, uint64_t word, handle_t moved,
                  uint64_t deadline, struct message_in *reply)
{
    return act_ipc(self, SK_SYS_channel_call, end, word, moved, deadline, SK_TOKEN_NONE, reply);
}

status_t act_receive(struct actor *self, handle_t source, uint64_t deadline,
                     struct message_in *message)
{
    return act_ipc(self, SK_SYS_channel_receive, source, 0, SK_HANDLE_NONE, deadline, SK_TOKEN_NONE,
                   message);
}

status_t act_reply(struct actor *self, token_t token, uint64_t word, handle_t moved)
{
    return act_ipc(self, SK_SYS_channel_reply, 0, word, moved, 0, token, NULL);
}

status_t act_reply_receive(struct actor *self, token_t token, uint64_t word, handle_t source,
                           uint64_t deadline, struct message_in *message)
{
    return act_ipc(self, SK_SYS_channel_reply_receive, source, word, SK_HANDLE_NONE, deadline,
                   token, message);
}

/* Its time slice is over soon. */
static struct thread *way_nowhere(struct actor *self)
{
    explore_pass(explore_draw(SCHED_PERIOD_NS / 16));
    explore_relax();
    return self->thread;
}

/* It keeps its turn: hardly any time passes. */
static struct thread *way_on(struct actor *self)
{
    explore_relax();
    return self->thread;
}

void act_compute(struct actor *self)
{
    self->doing = "computing in user mode";
    enter(self, way_nowhere);
}

void act_spin(struct actor *self, const bool *until)
{
    while (until == NULL || !*until) {
        act_compute(self);
    }
}

void act_hold(struct actor *self, const bool *until)
{
    self->doing = "waiting in user mode";
    while (!*until) {
        enter(self, way_on);
    }
}

uint64_t act_soon(struct actor *self)
{
    switch (explore_draw(8)) {
    case 0:
        return SK_DEADLINE_POLL;
    case 1:
    case 2:
        return clock_now_ns() + 100000;
    default:
        return clock_now_ns() + explore_draw(6000);
    }
}

/* ---- the play ---- */

void world_play(uint64_t seed)
{
    explore_run(seed, hart_number, hart_life);
    for (uint32_t i = 0; i < hart_number; i++) {
        cpu_set_hart(&harts[i]);
        sched_idle_end(&harts[i]);
    }
    for (uint32_t i = 0; i < program_count; i++) {
        const struct actor *actor = &programs[i].actor;
        if (atomic_load(&actor->thread->state) != THREAD_DEAD) {
            explore_fail("all harts sleep, and %s waits in %s", actor->name, actor->doing);
        }
    }
}

/* Everything that was put off, by one hart after the other. */
static void finish(void)
{
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < hart_count; i++) {
            cpu_set_hart(&harts[i]);
            chores_assign();
            for (uint32_t step = 0; step < 500; step++) {
                chores_run();
            }
        }
    }
}

void world_end(void)
{
    for (uint32_t i = 0; i < program_count; i++) {
        object_put(&programs[i].actor.thread->object);
    }
    for (uint32_t i = 0; i < party_count; i++) {
        object_put(&parties[i].memory->object);
        object_put(&parties[i].process->object);
        object_put(&parties[i].job->object);
    }
    finish();
    for (uint32_t type = 0; type < SK_TYPE_COUNT; type++) {
        if (object_live[type] != (type == SK_TYPE_JOB ? 1 : 0)) {
            explore_fail("%lu objects of type %u are left", object_live[type], type);
        }
    }
    for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
        if (world_root->used[kind] != 0) {
            explore_fail("%lu of budget %u are in use", world_root->used[kind], kind);
        }
    }
    CHECK(message_live == 0);
    uint64_t frames = page_total() - page_free_count() - page_kernel_count();
    if (frames != 0) {
        explore_fail("%lu frames are left", frames);
    }
}
