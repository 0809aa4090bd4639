/* SPDX-License-Identifier: BSD-2-Clause */
/* Objects, and the service's handle table. See double.h. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>

#include <sk/service.h>

#define HANDLES_MAX 4096u
#define INDEX_BITS 12

static struct entry {
    struct held held;
    uint32_t generation;
    uint32_t number; /* counts all handles ever made */
} table[HANDLES_MAX];
static uint32_t table_used;

struct object *double_objects;
uint64_t double_now = 1000000000;
uint64_t double_clock_step;
uint64_t double_job_pages = 100000;
bool double_power_is_allowed;
void (*double_fill)(void *buffer, size_t size);
void (*double_process)(struct object *process, bool started);

static uint64_t next_id = 100;
static uint32_t fail_in;

void double_fail_in(uint32_t n)
{
    fail_in = n;
}

bool double_must_fail(void)
{
    return fail_in != 0 && --fail_in == 0;
}

/* --- Objects --- */

struct object *object_new(enum sk_type type)
{
    struct object *object = calloc(1, sizeof *object);
    object->type = type;
    object->id = next_id += 2;
    object->next = double_objects;
    double_objects = object;
    return object;
}

/* Zeroed when touched, as most of it never is; a page that nobody may touch lies on either side. */
static uint8_t *pages_make(uint64_t size)
{
    uint8_t *pages = mmap(NULL, size + 2 * SK_PAGE_SIZE, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + SK_PAGE_SIZE, size, PROT_READ | PROT_WRITE) != 0) {
        double_broke("no memory for a memory object");
    }
    return pages + SK_PAGE_SIZE;
}

static void pages_free(uint8_t *pages, uint64_t size)
{
    munmap(pages - SK_PAGE_SIZE, size + 2 * SK_PAGE_SIZE);
}

void object_free_if_unused(struct object *object)
{
    if (object->handles != 0 || object->maps != 0) {
        return;
    }
    struct object **link = &double_objects;
    while (*link != object) {
        link = &(*link)->next;
    }
    *link = object->next;
    struct object *whole = object->whole;
    if (whole == NULL && object->bytes != NULL) {
        pages_free(object->bytes, object->size);
    }
    free(object);
    if (whole != NULL) {
        whole->maps--;
        object_free_if_unused(whole);
    }
}

void object_drop(struct object *object)
{
    if (--object->handles != 0) {
        return;
    }
    object_leave_waitsets(object);
    if (object->type == SK_TYPE_ENDPOINT) {
        endpoint_closed(object);
    } else if (object->type == SK_TYPE_WAITSET) {
        waitset_clear(object);
    }
    object_free_if_unused(object);
}

struct held object_hold(struct object *object, uint32_t rights)
{
    object->handles++;
    return (struct held){object, rights};
}

struct held object_make(enum sk_type type)
{
    return object_hold(object_new(type), DOUBLE_ALL_RIGHTS);
}

struct held memory_make(const void *bytes, uint64_t size)
{
    struct object *memory = object_new(SK_TYPE_MEMORY);
    memory->size = (size + SK_PAGE_SIZE - 1) / SK_PAGE_SIZE * SK_PAGE_SIZE;
    memory->bytes = pages_make(memory->size);
    if (bytes != NULL) {
        memcpy(memory->bytes, bytes, size);
    }
    return object_hold(memory, DOUBLE_ALL_RIGHTS);
}

void channel_make(struct held ends[2])
{
    struct object *a = object_new(SK_TYPE_ENDPOINT), *b = object_new(SK_TYPE_ENDPOINT);
    b->id = a->id | 1;
    a->peer = b;
    b->peer = a;
    ends[0] = object_hold(a, DOUBLE_ALL_RIGHTS);
    ends[1] = object_hold(b, DOUBLE_ALL_RIGHTS);
}

void held_drop(struct held *held)
{
    if (held->object != NULL) {
        object_drop(held->object);
        held->object = NULL;
    }
}

struct held held_copy(struct held held, uint32_t rights)
{
    return object_hold(held.object, held.rights & rights);
}

void object_signal(struct object *object, uint32_t signals)
{
    object->signals |= signals;
}

void process_end(struct object *process)
{
    if ((process->signals & SK_SIGNAL_TERMINATED) != 0) {
        return;
    }
    process->signals |= SK_SIGNAL_TERMINATED;
    if (double_process != NULL) {
        double_process(process, false);
    }
}

/* --- The table --- */

static struct entry *entry_of(handle_t handle)
{
    struct entry *entry = &table[handle % HANDLES_MAX];
    return entry->held.object != NULL && entry->generation == handle >> INDEX_BITS ? entry : NULL;
}

struct object *handle_object(handle_t handle, enum sk_type type, uint32_t rights, status_t *status)
{
    struct entry *entry = entry_of(handle);
    if (entry == NULL) {
        *status = SK_BAD_HANDLE;
    } else if (type != SK_TYPE_NONE && entry->held.object->type != type) {
        *status = SK_WRONG_TYPE;
    } else if ((entry->held.rights & rights) != rights) {
        *status = SK_ACCESS_DENIED;
    } else {
        return entry->held.object;
    }
    return NULL;
}

const struct held *handle_held(handle_t handle)
{
    struct entry *entry = entry_of(handle);
    return entry != NULL ? &entry->held : NULL;
}

handle_t handle_insert(struct held held)
{
    static uint32_t next = 1;
    for (uint32_t i = 0; i < HANDLES_MAX; i++, next++) {
        struct entry *entry = &table[next % HANDLES_MAX];
        if (next % HANDLES_MAX != 0 && entry->held.object == NULL) {
            entry->held = held;
            entry->number = next;
            entry->generation = (entry->generation + 1) % (1u << 18);
            table_used++;
            return entry->generation << INDEX_BITS | next++ % HANDLES_MAX;
        }
    }
    double_broke("the service has %u handles", HANDLES_MAX);
}

struct held handle_remove(handle_t handle)
{
    struct entry *entry = entry_of(handle);
    struct held held = entry->held;
    entry->held.object = NULL;
    table_used--;
    return held;
}

uint32_t double_handles(void)
{
    return table_used;
}

void double_tell_handles(void)
{
    for (uint32_t i = 0; i < HANDLES_MAX; i++) {
        const struct object *object = table[i].held.object;
        if (object != NULL) {
            fprintf(stderr, "handle: type %u, object %llu%s, rights %x, made as number %u\n",
                    object->type, (unsigned long long)object->id,
                    object->type == SK_TYPE_ENDPOINT && object->peer == NULL ? " without peer" : "",
                    table[i].held.rights, table[i].number);
        }
    }
}

handle_t double_give(struct held held)
{
    return handle_insert(held);
}

struct held outside_take(handle_t handle)
{
    return entry_of(handle) != NULL ? handle_remove(handle) : (struct held){NULL, 0};
}
