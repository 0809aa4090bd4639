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
#include <kernel/step.h>
#include <kernel/trap.h>

/* The reaper goes on this soon when no system call or interrupt enters the kernel before. */
#define REAPER_PERIOD_NS 1000000ull

struct hart harts[HARTS_MAX];
uint32_t hart_count;
_Atomic uint64_t sched_idle_harts;

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
    list_init(&hart->lazy);
    hart->timers_next_ns = SK_DEADLINE_NEVER;
    hart->lazy_next_ns = SK_DEADLINE_NEVER;
    list_init(&hart->searches);
    chores_init(&hart->own_chores);
    chores_init(&hart->fresh_chores);
    hart->chores_to = &hart->fresh_chores;
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

static uint32_t top_of(const struct hart *hart)
{
    return atomic_load_explicit(&hart->ready_top, memory_order_relaxed);
}

/* Run queue lock held. */
static void count_add(struct hart *hart, int32_t change)
{
    uint32_t count = atomic_load_explicit(&hart->ready_count, memory_order_relaxed);
    store_relaxed(&hart->ready_count, count + (uint32_t)change);
}

/* True if kernel_exit has to know of a thread that joins the queue: it may run at once, here or on an idle
 * hart, or a turn gets its end. */
static bool is_news(const struct hart *hart, uint32_t priority)
{
    if (hart != cpu_hart()) {
        return true;
    }
    const struct thread *current = hart->current;
    if (current == NULL || priority > priority_of(current) ||
        (priority == priority_of(current) && !hart->turn_armed)) {
        return true;
    }
    if (hart_count == 1) {
        return false;
    }
    atomic_thread_fence(memory_order_seq_cst); /* B: queued before, idle harts read after */
    return atomic_load_explicit(&sched_idle_harts, memory_order_relaxed) != 0;
}

/* Run queue lock held. */
static inline void queue_insert(struct hart *hart, struct thread *thread)
{
    uint32_t priority = priority_of(thread);
    list_append(&hart->ready[priority], &thread->run_link);
    store_relaxed(&thread->hart, hart);
    store_relaxed(&hart->ready_mask, mask_of(hart) | 1u << priority);
    if (priority > top_of(hart)) {
        store_relaxed(&hart->ready_top, priority);
    }
    count_add(hart, 1);
    if (is_news(hart, priority)) {
        store_relaxed(&hart->attention, true);
    }
}

/* Run queue lock held. */
static void queue_remove(struct hart *hart, struct thread *thread)
{
    uint32_t priority = priority_of(thread);
    list_remove(&thread->run_link);
    if (list_empty(&hart->ready[priority])) {
        uint32_t mask = mask_of(hart) & ~(1u << priority);
        store_relaxed(&hart->ready_mask, mask);
        store_relaxed(&hart->ready_top, mask == 0 ? 0 : highest(mask));
    }
    count_add(hart, -1);
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
        bool here = __atomic_load_n(&thread->hart, __ATOMIC_RELAXED) == hart;
        if (here && list_linked(&thread->run_link)) {
            queue_remove(hart, thread);
            store_relaxed(&thread->priority, priority);
            queue_insert(hart, thread);
            if (hart != cpu_hart()) {
                cpu_interrupt_hart(hart); /* what it runs may be less urgent now */
            }
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
    uint64_t now = clock_ticks();
    thread->run_time += now - hart->switched_at;
    hart->switched_at = now;
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
    uint64_t idle = atomic_load(&sched_idle_harts);
    for (uint32_t i = 0; i < hart_count; i++) {
        bool online = atomic_load_explicit(&harts[i].online, memory_order_relaxed);
        if (&harts[i] != self && online && (idle & 1ull << i) == 0) {
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
        store_relaxed(&thread->hart, self);
        store_relaxed(&thread->state, THREAD_ACTIVE);
    }
    lock_release(&from->runqueue_lock);
    return thread;
}

static RARELY struct thread *steal(struct hart *self)
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
    return hart->slice_end <= clock_ticks();
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
        /* The clock was read when the hart was left by another thread, or by idle. */
        hart->slice_end = hart->switched_at + clock_slice_ticks;
    }
    return thread;
}

/* Sets the clock to `when_ns`, unless it is set to something earlier: that shot is let fire. */
static void arm_clock(struct hart *hart, uint64_t when_ns)
{
    when_ns = when_ns == SK_DEADLINE_POLL ? 1 : when_ns; /* no wait of the short way is a poll */
    if (when_ns < hart->armed_ns) {
        hart->armed_ns = when_ns;
        clock_arm(clock_ns_to_ticks(when_ns));
    }
}

/* The thread shares the hart with its equals, or with the reaper: the clock ends its turn. */
static RARELY void arm_turn(struct hart *hart)
{
    uint64_t end_ns = clock_tick_ns(hart->slice_end);
    if (hart->chores) {
        uint64_t soon_ns = clock_now_ns() + REAPER_PERIOD_NS;
        end_ns = soon_ns < end_ns ? soon_ns : end_ns;
    }
    arm_clock(hart, end_ns);
    hart->turn_armed = true;
}

/* Work is left in this hart's queue: an idle hart can have it. */
static RARELY void offer_work(struct hart *self)
{
    atomic_thread_fence(memory_order_seq_cst); /* B: queued before, idle harts read after */
    uint64_t idle = atomic_load_explicit(&sched_idle_harts, memory_order_relaxed);
    for (uint32_t i = 1; idle != 0 && i < hart_count; i++) {
        uint32_t number = (self->number + i) % hart_count;
        uint64_t bit = 1ull << number;
        if ((idle & bit) && (atomic_fetch_and(&sched_idle_harts, ~bit) & bit)) {
            cpu_interrupt_hart(&harts[number]);
            return;
        }
    }
}

void sched_idle_end(struct hart *hart)
{
    atomic_fetch_and(&sched_idle_harts, ~(1ull << hart->number));
    hart->switched_at = clock_ticks();
}

static RARELY void idle(struct hart *hart)
{
    mmu_leave_user(); /* the reaper may be waiting for this hart to leave a space */
    if (hart->chores) {
        return;
    }
    uint64_t began_ns = clock_now_ns();
    atomic_fetch_or(&sched_idle_harts, 1ull << hart->number);
    atomic_thread_fence(memory_order_seq_cst); /* A: idle said before, queues read after */
    bool work = false;
    for (uint32_t i = 0; i < hart_count; i++) {
        work = work || atomic_load_explicit(&harts[i].ready_count, memory_order_relaxed) > 0;
    }
    if (!work) {
        arm_clock(hart, deadline_next());
        cpu_idle();
    }
    sched_idle_end(hart);
    cpu_poll_interrupts();
    hart->idle_ns += clock_now_ns() - began_ns;
}

bool sched_chores_step(void)
{
    struct hart *hart = cpu_hart();
    struct chores *own = &hart->own_chores;
    step_begin_chores();
    hart->chores_to = own;
    bool goes_on = true, done = false;
    while (goes_on && !done) {
        goes_on = chores_step(own);
        if (chores_given_back(own)) { /* no message on its way out holds a handle */
            goes_on = job_search_step() && goes_on;
        }
        done = goes_on && chores_empty(own) && list_empty(&hart->searches);
    }
    hart->chores_to = &hart->fresh_chores;
    return done;
}

/* Between two steps. */
static RARELY void let_interrupts_in(struct hart *hart)
{
    arm_clock(hart, deadline_next()); /* the last who ran may have set one since */
    cpu_poll_interrupts();
}

static RARELY void do_chores(struct hart *hart)
{
    chores_assign();
    let_interrupts_in(hart);
    if (hart->current == NULL ? mask_of(hart) != 0 : top_of(hart) > priority_of(hart->current)) {
        return; /* a thread comes first; its turn will be short */
    }
    /* The rest when this hart next passes here: not every system call of whoever runs is to pay for it. */
    hart->chores = !sched_chores_step();
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
        if (unlikely(hart->chores)) {
            do_chores(hart);
        }
        log_tell_console();
        struct thread *thread = choose(hart);
        if (unlikely(thread == NULL)) {
            idle(hart);
            continue;
        }
        /* Who asks for something later interrupts this hart. */
        if (unlikely(atomic_load_explicit(&thread->pending, memory_order_relaxed) != 0)) {
            let_interrupts_in(hart);
            if (must_yield(hart, thread) || !thread_handle_pending(thread)) {
                continue;
            }
        }
        if (unlikely(atomic_load_explicit(&hart->ready_count, memory_order_relaxed) > 0) &&
            hart_count > 1) {
            offer_work(hart);
        }
        /* A clock that is set to the end of an earlier turn will do: it looks at this one's. */
        bool shares = mask_of(hart) >> priority_of(thread) != 0;
        if (unlikely((shares && !hart->turn_armed) || hart->chores)) {
            arm_turn(hart);
        }
        arm_clock(hart, deadline_next());
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
    hart->turn_armed = false;
    clock_arm(~(uint64_t)0);
    deadline_run(clock_now_ns());
}

void trap_hart_interrupt(void)
{
    sched_attention();
    cpu_hart()->ipi_received++;
}
