/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads: creation, suspension, death, priority lending.
 *
 * Owns: thread memory and thread_slots. Lock: thread.lock (LOCK_THREAD). Killing races with nothing:
 * only the hart that runs a thread, or next would, ends it. Tests: tests/host/kernel/race.c,
 * tests/host/ipc/.
 */
#include <arch/mmu.h>
#include <kernel/clock.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/sched.h>

static struct cache thread_cache = CACHE_INIT("thread", struct thread);

struct thread *_Atomic thread_slots[THREADS_MAX];
_Atomic uint32_t thread_slot_count;

static void thread_destroy(struct object *object)
{
    struct thread *thread = thread_from_object(object);
    struct process *process = thread->process;
    fpu_forget(&thread->fpu);
    deadline_lazy_leave(thread);
    job_uncharge(object->job, BUDGET_THREADS, 1);
    object_fini(object);
    cache_free(&thread_cache, thread);
    object_put(&process->object);
}

const struct object_type thread_type = {
    .name = "thread",
    .signals = SK_SIGNAL_TERMINATED,
    .rights = SK_RIGHTS_ALL & ~(SK_RIGHT_READ | SK_RIGHT_WRITE | SK_RIGHT_EXECUTE | SK_RIGHT_MAP),
    .orphan = object_orphan_observers,
    .destroy = thread_destroy,
    .observe = object_observe_end,
};

static void wait_expired(struct deadline *deadline, uint64_t sequence)
{
    struct thread *thread = container_of(deadline, struct thread, deadline);
    wait_cancel(thread, sequence, SK_TIMED_OUT);
}

/* Memory for a thread. Its slot and the sequence number of its waits outlive it. */
static struct thread *thread_alloc(void)
{
    struct thread *thread = cache_alloc(&thread_cache);
    if (thread == NULL || thread->wait.sequence != 0) {
        return thread;
    }
    uint32_t slot = atomic_load_explicit(&thread_slot_count, memory_order_relaxed);
    do {
        if (slot == THREADS_MAX) {
            cache_free(&thread_cache, thread);
            return NULL;
        }
    } while (!atomic_compare_exchange_weak(&thread_slot_count, &slot, slot + 1));
    thread->token_slot = slot;
    thread->wait.sequence = 1;
    store_release(&thread_slots[slot], thread);
    return thread;
}

static void thread_init(struct thread *thread, struct process *process, uint32_t priority)
{
    object_init(&thread->object, SK_TYPE_THREAD, process->job);
    thread->process = process;
    thread->account = process->job->account;
    object_get(&process->object);
    fpu_init(&thread->fpu);
    lock_init(&thread->lock, LOCK_THREAD);
    store_relaxed(&thread->state, THREAD_NEW);
    list_init(&thread->run_link);
    thread->hart = cpu_hart();
    thread->base_priority = priority;
    store_relaxed(&thread->priority, priority);
    list_init(&thread->donors);
    store_relaxed(&thread->queue_priority, 0);
    store_relaxed(&thread->source, NULL);
    list_init(&thread->source_link);
    thread->suspend_count = 0;
    store_relaxed(&thread->pending, 0);
    thread->run_time = 0;
    store_relaxed(&thread->wait.lock, NULL);
    list_init(&thread->wait.link);
    thread->deadline = (struct deadline){.expired = wait_expired};
    store_relaxed(&thread->lazy_ns, SK_DEADLINE_NEVER);
    store_relaxed(&thread->lazy_hart, NULL);
    list_init(&thread->lazy_link);
    list_init(&thread->observer.link);
    thread->observer.notify = object_wait_notify;
    thread->observer.orphaned = object_wait_orphaned;
    list_init(&thread->call.message.link);
    thread->call.message.caller = thread;
    thread->call.message.payload = NULL;
    store_relaxed(&thread->call.server, NULL);
    thread->call.donee = NULL;
    list_init(&thread->call.donor_link);
    list_init(&thread->process_link);
    chores_init(&thread->chores);
}

status_t thread_create(struct process *process, uint64_t entry, uint64_t stack, uint64_t argument,
                       uint32_t priority, struct thread **result)
{
    status_t status = job_charge(process->job, BUDGET_THREADS, 1);
    if (status != SK_OK) {
        return status;
    }
    status = job_charge(process->job, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        goto fail_objects;
    }
    struct thread *thread = thread_alloc();
    if (thread == NULL) {
        status = SK_NO_MEMORY;
        goto fail_alloc;
    }
    thread_init(thread, process, priority);
    frame_init(&thread->frame, entry, stack, argument);

    lock_acquire(&process->lock);
    bool alive = process->state == SK_PROCESS_NEW || process->state == SK_PROCESS_RUNNING;
    if (alive) {
        list_append(&process->threads, &thread->process_link);
        process->thread_count++;
        object_get(&thread->object); /* the process's list */
    }
    lock_release(&process->lock);
    if (!alive) {
        object_put(&thread->object);
        return SK_BAD_STATE;
    }
    *result = thread;
    return SK_OK;

fail_alloc:
    job_uncharge(process->job, BUDGET_OBJECTS, 1);
fail_objects:
    job_uncharge(process->job, BUDGET_THREADS, 1);
    return status;
}

void thread_ready(struct thread *thread)
{
    lock_acquire(&thread->lock);
    /* A kill that is not seen here finds the thread parked when it gets the lock. */
    bool killed = atomic_load_explicit(&thread->pending, memory_order_relaxed) &
                  THREAD_PENDING_KILL;
    if (thread->suspend_count > 0 && !killed) {
        store_relaxed(&thread->state, THREAD_PARKED);
    } else {
        sched_enqueue(thread);
    }
    lock_release(&thread->lock);
}

void thread_kill(struct thread *thread)
{
    atomic_fetch_or(&thread->pending, THREAD_PENDING_KILL);
    sched_attention(); /* it may be the running thread */
    wait_cancel(thread, WAIT_ANY, SK_TIMED_OUT);
    lock_acquire(&thread->lock);
    if (atomic_load_explicit(&thread->state, memory_order_relaxed) == THREAD_PARKED) {
        sched_enqueue(thread);
    }
    lock_release(&thread->lock);
}

status_t thread_suspend(struct thread *thread)
{
    status_t status = SK_OK;
    lock_acquire(&thread->lock);
    if (atomic_load_explicit(&thread->state, memory_order_relaxed) == THREAD_DEAD) {
        status = SK_BAD_STATE;
    } else if (thread->suspend_count == UINT32_MAX) {
        status = SK_OUT_OF_RANGE;
    } else {
        thread->suspend_count++;
        atomic_fetch_or(&thread->pending, THREAD_PENDING_SUSPEND);
        sched_attention(); /* it may be the running thread */
    }
    lock_release(&thread->lock);
    if (status == SK_OK) {
        sched_interrupt_others();
    }
    return status;
}

status_t thread_resume(struct thread *thread)
{
    status_t status = SK_OK;
    lock_acquire(&thread->lock);
    uint32_t state = atomic_load_explicit(&thread->state, memory_order_relaxed);
    if (state == THREAD_DEAD || thread->suspend_count == 0) {
        status = SK_BAD_STATE;
    } else if (--thread->suspend_count == 0) {
        atomic_fetch_and(&thread->pending, ~THREAD_PENDING_SUSPEND);
        if (state == THREAD_PARKED) {
            sched_enqueue(thread);
        }
    }
    lock_release(&thread->lock);
    return status;
}

bool thread_handle_pending(struct thread *thread)
{
    uint32_t pending = atomic_load(&thread->pending);
    if (pending & THREAD_PENDING_STEP) {
        step_run(thread);
        return false;
    }
    if (pending & THREAD_PENDING_CHORES) {
        step_begin_chores();
        if (chores_step(&thread->chores)) {
            atomic_fetch_and(&thread->pending, ~THREAD_PENDING_CHORES);
        } else {
            mmu_leave_user(); /* it may be waiting for this hart to leave a space */
        }
        return false;
    }
    if (pending & THREAD_PENDING_KILL) {
        thread_exit(thread);
        return false;
    }
    bool runs = true;
    lock_acquire(&thread->lock);
    if (thread->suspend_count > 0) {
        sched_leave(thread);
        store_relaxed(&thread->state, THREAD_PARKED);
        runs = false;
    }
    lock_release(&thread->lock);
    return runs;
}

void thread_leave_source(struct thread *thread)
{
    struct object *source = atomic_load_explicit(&thread->source, memory_order_acquire);
    if (source == NULL) {
        return;
    }
    /* It may be closed meanwhile, which takes the same lock; the lock's memory keeps its type. */
    lock_acquire(source->lock);
    if (atomic_load_explicit(&thread->source, memory_order_relaxed) == source) {
        list_remove(&thread->source_link);
        store_relaxed(&thread->source, NULL);
    }
    lock_release(source->lock);
}

void thread_exit(struct thread *thread)
{
    struct process *process = thread->process;
    thread_leave_source(thread);
    sched_leave(thread);
    lock_acquire(&thread->lock);
    store_relaxed(&thread->state, THREAD_DEAD);
    while (!list_empty(&thread->donors)) {
        struct call *call = list_first(&thread->donors, struct call, donor_link);
        list_remove(&call->donor_link);
        store_relaxed(&call->donee, NULL);
    }
    lock_release(&thread->lock);
    process_thread_ended(process, thread);
    object_end(&thread->object); /* with the reference that the process had */
}

/* Priority: the highest of its own and those lent to it. thread.lock held. */
static bool settle_priority(struct thread *thread)
{
    uint32_t queued = atomic_load_explicit(&thread->queue_priority, memory_order_relaxed);
    uint32_t priority = thread->base_priority > queued ? thread->base_priority : queued;
    list_for_each(node, &thread->donors) {
        struct call *call = list_entry(node, struct call, donor_link);
        uint32_t lent = atomic_load_explicit(&call->message.caller->priority, memory_order_relaxed);
        priority = lent > priority ? lent : priority;
    }
    if (priority == atomic_load_explicit(&thread->priority, memory_order_relaxed)) {
        return false;
    }
    if (atomic_load_explicit(&thread->state, memory_order_relaxed) == THREAD_READY) {
        sched_requeue(thread, priority);
    } else {
        store_relaxed(&thread->priority, priority);
        sched_attention(); /* it may be the running thread, and somebody else more urgent now */
    }
    return true;
}

bool thread_donate(struct thread *donee, struct thread *caller)
{
    bool changed = false;
    uint32_t lent = atomic_load_explicit(&caller->priority, memory_order_relaxed);
    if (caller->call.donee == NULL &&
        lent <= __atomic_load_n(&donee->base_priority, __ATOMIC_RELAXED)) {
        return false; /* It runs at least as high whatever others lend it. */
    }
    lock_acquire(&donee->lock);
    if (atomic_load_explicit(&donee->state, memory_order_relaxed) != THREAD_DEAD) {
        if (caller->call.donee == NULL) {
            caller->call.donee = donee;
            list_append(&donee->donors, &caller->call.donor_link);
        }
        changed = settle_priority(donee);
    }
    lock_release(&donee->lock);
    return changed;
}

bool thread_lend_queue(struct thread *thread, uint32_t priority)
{
    bool changed = false;
    lock_acquire(&thread->lock);
    uint32_t before = atomic_load_explicit(&thread->queue_priority, memory_order_relaxed);
    if (atomic_load_explicit(&thread->state, memory_order_relaxed) != THREAD_DEAD &&
        (priority == 0 || priority > before)) {
        store_relaxed(&thread->queue_priority, priority);
        changed = settle_priority(thread);
    }
    lock_release(&thread->lock);
    return changed;
}

void thread_donation_end(struct thread *caller)
{
    struct thread *donee = __atomic_load_n(&caller->call.donee, __ATOMIC_RELAXED);
    if (donee == NULL) {
        return;
    }
    lock_acquire(&donee->lock);
    if (caller->call.donee == donee) {
        list_remove(&caller->call.donor_link);
        caller->call.donee = NULL;
        settle_priority(donee);
    }
    lock_release(&donee->lock);
}

status_t thread_set_priority(struct thread *thread, uint32_t priority)
{
    status_t status = SK_BAD_STATE;
    lock_acquire(&thread->lock);
    if (atomic_load_explicit(&thread->state, memory_order_relaxed) != THREAD_DEAD) {
        thread->base_priority = priority;
        settle_priority(thread);
        status = SK_OK;
    }
    lock_release(&thread->lock);
    return status;
}

void thread_info(struct thread *thread, struct sk_thread_info *info)
{
    lock_acquire(&thread->lock);
    uint32_t state = atomic_load_explicit(&thread->state, memory_order_relaxed);
    info->id = thread->object.id;
    info->priority = atomic_load_explicit(&thread->priority, memory_order_relaxed);
    info->state = state == THREAD_DEAD ? 3
                  : thread->suspend_count > 0
                      ? 2
                      : atomic_load_explicit(&thread->wait.lock, memory_order_relaxed) != NULL;
    info->run_time_ns = clock_ticks_to_ns(thread->run_time);
    lock_release(&thread->lock);
}
