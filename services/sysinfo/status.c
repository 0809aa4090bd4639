/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON by hand: a writer that counts on when the room is used up, and fails at the end.
 * Tests: tests/host/services/sysinfo/test_status.c.
 */
#include "status.h"

#include <stdbool.h>
#include <string.h>

struct writer {
    char *out;
    size_t size;
    size_t used; /* > size: did not fit */
    bool comma;  /* a value was written at this level */
};

static void put(struct writer *w, char c)
{
    if (w->used < w->size) {
        w->out[w->used] = c;
    }
    w->used++;
}

static void put_text(struct writer *w, const char *text)
{
    while (*text != 0) {
        put(w, *text++);
    }
}

/* At most `max` bytes of a name; what is not printable ASCII is escaped as if it were Latin-1. */
static void put_string(struct writer *w, const char *text, size_t max)
{
    static const char digits[] = "0123456789abcdef";
    put(w, '"');
    for (size_t i = 0; i < max && text[i] != 0; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            put(w, '\\');
            put(w, (char)c);
        } else if (c < ' ' || c >= 127) {
            put_text(w, "\\u00");
            put(w, digits[c >> 4]);
            put(w, digits[c & 15]);
        } else {
            put(w, (char)c);
        }
    }
    put(w, '"');
}

static void put_number(struct writer *w, uint64_t value)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0) {
        put(w, digits[--count]);
    }
}

static void key(struct writer *w, const char *name)
{
    if (w->comma) {
        put(w, ',');
    }
    w->comma = true;
    put(w, '"');
    put_text(w, name);
    put_text(w, "\":");
}

static void number(struct writer *w, const char *name, uint64_t value)
{
    key(w, name);
    put_number(w, value);
}

static void string(struct writer *w, const char *name, const char *text, size_t max)
{
    key(w, name);
    put_string(w, text, max);
}

/* An object or array, as a member (`name`) or as an element (NULL). */
static void open(struct writer *w, const char *name, char bracket)
{
    if (name != NULL) {
        key(w, name);
    } else if (w->comma) {
        put(w, ',');
    }
    put(w, bracket);
    w->comma = false;
}

static void close(struct writer *w, char bracket)
{
    put(w, bracket);
    w->comma = true;
}

static const char *process_state(uint32_t state)
{
    static const char *const words[] = {"new", "running", "ending", "ended"};
    return state < sizeof(words) / sizeof(words[0]) ? words[state] : "unknown";
}

static const char *service_state(uint32_t state)
{
    static const char *const words[] = {"off", "starting", "up", "ended", "failed", "restarting"};
    return state < sizeof(words) / sizeof(words[0]) ? words[state] : "unknown";
}

static const char *end_cause(uint32_t cause)
{
    static const char *const words[] = {"",          "exited",      "killed",
                                        "fault",     "over budget", "hung",
                                        "torn down", "not started", "nonsense"};
    return cause < sizeof(words) / sizeof(words[0]) ? words[cause] : "unknown";
}

static void write_memory(struct writer *w, const struct sk_system_info *system)
{
    open(w, "memory", '{');
    number(w, "total", system->memory_total_pages * SK_PAGE_SIZE);
    number(w, "free", system->memory_free_pages * SK_PAGE_SIZE);
    number(w, "kernel", system->kernel_pages * SK_PAGE_SIZE);
    close(w, '}');
}

static void write_objects(struct writer *w, const struct sk_system_info *system)
{
    static const char *const names[SK_TYPE_COUNT] = {
        [SK_TYPE_JOB] = "jobs",
        [SK_TYPE_PROCESS] = "processes",
        [SK_TYPE_THREAD] = "threads",
        [SK_TYPE_ENDPOINT] = "endpoints",
        [SK_TYPE_MEMORY] = "memories",
        [SK_TYPE_WAITSET] = "waitsets",
        [SK_TYPE_EVENT] = "events",
        [SK_TYPE_TIMER] = "timers",
        [SK_TYPE_INTERRUPT] = "interrupts",
        [SK_TYPE_RESOURCE] = "resources",
    };
    open(w, "objects", '{');
    for (int type = SK_TYPE_NONE + 1; type < SK_TYPE_COUNT; type++) {
        number(w, names[type], system->objects[type]);
    }
    number(w, "handles", system->handles);
    number(w, "messages", system->messages);
    close(w, '}');
}

static void write_harts(struct writer *w, const struct status_input *input)
{
    open(w, "harts", '[');
    for (size_t i = 0; i < input->hart_count; i++) {
        const struct sk_hart_info *hart = &input->harts[i];
        open(w, NULL, '{');
        number(w, "id", hart->hart_id);
        number(w, "idle_ms", hart->idle_ns / 1000000);
        number(w, "switches", hart->switches);
        number(w, "system_calls", hart->system_calls);
        number(w, "timer_interrupts", hart->timer_interrupts);
        number(w, "ipi_received", hart->ipi_received);
        close(w, '}');
    }
    close(w, ']');
}

static void write_processes(struct writer *w, const struct status_input *input)
{
    open(w, "processes", '[');
    for (size_t i = 0; i < input->process_count; i++) {
        const struct sk_process_info *process = &input->processes[i];
        open(w, NULL, '{');
        number(w, "id", process->id);
        string(w, "name", process->name, sizeof(process->name));
        string(w, "state", process_state(process->state), SIZE_MAX);
        number(w, "threads", process->threads);
        number(w, "handles", process->handles);
        number(w, "memory", process->mapped_pages * SK_PAGE_SIZE);
        number(w, "cpu_us", process->run_time_ns / 1000);
        close(w, '}');
    }
    close(w, ']');
}

/* A job has no name of its own: it is told by that of its oldest process. */
static void write_job_name(struct writer *w, const struct status_input *input, uint64_t job_id)
{
    for (size_t i = 0; i < input->process_count; i++) {
        const struct sk_process_info *process = &input->processes[i];
        if (process->job_id == job_id) {
            string(w, "name", process->name, sizeof(process->name));
            return;
        }
    }
    string(w, "name", "", 0);
}

static void write_budget(struct writer *w, const char *name, uint64_t used, uint64_t limit)
{
    open(w, name, '{');
    number(w, "used", used);
    number(w, "limit", limit);
    close(w, '}');
}

static void write_jobs(struct writer *w, const struct status_input *input)
{
    open(w, "jobs", '[');
    for (size_t i = 0; i < input->job_count; i++) {
        const struct sk_job_info *job = &input->jobs[i];
        open(w, NULL, '{');
        number(w, "id", job->id);
        number(w, "parent", job->parent_id);
        write_job_name(w, input, job->id);
        number(w, "processes", job->processes);
        number(w, "cpu_us", job->cpu_time_ns / 1000);
        number(w, "cpu_share", job->limit.cpu);
        number(w, "cpu_ran_out", job->cpu_ran_out);
        write_budget(w, "memory", job->used.pages * SK_PAGE_SIZE, job->limit.pages * SK_PAGE_SIZE);
        write_budget(w, "objects", job->used.objects, job->limit.objects);
        write_budget(w, "handles", job->used.handles, job->limit.handles);
        write_budget(w, "messages", job->used.messages, job->limit.messages);
        write_budget(w, "threads", job->used.threads, job->limit.threads);
        close(w, '}');
    }
    close(w, ']');
}

static void write_services(struct writer *w, const struct status_input *input)
{
    open(w, "services", '[');
    for (size_t i = 0; i < input->service_count; i++) {
        const struct sk_init_service *service = &input->services[i];
        open(w, NULL, '{');
        string(w, "service", service->service, sizeof(service->service));
        string(w, "program", service->program, sizeof(service->program));
        string(w, "state", service_state(service->state), SIZE_MAX);
        number(w, "process", service->process_id);
        number(w, "restarts", service->restarts);
        string(w, "last_cause", end_cause(service->cause), SIZE_MAX);
        close(w, '}');
    }
    close(w, ']');
}

size_t status_write(const struct status_input *input, char *out, size_t size)
{
    struct writer writer = {.out = out, .size = size}, *w = &writer;
    open(w, NULL, '{');
    number(w, "schema", STATUS_SCHEMA);
    string(w, "version", input->version, SIZE_MAX);
    number(w, "uptime_ms", input->system->uptime_ns / 1000000);
    number(w, "timebase_hz", input->system->timebase_hz);
    write_memory(w, input->system);
    write_objects(w, input->system);
    number(w, "runnable", input->system->runnable);
    write_harts(w, input);
    write_processes(w, input);
    write_jobs(w, input);
    write_services(w, input);
    close(w, '}');
    put(w, '\n');
    return w->used <= size ? w->used : 0;
}
