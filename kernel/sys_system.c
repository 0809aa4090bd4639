/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on the system as a whole: statistics and the kernel log.
 */
#include <string.h>

#include <kernel/clock.h>
#include <kernel/hart.h>
#include <kernel/log.h>
#include <kernel/page.h>
#include <kernel/platform.h>
#include <kernel/process.h>
#include <kernel/resource.h>
#include <kernel/syscalls.h>

#define LOG_WRITE_MAX 1024u
#define LOG_READ_CHUNK 512u
#define HANDLES_PER_LIST 64u /* 1.5 KiB of the kernel's stack */

_Static_assert((int)SK_MEMORY_RAM == (int)MEMORY_ANONYMOUS &&
                   (int)SK_MEMORY_DMA == (int)MEMORY_DMA &&
                   (int)SK_MEMORY_BOOT == (int)MEMORY_PHYSICAL &&
                   (int)SK_MEMORY_DEVICE == (int)MEMORY_DEVICE &&
                   (int)SK_MEMORY_SLICE == (int)MEMORY_SLICE,
               "the kinds of <skerry/info.h>");

static status_t general_info(struct thread *self, vaddr_t buffer, uint64_t size, uint64_t *written)
{
    struct sk_system_info info = {
        .uptime_ns = clock_now_ns(),
        .timebase_hz = platform.timebase_hz,
        .memory_total_pages = page_total(),
        .memory_free_pages = page_free_count(),
        .messages = atomic_load_explicit(&message_live, memory_order_relaxed),
        .handles = job_used_total(BUDGET_HANDLES),
        .kernel_pages = page_kernel_count(),
    };
    for (uint32_t i = 0; i < SK_TYPE_COUNT; i++) {
        info.objects[i] = atomic_load_explicit(&object_live[i], memory_order_relaxed);
    }
    for (uint32_t i = 0; i < hart_count; i++) {
        info.harts += atomic_load_explicit(&harts[i].online, memory_order_relaxed);
    }
    if (size < sizeof(info)) {
        return SK_OK; /* as many as fit: none */
    }
    *written = sizeof(info);
    return space_copy_out(&self->process->space, buffer, &info, sizeof(info));
}

/* The process with the smallest id above `after`: one at a time, so that nothing is copied to user
 * memory under the list's lock. */
struct process_search {
    uint64_t after;
    struct process *found; /* +1 */
};

static bool process_search_visit(struct process *process, void *context)
{
    struct process_search *search = context;
    if (process->object.id <= search->after) {
        return true;
    }
    /* The list is in the order of creation, hence of ids. */
    search->found = process;
    object_get(&process->object);
    return false;
}

static status_t process_infos(struct thread *self, vaddr_t buffer, uint64_t size, uint64_t *written)
{
    struct process_search search = {0};
    while (size - *written >= sizeof(struct sk_process_info)) {
        search.found = NULL;
        process_visit_all(process_search_visit, &search);
        if (search.found == NULL) {
            break;
        }
        struct sk_process_info info;
        process_info(search.found, &info);
        search.after = search.found->object.id;
        object_put(&search.found->object);
        status_t status = space_copy_out(&self->process->space, buffer + *written, &info,
                                         sizeof(info));
        if (status != SK_OK) {
            return status;
        }
        *written += sizeof(info);
    }
    return SK_OK;
}

static status_t hart_infos(struct thread *self, vaddr_t buffer, uint64_t size, uint64_t *written)
{
    for (uint32_t i = 0; i < hart_count; i++) {
        const struct hart *hart = &harts[i];
        struct sk_hart_info info = {
            .hart_id = hart->id,
            .timer_interrupts = hart->timer_interrupts,
            .switches = hart->switches,
            .system_calls = hart->system_calls,
            .idle_ns = hart->idle_ns,
            .ipi_received = hart->ipi_received,
        };
        if (size - *written < sizeof(info)) {
            break;
        }
        status_t status = space_copy_out(&self->process->space, buffer + *written, &info,
                                         sizeof(info));
        if (status != SK_OK) {
            return status;
        }
        *written += sizeof(info);
    }
    return SK_OK;
}

status_t sys_system_info(struct thread *self, struct capability inspect, uint32_t topic,
                         vaddr_t buffer, uint64_t size, uint64_t *written)
{
    if (!resource_is(inspect.object, SK_RESOURCE_INSPECT)) {
        return SK_WRONG_TYPE;
    }
    switch (topic) {
    case SK_SYSTEM_GENERAL:
        return general_info(self, buffer, size, written);
    case SK_SYSTEM_PROCESSES:
        return process_infos(self, buffer, size, written);
    case SK_SYSTEM_HARTS:
        return hart_infos(self, buffer, size, written);
    default:
        return SK_INVALID_ARGS;
    }
}

struct handle_listing {
    struct sk_handle_entry entries[HANDLES_PER_LIST];
    uint32_t count;
};

static uint32_t kind_of(const struct object *object)
{
    switch (object->type) {
    case SK_TYPE_RESOURCE:
        return container_of(object, struct resource, object)->kind;
    case SK_TYPE_MEMORY:
        return container_of(object, struct memory, object)->kind;
    default:
        return 0;
    }
}

static void handle_listing_add(struct object *object, uint32_t rights, void *context)
{
    struct handle_listing *listing = context;
    listing->entries[listing->count++] = (struct sk_handle_entry){
        .object_id = object->id, .type = object->type, .rights = rights, .kind = kind_of(object)};
}

status_t sys_handle_list(struct thread *self, struct capability inspect, uint64_t process_id,
                         uint64_t first, vaddr_t buffer, uint64_t size, uint64_t *written,
                         uint64_t *next)
{
    struct process_search search = {.after = process_id - 1};
    struct handle_listing listing = {.count = 0};
    if (!resource_is(inspect.object, SK_RESOURCE_INSPECT)) {
        return SK_WRONG_TYPE;
    }
    process_visit_all(process_search_visit, &search);
    if (search.found == NULL) {
        return SK_NOT_FOUND;
    }
    status_t status = search.found->object.id == process_id ? SK_OK : SK_NOT_FOUND;
    if (status == SK_OK) {
        uint64_t room = size / sizeof(listing.entries[0]);
        uint32_t most = room < HANDLES_PER_LIST ? (uint32_t)room : HANDLES_PER_LIST;
        *next = first;
        handle_look(search.found, next, most, handle_listing_add, &listing);
        *written = listing.count * sizeof(listing.entries[0]);
        status = space_copy_out(&self->process->space, buffer, listing.entries, *written);
    }
    object_put(&search.found->object);
    return status;
}

status_t sys_log_write(struct thread *self, struct capability log, vaddr_t text, uint64_t length)
{
    char buffer[LOG_WRITE_MAX];
    if (!resource_is(log.object, SK_RESOURCE_LOG)) {
        return SK_WRONG_TYPE;
    }
    if (length > sizeof(buffer)) {
        return SK_INVALID_ARGS;
    }
    status_t status = space_copy_in(&self->process->space, buffer, text, length);
    if (status == SK_OK) {
        log_append(buffer, length);
    }
    return status;
}

status_t sys_log_read(struct thread *self, struct capability log, uint64_t position, vaddr_t buffer,
                      uint64_t size, uint64_t *copied, uint64_t *next)
{
    char chunk[LOG_READ_CHUNK];
    if (!resource_is(log.object, SK_RESOURCE_LOG)) {
        return SK_WRONG_TYPE;
    }
    *next = position;
    while (*copied < size) {
        size_t most = size - *copied < sizeof(chunk) ? size - *copied : sizeof(chunk);
        size_t length = log_copy(*next, chunk, most, next);
        if (length == 0) {
            break;
        }
        status_t status = space_copy_out(&self->process->space, buffer + *copied, chunk, length);
        if (status != SK_OK) {
            return status;
        }
        *copied += length;
    }
    return SK_OK;
}

status_t sys_log_take_console(struct thread *self, struct capability log, struct capability arrival)
{
    if (!resource_is(log.object, SK_RESOURCE_LOG)) {
        return SK_WRONG_TYPE;
    }
    object_get(arrival.object);
    status_t status = log_take_console(arrival.object);
    if (status != SK_OK) {
        object_put(arrival.object);
    }
    return status;
}
