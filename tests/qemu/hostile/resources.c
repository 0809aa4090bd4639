/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that take all there is: of each kind of object, of processes, of time. Running out must be
 * an error of theirs, with the reason, every time.
 */
#include <stdlib.h>

#include "hostile.h"

#define KEPT_MAX 20000u

static handle_t kept[KEPT_MAX];
static uint32_t kept_count;

static bool keep(handle_t handle)
{
    kept[kept_count++] = handle;
    return kept_count < KEPT_MAX;
}

static void give_back(uint32_t left)
{
    while (kept_count > left) {
        sk_handle_close(kept[--kept_count]);
    }
}

static status_t take_handle(void)
{
    handle_t copy;
    status_t status = sk_handle_duplicate(sk_self_process, SK_RIGHT_WAIT, &copy);
    return status == SK_OK && !keep(copy) ? SK_NO_SPACE : status;
}

static status_t take_channel(void)
{
    handle_t ends[2];
    status_t status = sk_channel_create(sk_self_job, &ends[0], &ends[1]);
    return status == SK_OK && (!keep(ends[0]) || !keep(ends[1])) ? SK_NO_SPACE : status;
}

static status_t take_memory(void)
{
    handle_t memory;
    status_t status = sk_memory_create(sk_self_job, 16 * SK_PAGE_SIZE, SK_MEMORY_COMMIT, &memory);
    return status == SK_OK && !keep(memory) ? SK_NO_SPACE : status;
}

static void sleep_on(void *argument)
{
    sk_thread_sleep(SK_DEADLINE_NEVER);
}

/* Threads on stacks of a page each; they go with the program. */
static status_t take_thread(void)
{
    static struct sk_thread threads[1024];
    static uint32_t count;
    status_t status = count == COUNT(threads) ? SK_NO_SPACE
                                              : sk_thread_start(&threads[count], sleep_on, NULL,
                                                                SK_PAGE_SIZE, HOSTILE_PRIORITY);
    count += status == SK_OK;
    return status;
}

static status_t take_process(void)
{
    handle_t process;
    status_t status = sk_process_create(sk_self_job, "many", 4, &process);
    return status == SK_OK && !keep(process) ? SK_NO_SPACE : status;
}

/* Fills the inbox of a new channel, then of the next. */
static status_t take_message(void)
{
    static char text[200];
    static handle_t end = SK_HANDLE_NONE;
    struct sk_out out = sk_out_bytes(text, sizeof text);
    status_t status = end == SK_HANDLE_NONE ? SK_FULL : sk_channel_send(end, &out);
    if (status == SK_FULL || status == SK_PEER_CLOSED || status == SK_BAD_HANDLE) {
        handle_t ends[2];
        status = sk_channel_create(sk_self_job, &ends[0], &ends[1]);
        if (status == SK_OK) {
            end = ends[0];
            status = keep(ends[0]) && keep(ends[1]) ? SK_OK : SK_NO_SPACE;
        }
    }
    return status;
}

static status_t take_waitset(void)
{
    handle_t set;
    status_t status = sk_waitset_create(sk_self_job, &set);
    if (status == SK_OK) {
        status = keep(set) ? SK_OK : SK_NO_SPACE;
        for (uint32_t i = 0; i < 20 && i < kept_count && status == SK_OK; i++) {
            sk_waitset_add(set, kept[i], SK_SIGNAL_TERMINATED | SK_SIGNAL_EVENT, i);
            handle_t event;
            status = sk_event_create(sk_self_job, &event);
            status = status == SK_OK && !keep(event) ? SK_NO_SPACE : status;
        }
    }
    return status;
}

static status_t take_timer(void)
{
    handle_t timer;
    status_t status = sk_timer_create(sk_self_job, &timer);
    if (status == SK_OK) {
        sk_timer_set(timer, sk_deadline_after(kept_count % 50 * SK_US));
        status = keep(timer) ? SK_OK : SK_NO_SPACE;
    }
    return status;
}

/* Maps the same page again and again, far apart: regions, and page tables for them. */
#define WINDOW ((uint64_t)8 << 30)
static uint64_t mappings;

static bool is_near(uintptr_t place, uint64_t window)
{
    return place + WINDOW > window && place < window + 2 * WINDOW;
}

/* Addresses where nothing of this program lies: program and stack are at random places. */
static uint64_t free_window(void)
{
    char on_stack;
    uint64_t window = WINDOW;
    while (is_near((uintptr_t)&on_stack, window) || is_near((uintptr_t)free_window, window)) {
        window += WINDOW;
    }
    return window;
}

static status_t take_mapping(void)
{
    static handle_t memory = SK_HANDLE_NONE;
    uint64_t at, place = free_window() + ++mappings * ((uint64_t)1 << 21);
    if (memory == SK_HANDLE_NONE) {
        status_t status = sk_memory_create(sk_self_job, SK_PAGE_SIZE, 0, &memory);
        if (status != SK_OK) {
            return status;
        }
    }
    status_t status = sk_memory_map(sk_self_process, memory, 0, SK_PAGE_SIZE, place,
                                    SK_PROT_READ | SK_MAP_FIXED | SK_MAP_POPULATE, &at);
    return status == SK_EXISTS ? SK_OK : status;
}

static status_t take_job(void)
{
    handle_t job;
    status_t status = sk_job_create(kept_count > 0 ? kept[kept_count - 1] : sk_self_job,
                                    &(struct sk_budget){.objects = 400 - kept_count % 400}, &job);
    if (status != SK_OK) {
        status = sk_job_create(sk_self_job, &(struct sk_budget){.objects = 0}, &job);
    }
    return status == SK_OK && !keep(job) ? SK_NO_SPACE : status;
}

int mode_exhaust(int argc, char **argv)
{
    static const struct {
        const char *kind;
        status_t (*take)(void);
    } kinds[] = {
        {"handles", take_handle},    {"channels", take_channel},  {"memory", take_memory},
        {"threads", take_thread},    {"processes", take_process}, {"messages", take_message},
        {"wait sets", take_waitset}, {"timers", take_timer},      {"mappings", take_mapping},
        {"jobs", take_job},
    };
    uint32_t kind = 0;
    while (kind < COUNT(kinds) && strcmp(kinds[kind].kind, argv[1]) != 0) {
        kind++;
    }
    insist(kind < COUNT(kinds));
    for (;;) {
        status_t status;
        do {
            status = kinds[kind].take();
        } while (status == SK_OK);
        insist(status == SK_OVER_BUDGET || status == SK_NO_HANDLES);
        if (mappings > 0) {
            sk_memory_unmap(sk_self_process, free_window(), ++mappings * ((uint64_t)1 << 21));
            mappings = 0;
        }
        give_back(kept_count / 2);
        if (kept_count < 2) {
            give_back(0);
        }
    }
}

int mode_fork_bomb(int argc, char **argv)
{
    for (;;) {
        struct sk_spawn_handle handles[] = {
            {"bootfs", duplicate(sk_boot_handle("bootfs"), rights_of(sk_boot_handle("bootfs")))}};
        struct self_start start = {sk_self_job, "fork-bomb", NULL, 0, handles, 1};
        struct sk_child child;
        if (self_start(&start, &child) == SK_OK) {
            sk_handle_close(child.boot);
            sk_handle_close(child.process);
        }
    }
}

static void spin(void *argument)
{
    for (volatile uint32_t i = 0;; i = i + 1) {
    }
}

/* One endless loop. */
int mode_loop(int argc, char **argv)
{
    spin(NULL);
    return 0;
}

/* As many threads as it may have, at the priority that it was started with. */
int mode_hog(int argc, char **argv)
{
    static struct sk_thread threads[8];
    for (uint32_t i = 0; i < COUNT(threads); i++) {
        must(sk_thread_start(&threads[i], spin, NULL, 0, (uint32_t)atoi(argv[1])));
    }
    spin(NULL);
    return 0;
}

/* Writes into the kernel log, and so to the console, as fast as it can. */
int mode_flood(int argc, char **argv)
{
    static const char line[] = "# a line of a flood\n";
    handle_t log = sk_boot_handle("log");
    for (;;) {
        insist(sk_log_write(log, line, sizeof line - 1) == SK_OK);
    }
}
