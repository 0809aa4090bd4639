/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes: creation, and their end in bounded steps.
 *
 * Owns: process memory, the list of all processes, each hart's reaper list. Locks: process.lock for
 * threads and state, process_list_lock for the list. Tests: tests/host/kernel/race.c, tests/host/ipc/.
 */
#include <string.h>

#include <kernel/clock.h>
#include <kernel/hart.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/random.h>
#include <kernel/sched.h>
#include <kernel/step.h>

/* What telling a thread to end costs, in units of step_take. */
#define KILL_UNITS 12
/* And giving back the pages of a handle table. */
#define TABLE_UNITS 160
/* And its death, which may end the jobs above it. */
#define DEATH_UNITS 120

/* REAP_THREADS tells them to end; then the last one that ends has the process reaped from REAP_CALLS on. */
enum reaper_stage { REAP_THREADS, REAP_CALLS, REAP_HANDLES, REAP_TABLE, REAP_SPACE, REAP_DEATH };

static struct cache process_cache = CACHE_INIT("process", struct process);
static struct spinlock process_list_lock = SPINLOCK_INIT(LOCK_PROCESS_LIST);
static struct list_node process_list = {&process_list, &process_list};
const struct process *process_init;

static void process_destroy(struct object *object)
{
    struct process *process = process_from_object(object);
    struct job *job = process->job;
    lock_acquire(&process_list_lock);
    list_remove(&process->list_link);
    lock_release(&process_list_lock);
    object_fini(object);
    cache_free(&process_cache, process);
    object_put(&job->object);
}

static void process_orphan(struct object *object)
{
    struct process *process = process_from_object(object);
    object_orphan_observers(object);
    lock_acquire(&process->lock);
    bool never_started = process->state == SK_PROCESS_NEW;
    lock_release(&process->lock);
    if (never_started) {
        process_end(process, SK_EXIT_KILLED, 0);
    }
}

const struct object_type process_type = {
    .name = "process",
    .signals = SK_SIGNAL_TERMINATED,
    .rights = SK_RIGHTS_ALL & ~(SK_RIGHT_READ | SK_RIGHT_WRITE | SK_RIGHT_EXECUTE),
    .orphan = process_orphan,
    .destroy = process_destroy,
    .observe = object_observe_end,
};

status_t process_create(struct job *job, const char *name, struct process **result)
{
    status_t status = job_charge(job, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return job_accepts(job) ? status : SK_BAD_STATE;
    }
    struct process *process = cache_alloc(&process_cache);
    if (process == NULL) {
        job_uncharge(job, BUDGET_OBJECTS, 1);
        return SK_NO_MEMORY;
    }
    object_init(&process->object, SK_TYPE_PROCESS, job);
    lock_init(&process->lock, LOCK_PROCESS);
    strncpy(process->name, name, SK_NAME_MAX - 1);
    process->name[SK_NAME_MAX - 1] = '\0';
    process->job = job;
    object_get(&job->object);
    handle_table_init(&process->handles, job);
    process->state = SK_PROCESS_NEW;
    process->starting = false;
    process->exit_reason = SK_EXIT_NONE;
    process->exit_code = 0;
    list_init(&process->threads);
    process->thread_count = 0;
    process->ended_run_time = 0;
    process->reaper_stage = REAP_THREADS;
    process->reaper_slot = 0;
    process->to_tell = 0;
    list_init(&process->reaper_link);
    list_init(&process->job_link);
    list_init(&process->list_link);

    status = space_init(&process->space, job);
    if (status != SK_OK) {
        goto fail_space;
    }
    status = job_enter(job, process);
    if (status != SK_OK) {
        goto fail_enter;
    }
    lock_acquire(&process_list_lock);
    list_append(&process_list, &process->list_link);
    lock_release(&process_list_lock);
    *result = process;
    return SK_OK;

fail_enter:
    space_fini(&process->space);
fail_space:
    object_put(&process->object);
    return status;
}

/* The process is to be reaped. Process lock not held; called once for its threads, and once when they are gone. */
static void reaper_add(struct process *process)
{
    object_get(&process->object);
    list_append(&chores_here()->reaper, &process->reaper_link);
}

/* Nothing of it runs any more. */
static void reap_rest(struct process *process)
{
    process->reaper_stage = REAP_CALLS;
    reaper_add(process);
}

/* Only one start at a time, and nobody reaps the process meanwhile. */
static status_t start_begin(struct process *process)
{
    lock_acquire(&process->lock);
    bool fresh = process->state == SK_PROCESS_NEW && !process->starting;
    process->starting = process->starting || fresh;
    lock_release(&process->lock);
    return fresh ? SK_OK : SK_BAD_STATE;
}

/* NEW to RUNNING if the start went well and nobody has ended the process; true if it runs now. */
static bool start_finish(struct process *process, bool well)
{
    lock_acquire(&process->lock);
    process->starting = false;
    well = well && process->state == SK_PROCESS_NEW;
    if (well) {
        process->state = SK_PROCESS_RUNNING;
    }
    bool ended = process->state == SK_PROCESS_DYING && process->thread_count == 0 &&
                 process->to_tell == 0;
    lock_release(&process->lock);
    if (ended) {
        reap_rest(process);
    }
    return well;
}

/* A thread that never runs: it ends as soon as it would. */
static void thread_discard(struct thread *thread)
{
    atomic_fetch_or(&thread->pending, THREAD_PENDING_KILL);
    thread_ready(thread);
    object_put(&thread->object);
}

status_t process_start(struct process *process, uint64_t entry, uint64_t stack,
                       struct process *giver, handle_t argument, uint32_t priority,
                       struct thread **result)
{
    struct thread *thread;
    handle_t given = argument;
    status_t status = start_begin(process);
    if (status != SK_OK) {
        return status;
    }
    if (giver != NULL) {
        status = handle_reserve(giver, &argument, 1);
        if (status != SK_OK) {
            goto fail_reserve;
        }
        status = handle_room(process, &given, 1);
        if (status != SK_OK) {
            goto fail_room;
        }
    }
    status = thread_create(process, entry, stack, given, priority, &thread);
    if (status != SK_OK) {
        goto fail_thread;
    }
    thread_arguments(thread)[1] = random_next(); /* for its stack canaries */
    /* Point of no return: even if the process has been told to end, it has the handle. */
    if (giver != NULL) {
        struct capability capability;
        handle_take(giver, &argument, 1, &capability);
        handle_fill(process, &given, 1, &capability);
    }
    if (!start_finish(process, true)) {
        thread_discard(thread);
        return SK_BAD_STATE;
    }
    *result = thread;
    thread_ready(thread);
    return SK_OK;

fail_thread:
    if (giver != NULL) {
        handle_room_cancel(process, &given, 1);
    }
fail_room:
    if (giver != NULL) {
        handle_unreserve(giver, &argument, 1);
    }
fail_reserve:
    start_finish(process, false);
    return status;
}

/* Tells threads to end, each in turn from the head of the list to its end; false: there are more, in the next step. */
static bool threads_kill_step(struct process *process)
{
    bool all = false, rest = false;
    while (!all && step_take(KILL_UNITS)) {
        struct thread *thread = NULL;
        lock_acquire(&process->lock);
        all = --process->to_tell == 0;
        if (all) {
            rest = process->thread_count == 0 && !process->starting;
        } else if (!list_empty(&process->threads)) {
            struct list_node *node = list_pop(&process->threads);
            list_append(&process->threads, node);
            thread = list_entry(node, struct thread, process_link);
            object_get(&thread->object);
        }
        lock_release(&process->lock);
        if (thread != NULL) {
            thread_kill(thread);
            object_put(&thread->object);
        }
    }
    sched_interrupt_others();
    if (rest) {
        reap_rest(process);
    }
    return all;
}

void process_end(struct process *process, enum sk_exit_reason reason, int64_t code)
{
    struct thread *self = cpu_hart()->current;
    lock_acquire(&process->lock);
    bool first = process->state < SK_PROCESS_DYING;
    if (first) {
        __atomic_store_n(&process->state, SK_PROCESS_DYING, __ATOMIC_RELAXED);
        process->exit_reason = reason;
        process->exit_code = code;
        process->to_tell = process->thread_count + 1; /* the last look finds all told */
    }
    lock_release(&process->lock);
    if (self != NULL && self->process == process) {
        thread_kill(self); /* it must not go on, however many others there are */
    }
    if (first && !threads_kill_step(process)) {
        reaper_add(process);
    }
}

void process_thread_ended(struct process *process, struct thread *thread)
{
    lock_acquire(&process->lock);
    list_remove(&thread->process_link);
    process->ended_run_time += thread->run_time;
    bool last = --process->thread_count == 0 && !process->starting;
    if (last && process->state < SK_PROCESS_DYING) {
        if (process->state == SK_PROCESS_NEW) {
            last = false; /* a failed start; the process is as it was */
        } else {
            __atomic_store_n(&process->state, SK_PROCESS_DYING, __ATOMIC_RELAXED);
            process->exit_reason = SK_EXIT_EXITED;
        }
    }
    last = last && process->to_tell == 0;
    lock_release(&process->lock);
    if (last) {
        reap_rest(process);
    }
}

static void process_dead(struct process *process)
{
    if (process == process_init) {
        panic("init has ended: %s, exit code %ld",
              process->exit_reason == SK_EXIT_EXITED ? "it exited" : "it was ended",
              (long)process->exit_code);
    }
    job_leave(process->job, process);
    __atomic_store_n(&process->state, SK_PROCESS_DEAD, __ATOMIC_RELAXED);
    object_end(&process->object); /* with the reaper's reference */
}

/* A step of a process that is on no list now; false: there is more, in the next step. At the end of its threads, and
 * of itself, the reaper's reference is given up. */
static bool reap(struct process *process)
{
    switch ((enum reaper_stage)process->reaper_stage) {
    case REAP_THREADS:
        if (!threads_kill_step(process)) {
            return false;
        }
        object_put(&process->object);
        break;
    case REAP_CALLS:
        if (!call_break_step(process, &process->reaper_slot)) {
            return false;
        }
        process->reaper_stage = REAP_HANDLES;
        /* fall through */
    case REAP_HANDLES:
        if (!handle_table_clear_step(&process->handles)) {
            return false;
        }
        process->reaper_stage = REAP_TABLE;
        /* fall through */
    case REAP_TABLE:
        if (!step_take(TABLE_UNITS)) {
            return false;
        }
        handle_table_fini(&process->handles);
        process->reaper_stage = REAP_SPACE;
        /* fall through */
    case REAP_SPACE:
        if (!space_clear_step(&process->space)) {
            return false;
        }
        process->reaper_stage = REAP_DEATH;
        /* fall through */
    case REAP_DEATH:
        /* What lay in its inboxes goes before: who waits for its end finds all let go that it held. */
        if (!chores_given_back(cpu_hart()->chores_to) || !step_take(DEATH_UNITS)) {
            return false;
        }
        process_dead(process);
    }
    return true;
}

bool process_reap_step(struct chores *chores)
{
    struct list_node *node = list_pop(&chores->reaper);
    if (node == NULL) {
        return true;
    }
    struct process *process = list_entry(node, struct process, reaper_link);
    if (!reap(process)) {
        /* It may wait for another hart to leave the space: let others have their turn. */
        list_append(&chores->reaper, node);
        return false;
    }
    return true;
}

void process_info(struct process *process, struct sk_process_info *info)
{
    memset(info, 0, sizeof(*info));
    lock_acquire(&process->lock);
    info->id = process->object.id;
    info->job_id = process->job->object.id;
    info->state = process->state;
    info->exit_reason = process->exit_reason;
    info->exit_code = process->exit_code;
    info->threads = process->thread_count;
    info->handles = __atomic_load_n(&process->handles.used, __ATOMIC_RELAXED);
    info->mapped_pages = __atomic_load_n(&process->space.populated, __ATOMIC_RELAXED);
    uint64_t run_time = process->ended_run_time;
    list_for_each(node, &process->threads) {
        run_time += list_entry(node, struct thread, process_link)->run_time;
    }
    info->run_time_ns = clock_ticks_to_ns(run_time);
    memcpy(info->name, process->name, SK_NAME_MAX);
    lock_release(&process->lock);
}

struct process *process_next(struct process *before)
{
    struct process *next = NULL;
    lock_acquire(&process_list_lock);
    struct list_node *node = before == NULL ? process_list.next : before->list_link.next;
    for (; node != &process_list && next == NULL; node = node->next) {
        struct process *process = list_entry(node, struct process, list_link);
        next = object_try_get(&process->object) ? process : NULL;
    }
    lock_release(&process_list_lock);
    if (before != NULL) {
        object_put(&before->object);
    }
    return next;
}
