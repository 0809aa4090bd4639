/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The short way for call and reply-and-receive: a message handed straight to a parked partner, which
 * runs next on this hart. No queue, no allocation, no run queue, no clock. docs/ipc.md lists the
 * conditions; whenever one fails, nothing has changed and the system call goes the long way, with the
 * same results.
 *
 * The words of the message never leave their registers. What does not fit there, bytes beyond 32 and
 * handles, is moved from one process to the other by message_pass.
 *
 * Locks: the channel's, and the wait set's if the server uses one. No reference is counted: a handle
 * is looked up without its table's lock and looked at again under the channel's, which closing takes
 * too before anything goes away. Tests: tests/qemu/ipc, tests/host/ipc.
 */
#include <arch/mmu.h>
#include <ipc/call.h>
#include <ipc/message.h>
#include <ipc/waitset.h>
#include <kernel/glance.h>
#include <kernel/sched.h>
#include <kernel/trap.h>
#include <skerry/syscall_numbers.h>

/* True if a parked thread may be given the hart: nothing else is to be done with it. */
ALWAYS_INLINE bool may_run(const struct thread *thread)
{
    return atomic_load_explicit(&thread->pending, memory_order_relaxed) == 0 &&
           atomic_load_explicit(&thread->deadline.hart, memory_order_relaxed) == NULL;
}

/* True if the running thread may wait on the short way until then: the hart looks at its deadline
 * when its clock fires. Never for a poll, since no clock is set to 0. Who is not on this hart's list
 * yet goes the long way once, and is then; who waits for ever needs none. */
ALWAYS_INLINE bool may_wait_until(const struct hart *hart, const struct thread *self,
                                  uint64_t deadline)
{
    const struct hart *lazy = atomic_load_explicit(&self->lazy_hart, memory_order_relaxed);
    return deadline >= hart->armed_ns &&
           (likely(lazy == hart) || (lazy == NULL && deadline == SK_DEADLINE_NEVER));
}

/* Blocks the running thread; the lock is held. Its registers are saved, its FPU state too. Only this
 * hart looks at its lazy deadline, so no order is needed. */
ALWAYS_INLINE void await(struct thread *self, struct spinlock *lock, uint64_t deadline,
                         void (*cancel)(struct thread *, status_t))
{
    self->wait.cancel = cancel;
    store_relaxed(&self->wait.sequence, self->wait.sequence + 1);
    store_relaxed(&self->lazy_ns, deadline);
    store_relaxed(&self->wait.lock, lock);
}

/* The end of a short way that works: `to` runs on this hart in place of `from`, on the rest of its
 * turn. Lets go of the locks; `second` may be NULL. */
ALWAYS_INLINE void hand_over(struct hart *hart, struct thread *from, struct thread *to,
                             struct spinlock *first, struct spinlock *second)
{
    store_relaxed(&to->wait.lock, NULL);
    hart->current = to;
    mmu_switch_begin(&to->process->space.arch);
    /* One fence for three orders: all that was done before the locks are free; the wait before the
     * look at a kill (as in trap_syscall_end: one that came earlier is cancelled here); this hart's
     * presence in the space before the look at its flushes. */
    atomic_thread_fence(memory_order_seq_cst);
    if (second != NULL) {
        lock_release_fenced(second);
    }
    lock_release_fenced(first);
    if (unlikely(atomic_load_explicit(&from->pending, memory_order_relaxed) &
                 THREAD_PENDING_KILL)) {
        wait_cancel(from, WAIT_ANY, SK_TIMED_OUT);
    }
    mmu_switch_end(&to->process->space.arch);
}

/* A turn is lent by a call and comes back with the reply; a server does not give away its own. */
ALWAYS_INLINE bool may_reply(const struct hart *hart, const struct thread *self,
                             const struct thread *caller)
{
    return hart->turn_owner != self || caller->account == hart->payer;
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

/* The first parked thread of a list leaves it. The lock is held. */
ALWAYS_INLINE void unpark_first(struct list_node *parked, struct thread *thread)
{
    struct list_node *next = thread->wait.link.next;
    parked->next = next;
    next->prev = parked;
    list_init(&thread->wait.link);
}

/* The long way finds its arguments in the frame. */
static RARELY struct thread *long_way(uint64_t handle, uint64_t info, uint64_t word0,
                                      uint64_t word1, uint64_t word2, uint64_t word3,
                                      uint64_t deadline, uint64_t number)
{
    struct hart *hart = cpu_hart();
    struct thread *self = hart->current;
    if (deadline != SK_DEADLINE_NEVER) {
        deadline_lazy_join(hart, self);
    } else {
        deadline_lazy_leave(self);
    }
    uint64_t *arg = self->frame.arg;
    arg[0] = handle;
    arg[1] = info;
    arg[2] = word0;
    arg[3] = word1;
    arg[4] = word2;
    arg[5] = word3;
    arg[6] = deadline;
    arg[7] = number;
    return trap_syscall(self);
}

/* `registers`: the message has nothing but its words. */
ALWAYS_INLINE struct thread *call(bool registers, uint64_t handle, uint64_t info, uint64_t word0,
                                  uint64_t word1, uint64_t word2, uint64_t word3, uint64_t deadline)
{
    struct hart *hart = cpu_hart();
    struct thread *self = hart->current;
    struct glance glance;
    if (atomic_load_explicit(&hart->attention, memory_order_relaxed) ||
        !glance_at(self->process, handle, &glance) || glance_type(&glance) != SK_TYPE_ENDPOINT ||
        !may_wait_until(hart, self, deadline)) {
        goto not_now;
    }
    struct endpoint *endpoint = endpoint_from_object(glance.object);
    struct endpoint *peer = endpoint_peer(endpoint);
    struct spinlock *lock = glance_lock_of(&glance);
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
        struct member *member = peer->shows == 0 ? member_parked(peer) : NULL;
        if (member == NULL) {
            goto unlock;
        }
        set_lock = member->waitset->object.lock;
        parked = &member->waitset->parked;
        key = member->key;
    }
    struct thread *server = list_first(parked, struct thread, wait.link);
    /* A server whose own priority is lower has to be lent the caller's. One that is as high may take
     * over: nobody in the queue is more urgent than the caller. */
    if (!may_run(server) || server->reply_status != SK_OK ||
        __atomic_load_n(&server->base_priority, __ATOMIC_RELAXED) <
            atomic_load_explicit(&self->priority, memory_order_relaxed)) {
        goto unlock;
    }
    if (!registers && !message_pass_quickly(self, server, info, endpoint->channel)) {
        goto unlock;
    }
    /* Point of no return. */
    fpu_leave(&hart->arch, &self->fpu);
    unpark_first(parked, server);
    self->call.thread = server;
    store_relaxed(&self->call.server, server->process);
    self->reply_status = SK_OK;
    await(self, lock, deadline, call_cancel_served);
    hand_over(hart, self, server, lock, set_lock);
    return cpu_enter_message(server, info | SK_INFO_CALL, word0, word1, word2, word3,
                             call_token(self), key);

unlock:
    if (set_lock != NULL) {
        lock_release(set_lock);
    }
    lock_release(lock);
not_now:
    return long_way(handle, info, word0, word1, word2, word3, deadline, SK_SYS_channel_call);
}

struct thread *trap_call(uint64_t handle, uint64_t info, uint64_t word0, uint64_t word1,
                         uint64_t word2, uint64_t word3, uint64_t deadline)
{
    return call(true, handle, info, word0, word1, word2, word3, deadline);
}

struct thread *trap_call_long(uint64_t handle, uint64_t info, uint64_t word0, uint64_t word1,
                              uint64_t word2, uint64_t word3, uint64_t deadline)
{
    return call(false, handle, info, word0, word1, word2, word3, deadline);
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
    /* Where it received from before: it is among the servers of no other. */
    if (!glance_at(self->process, handle, &glance) ||
        glance.object != atomic_load_explicit(&self->source, memory_order_relaxed)) {
        return false;
    }
    if (glance_type(&glance) == SK_TYPE_ENDPOINT) {
        struct endpoint *endpoint = endpoint_from_object(glance.object);
        berth->lock = NULL;
        berth->list = &endpoint->receivers;
        return glance_lock_of(&glance) == held && glance_holds(&glance, SK_RIGHT_READ) &&
               endpoint->shows == 0;
    }
    if (glance_type(&glance) != SK_TYPE_WAITSET) {
        return false;
    }
    struct waitset *waitset = waitset_from_object(glance.object);
    berth->lock = glance_lock_of(&glance);
    berth->list = &waitset->parked;
    if (!lock_try(berth->lock)) {
        return false;
    }
    if (glance_holds(&glance, SK_RIGHT_READ) && list_empty(&waitset->ready)) {
        return true;
    }
    lock_release(berth->lock);
    return false;
}

ALWAYS_INLINE struct thread *reply_receive(bool registers, uint64_t handle, uint64_t info,
                                           uint64_t word0, uint64_t word1, uint64_t word2,
                                           uint64_t word3, uint64_t deadline, uint64_t token)
{
    struct hart *hart = cpu_hart();
    struct thread *self = hart->current;
    struct thread *caller = token_thread(token);
    if (caller == NULL || atomic_load_explicit(&hart->attention, memory_order_relaxed) ||
        !may_wait_until(hart, self, deadline)) {
        goto not_now;
    }
    /* Only a hint until the lock is held: it may even be another kind of lock by now. */
    struct spinlock *lock = atomic_load_explicit(&caller->wait.lock, memory_order_relaxed);
    if (lock == NULL || !lock_try(lock)) {
        goto not_now;
    }
    struct berth berth;
    if (atomic_load_explicit(&caller->wait.lock, memory_order_relaxed) != lock ||
        __atomic_load_n(&caller->call.server, __ATOMIC_RELAXED) != self->process ||
        call_token(caller) != token || caller->call.donee != NULL || !may_run(caller) ||
        atomic_load_explicit(&caller->priority, memory_order_relaxed) <
            atomic_load_explicit(&hart->ready_top, memory_order_relaxed) ||
        !may_reply(hart, self, caller) ||
        atomic_load_explicit(&self->queue_priority, memory_order_relaxed) != 0 ||
        !berth_find(self, handle, lock, &berth)) {
        goto unlock;
    }
    if (!registers && !message_pass_quickly(self, caller, info, NULL)) {
        if (berth.lock != NULL) {
            lock_release(berth.lock);
        }
        goto unlock;
    }
    /* Point of no return. */
    fpu_leave(&hart->arch, &self->fpu);
    store_relaxed(&caller->call.server, NULL);
    list_append(berth.list, &self->wait.link);
    self->reply_status = SK_OK;
    await(self, berth.lock != NULL ? berth.lock : lock, deadline, receive_cancelled);
    hand_over(hart, self, caller, lock, berth.lock);
    return cpu_enter_message(caller, info, word0, word1, word2, word3, SK_TOKEN_NONE, 0);

unlock:
    lock_release(lock);
not_now:
    self->frame.extra[MESSAGE_TOKEN] = token;
    return long_way(handle, info, word0, word1, word2, word3, deadline,
                    SK_SYS_channel_reply_receive);
}

struct thread *trap_reply_receive(uint64_t handle, uint64_t info, uint64_t word0, uint64_t word1,
                                  uint64_t word2, uint64_t word3, uint64_t deadline, uint64_t token)
{
    return reply_receive(true, handle, info, word0, word1, word2, word3, deadline, token);
}

struct thread *trap_reply_receive_long(uint64_t handle, uint64_t info, uint64_t word0,
                                       uint64_t word1, uint64_t word2, uint64_t word3,
                                       uint64_t deadline, uint64_t token)
{
    return reply_receive(false, handle, info, word0, word1, word2, word3, deadline, token);
}
