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
#include <kernel/sched.h>
#include <kernel/step.h>
#include <kernel/syscalls.h>

#define LOG_WRITE_MAX 1024u
#define LOG_READ_CHUNK 512u
#define LOG_READ_UNITS 60    /* of a chunk, in those of step_take */
#define INFO_UNITS 8         /* of a struct sk_process_info, without its threads */
#define HANDLES_PER_LIST 64u /* 1.5 KiB of the kernel's stack */

_Static_assert((int)SK_MEMORY_RAM == (int)MEMORY_ANONYMOUS &&
                   (int)SK_MEMORY_DMA == (int)MEMORY_DMA &&
                   (int)SK_MEMORY_BOOT == (int)MEMORY_PHYSICAL &&
                   (int)SK_MEMORY_DEVICE == (int)MEMORY_DEVICE &&
                   (int)SK_MEMORY_SLICE == (int)MEMORY_SLICE,
               "the kinds of <skerry/info.h>");

/* Of system_info: step->start is the buffer, step->end its size, step->result what of it is written. */

/* Threads in the queues, and harts that are not idle. */
static uint32_t runnable_count(void)
{
    uint64_t idle = atomic_load_explicit(&sched_idle_harts, memory_order_relaxed);
    uint32_t count = 0;
    for (uint32_t i = 0; i < hart_count; i++) {
        bool online = atomic_load_explicit(&harts[i].online, memory_order_relaxed);
        count += atomic_load_explicit(&harts[i].ready_count, memory_order_relaxed);
        count += online && (idle & 1ull << i) == 0;
    }
    return count;
}

static status_t general_step(struct thread *self)
{
    struct step *step = &self->step;
    status_t status = job_used_total_step(step, BUDGET_HANDLES);
    if (status != SK_OK) {
        return status;
    }
    struct sk_system_info info = {
        .uptime_ns = clock_now_ns(),
        .timebase_hz = platform.timebase_hz,
        .memory_total_pages = page_total(),
        .memory_free_pages = page_free_count(),
        .messages = atomic_load_explicit(&message_live, memory_order_relaxed),
        .handles = step->value,
        .kernel_pages = page_kernel_count(),
        .runnable = runnable_count(),
    };
    for (uint32_t i = 0; i < SK_TYPE_COUNT; i++) {
        info.objects[i] = atomic_load_explicit(&object_live[i], memory_order_relaxed);
    }
    for (uint32_t i = 0; i < hart_count; i++) {
        info.harts += atomic_load_explicit(&harts[i].online, memory_order_relaxed);
    }
    if (step->end < sizeof(info)) {
        return SK_OK; /* as many as fit: none */
    }
    step->result = sizeof(info);
    return space_copy_out(&self->process->space, step->start, &info, sizeof(info));
}

/* The next process that lives, in step->object[1]; NULL at the end. PENDING: not in this step. */
static status_t next_process(struct step *step)
{
    struct object *before = step->object[1];
    for (;;) {
        if (!step_take(1)) {
            return SK_PENDING;
        }
        struct process *next = process_next(before == NULL ? NULL : process_from_object(before));
        before = next == NULL ? NULL : &next->object;
        step->object[1] = before;
        if (next == NULL || __atomic_load_n(&next->state, __ATOMIC_RELAXED) != SK_PROCESS_DEAD) {
            return SK_OK;
        }
    }
}

static status_t processes_step(struct thread *self)
{
    struct step *step = &self->step;
    while (step->end - step->result >= sizeof(struct sk_process_info)) {
        if (!step_take(INFO_UNITS)) {
            return SK_PENDING;
        }
        status_t status = next_process(step);
        if (status != SK_OK || step->object[1] == NULL) {
            return status;
        }
        struct sk_process_info info;
        process_info(process_from_object(step->object[1]), &info);
        status = space_copy_out(&self->process->space, step->start + step->result, &info,
                                sizeof(info));
        if (status != SK_OK) {
            return status;
        }
        step->result += sizeof(info);
    }
    return SK_OK;
}

static status_t jobs_step(struct thread *self)
{
    struct step *step = &self->step;
    while (step->object[1] != NULL && step->end - step->result >= sizeof(struct sk_job_info)) {
        if (!step_take(INFO_UNITS)) {
            return SK_PENDING;
        }
        struct sk_job_info info;
        job_info(container_of(step->object[1], struct job, object), &info);
        status_t status = space_copy_out(&self->process->space, step->start + step->result, &info,
                                         sizeof(info));
        if (status != SK_OK) {
            return status;
        }
        step->result += sizeof(info);
        job_walk_on(&step->object[1]);
    }
    return SK_OK;
}

static status_t harts_step(struct thread *self)
{
    struct step *step = &self->step;
    for (uint32_t i = 0; i < hart_count; i++) {
        const struct hart *hart = &harts[i];
        if (!atomic_load_explicit(&hart->online, memory_order_relaxed)) {
            continue; /* on its way, or left out */
        }
        struct sk_hart_info info = {
            .hart_id = hart->id,
            .timer_interrupts = hart->timer_interrupts,
            .switches = hart->switches,
            .system_calls = hart->system_calls,
            .idle_ns = hart->idle_ns,
            .ipi_received = hart->ipi_received,
        };
        if (step->end - step->result < sizeof(info)) {
            break;
        }
        status_t status = space_copy_out(&self->process->space, step->start + step->result, &info,
                                         sizeof(info));
        if (status != SK_OK) {
            return status;
        }
        step->result += sizeof(info);
    }
    return SK_OK;
}

status_t sys_system_info(struct thread *self, struct capability inspect, uint32_t topic,
                         vaddr_t buffer, uint64_t size, uint64_t *written)
{
    static status_t (*const topics[])(struct thread * self) = {
        [SK_SYSTEM_GENERAL] = general_step,
        [SK_SYSTEM_PROCESSES] = processes_step,
        [SK_SYSTEM_HARTS] = harts_step,
        [SK_SYSTEM_JOBS] = jobs_step,
    };
    if (!resource_is(inspect.object, SK_RESOURCE_INSPECT)) {
        return SK_WRONG_TYPE;
    }
    if (topic >= sizeof(topics) / sizeof(topics[0])) {
        return SK_INVALID_ARGS;
    }
    self->step = (struct step){.start = buffer, .end = size};
    bool of_jobs = topic == SK_SYSTEM_GENERAL || topic == SK_SYSTEM_JOBS;
    status_t status = step_start(self, topics[topic], inspect.object, of_jobs ? job_root() : NULL);
    *written = self->step.result;
    return status;
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

/* step->start is the buffer, step->at the place in the table, step->end room for so many entries, step->value the
 * process's id. */
static status_t handle_list_step(struct thread *self)
{
    struct step *step = &self->step;
    struct handle_listing listing = {.count = 0};
    do {
        status_t status = next_process(step);
        if (status != SK_OK) {
            return status;
        }
        /* They come in the order of their ids. */
        if (step->object[1] == NULL || step->object[1]->id > step->value) {
            return SK_NOT_FOUND;
        }
    } while (step->object[1]->id != step->value);
    step->result2 = step->at;
    handle_look(process_from_object(step->object[1]), &step->result2, (uint32_t)step->end,
                handle_listing_add, &listing);
    step->result = listing.count * sizeof(listing.entries[0]);
    return space_copy_out(&self->process->space, step->start, listing.entries, step->result);
}

status_t sys_handle_list(struct thread *self, struct capability inspect, uint64_t process_id,
                         uint64_t first, vaddr_t buffer, uint64_t size, uint64_t *written,
                         uint64_t *next)
{
    if (!resource_is(inspect.object, SK_RESOURCE_INSPECT)) {
        return SK_WRONG_TYPE;
    }
    uint64_t room = size / sizeof(struct sk_handle_entry);
    self->step = (struct step){.start = buffer,
                               .at = first,
                               .end = room < HANDLES_PER_LIST ? room : HANDLES_PER_LIST,
                               .value = process_id};
    status_t status = step_start(self, handle_list_step, inspect.object, NULL);
    *written = self->step.result;
    *next = self->step.result2;
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
    struct log_use *use = self->process->job->log;
    if (status == SK_OK && log_admits(use != NULL ? &use->writes : NULL, &log_writes,
                                      length * LOG_BYTE_NS, self->process->name, clock_now_ns())) {
        log_append(buffer, length);
    }
    return status;
}

/* step->start is the buffer, step->end its size. */
static status_t log_read_step(struct thread *self)
{
    char chunk[LOG_READ_CHUNK];
    struct step *step = &self->step;
    while (step->result < step->end) {
        uint64_t rest = step->end - step->result;
        if (!step_take(LOG_READ_UNITS)) {
            return SK_PENDING;
        }
        size_t length = log_copy(step->result2, chunk, rest < sizeof(chunk) ? rest : sizeof(chunk),
                                 &step->result2);
        if (length == 0) {
            break;
        }
        status_t status = space_copy_out(&self->process->space, step->start + step->result, chunk,
                                         length);
        if (status != SK_OK) {
            return status;
        }
        step->result += length;
    }
    return SK_OK;
}

status_t sys_log_read(struct thread *self, struct capability log, uint64_t position, vaddr_t buffer,
                      uint64_t size, uint64_t *copied, uint64_t *next)
{
    if (!resource_is(log.object, SK_RESOURCE_LOG)) {
        return SK_WRONG_TYPE;
    }
    self->step = (struct step){.start = buffer, .end = size, .result2 = position};
    status_t status = step_start(self, log_read_step, log.object, NULL);
    *copied = self->step.result;
    *next = self->step.result2;
    return status;
}

status_t sys_log_take_console(struct thread *self, struct capability log, struct capability arrival,
                              uint64_t *position)
{
    if (!resource_is(log.object, SK_RESOURCE_LOG)) {
        return SK_WRONG_TYPE;
    }
    object_get(arrival.object);
    status_t status = log_take_console(arrival.object, position);
    if (status != SK_OK) {
        object_put(arrival.object);
    }
    return status;
}
