/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Handle tables.
 *
 * Owns: the entries of every process. Lock: handle_table.lock; nothing is dropped under it.
 * Invariants: an entry that is USED or RESERVED owns one handle count and one reference; free
 * entries form one queue; generation is never 0. Tests: tests/host/kernel/test_handle.c.
 */
#include <skerry/ipc.h>

#include <arch/mmu.h>
#include <kernel/glance.h>
#include <kernel/handle.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/process.h>
#include <kernel/step.h>

#define GENERATION_MAX 0x7fffu
/* What closing a handle costs, in units of step_take, without what its object pays itself. */
#define CLOSE_UNITS 5

static struct handle_entry *entry_at(struct handle_table *table, uint32_t index)
{
    return &table->pages[index / HANDLES_PER_PAGE][index % HANDLES_PER_PAGE];
}

static uint32_t index_of(handle_t handle)
{
    return handle & ((1u << HANDLE_INDEX_BITS) - 1);
}

/* The entry that a handle names, in any state but FREE; NULL if it is stale or none. */
static struct handle_entry *entry_find(struct handle_table *table, handle_t handle, uint32_t *index)
{
    uint32_t i = index_of(handle);
    if (i >= table->page_count * HANDLES_PER_PAGE) {
        return NULL;
    }
    struct handle_entry *entry = entry_at(table, i);
    if ((entry->rights & ENTRY_FREE) || entry->name != handle) {
        return NULL;
    }
    *index = i;
    return entry;
}

/* What `rights` says of a free entry. */
static uint32_t free_mark(uint32_t next)
{
    return ENTRY_FREE | next << ENTRY_NEXT_SHIFT;
}

static uint32_t entry_next_free(const struct handle_entry *entry)
{
    return entry->rights >> ENTRY_NEXT_SHIFT;
}

static inline void entry_free(struct handle_table *table, struct handle_entry *entry)
{
    uint32_t name = entry->name + (1u << HANDLE_INDEX_BITS);
    uint32_t index = index_of(name);
    if (name >> HANDLE_INDEX_BITS > GENERATION_MAX) {
        name = 1u << HANDLE_INDEX_BITS | index;
    }
    store_relaxed(&entry->rights, free_mark(INDEX_NONE));
    store_relaxed(&entry->name, name);
    store_relaxed(&entry->object, NULL);
    if (table->free_last == INDEX_NONE) {
        table->free_first = index;
    } else {
        store_relaxed(&entry_at(table, table->free_last)->rights, free_mark(index));
    }
    table->free_last = index;
    table->used--;
}

static status_t table_grow(struct handle_table *table)
{
    if (table->page_count == HANDLE_PAGES_MAX) {
        return SK_NO_HANDLES;
    }
    paddr_t pa;
    status_t status = page_alloc(table->job, &pa);
    if (status != SK_OK) {
        return status;
    }
    uint32_t first = table->page_count * HANDLES_PER_PAGE;
    struct handle_entry *page = phys_to_virt(pa);
    for (uint32_t i = 0; i < HANDLES_PER_PAGE; i++) {
        uint32_t next = i + 1 < HANDLES_PER_PAGE ? first + i + 1 : INDEX_NONE;
        store_relaxed(&page[i].object, NULL);
        store_relaxed(&page[i].rights, free_mark(next));
        store_relaxed(&page[i].name, 1u << HANDLE_INDEX_BITS | (first + i));
    }
    /* Who looks without the lock must not see what the frame held before. */
    store_release(&table->pages[table->page_count++], page);
    if (table->free_last == INDEX_NONE) {
        table->free_first = first;
    } else {
        store_relaxed(&entry_at(table, table->free_last)->rights, free_mark(first));
    }
    table->free_last = first + HANDLES_PER_PAGE - 1;
    return SK_OK;
}

/* Takes a free entry, which is paid for; it is left RESERVED without an object. */
static status_t entry_alloc(struct handle_table *table, uint32_t *index)
{
    if (table->free_first == INDEX_NONE) {
        status_t status = table_grow(table);
        if (status != SK_OK) {
            return status;
        }
    }
    *index = table->free_first;
    struct handle_entry *entry = entry_at(table, *index);
    table->free_first = entry_next_free(entry);
    if (table->free_first == INDEX_NONE) {
        table->free_last = INDEX_NONE;
    }
    store_relaxed(&entry->object, NULL);
    store_relaxed(&entry->rights, ENTRY_RESERVED);
    table->used++;
    return SK_OK;
}

void handle_table_init(struct handle_table *table, struct job *job)
{
    lock_init(&table->lock, LOCK_HANDLES);
    table->page_count = 0;
    table->free_first = INDEX_NONE;
    table->free_last = INDEX_NONE;
    table->used = 0;
    table->clear_next = 0;
    table->job = job;
}

bool handle_table_clear_step(struct handle_table *table)
{
    uint32_t limit = table->page_count * HANDLES_PER_PAGE;
    for (uint32_t i = table->clear_next; i < limit; i++) {
        struct handle_entry *entry = entry_at(table, i);
        bool used = (entry->rights & ENTRY_FREE) == 0;
        if ((i % 8 == 0 && !step_take(1)) || (used && !step_take(CLOSE_UNITS))) {
            table->clear_next = i;
            return false;
        }
        if (!used) {
            continue;
        }
        struct capability capability = {entry->object, entry->rights};
        lock_acquire(&table->lock);
        entry_free(table, entry);
        lock_release(&table->lock);
        job_uncharge(table->job, BUDGET_HANDLES, 1);
        capability_drop(capability);
    }
    table->clear_next = limit;
    return true;
}

void handle_table_fini(struct handle_table *table)
{
    ASSERT(table->used == 0);
    for (uint32_t i = 0; i < table->page_count; i++) {
        page_free(table->job, virt_to_phys(table->pages[i]));
        table->pages[i] = NULL;
    }
    table->page_count = 0;
}

status_t handle_get(struct process *process, handle_t handle, enum sk_type type, uint32_t rights,
                    struct capability *capability)
{
    struct handle_table *table = &process->handles;
    status_t status = SK_OK;
    uint32_t index;
    lock_acquire(&table->lock);
    struct handle_entry *entry = entry_find(table, handle, &index);
    if (entry == NULL || (entry->rights & ENTRY_RESERVED)) {
        status = SK_BAD_HANDLE;
    } else if (type != SK_TYPE_NONE && entry->object->type != type) {
        status = SK_WRONG_TYPE;
    } else if ((entry->rights & rights) != rights) {
        status = SK_ACCESS_DENIED;
    } else {
        object_get(entry->object);
        *capability = (struct capability){entry->object, entry->rights};
    }
    lock_release(&table->lock);
    return status;
}

status_t handle_lock_again(struct process *process, handle_t handle, enum sk_type type,
                           uint32_t rights, struct object **object)
{
    for (;;) {
        struct capability capability;
        struct glance glance;
        status_t status = handle_get(process, handle, type, rights, &capability);
        if (status != SK_OK) {
            return status;
        }
        *object = capability.object;
        bool agrees = glance_at(process, handle, &glance) && glance.object == *object &&
                      glance_lock(&glance, rights);
        object_put(capability.object); /* the handle keeps it */
        if (agrees) {
            return SK_OK;
        }
    }
}

status_t handle_add(struct process *process, struct capability capability, handle_t *handle)
{
    status_t status = handle_room(process, handle, 1);
    if (status == SK_OK) {
        handle_fill(process, handle, 1, &capability);
    }
    return status;
}

status_t handle_add_new(struct process *process, struct object *object, handle_t *handle)
{
    struct capability capability = capability_make(object, object_types[object->type]->rights);
    status_t status = handle_add(process, capability, handle);
    if (status != SK_OK) {
        capability_drop(capability);
    }
    object_put(object);
    return status;
}

status_t handle_close(struct process *process, handle_t handle)
{
    struct handle_table *table = &process->handles;
    uint32_t index;
    lock_acquire(&table->lock);
    struct handle_entry *entry = entry_find(table, handle, &index);
    if (entry == NULL || (entry->rights & ENTRY_RESERVED)) {
        lock_release(&table->lock);
        return SK_BAD_HANDLE;
    }
    struct capability capability = {entry->object, entry->rights};
    entry_free(table, entry);
    lock_release(&table->lock);
    job_uncharge(table->job, BUDGET_HANDLES, 1);
    capability_drop(capability);
    return SK_OK;
}

void handle_look(struct process *process, uint64_t *next, uint32_t most,
                 void (*look)(struct object *object, uint32_t rights, void *context), void *context)
{
    struct handle_table *table = &process->handles;
    lock_acquire(&table->lock);
    uint64_t end = (uint64_t)table->page_count * HANDLES_PER_PAGE, index = *next;
    uint64_t stop = index < end && most < end - index ? index + most : end;
    for (; index < stop; index++) {
        const struct handle_entry *entry = entry_at(table, (uint32_t)index);
        if ((entry->rights & ENTRY_FREE) == 0 && entry->object != NULL) {
            look(entry->object, entry->rights & ~(uint32_t)ENTRY_MARKS, context);
        }
    }
    *next = stop < end ? stop : 0;
    lock_release(&table->lock);
}

status_t handle_reserve(struct process *process, const handle_t *handles, uint32_t count)
{
    struct handle_table *table = &process->handles;
    status_t status = SK_OK;
    uint32_t i, index;
    lock_acquire(&table->lock);
    for (i = 0; i < count; i++) {
        struct handle_entry *entry = entry_find(table, handles[i], &index);
        if (entry == NULL) {
            status = SK_BAD_HANDLE;
        } else if (entry->rights & ENTRY_RESERVED) {
            /* Named before in this message, or under way in another thread's. */
            status = SK_BAD_HANDLE;
            for (uint32_t k = 0; k < i; k++) {
                status = handles[k] == handles[i] ? SK_INVALID_ARGS : status;
            }
        } else if ((entry->rights & SK_RIGHT_TRANSFER) == 0) {
            status = SK_ACCESS_DENIED;
        }
        if (status != SK_OK) {
            break;
        }
        store_relaxed(&entry->rights, entry->rights | ENTRY_RESERVED);
    }
    if (status != SK_OK) {
        while (i-- > 0) {
            struct handle_entry *entry = entry_find(table, handles[i], &index);
            store_relaxed(&entry->rights, entry->rights & ~ENTRY_RESERVED);
        }
    }
    lock_release(&table->lock);
    return status;
}

void handle_unreserve(struct process *process, const handle_t *handles, uint32_t count)
{
    struct handle_table *table = &process->handles;
    uint32_t index;
    lock_acquire(&table->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct handle_entry *entry = entry_find(table, handles[i], &index);
        ASSERT(entry != NULL && (entry->rights & ENTRY_RESERVED));
        store_relaxed(&entry->rights, entry->rights & ~ENTRY_RESERVED);
    }
    lock_release(&table->lock);
}

void handle_take(struct process *process, const handle_t *handles, uint32_t count,
                 struct capability *capabilities)
{
    struct handle_table *table = &process->handles;
    uint32_t index;
    lock_acquire(&table->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct handle_entry *entry = entry_find(table, handles[i], &index);
        ASSERT(entry != NULL && (entry->rights & ENTRY_RESERVED));
        capabilities[i] = (struct capability){entry->object, entry->rights & ~ENTRY_MARKS};
        entry_free(table, entry);
    }
    lock_release(&table->lock);
    job_uncharge(table->job, BUDGET_HANDLES, count);
}

struct object *handle_peek_reserved(struct process *process, handle_t handle)
{
    struct handle_table *table = &process->handles;
    uint32_t index;
    lock_acquire(&table->lock);
    struct handle_entry *entry = entry_find(table, handle, &index);
    ASSERT(entry != NULL && (entry->rights & ENTRY_RESERVED));
    struct object *object = entry->object;
    lock_release(&table->lock);
    return object;
}

UNGUARDED status_t handle_room(struct process *process, handle_t *handles, uint32_t count)
{
    struct handle_table *table = &process->handles;
    status_t status = job_charge(table->job, BUDGET_HANDLES, count);
    if (status != SK_OK) {
        return status;
    }
    uint32_t made = 0;
    lock_acquire(&table->lock);
    for (; made < count; made++) {
        uint32_t index;
        status = entry_alloc(table, &index);
        if (status != SK_OK) {
            break;
        }
        handles[made] = entry_at(table, index)->name;
    }
    lock_release(&table->lock);
    if (status != SK_OK) {
        job_uncharge(table->job, BUDGET_HANDLES, count - made);
        handle_room_cancel(process, handles, made);
    }
    return status;
}

void handle_fill(struct process *process, const handle_t *handles, uint32_t count,
                 const struct capability *capabilities)
{
    struct handle_table *table = &process->handles;
    lock_acquire(&table->lock);
    for (uint32_t i = 0; i < count; i++) {
        struct handle_entry *entry = entry_at(table, index_of(handles[i]));
        store_relaxed(&entry->object, capabilities[i].object);
        store_release(&entry->rights, capabilities[i].rights);
    }
    lock_release(&table->lock);
}

void handle_room_cancel(struct process *process, const handle_t *handles, uint32_t count)
{
    struct handle_table *table = &process->handles;
    lock_acquire(&table->lock);
    for (uint32_t i = 0; i < count; i++) {
        entry_free(table, entry_at(table, index_of(handles[i])));
    }
    lock_release(&table->lock);
    job_uncharge(table->job, BUDGET_HANDLES, count);
}

/* True if so many entries are free; a table is not made larger for a pass. */
static bool has_free(struct handle_table *table, uint32_t count)
{
    uint32_t index = table->free_first;
    while (index != INDEX_NONE && --count > 0) {
        index = entry_next_free(entry_at(table, index));
    }
    return index != INDEX_NONE;
}

/* Moves what an entry holds into the next free one of `to`; its name there. */
static handle_t entry_move(struct handle_table *from, struct handle_entry *source,
                           struct handle_table *to)
{
    struct handle_entry *target = entry_at(to, to->free_first);
    to->free_first = entry_next_free(target);
    if (to->free_first == INDEX_NONE) {
        to->free_last = INDEX_NONE;
    }
    to->used++;
    store_relaxed(&target->object, source->object);
    store_release(&target->rights, source->rights & ~ENTRY_RESERVED);
    entry_free(from, source);
    return target->name;
}

UNGUARDED bool handle_pass(struct handle_table *from, struct handle_table *to, uint32_t count,
                           const handle_t *given, handle_t *taken, const struct spinlock *but_not)
{
    struct handle_entry *source[SK_MESSAGE_HANDLES_MAX];
    uint32_t marked = 0, index;
    for (; marked < count; marked++) {
        handle_t name = __atomic_load_n(&given[marked], __ATOMIC_RELAXED);
        struct handle_entry *entry = entry_find(from, name, &index);
        if (entry == NULL ||
            (entry->rights & (ENTRY_RESERVED | SK_RIGHT_TRANSFER)) != SK_RIGHT_TRANSFER ||
            entry->object->lock == but_not) {
            break;
        }
        store_relaxed(&entry->rights, entry->rights | ENTRY_RESERVED); /* not twice */
        source[marked] = entry;
    }
    /* Handles that stay within a job change no charge. */
    bool charges = from->job != to->job;
    if (marked < count || !has_free(to, count) ||
        (charges && job_charge(to->job, BUDGET_HANDLES, count) != SK_OK)) {
        while (marked-- > 0) {
            store_relaxed(&source[marked]->rights, source[marked]->rights & ~ENTRY_RESERVED);
        }
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        taken[i] = entry_move(from, source[i], to);
    }
    if (charges) {
        job_uncharge(from->job, BUDGET_HANDLES, count);
    }
    return true;
}
