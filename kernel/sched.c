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
#include <kernel/turn.h>

/* The reaper goes on this soon when no system call or interrupt enters the kernel before. */
#define REAPER_PERIOD_NS 1000000ull
/* So many threads in a row are found to be unpaid, and queue again, between two looks at the interrupts. */
#define LOOKS_MAX 8u

_Atomic uint64_t sched_idle_harts;

/* The highest bit set, by halving: the kernel is built for harts without a count of leading zeros. */
static uint32_t highest(uint64_t mask)
{
    uint32_t bit = 0;
    for (uint32_t half = 32; half > 0; half /= 2) {
        if (mask >> half != 0) {
            mask >>= half;
            bit += half;
        }
    }
    return bit;
}

static uint64_t mask_of(const struct hart *hart)
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

/* The rank of what this hart runs. */
static inline uint32_t rank_of_turn(const struct hart *hart, const struct thread *thread)
{
    return priority_of(thread) + (likely(hart->payer != NULL) ? RANK_PAID : 0);
}

/* Run queue lock held. */
static void count_add(struct hart *hart, int32_t change)
{
    uint32_t count = atomic_load_explicit(&hart->ready_count, memory_order_relaxed);
    store_relaxed(&hart->ready_count, count + (uint32_t)change);
}

/* True if kernel_exit has to know of a thread that joins the queue: it may run at once, here or on an idle
 * hart, or a turn gets its end. */
static bool is_news(const struct hart *hart, uint32_t rank)
{
    if (hart != cpu_hart()) {
        return true;
    }
    const struct thread *current = hart->current;
    if (current == NULL || rank > rank_of_turn(hart, current) ||
        hart->turn_end < hart->turn_armed) {
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
    uint32_t priority = priority_of(thread), rank = priority;
    if (likely(turn_is_paid(cpu_hart(), thread->account))) {
        rank += RANK_PAID;
        if (priority > top_of(hart)) {
            store_relaxed(&hart->ready_top, priority);
        }
    }
    list_append(&hart->ready[rank], &thread->run_link);
    store_relaxed(&thread->hart, hart);
    store_relaxed(&hart->ready_mask, mask_of(hart) | 1ull << rank);
    count_add(hart, 1);
    if (is_news(hart, rank)) {
        store_relaxed(&hart->attention, true);
    }
}

/* Run queue lock held. */
static void mask_set(struct hart *hart, uint64_t mask)
{
    store_relaxed(&hart->ready_mask, mask);
    store_relaxed(&hart->ready_top, mask >> RANK_PAID == 0 ? 0 : highest(mask) - RANK_PAID);
}

/* A thread leaves a queue; run queue lock held. */
static inline void queue_remove(struct hart *hart, struct thread *thread, uint32_t rank)
{
    list_remove(&thread->run_link);
    if (list_empty(&hart->ready[rank])) {
        mask_set(hart, mask_of(hart) & ~(1ull << rank));
    }
    count_add(hart, -1);
}

/* Its rank is that of the list that it alone is in, or whose others stay. Run queue lock held. */
static uint32_t rank_in_queue(const struct hart *hart, const struct thread *thread)
{
    const struct list_node *link = &thread->run_link;
    uint32_t priority = priority_of(thread);
    bool alone = link->next == link->prev;
    return alone && link->next == &hart->ready[priority] ? priority : priority + RANK_PAID;
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
            queue_remove(hart, thread, rank_in_queue(hart, thread));
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
    uint64_t mask = mask_of(from);
    if (mask != 0) {
        uint32_t rank = likely(mask >> RANK_PAID != 0) ? top_of(from) + RANK_PAID : highest(mask);
        thread = list_first(&from->ready[rank], struct thread, run_link);
        queue_remove(from, thread, rank);
        self->taken_rank = rank;
        store_relaxed(&thread->hart, self);
        store_relaxed(&thread->state, THREAD_ACTIVE);
    }
    lock_release(&from->runqueue_lock);
    return thread;
}

/* A thread that waits for another hart, of at least that rank. */
static RARELY struct thread *steal(struct hart *self, uint32_t rank)
{
    for (uint32_t i = 1; i < hart_count; i++) {
        struct hart *other = &harts[(self->number + i) % hart_count];
        if (mask_of(other) >> rank != 0) {
            struct thread *thread = queue_take(other, self);
            if (thread != NULL) {
                return thread;
            }
        }
    }
    return NULL;
}

/* In a new period all are paid. */
static void period_begin(struct hart *hart)
{
    lock_acquire(&hart->runqueue_lock);
    uint64_t mask = mask_of(hart), unpaid = mask & ((1ull << RANK_PAID) - 1);
    for (uint64_t rest = unpaid; rest != 0;) {
        uint32_t priority = highest(rest);
        rest &= ~(1ull << priority);
        list_splice(&hart->ready[priority + RANK_PAID], &hart->ready[priority]);
    }
    mask_set(hart, (mask | unpaid << RANK_PAID) & ~unpaid);
    lock_release(&hart->runqueue_lock);
}

/* The turn has come to its end, at hart.switched_at. */
static RARELY void end_turn(struct hart *hart)
{
    if (turn_end(hart)) {
        period_begin(hart);
    }
}

/* True if the running thread must make way for one in the queue. */
static bool must_yield(const struct hart *hart, const struct thread *thread)
{
    return mask_of(hart) >> rank_of_turn(hart, thread) > 1 || hart->turn_over;
}

/* The clock found the turn at its end: the thread goes on in one of its own, unless an equal is there. The unpaid look
 * for the paid on other harts, too. */
static RARELY bool goes_on(struct hart *hart, struct thread *thread)
{
    account(hart, thread);
    end_turn(hart);
    hart->turn_owner = thread;
    turn_begin(hart, thread);
    return mask_of(hart) >> rank_of_turn(hart, thread) == 0 &&
           (hart->payer != NULL || hart_count == 1);
}

/* The next thread; NULL: there is none. */
static inline struct thread *take(struct hart *hart)
{
    /* The clock was read when the hart was left by another thread, or by idle. */
    if (unlikely(hart->switched_at >= hart->turn_end)) {
        end_turn(hart);
    }
    struct thread *thread = queue_take(hart, hart);
    if (thread == NULL) {
        thread = steal(hart, 0);
    }
    hart->current = thread;
    return thread;
}

/* Puts another in the place of the thread that was taken, whose account cannot pay: if that was not known before, its
 * rank falls, and it queues again behind those that are there; else one who is paid and waits for another hart goes
 * before. False: there is nobody, and the thread keeps its place. True: it is in a queue, where other harts see it, and
 * *thread is the other; NULL if they have taken all that was there. */
static bool make_way(struct hart *hart, struct thread **thread)
{
    bool fell = hart->taken_rank >= RANK_PAID;
    if (fell && mask_of(hart) >> rank_of_turn(hart, *thread) != 0) {
        sched_yield(*thread);
        *thread = take(hart);
        return true;
    }
    struct thread *paid = steal(hart, RANK_PAID);
    if (paid == NULL) {
        return false;
    }
    sched_yield(*thread);
    hart->current = paid;
    *thread = paid;
    return true;
}

static void begin(struct hart *hart, struct thread *thread)
{
    if (hart->switched_at >= hart->period_end) {
        end_turn(hart);
    }
    turn_begin(hart, thread);
}

/* Another account pays for the thread that was taken, or a thread that is paid runs in its place. The last of many that
 * are not runs for as long as an interrupt takes to come. NULL: there is none any more. */
static RARELY struct thread *begin_turn(struct hart *hart, struct thread *thread)
{
    begin(hart, thread);
    for (uint32_t looks = 1; hart->payer == NULL && make_way(hart, &thread) && thread != NULL;
         looks++) {
        begin(hart, thread);
        if (looks == LOOKS_MAX && hart->payer == NULL) {
            hart->turn_end = hart->switched_at;
            break;
        }
    }
    ASSERT(thread == hart->current);
    return thread;
}

static struct thread *choose(struct hart *hart)
{
    struct thread *thread = hart->current;
    if (thread != NULL) {
        if (!must_yield(hart, thread) || (hart->turn_over && goes_on(hart, thread))) {
            return thread;
        }
        sched_yield(thread);
    }
    thread = take(hart);
    if (thread != NULL && unlikely(thread->account != hart->payer)) {
        thread = begin_turn(hart, thread);
    }
    if (thread != NULL) {
        hart->turn_owner = thread;
        hart->switches++;
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

/* Others want the hart, or the reaper does: the clock ends the turn. */
static RARELY void arm_turn(struct hart *hart)
{
    uint64_t end_ns = clock_tick_ns(hart->turn_end);
    if (hart->chores) {
        uint64_t soon_ns = clock_now_ns() + REAPER_PERIOD_NS;
        end_ns = soon_ns < end_ns ? soon_ns : end_ns;
    }
    arm_clock(hart, end_ns);
    hart->turn_armed = hart->turn_end;
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
    end_turn(hart);
    if (hart->turn_armed != SK_DEADLINE_NEVER) {
        /* The clock is to sleep, too. What relied on it to fire, deadlines that nobody has looked at, is looked at now. */
        hart->turn_armed = SK_DEADLINE_NEVER;
        hart->armed_ns = SK_DEADLINE_NEVER;
        clock_arm(~(uint64_t)0);
        deadline_run(clock_now_ns());
    }
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
    const struct thread *thread = hart->current;
    if (thread == NULL ? mask_of(hart) != 0 : mask_of(hart) >> rank_of_turn(hart, thread) > 1) {
        return; /* a thread comes first; its turn will be short */
    }
    /* The rest when this hart next passes here: not every system call of whoever runs is to pay for it. */
    hart->chores = !chores_run();
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
        /* A clock that is set to an earlier end of a turn will do: it looks at this one's. */
        bool wanted = mask_of(hart) != 0 || hart_count > 1; /* somewhere, perhaps */
        if (unlikely((wanted && hart->turn_end < hart->turn_armed) || hart->chores)) {
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
    hart->turn_armed = SK_DEADLINE_NEVER;
    hart->turn_over = hart->current != NULL && clock_ticks() >= hart->turn_end;
    clock_arm(~(uint64_t)0);
    deadline_run(clock_now_ns());
}

void trap_hart_interrupt(void)
{
    sched_attention();
    cpu_hart()->ipi_received++;
}
