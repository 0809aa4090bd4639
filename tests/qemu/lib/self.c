/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exact accounts, children of the same program, and short names for preparations.
 */
#include "self.h"

#include <stdlib.h>

#include <sk/cpio.h>

#define BACK_LIMIT (5 * SK_SECOND)
/* What a first touch leaves charged stays; a page on its way back is there much sooner. */
#define PAGES_LIMIT (50 * SK_MS)
/* More than any test allocates. */
#define HEAP_WARM ((size_t)600 << 10)
#define OWN_PRIORITY 20u /* as etc/bare.manifest says */

int self_run_mode(const struct self_mode *modes, size_t count, int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < count; i++) {
        if (strcmp(modes[i].name, argv[1]) == 0) {
            return modes[i].run(argc - 1, argv + 1);
        }
    }
    return -1;
}

/* Found once; the archive stays mapped, which the counts of every case include. */
static const struct sk_cpio_entry *own_image(void)
{
    static struct sk_cpio_entry image;
    if (image.name == NULL) {
        char path[64];
        struct sk_memory_info info;
        uint64_t written, address;
        handle_t bootfs = sk_boot_handle("bootfs");
        snprintf(path, sizeof path, "bin/%s", sk_self_name);
        must(sk_object_info(bootfs, &info, sizeof info, &written));
        must(sk_memory_map(sk_self_process, bootfs, 0, info.size, 0, SK_PROT_READ, &address));
        must(sk_cpio_find((const void *)address, info.size, path, &image));
    }
    return &image;
}

status_t self_start(const struct self_start *start, struct sk_child *child)
{
    const struct sk_cpio_entry *image = own_image();
    const char *arguments[] = {sk_self_name, start->mode, start->argument};
    struct sk_spawn spawn = {
        .name = sk_self_name,
        .job = start->job,
        .priority = start->priority,
        .image = sk_boot_handle("bootfs"),
        .image_offset = image->offset,
        .image_size = image->size,
        .argument_count = start->argument != NULL ? 3 : 2,
        .arguments = arguments,
        .handles = start->handles,
        .handle_count = start->handle_count,
    };
    return sk_spawn(&spawn, child);
}

status_t self_try_spawn(handle_t job, const char *mode, const char *argument, handle_t handle,
                        struct sk_child *child)
{
    struct sk_spawn_handle handles[] = {
        {"log", duplicate(sk_boot_handle("log"), SK_RIGHT_WRITE | SK_RIGHT_TRANSFER)},
        {"given", handle},
    };
    struct self_start start = {
        .job = job,
        .mode = mode,
        .argument = argument,
        .handles = handles,
        .handle_count = handle != SK_HANDLE_NONE ? 2 : 1,
    };
    return self_start(&start, child);
}

struct sk_child self_spawn(handle_t job, const char *mode, const char *argument, handle_t handle)
{
    struct sk_child child;
    must(self_try_spawn(job, mode, argument, handle, &child));
    return child;
}

void self_expect_exit(struct sk_child *child, int64_t code)
{
    struct sk_process_info info = test_child_end(child);
    test_equal(info.exit_reason, SK_EXIT_EXITED);
    test_equal(info.exit_code, code);
}

struct sk_job_info job_info(handle_t job)
{
    struct sk_job_info info = {0};
    uint64_t written;
    must(sk_object_info(job, &info, sizeof info, &written));
    return info;
}

static bool same_but_pages(struct sk_job_info a, struct sk_job_info b)
{
    a.used.pages = b.used.pages = 0;
    a.cpu_time_ns = b.cpu_time_ns = a.cpu_ran_out = b.cpu_ran_out = 0;
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Waits for everything but pages; then a little for those. True if they are back too. */
static bool budget_back(const struct sk_job_info *before, uint64_t pages_limit)
{
    uint64_t limit = sk_deadline_after(BACK_LIMIT);
    struct sk_job_info now = job_info(sk_self_job);
    while (!same_but_pages(now, *before) && sk_now() < limit) {
        sk_sleep(SK_MS);
        now = job_info(sk_self_job);
    }
    test_equal(now.limit.pages, before->limit.pages);
    test_equal(now.limit.objects, before->limit.objects);
    test_equal(now.used.objects, before->used.objects);
    test_equal(now.used.handles, before->used.handles);
    test_equal(now.used.messages, before->used.messages);
    test_equal(now.used.threads, before->used.threads);
    test_equal(now.children, before->children);
    limit = sk_deadline_after(pages_limit);
    while (now.used.pages > before->used.pages && sk_now() < limit) {
        sk_sleep(SK_MS);
        now = job_info(sk_self_job);
    }
    return now.used.pages <= before->used.pages;
}

static void (*case_body)(void);

static void case_exact(void)
{
    struct sk_job_info before = job_info(sk_self_job);
    case_body();
    if (budget_back(&before, PAGES_LIMIT)) {
        return;
    }
    before = job_info(sk_self_job);
    case_body();
    if (!budget_back(&before, BACK_LIMIT)) {
        test_equal(job_info(sk_self_job).used.pages, before.used.pages);
    }
}

void self_case(const char *name, void (*body)(void))
{
    case_body = body;
    test_case(name, case_exact);
}

void make_channel(handle_t ends[2])
{
    must(sk_channel_create(sk_self_job, &ends[0], &ends[1]));
}

handle_t make_event(void)
{
    handle_t event;
    must(sk_event_create(sk_self_job, &event));
    return event;
}

handle_t make_memory(uint64_t pages)
{
    handle_t memory;
    must(sk_memory_create(sk_self_job, pages * SK_PAGE_SIZE, 0, &memory));
    return memory;
}

uint64_t map_memory(handle_t memory, uint64_t pages, uint32_t flags)
{
    uint64_t address = 0;
    must(sk_memory_map(sk_self_process, memory, 0, pages * SK_PAGE_SIZE, 0, flags, &address));
    return address;
}

handle_t duplicate(handle_t handle, uint32_t rights)
{
    handle_t copy;
    must(sk_handle_duplicate(handle, rights, &copy));
    return copy;
}

uint32_t rights_of(handle_t handle)
{
    uint64_t type_and_rights = 0, id;
    test_status(sk_handle_info(handle, &type_and_rights, &id), SK_OK);
    return (uint32_t)(type_and_rights >> 32);
}

uint64_t id_of(handle_t handle)
{
    uint64_t type_and_rights, id = 0;
    test_status(sk_handle_info(handle, &type_and_rights, &id), SK_OK);
    return id;
}

bool handle_is_good(handle_t handle)
{
    uint64_t type_and_rights, id;
    return sk_handle_info(handle, &type_and_rights, &id) == SK_OK;
}

void close_all(const handle_t *handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        test_status(sk_handle_close(handles[i]), SK_OK);
    }
}

static uint64_t edge_page;

void *edge(void)
{
    return (void *)(edge_page + SK_PAGE_SIZE - 32);
}

void self_begin(void)
{
    own_image();
    uint64_t written;
    void *warm = malloc(HEAP_WARM);
    must(sk_object_info(sk_self_job, warm, HEAP_WARM, &written)); /* so that it is not left out */
    free(warm);
    handle_t memory = make_memory(2);
    edge_page = map_memory(memory, 2, SK_PROT_READ | SK_PROT_WRITE);
    must(sk_memory_protect(sk_self_process, edge_page + SK_PAGE_SIZE, SK_PAGE_SIZE, 0));
    must(sk_handle_close(memory));
}

void fill(void *bytes, size_t length, uint32_t seed)
{
    uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++) {
        at[i] = (uint8_t)(seed + i * 7 + (i >> 8));
    }
}

bool filled(const void *bytes, size_t length, uint32_t seed)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i++) {
        if (at[i] != (uint8_t)(seed + i * 7 + (i >> 8))) {
            return false;
        }
    }
    return true;
}

uint32_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 33);
}

void start_thread_at(struct sk_thread *thread, void (*entry)(void *), void *argument,
                     uint32_t priority)
{
    must(sk_thread_start(thread, entry, argument, 0, priority));
}

void start_thread(struct sk_thread *thread, void (*entry)(void *), void *argument)
{
    start_thread_at(thread, entry, argument, OWN_PRIORITY);
}

void join_thread(struct sk_thread *thread)
{
    must(sk_thread_join(thread, sk_deadline_after(30 * SK_SECOND)));
}

void wait_blocked(handle_t thread)
{
    struct sk_thread_info info = {.state = 0};
    uint64_t written, limit = test_deadline();
    while (info.state != 1 && sk_now() < limit) {
        must(sk_object_info(thread, &info, sizeof info, &written));
        sk_thread_yield();
        if (info.state != 1) {
            sk_sleep(100 * SK_US);
        }
    }
    test_equal(info.state, 1);
}
