/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jobs: the tree of budgets.
 *
 * A job ends when no live process is left in it and below it and it was killed or has no handle any
 * more. What it does not use of its limit goes back to its heir, the parent, at once; the rest as
 * the charges are given back. The channels that are left are kept by the heir, which has those looked for that
 * nobody can reach. Nothing can be made in it any more, but memory that others still share may get its missing
 * pages, which the heir pays. Locks: job_tree_lock, then each job's budget_lock, one at a time but for a job's and
 * its keeper's.
 * Tests: tests/host/kernel/test_job.c.
 */
#include <string.h>

#include <kernel/clock.h>
#include <kernel/job.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/sched.h>
#include <kernel/step.h>
#include <kernel/wait.h>

/* What telling a process to end, without its threads, and ending a job and those above it cost, in units of
 * step_take. */
#define KILL_UNITS 5
#define BEGIN_UNITS 8 /* a search begins, or a job hands over */
#define END_UNITS 6

static struct cache job_cache = CACHE_INIT("job", struct job);
static struct spinlock job_tree_lock = SPINLOCK_INIT(LOCK_JOB_TREE);
static struct job *root_job; /* [I] after boot */

static struct job *job_from_object(struct object *object)
{
    return container_of(object, struct job, object);
}

/* Takes from what a job does not use of its limit, or its heir if it has ended. */
static status_t limit_take(struct job *job, enum budget_kind kind, uint64_t amount)
{
    status_t status = SK_OVER_BUDGET;
    while (job != NULL) {
        lock_acquire(&job->budget_lock);
        struct job *heir = job->heir;
        if (heir == NULL && amount <= job->limit[kind] - job->used[kind]) {
            job->limit[kind] -= amount;
            status = SK_OK;
        }
        lock_release(&job->budget_lock);
        job = heir;
    }
    return status;
}

status_t job_charge_heir(struct job *job, enum budget_kind kind, uint64_t amount)
{
    /* Whoever touches a page of memory that a dead program shared with it has done nothing wrong. */
    if (kind != BUDGET_PAGES) {
        return SK_OVER_BUDGET;
    }
    status_t status = limit_take(job->heir, kind, amount);
    if (status == SK_OK) {
        lock_acquire(&job->budget_lock);
        job->limit[kind] += amount;
        job->used[kind] += amount;
        lock_release(&job->budget_lock);
    }
    return status;
}

void job_limit_give(struct job *job, enum budget_kind kind, uint64_t amount)
{
    while (job != NULL) {
        lock_acquire(&job->budget_lock);
        struct job *heir = job->heir;
        if (heir == NULL) {
            job->limit[kind] += amount;
        }
        lock_release(&job->budget_lock);
        job = heir;
    }
}

static uint64_t share_of(const struct job *job)
{
    return atomic_load_explicit(&job->own_account.share, memory_order_relaxed);
}

static void share_give(struct job *job, uint64_t share)
{
    while (job != NULL) {
        lock_acquire(&job->budget_lock);
        struct job *heir = job->heir;
        if (heir == NULL) {
            store_relaxed(&job->own_account.share, share_of(job) + share);
        }
        lock_release(&job->budget_lock);
        job = heir;
    }
}

/* Carves a child's limit and share out of what is unused; all or nothing. */
static status_t limit_carve(struct job *parent, const uint64_t limit[BUDGET_KINDS], uint64_t share)
{
    lock_acquire(&parent->budget_lock);
    status_t status = share <= share_of(parent) ? SK_OK : SK_OVER_BUDGET;
    for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
        if (limit[kind] > parent->limit[kind] - parent->used[kind]) {
            status = SK_OVER_BUDGET;
        }
    }
    for (uint32_t kind = 0; status == SK_OK && kind < BUDGET_KINDS; kind++) {
        parent->limit[kind] -= limit[kind];
    }
    if (status == SK_OK) {
        store_relaxed(&parent->own_account.share, share_of(parent) - share);
    }
    lock_release(&parent->budget_lock);
    return status;
}

/* True if it and all below it have no live process. Tree lock held. */
static bool is_quiet(const struct job *job)
{
    return job->live_processes == 0 && job->live_children == 0;
}

/* A search among the job's channels is made by this hart, or once more by the one that makes one now. Budget lock
 * held. */
static void search_want(struct job *job)
{
    job->search.wanted = true;
    if (!job->search.runs) {
        job->search.runs = true;
        object_get(&job->object);
        list_append(&cpu_hart()->searches, &job->search.link);
        sched_chore();
    }
}

/* Ends the job and those above it that only waited for it. Tree lock held. */
static void end_if_quiet(struct job *job)
{
    while (job != NULL && !job->ended) {
        bool wanted = job->killed || atomic_load(&job->object.handles) == 0;
        if (!wanted || job->parent == NULL || !is_quiet(job)) {
            return;
        }
        lock_acquire(&job->budget_lock);
        job->heir = job->parent;
        uint64_t unused[BUDGET_KINDS];
        for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
            unused[kind] = job->limit[kind] - job->used[kind];
            job->limit[kind] = job->used[kind];
        }
        uint64_t share = share_of(job);
        store_relaxed(&job->own_account.share, 0);
        lock_release(&job->budget_lock);
        share_give(job->heir, share);
        for (uint32_t kind = 0; kind < BUDGET_KINDS; kind++) {
            job_limit_give(job->heir, kind, unused[kind]);
        }
        /* Told by job_end_step, so that whoever sees the end finds the budget back with the parent. */
        store_relaxed(&job->ended, true);
        job->parent->live_children--;
        object_get(&job->object);
        list_append(&chores_here()->jobs, &job->end_link);
        job = job->parent;
    }
}

/* A job has ended: its heir has its channels, and looks for those that nobody can reach. */
static void channels_hand_over(struct job *job)
{
    struct job *heir = job->heir;
    for (bool done = false; !done;) {
        lock_pair_acquire(&job->budget_lock, &heir->budget_lock);
        struct job *next = heir->keeper;
        done = next == NULL;
        if (done) {
            list_splice(&heir->channels, &job->channels);
            job->keeper = heir;
            search_want(heir);
        }
        lock_pair_release(&job->budget_lock, &heir->budget_lock);
        heir = next;
    }
}

bool job_end_step(struct chores *chores)
{
    while (!list_empty(&chores->jobs)) {
        struct job *job = list_first(&chores->jobs, struct job, end_link);
        if (!step_take(BEGIN_UNITS)) {
            return false;
        }
        lock_acquire(&job->budget_lock);
        bool searched = job->search.runs; /* which the hart that does so gives up now */
        lock_release(&job->budget_lock);
        if (searched) {
            return false;
        }
        list_remove(&job->end_link);
        channels_hand_over(job);
        object_end(&job->object);
    }
    return true;
}

/* Begins the search that is wanted; if none is, or the job has ended, it leaves this hart's list. */
static void search_begin(struct job *job)
{
    lock_acquire(&job->budget_lock);
    bool begins = job->search.wanted && job->heir == NULL;
    job->search.wanted = false;
    job->search.begun = begins;
    if (!begins) {
        job->search.runs = false;
        list_remove(&job->search.link);
    }
    lock_release(&job->budget_lock);
    if (begins) {
        channels_search_begin(job);
    } else {
        object_put(&job->object);
    }
}

bool job_search_step(void)
{
    struct list_node *searches = &cpu_hart()->searches;
    while (!list_empty(searches)) {
        struct job *job = list_first(searches, struct job, search.link);
        if (job->search.begun) {
            bool ended = __atomic_load_n(&job->ended, __ATOMIC_RELAXED);
            if (!(ended ? channels_search_end(job) : channels_search_step(job))) {
                return false;
            }
            job->search.begun = false;
        }
        if (!step_take(BEGIN_UNITS)) {
            return false;
        }
        search_begin(job);
    }
    return true;
}

static void job_orphan(struct object *object)
{
    object_orphan_observers(object);
    lock_acquire(&job_tree_lock);
    end_if_quiet(job_from_object(object));
    lock_release(&job_tree_lock);
}

static void job_destroy(struct object *object)
{
    struct job *job = job_from_object(object);
    struct job *parent = job->parent;
    lock_acquire(&job_tree_lock);
    list_remove(&job->sibling);
    parent->child_count--;
    parent->live_children -= !job->ended;
    end_if_quiet(parent);
    lock_release(&job_tree_lock);
    object_fini(object);
    cache_free(&job_cache, job);
    object_put_later(&parent->object); /* which may be the last as well */
}

const struct object_type job_type = {
    .name = "job",
    .signals = SK_SIGNAL_TERMINATED,
    .rights = SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER | SK_RIGHT_WAIT | SK_RIGHT_MANAGE |
              SK_RIGHT_INSPECT,
    .orphan = job_orphan,
    .destroy = job_destroy,
    .observe = object_observe_end,
};

static void job_init(struct job *job, struct job *parent, const uint64_t limit[BUDGET_KINDS],
                     uint64_t share)
{
    object_init(&job->object, SK_TYPE_JOB, parent);
    lock_init(&job->budget_lock, LOCK_BUDGET);
    memcpy(job->limit, limit, sizeof(job->limit));
    memset(job->used, 0, sizeof(job->used));
    job->account = share == 0 && parent != NULL ? parent->account : &job->own_account;
    store_relaxed(&job->own_account.share, share);
    store_relaxed(&job->own_account.spent, 0);
    store_relaxed(&job->own_account.time, 0);
    store_relaxed(&job->own_account.ran_out, 0);
    job->heir = NULL;
    list_init(&job->channels);
    job->keeper = NULL;
    memset(&job->search, 0, sizeof(job->search));
    list_init(&job->search.reached);
    list_init(&job->end_link);
    job->parent = parent;
    job->own_log = (struct log_use){0};
    job->log = parent == NULL ? NULL : parent->log != NULL ? parent->log : &job->own_log;
    list_init(&job->sibling);
    list_init(&job->children);
    job->depth = parent == NULL ? 0 : parent->depth + 1;
    job->child_count = 0;
    job->live_children = 0;
    list_init(&job->processes);
    job->live_processes = 0;
    job->killed = false;
    job->ended = false;
}

struct job *job_init_root(const uint64_t limit[BUDGET_KINDS])
{
    root_job = cache_alloc(&job_cache);
    ASSERT(root_job != NULL);
    job_init(root_job, NULL, limit, hart_count * SK_CPU_HART);
    return root_job;
}

status_t job_create(struct job *parent, const uint64_t limit[BUDGET_KINDS], uint64_t share,
                    struct job **result)
{
    if (parent->depth == SK_JOB_DEPTH_MAX) {
        return SK_OUT_OF_RANGE;
    }
    status_t status = job_charge(parent, BUDGET_OBJECTS, 1);
    if (status != SK_OK) {
        return status;
    }
    struct job *job = cache_alloc(&job_cache);
    if (job == NULL) {
        status = SK_NO_MEMORY;
        goto fail_alloc;
    }
    status = limit_carve(parent, limit, share);
    if (status != SK_OK) {
        goto fail_carve;
    }
    job_init(job, parent, limit, share);
    object_get(&parent->object);
    lock_acquire(&job_tree_lock);
    job->killed = parent->killed;
    list_append(&parent->children, &job->sibling);
    parent->child_count++;
    parent->live_children++;
    lock_release(&job_tree_lock);
    *result = job;
    return SK_OK;

fail_carve:
    cache_free(&job_cache, job);
fail_alloc:
    job_uncharge(parent, BUDGET_OBJECTS, 1);
    return status;
}

bool job_accepts(struct job *job)
{
    lock_acquire(&job_tree_lock);
    bool accepts = !job->killed && !job->ended;
    lock_release(&job_tree_lock);
    return accepts;
}

status_t job_enter(struct job *job, struct process *process)
{
    status_t status = SK_BAD_STATE;
    lock_acquire(&job_tree_lock);
    if (!job->killed && !job->ended) {
        list_append(&job->processes, &process->job_link);
        job->live_processes++;
        status = SK_OK;
    }
    lock_release(&job_tree_lock);
    return status;
}

void job_leave(struct job *job, struct process *process)
{
    lock_acquire(&job_tree_lock);
    list_remove(&process->job_link);
    job->live_processes--;
    end_if_quiet(job);
    lock_release(&job_tree_lock);
}

/* The job after `job` in a walk of the tree below `top`, parents first; NULL at the end. Tree lock
 * held. */
static struct job *walk_next(struct job *top, struct job *job)
{
    if (!list_empty(&job->children)) {
        return list_first(&job->children, struct job, sibling);
    }
    while (job != top) {
        if (job->sibling.next != &job->parent->children) {
            return list_entry(job->sibling.next, struct job, sibling);
        }
        job = job->parent;
    }
    return NULL;
}

/* Goes on to the next job of a walk below `top`; false at the end, where *at is NULL. */
static bool walk_on(struct job *top, struct object **at)
{
    struct object *before = *at;
    lock_acquire(&job_tree_lock);
    struct job *next = walk_next(top, job_from_object(before));
    while (next != NULL && !object_try_get(&next->object)) {
        next = walk_next(top, next); /* that one only waits for the lock, to be destroyed */
    }
    lock_release(&job_tree_lock);
    *at = next == NULL ? NULL : &next->object;
    object_put(before);
    return next != NULL;
}

/* Ends the processes of a job, each in turn from the head of the list to its end: *left are to be looked at. False:
 * not all in this step. */
static bool processes_kill_step(struct job *job, uint64_t *left)
{
    for (; *left > 0; (*left)--) {
        struct process *process = NULL;
        if (!step_take(KILL_UNITS)) {
            return false;
        }
        lock_acquire(&job_tree_lock);
        struct list_node *node = list_pop(&job->processes);
        if (node != NULL) {
            list_append(&job->processes, node);
            process = list_entry(node, struct process, job_link);
            object_get(&process->object);
        }
        lock_release(&job_tree_lock);
        if (process != NULL) {
            process_end(process, SK_EXIT_KILLED, 0);
            object_put(&process->object);
        }
    }
    return true;
}

/* Nothing enters a job that is marked, and its later children are marked when they are made, so one walk finds all. */
static status_t kill_walk(struct step *step, struct job *top)
{
    do {
        struct job *job = job_from_object(step->object[1]);
        if (!step->flag) {
            lock_acquire(&job_tree_lock);
            job->killed = true;
            step->at = job->live_processes;
            lock_release(&job_tree_lock);
            step->flag = true;
        }
        if (!processes_kill_step(job, &step->at) || !step_take(1)) {
            return SK_PENDING;
        }
        step->flag = false;
    } while (walk_on(top, &step->object[1]));
    return SK_OK;
}

status_t job_kill_step(struct step *step)
{
    struct job *top = job_from_object(step->object[0]);
    if (step->value == 0) {
        if (kill_walk(step, top) != SK_OK) {
            return SK_PENDING;
        }
        step->value = 1;
        step->object[1] = &top->object;
        object_get(&top->object);
    }
    /* Jobs that have no process to wait for end here, and then those above them. */
    do {
        if (!step_take(END_UNITS)) {
            return SK_PENDING;
        }
        lock_acquire(&job_tree_lock);
        end_if_quiet(job_from_object(step->object[1]));
        lock_release(&job_tree_lock);
    } while (walk_on(top, &step->object[1]));
    return SK_OK;
}

void job_info(struct job *job, struct sk_job_info *info)
{
    memset(info, 0, sizeof(*info));
    info->id = job->object.id;
    info->parent_id = job->parent != NULL ? job->parent->object.id : 0;
    lock_acquire(&job_tree_lock);
    info->processes = job->live_processes;
    info->children = job->child_count;
    lock_acquire(&job->budget_lock);
    memcpy(&info->limit, job->limit, sizeof(job->limit));
    memcpy(&info->used, job->used, sizeof(job->used));
    info->limit.cpu = share_of(job);
    lock_release(&job->budget_lock);
    lock_release(&job_tree_lock);
    const struct account *account = &job->own_account;
    info->cpu_time_ns = clock_ticks_to_ns(
        atomic_load_explicit(&account->time, memory_order_relaxed));
    info->cpu_ran_out = atomic_load_explicit(&account->ran_out, memory_order_relaxed);
}

status_t job_used_total_step(struct step *step, enum budget_kind kind)
{
    do {
        if (!step_take(1)) {
            return SK_PENDING;
        }
        struct job *job = job_from_object(step->object[1]);
        lock_acquire(&job->budget_lock);
        step->value += job->used[kind];
        lock_release(&job->budget_lock);
    } while (walk_on(root_job, &step->object[1]));
    return SK_OK;
}

void job_walk_on(struct object **job)
{
    walk_on(root_job, job);
}

struct object *job_root(void)
{
    return &root_job->object;
}
