/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Futexes: waiting on a memory word, named by its memory object and offset.
 *
 * Owns: a table of buckets, and the reference of each waiting thread to its memory object. Lock: one per bucket (LOCK_FUTEX). The word is compared under the bucket's
 * lock, and a waker takes the same lock after the word was changed, so no wake-up is lost.
 * Tests: tests/host/ipc/test_waitset.c.
 */
#include <kernel/futex.h>
#include <kernel/process.h>
#include <kernel/step.h>
#include <kernel/syscall.h>
#include <kernel/syscalls.h>
#include <kernel/wait.h>

#define BUCKETS 64u

/* What one step of a wake looks at, and how many looks waking a thread counts for. */
#define LOOKS_MAX 2000u
#define WAKE_LOOKS 12u

struct bucket {
    struct spinlock lock;
    struct list_node waiters; /* [lock] struct thread.wait.link, in the order they came */
};

static struct bucket buckets[BUCKETS];

void futex_init(void)
{
    for (uint32_t i = 0; i < BUCKETS; i++) {
        lock_init(&buckets[i].lock, LOCK_FUTEX);
        list_init(&buckets[i].waiters);
    }
}

static struct bucket *bucket_of(const struct memory *memory, uint64_t offset)
{
    uint64_t hash = ((uint64_t)(uintptr_t)memory / sizeof(*memory) + offset / 4) *
                    0x9e3779b97f4a7c15ull;
    return &buckets[hash >> 58];
}

/* Where the word at `va` lives (+1 on the memory object). */
static status_t word_find(struct thread *self, vaddr_t va, struct memory **memory, uint64_t *offset)
{
    if (va % 4 != 0) {
        return SK_INVALID_ARGS;
    }
    return space_identify(&self->process->space, va, memory, offset);
}

/* Time-out or kill. */
static void wait_cancelled(struct thread *thread, status_t status)
{
    object_put_later(&thread->futex_memory->object);
    syscall_result(thread, status, 0, 0);
}

status_t sys_futex_wait(struct thread *self, vaddr_t word, uint32_t expected, uint64_t deadline)
{
    struct address_space *space = &self->process->space;
    struct memory *memory;
    uint64_t offset;
    status_t status = word_find(self, word, &memory, &offset);
    if (status != SK_OK) {
        return status;
    }
    struct bucket *bucket = bucket_of(memory, offset);
    uint32_t value;
    for (;;) {
        vaddr_t missing;
        lock_acquire(&bucket->lock);
        status = space_read(space, &value, word, sizeof(value), &missing);
        if (status != SK_PENDING) {
            break;
        }
        lock_release(&bucket->lock);
        status = space_populate(space, missing, SK_PROT_READ);
        if (status != SK_OK) {
            goto out;
        }
    }
    if (status == SK_OK && value != expected) {
        status = SK_BAD_STATE;
    } else if (status == SK_OK && deadline == SK_DEADLINE_POLL) {
        status = SK_TIMED_OUT;
    } else if (status == SK_OK) {
        self->futex_offset = offset;
        self->futex_memory = memory; /* the reference moves */
        wait_begin(self, &bucket->lock, &bucket->waiters, wait_cancelled);
        wait_deadline(self, deadline);
        lock_release(&bucket->lock);
        return SYSCALL_BLOCKED;
    }
    lock_release(&bucket->lock);
out:
    object_put(&memory->object);
    return status;
}

/*
 * Wakes up to step.end threads, as many as a step may look at. PENDING: the place that it has come to is kept by the
 * waker's own wait.link, among the waiters, where it looks like one for nothing.
 */
static status_t wake_some(struct thread *self)
{
    struct step *step = &self->step;
    struct memory *memory = container_of(step->object[0], struct memory, object);
    struct bucket *bucket = bucket_of(memory, step->at);
    struct list_node *place = &self->wait.link;
    uint32_t looks = 0;
    lock_acquire(&bucket->lock);
    struct list_node *node = list_linked(place) ? place->next : bucket->waiters.next;
    list_remove(place);
    while (node != &bucket->waiters && step->result < step->end && looks < LOOKS_MAX) {
        struct thread *thread = container_of(node, struct thread, wait.link);
        node = node->next;
        looks++;
        if (thread->futex_memory == memory && thread->futex_offset == step->at) {
            wait_end(thread);
            object_put_later(&memory->object);
            syscall_result(thread, SK_OK, 0, 0);
            thread_ready(thread);
            step->result++;
            looks += WAKE_LOOKS;
        }
    }
    bool killed = atomic_load_explicit(&self->pending, memory_order_relaxed) & THREAD_PENDING_KILL;
    bool more = node != &bucket->waiters && step->result < step->end && !killed;
    if (more) {
        list_insert_before(node, place);
    }
    lock_release(&bucket->lock);
    return more ? SK_PENDING : SK_OK;
}

status_t sys_futex_wake(struct thread *self, vaddr_t word, uint32_t count, uint64_t *woken)
{
    struct memory *memory;
    uint64_t offset;
    status_t status = word_find(self, word, &memory, &offset);
    if (status != SK_OK) {
        return status;
    }
    self->futex_memory = NULL;
    self->step = (struct step){.at = offset, .end = count};
    status = step_start(self, wake_some, &memory->object, NULL);
    *woken = self->step.result;
    object_put(&memory->object);
    return status;
}
