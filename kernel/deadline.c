/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Deadlines: a leftist heap per hart, so that arming and cancelling take O(log n) and no memory.
 *
 * Lazy deadlines are looked at only when the clock fires, see deadline.h.
 *
 * Lock: hart.timers_lock. Invariant: rank of a node's left child is at least its right child's.
 * Tests: tests/host/kernel/test_deadline.c.
 */
#include <kernel/deadline.h>
#include <kernel/hart.h>
#include <kernel/panic.h>
#include <kernel/sched.h>

/* Some 20,000 instructions' worth. */
#define AT_ONCE_MAX 64u

static uint32_t rank_of(const struct deadline *node)
{
    return node == NULL ? 0 : node->rank;
}

/* Restores the order of a node's children and its rank. */
static void settle(struct deadline *node)
{
    if (rank_of(node->left) < rank_of(node->right)) {
        struct deadline *left = node->left;
        node->left = node->right;
        node->right = left;
    }
    node->rank = rank_of(node->right) + 1;
}

/* Walks down the two right spines, which have logarithmic length, then settles on the way up. */
static struct deadline *merge(struct deadline *a, struct deadline *b)
{
    struct deadline *root = NULL, *last = NULL;
    while (a != NULL && b != NULL) {
        struct deadline *first = b->when_ns < a->when_ns ? b : a;
        struct deadline *other = first == a ? b : a;
        first->parent = last;
        if (last == NULL) {
            root = first;
        } else {
            last->right = first;
        }
        last = first;
        a = first->right;
        b = other;
    }
    struct deadline *rest = a != NULL ? a : b;
    if (last == NULL) {
        return rest;
    }
    last->right = rest;
    if (rest != NULL) {
        rest->parent = last;
    }
    for (struct deadline *node = last; node != NULL; node = node->parent) {
        settle(node);
    }
    return root;
}

/* For deadline_next, which takes no lock. timers_lock held. */
static void tell_next(struct hart *hart)
{
    store_relaxed(&hart->timers_next_ns,
                  hart->timers == NULL ? SK_DEADLINE_NEVER : hart->timers->when_ns);
}

static void heap_remove(struct hart *hart, struct deadline *node)
{
    struct deadline *parent = node->parent;
    if (node->left != NULL) {
        node->left->parent = NULL;
    }
    if (node->right != NULL) {
        node->right->parent = NULL;
    }
    struct deadline *rest = merge(node->left, node->right);
    if (rest != NULL) {
        rest->parent = parent;
    }
    if (parent == NULL) {
        hart->timers = rest;
        tell_next(hart);
    } else if (parent->left == node) {
        parent->left = rest;
    } else {
        parent->right = rest;
    }
    for (; parent != NULL; parent = parent->parent) {
        uint32_t before = parent->rank;
        settle(parent);
        if (parent->rank == before) {
            break;
        }
    }
    /* Who sees this may arm the node again, under another hart's lock. */
    store_release(&node->hart, NULL);
}

void deadline_arm(struct deadline *deadline, uint64_t when_ns, uint64_t sequence)
{
    struct hart *hart = cpu_hart();
    lock_acquire(&hart->timers_lock);
    ASSERT(atomic_load_explicit(&deadline->hart, memory_order_acquire) == NULL);
    deadline->left = NULL;
    deadline->right = NULL;
    deadline->parent = NULL;
    deadline->rank = 1;
    deadline->when_ns = when_ns;
    deadline->sequence = sequence;
    store_relaxed(&deadline->hart, hart);
    hart->timers = merge(hart->timers, deadline);
    tell_next(hart);
    lock_release(&hart->timers_lock);
    sched_attention(); /* the clock may have to be set */
}

void deadline_disarm(struct deadline *deadline)
{
    for (;;) {
        struct hart *hart = atomic_load_explicit(&deadline->hart, memory_order_relaxed);
        if (hart == NULL) {
            return;
        }
        lock_acquire(&hart->timers_lock);
        bool here = atomic_load_explicit(&deadline->hart, memory_order_relaxed) == hart;
        if (here) {
            heap_remove(hart, deadline);
        }
        lock_release(&hart->timers_lock);
        if (here) {
            return;
        }
    }
}

/* At most that many: for the rest the clock fires again as soon as kernel_exit has set it to their time, and what else
 * has happened comes in between. */
static void run_heap(struct hart *hart, uint64_t now_ns)
{
    for (uint32_t i = 0; i < AT_ONCE_MAX; i++) {
        lock_acquire(&hart->timers_lock);
        struct deadline *first = hart->timers;
        if (first == NULL || first->when_ns > now_ns) {
            lock_release(&hart->timers_lock);
            return;
        }
        uint64_t sequence = first->sequence;
        heap_remove(hart, first);
        lock_release(&hart->timers_lock);
        first->expired(first, sequence);
    }
}

/* timers_lock held. */
static void lazy_unlink(struct thread *thread)
{
    list_remove(&thread->lazy_link);
    store_release(&thread->lazy_hart, NULL);
}

/* A thread of the list whose time has come, unlinked, with the sequence of its wait; threads that
 * wait for nothing leave the list. NULL: none. timers_lock held. */
static struct thread *lazy_pop(struct hart *hart, uint64_t now_ns, uint64_t *sequence)
{
    hart->lazy_next_ns = SK_DEADLINE_NEVER;
    list_for_each_safe(node, &hart->lazy) {
        struct thread *thread = container_of(node, struct thread, lazy_link);
        /* The sequence first: a wait on another hart resets the time before it counts on. */
        *sequence = __atomic_load_n(&thread->wait.sequence, __ATOMIC_ACQUIRE);
        uint64_t when_ns = atomic_load_explicit(&thread->lazy_ns, memory_order_acquire);
        if (atomic_load_explicit(&thread->wait.lock, memory_order_relaxed) == NULL) {
            when_ns = SK_DEADLINE_NEVER; /* what is left of a wait that is over */
        }
        if (when_ns <= now_ns) {
            lazy_unlink(thread);
            return thread;
        }
        if (when_ns == SK_DEADLINE_NEVER) {
            lazy_unlink(thread);
        } else if (when_ns < hart->lazy_next_ns) {
            hart->lazy_next_ns = when_ns;
        }
    }
    return NULL;
}

static void run_lazy(struct hart *hart, uint64_t now_ns)
{
    for (uint32_t i = 0; i < AT_ONCE_MAX; i++) {
        uint64_t sequence;
        lock_acquire(&hart->timers_lock);
        struct thread *thread = lazy_pop(hart, now_ns, &sequence);
        lock_release(&hart->timers_lock);
        if (thread == NULL) {
            return;
        }
        wait_cancel(thread, sequence, SK_TIMED_OUT);
    }
    hart->lazy_next_ns = now_ns; /* there may be more */
}

void deadline_run(uint64_t now_ns)
{
    struct hart *hart = cpu_hart();
    struct chores *before = hart->chores_to;
    hart->chores_to = &hart->own_chores; /* whoever runs here just now has nothing to do with it */
    run_heap(hart, now_ns);
    run_lazy(hart, now_ns);
    hart->chores_to = before;
}

uint64_t deadline_next(void)
{
    const struct hart *hart = cpu_hart();
    uint64_t when_ns = __atomic_load_n(&hart->timers_next_ns, __ATOMIC_RELAXED);
    return hart->lazy_next_ns < when_ns ? hart->lazy_next_ns : when_ns;
}

void deadline_lazy_join(struct hart *hart, struct thread *thread)
{
    if (atomic_load_explicit(&thread->lazy_hart, memory_order_acquire) != hart) {
        deadline_lazy_leave(thread); /* another hart's, where it ran before */
        lock_acquire(&hart->timers_lock);
        list_append(&hart->lazy, &thread->lazy_link);
        store_relaxed(&thread->lazy_hart, hart);
        lock_release(&hart->timers_lock);
    }
}

void deadline_lazy_leave(struct thread *thread)
{
    struct hart *hart = atomic_load_explicit(&thread->lazy_hart, memory_order_acquire);
    if (hart == NULL) {
        return;
    }
    lock_acquire(&hart->timers_lock);
    if (atomic_load_explicit(&thread->lazy_hart, memory_order_relaxed) == hart) {
        lazy_unlink(thread);
    }
    lock_release(&hart->timers_lock);
}
