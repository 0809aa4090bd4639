/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short way for call and reply-and-receive: a message in registers handed straight to a parked
 * partner, which runs next on this hart. No queue, no allocation, no run queue, no clock, no user
 * memory. docs/ipc.md lists the conditions; whenever one fails, nothing has changed and the system call
 * goes the long way, with the same results.
 *
 * Locks: the channel's, and the wait set's if the server uses one. No reference is counted: a handle
 * is looked up without its table's lock and looked at again under the channel's, which closing takes
 * too before anything goes away. Tests: tests/qemu/ipc, tests/host/ipc.
 */
#include <arch/mmu.h>
#include <ipc/call.h>
#include <ipc/message.h>
#include <ipc/waitset.h>
#include <kernel/sched.h>
#include <kernel/trap.h>

/* What a handle names, as seen without its table's lock. */
struct glance {
    struct handle_entry *entry;
    struct object *object;
    handle_t handle;
};

/* The object of a handle; may be stale until its lock is held and glance_holds. */
ALWAYS_INLINE bool glance_at(struct process *process, handle_t handle, struct glance *glance)
{
    uint32_t index = handle & ((1u << HANDLE_INDEX_BITS) - 1);
    struct handle_entry *page = __atomic_load_n(&process->handles.pages[index / HANDLES_PER_PAGE],
                                                __ATOMIC_RELAXED);
    glance->entry = &page[index % HANDLES_PER_PAGE];
    glance->handle = handle;
    if (page == NULL) {
        return false;
    }
    glance->object = __atomic_load_n(&glance->entry->object, __ATOMIC_RELAXED);
    return glance->object != NULL;
}

/* True if the handle still names the object, with these rights. The object's lock is held. */
ALWAYS_INLINE bool glance_holds(const struct glance *glance, uint32_t rights)
{
    const struct handle_entry *entry = glance->entry;
    return __atomic_load_n(&entry->name, __ATOMIC_RELAXED) == glance->handle &&
           __atomic_load_n(&entry->object, __ATOMIC_RELAXED) == glance->object &&
           (__atomic_load_n(&entry->rights, __ATOMIC_RELAXED) & (rights | ENTRY_MARKS)) == rights;
}

/* True if this thread may take over this hart now: nothing else is to be done with it, and nobody
 * who is ready here has more right to run. */
ALWAYS_INLINE bool may_take_over(const struct hart *hart, const struct thread *thread)
{
    uint32_t priority = atomic_load_explicit(&thread->priority, memory_order_relaxed);
    uint32_t ready = atomic_load_explicit(&hart->ready_mask, memory_order_relaxed);
    return atomic_load_explicit(&thread->pending, memory_order_relaxed) == 0 &&
           atomic_load_explicit(&thread->deadline.hart, memory_order_relaxed) == NULL &&
           ready >> priority >> 1 == 0;
}

/* True if the thread may wait on the short way until then. Who is not on this hart's list yet goes the
 * long way once, and is then. */
ALWAYS_INLINE bool may_wait_until(const struct hart *hart, const struct thread *self,
                                  uint64_t deadline)
{
    return deadline == SK_DEADLINE_NEVER ||
           (atomic_load_explicit(&self->lazy_hart, memory_order_relaxed) == hart &&
            deadline >= hart->armed_ns && deadline != SK_DEADLINE_POLL);
}

/* Takes the first thread out of a list of parked ones, or the caller (NULL) out of its call. The lock
 * is held; whoever else looks at the wait takes the same one. */
ALWAYS_INLINE void unwait(struct list_node *head, struct thread *thread)
{
    if (head != NULL) {
        struct list_node *next = thread->wait.link.next;
        head->next = next;
        next->prev = head;
        list_init(&thread->wait.link);
    }
    store_relaxed(&thread->lazy_ns, SK_DEADLINE_NEVER);
    store_relaxed(&thread->wait.lock, NULL);
}

/* Blocks the running thread; the lock is held. Its registers are saved, its FPU state too. Only this
 * hart looks at its lazy deadline. */
ALWAYS_INLINE void await(struct thread *self, struct spinlock *lock, uint64_t deadline,
                         void (*cancel)(struct thread *, status_t))
{
    store_relaxed(&self->state, THREAD_BLOCKED);
    self->reply_status = SK_OK;
    self->wait.cancel = cancel;
    store_relaxed(&self->wait.sequence, self->wait.sequence + 1);
    store_relaxed(&self->lazy_ns, deadline);
    store_relaxed(&self->wait.lock, lock);
}

/* The partner runs on this hart in place of the running thread, on the rest of its turn. */
ALWAYS_INLINE struct thread *hand_over(struct hart *hart, struct thread *from, struct thread *to)
{
    store_relaxed(&to->state, THREAD_RUNNING);
    to->hart = hart;
    hart->current = to;
    /* As in trap_syscall: a kill that came before the wait was there to be cancelled. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&from->pending, memory_order_relaxed) & THREAD_PENDING_KILL) {
        wait_cancel(from, WAIT_ANY, SK_TIMED_OUT);
    }
    mmu_switch(&to->process->space.arch);
    return to;
}

/* The wait set whose parked threads get this endpoint's messages, locked; NULL: none has any. */
ALWAYS_INLINE struct member *member_parked(struct endpoint *endpoint)
{
    if (list_empty(&endpoint->object.observers)) {
        return NULL;
    }
    struct observer *observer = list_first(&endpoint->object.observers, struct observer, link);
    struct member *member = member_from_observer(observer);
    if (observer->notify != member_activate || !(observer->signals & SK_SIGNAL_READABLE)) {
        return NULL;
    }
    if (!lock_try(member->waitset->object.lock)) {
        return NULL;
    }
    if (!list_empty(&member->waitset->parked)) {
        return member;
    }
    lock_release(member->waitset->object.lock);
    return NULL;
}

/* The long way finds its arguments in the frame. Never inlined: it is the rare case. */
static __attribute__((noinline)) struct thread *long_way(uint64_t handle, uint64_t info,
                                                         uint64_t word0, uint64_t word1,
                                                         uint64_t word2, uint64_t word3,
                                                         uint64_t deadline, uint64_t token)
{
    struct hart *hart = cpu_hart();
    struct thread *self = hart->current;
    deadline_lazy_join(hart, self);
    uint64_t *arg = self->frame.arg;
    arg[0] = handle;
    arg[1] = info;
    arg[2] = word0;
    arg[3] = word1;
    arg[4] = word2;
    arg[5] = word3;
    arg[6] = deadline;
    self->frame.extra[5] = token;
    return trap_syscall(self);
}

struct thread *trap_call(uint64_t handle, uint64_t info, uint64_t word0, uint64_t word1,
                         uint64_t word2, uint64_t word3, uint64_t deadline)
{
    struct hart *hart = cpu_hart();
    struct thread *self = hart->current;
    struct glance glance;
    if (atomic_load_explicit(&hart->attention, memory_order_relaxed) ||
        !glance_at(self->process, (handle_t)handle, &glance) ||
        glance.object->type != SK_TYPE_ENDPOINT || !may_wait_until(hart, self, deadline)) {
        goto not_now;
    }
    struct endpoint *endpoint = endpoint_from_object(glance.object);
    struct endpoint *peer = endpoint_peer(endpoint);
    struct spinlock *lock = endpoint->object.lock;
    struct spinlock *set_lock = NULL;
    struct list_node *parked = &peer->receivers;
    uint64_t key = peer->object.id;
    if (!lock_try(lock)) {
        goto not_now;
    }
    /* Before anything under the lock is believed: only then it is surely the right one. */
    if (!glance_holds(&glance, SK_RIGHT_READ | SK_RIGHT_WRITE)) {
        goto unlock;
    }
    if (list_empty(parked)) {
        struct member *member = list_empty(&peer->inbox) ? member_parked(peer) : NULL;
        if (member == NULL) {
            goto unlock;
        }
        set_lock = member->waitset->object.lock;
        parked = &member->waitset->parked;
        key = member->key;
    }
    struct thread *server = list_first(parked, struct thread, wait.link);
    if (!may_take_over(hart, server) ||
        __atomic_load_n(&server->base_priority, __ATOMIC_RELAXED) <
            atomic_load_explicit(&self->priority, memory_order_relaxed)) {
        /* What others lend it may end before this call does: ours must be lent as well. */
        goto unlock;
    }
    /* Point of no return. */
    fpu_leave(&self->frame, &self->fpu);
    unwait(parked, server);
    if (set_lock != NULL) {
        lock_release(set_lock);
    }
    self->call.sequence++;
    store_relaxed(&self->call.server, server->process);
    const uint64_t words[4] = {word0, word1, word2, word3};
    message_result(server, info | SK_INFO_CALL, words, call_token(self), key);
    await(self, lock, deadline, call_cancel_served);
    lock_release(lock);
    return hand_over(hart, self, server);

unlock:
    if (set_lock != NULL) {
        lock_release(set_lock);
    }
    lock_release(lock);
not_now:
    return long_way(handle, info, word0, word1, word2, word3, deadline, SK_TOKEN_NONE);
}

/* Where the server parks after its reply: the wait's lock and list, taken if it is not `held`. */
struct berth {
    struct spinlock *lock;
    struct list_node *list;
};

ALWAYS_INLINE bool berth_find(struct thread *self, uint64_t handle, struct spinlock *held,
                              struct berth *berth)
{
    struct glance glance;
    if (!glance_at(self->process, (handle_t)handle, &glance)) {
        return false;
    }
    if (glance.object->type == SK_TYPE_ENDPOINT) {
        struct endpoint *endpoint = endpoint_from_object(glance.object);
        berth->lock = held;
        berth->list = &endpoint->receivers;
        return endpoint->object.lock == held && glance_holds(&glance, SK_RIGHT_READ) &&
               list_empty(&endpoint->inbox) && !endpoint->closed &&
               !endpoint_peer(endpoint)->closed;
    }
    if (glance.object->type != SK_TYPE_WAITSET) {
        return false;
    }
    struct waitset *waitset = waitset_from_object(glance.object);
    berth->lock = waitset->object.lock;
    berth->list = &waitset->parked;
    if (!lock_try(berth->lock)) {
        return false;
    }
    if (glance_holds(&glance, SK_RIGHT_READ) && list_empty(&waitset->ready) && !waitset->orphaned) {
        return true;
    }
    lock_release(berth->lock);
    return false;
}

struct thread *trap_reply_receive(uint64_t handle, uint64_t info, uint64_t word0, uint64_t word1,
                                  uint64_t word2, uint64_t word3, uint64_t deadline, uint64_t token)
{
    struct hart *hart = cpu_hart();
    struct thread *self = hart->current;
    struct thread *caller = token_thread(token);
    if (caller == NULL || atomic_load_explicit(&hart->attention, memory_order_relaxed) ||
        !may_wait_until(hart, self, deadline)) {
        goto not_now;
    }
    struct spinlock *lock = atomic_load_explicit(&caller->wait.lock, memory_order_acquire);
    if (lock == NULL || lock->level != LOCK_OBJECT) {
        goto not_now;
    }
    struct berth berth;
    if (!lock_try(lock)) {
        goto not_now;
    }
    if (atomic_load_explicit(&caller->wait.lock, memory_order_relaxed) != lock ||
        caller->call.server != self->process || call_token(caller) != token ||
        caller->call.donee != NULL || !may_take_over(hart, caller) ||
        !berth_find(self, handle, lock, &berth)) {
        lock_release(lock);
        goto not_now;
    }
    /* Point of no return. */
    fpu_leave(&self->frame, &self->fpu);
    store_relaxed(&caller->call.server, NULL);
    unwait(NULL, caller);
    const uint64_t words[4] = {word0, word1, word2, word3};
    message_result(caller, info, words, SK_TOKEN_NONE, 0);
    list_append(berth.list, &self->wait.link);
    await(self, berth.lock, deadline, receive_cancelled);
    if (berth.lock != lock) {
        lock_release(berth.lock);
    }
    lock_release(lock);
    return hand_over(hart, self, caller);

not_now:
    return long_way(handle, info, word0, word1, word2, word3, deadline, token);
}
