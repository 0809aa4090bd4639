/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler, and the end of every kernel entry.
 *
 * Owns: the run queues, each hart's `current` and what its clock is set to. Lock:
 * hart.runqueue_lock. No lost wake-up: a hart says that it is idle before it looks at all queues for
 * the last time; whoever queues looks for idle harts afterwards (the fences are marked A and B).
 * Tests: tests/host/kernel/race.c, tests/host/ipc/.
 */
#include <arch/irq.h>
#include <arch/mmu.h>
#include <kernel/clock.h>
#include <kernel/log.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/trap.h>

/* The reaper goes on this soon when no system call or interrupt enters the kernel before. */
#define REAPER_PERIOD_NS 1000000ull

struct hart harts[HARTS_MAX];
uint32_t hart_count;

void sched_init_hart(struct hart *hart, uint32_t number, uint64_t id)
{
    hart->number = number;
    hart->id = id;
    lock_init(&hart->runqueue_lock, LOCK_RUNQUEUE);
    for (uint32_t i = 0; i < PRIORITIES; i++) {
        list_init(&hart->ready[i]);
    }
    lock_init(&hart->timers_lock, LOCK_TIMERS);
    hart->armed_ns = SK_DEADLINE_NEVER;
    list_init(&hart->dead_messages);
    list_init(&hart->lazy);
    hart->timers_next_ns = SK_DEADLINE_NEVER;
    hart->lazy_next_ns = SK_DEADLINE_NEVER;
    list_init(&hart->reaper);
    list_init(&hart->ended_jobs);
    list_init(&hart->dead_objects);
    list_init(&hart->dead_memories);
}

/* The highest bit set, by halving: the kernel is built for harts without a count of leading zeros. */
static uint32_t highest(uint32_t mask)
{
    uint32_t bit = 0;
    for (uint32_t half = 16; half > 0; half /= 2) {
        if (mask >> half != 0) {
            mask >>= half;
            bit += half;
        }
    }
    return bit;
}

static uint32_t mask_of(const struct hart *hart)
{
    return atomic_load_explicit(&hart->ready_mask, memory_order_relaxed);
}

static uint32_t priority_of(const struct thread *thread)
{
    return atomic_load_explicit(&thread->priority, memory_order_relaxed);
}

/* Run queue lock held. */
static void mask_set(struct hart *hart, uint32_t mask)
{
    store_relaxed(&hart->ready_mask, mask);
    store_relaxed(&hart->ready_top, highest(mask));
}

/* Run queue lock held. */
static void queue_insert(struct hart *hart, struct thread *thread)
{
    uint32_t priority = priority_of(thread);
    list_append(&hart->ready[priority], &thread->run_link);
    thread->hart = hart;
    mask_set(hart, mask_of(hart) | 1u << priority);
    atomic_fetch_add_explicit(&hart->ready_count, 1, memory_order_relaxed);
    store_relaxed(&hart->attention, true);
}

/* Run queue lock held. */
static void queue_remove(struct hart *hart, struct thread *thread)
{
    uint32_t priority = priority_of(thread);
    list_remove(&thread->run_link);
    if (list_empty(&hart->ready[priority])) {
        mask_set(hart, mask_of(hart) & ~(1u << priority));
    }
    atomic_fetch_sub_explicit(&hart->ready_count, 1, memory_order_relaxed);
}

void sched_enqueue(struct thread *thread)
{
    struct hart *hart = cpu_hart();
    lock_acquire(&hart->runqueue_lock);
    store_relaxed(&thread->state, THREAD_READY);
    queue_insert(hart, thread);
    lock_release(&hart->runqueue_lock);
}

void sched_requeue(struct thread *thread, uint32_t priority)
{
    for (;;) {
        struct hart *hart = __atomic_load_n(&thread->hart, __ATOMIC_RELAXED);
        lock_acquire(&hart->runqueue_lock);
        bool here = thread->hart == hart;
        if (here && list_linked(&thread->run_link)) {
            queue_remove(hart, thread);
            store_relaxed(&thread->priority, priority);
            queue_insert(hart, thread);
        } else if (here) {
            /* A hart has just taken it to run it. */
            store_relaxed(&thread->priority, priority);
        }
        lock_release(&hart->runqueue_lock);
        if (here) {
            return;
        }
    }
}

static void account(struct hart *hart, struct thread *thread)
{
    uint64_t now_ns = clock_now_ns();
    thread->run_time_ns += now_ns - hart->switched_at_ns;
    hart->switched_at_ns = now_ns;
}

void sched_leave(struct thread *thread)
{
    struct hart *hart = cpu_hart();
    ASSERT(hart->current == thread);
    account(hart, thread);
    fpu_leave(&hart->arch, &thread->fpu);
    hart->current = NULL;
    sched_attention();
}

void sched_yield(struct thread *thread)
{
    sched_leave(thread);
    lock_acquire(&thread->lock);
    sched_enqueue(thread);
    lock_release(&thread->lock);
}

void sched_interrupt_others(void)
{
    struct hart *self = cpu_hart();
    for (uint32_t i = 0; i < hart_count; i++) {
        bool online = atomic_load_explicit(&harts[i].online, memory_order_relaxed);
        if (&harts[i] != self && online && !atomic_load(&harts[i].idle)) {
            cpu_interrupt_hart(&harts[i]);
        }
    }
}

/* Takes the first thread of the highest priority from a queue, for this hart to run. */
static struct thread *queue_take(struct hart *from, struct hart *self)
{
    struct thread *thread = NULL;
    lock_acquire(&from->runqueue_lock);
    if (mask_of(from) != 0) {
        struct list_node
            *head = &from->ready[atomic_load_explicit(&from->ready_top, memory_order_relaxed)];
        thread = list_first(head, struct thread, run_link);
        queue_remove(from, thread);
        thread->hart = self;
        store_relaxed(&thread->state, THREAD_ACTIVE);
    }
    lock_release(&from->runqueue_lock);
    return thread;
}

static struct thread *steal(struct hart *self)
{
    for (uint32_t i = 1; i < hart_count; i++) {
        struct hart *other = &harts[(self->number + i) % hart_count];
        if (atomic_load_explicit(&other->ready_count, memory_order_relaxed) > 0) {
            struct thread *thread = queue_take(other, self);
            if (thread != NULL) {
                return thread;
            }
        }
    }
    return NULL;
}

/* True if the running thread must make way for one in the queue. */
static bool must_yield(struct hart *hart, struct thread *thread)
{
    uint32_t rivals = mask_of(hart) >> priority_of(thread);
    if (rivals == 0) {
        return false;
    }
    if (rivals > 1) {
        return true;
    }
    return hart->slice_end_ns <= clock_now_ns();
}

static struct thread *choose(struct hart *hart)
{
    struct thread *thread = hart->current;
    if (thread != NULL) {
        if (!must_yield(hart, thread)) {
            return thread;
        }
        sched_yield(thread);
    }
    thread = queue_take(hart, hart);
    if (thread == NULL) {
        thread = steal(hart);
    }
    if (thread != NULL) {
        hart->current = thread;
        hart->switches++;
        hart->switched_at_ns = clock_now_ns();
        hart->slice_end_ns = hart->switched_at_ns + SCHED_SLICE_NS;
    }
    return thread;
}

/* Sets the clock to the next thing that this hart must do by itself. An earlier shot is let fire. */
static void arm_clock(struct hart *hart, uint64_t turn_end_ns)
{
    uint64_t next_ns = deadline_next();
    next_ns = turn_end_ns < next_ns ? turn_end_ns : next_ns;
    next_ns = next_ns == SK_DEADLINE_POLL ? 1 : next_ns; /* no wait of the short way is a poll */
    if (next_ns < hart->armed_ns) {
        hart->armed_ns = next_ns;
        clock_arm(clock_ns_to_ticks(next_ns));
    }
}

/* When the kernel must be entered again at the latest: to share the hart, or to go on reaping. */
static uint64_t turn_end(const struct hart *hart, const struct thread *thread, bool reaping)
{
    bool shares = (mask_of(hart) >> priority_of(thread)) != 0;
    uint64_t end_ns = shares ? hart->slice_end_ns : SK_DEADLINE_NEVER;
    if (reaping) {
        uint64_t soon_ns = clock_now_ns() + REAPER_PERIOD_NS;
        end_ns = soon_ns < end_ns ? soon_ns : end_ns;
    }
    return end_ns;
}

/* Work is left in this hart's queue: an idle hart can have it. */
static void offer_work(struct hart *self)
{
    atomic_thread_fence(memory_order_seq_cst); /* B: queued before, idle flags read after */
    for (uint32_t i = 1; i < hart_count; i++) {
        struct hart *other = &harts[(self->number + i) % hart_count];
        if (atomic_load_explicit(&other->idle, memory_order_relaxed) &&
            atomic_exchange(&other->idle, false)) {
            cpu_interrupt_hart(other);
            return;
        }
    }
}

static void idle(struct hart *hart)
{
    uint64_t began_ns = clock_now_ns();
    store_relaxed(&hart->idle, true);
    atomic_thread_fence(memory_order_seq_cst); /* A: idle said before, queues read after */
    bool work = false;
    for (uint32_t i = 0; i < hart_count; i++) {
        work = work || atomic_load_explicit(&harts[i].ready_count, memory_order_relaxed) > 0;
    }
    if (!work) {
        arm_clock(hart, SK_DEADLINE_NEVER);
        cpu_idle();
    }
    store_relaxed(&hart->idle, false);
    cpu_poll_interrupts();
    hart->idle_ns += clock_now_ns() - began_ns;
}

/* This hart has put something off. Looking here spares most entries five calls. */
static bool has_chores(const struct hart *hart)
{
    return !list_empty(&hart->dead_objects) || !list_empty(&hart->dead_messages) ||
           !list_empty(&hart->dead_memories) || !list_empty(&hart->ended_jobs) ||
           !list_empty(&hart->reaper);
}

static void space_enter(const struct hart *hart, struct arch_space *space)
{
    if (hart->arch.space != space) {
        mmu_switch_begin(space);
        atomic_thread_fence(memory_order_seq_cst);
        mmu_switch_end(space);
    }
}

struct thread *kernel_exit(void)
{
    struct hart *hart = cpu_hart();
    for (;;) {
        lock_check_none_held();
        store_relaxed(&hart->attention, false);
        bool more = false;
        if (has_chores(hart)) {
            object_destroy_later_ones();
            more = process_reap_step();
        }
        log_tell_console();
        struct thread *thread = choose(hart);
        if (thread == NULL) {
            mmu_leave_user(); /* the reaper may be waiting for this hart to leave a space */
            if (!more) {
                idle(hart);
            }
            continue;
        }
        if (atomic_load(&thread->pending) != 0 && !thread_handle_pending(thread)) {
            continue;
        }
        if (atomic_load_explicit(&hart->ready_count, memory_order_relaxed) > 0) {
            offer_work(hart);
        }
        if (more) {
            sched_attention();
        }
        arm_clock(hart, turn_end(hart, thread, more));
        space_enter(hart, &thread->process->space.arch);
        fpu_arrive(&thread->fpu);
        return thread;
    }
}

void trap_timer(void)
{
    struct hart *hart = cpu_hart();
    sched_attention();
    hart->timer_interrupts++;
    hart->armed_ns = SK_DEADLINE_NEVER;
    clock_arm(~(uint64_t)0);
    deadline_run(clock_now_ns());
}

void trap_hart_interrupt(void)
{
    sched_attention();
    cpu_hart()->ipi_received++;
}
