/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The campaign: components are killed at random, again and again, while four threads use all of them.
 *
 *     test-campaign KILLS [SEED]
 *
 * Who has come back, seen by a use that began after its kill and succeeded, may be killed again; so
 * several are down at any time. At the end: everybody was killed often, nobody was given up or could
 * not be started, everything works, and no object or page is left over.
 */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <guest_test.h>
#include <sk/connection.h>
#include <sk/file.h>
#include <sk/protocol/console.h>
#include <sk/protocol/devmgr.h>
#include <sk/protocol/init.h>
#include <sk/protocol/rng.h>
#include <sk/protocol/rtc.h>
#include <sk/sysinfo.h>
#include <sk/thread.h>

#include "heal_test.h"

#define BACK_LIMIT (30 * SK_SECOND) /* longer is a wedge */
#define USE_LIMIT (5 * SK_SECOND)
#define PAGES_LOST_MAX 64 /* of about 30,000; a leak of one page a kill is sixteen times as many */

static struct sk_connection console = SK_CONNECTION("console");
static struct sk_connection devmgr = SK_CONNECTION("devmgr");
static struct sk_connection rtc = SK_CONNECTION("rtc");
static struct sk_connection rng = SK_CONNECTION("rng");

/* --- How each component is used --- */

static status_t call(struct sk_connection *connection, const void *request, size_t length)
{
    static _Thread_local uint64_t answer[SK_MESSAGE_BYTES_MAX / 8];
    struct sk_out out = sk_out_bytes(request, length);
    struct sk_in in = sk_in_bytes(answer, sizeof answer);
    status_t status = sk_connection_call(connection, &out, &in, SK_REPEAT_ALWAYS,
                                         sk_deadline_after(USE_LIMIT));
    return status == SK_OK ? (status_t)answer[0] : status;
}

static status_t use_fs(void)
{
    struct sk_file_info info;
    return sk_file_stat("/etc/heal.manifest", &info);
}

static status_t use_sysinfo(void)
{
    char *text;
    size_t length;
    status_t status = sk_sysinfo_status(sk_deadline_after(USE_LIMIT), &text, &length);
    if (status == SK_OK) {
        free(text);
    }
    return status;
}

/* The drain is answered when the serial port's driver has taken everything. */
static status_t use_console(void)
{
    uint64_t operation = SK_CONSOLE_DRAIN;
    return call(&console, &operation, sizeof operation);
}

static status_t use_page(void)
{
    return heal_get("/index.html", NULL, 0, sk_deadline_after(USE_LIMIT));
}

static status_t use_devmgr(void)
{
    struct sk_devmgr_list request = {SK_DEVMGR_LIST, 0};
    return call(&devmgr, &request, sizeof request);
}

static status_t use_rtc(void)
{
    uint64_t operation = SK_RTC_READ;
    return call(&rtc, &operation, sizeof operation);
}

static status_t use_rng(void)
{
    struct sk_rng_read request = {.operation = SK_RNG_READ, .count = 8};
    return call(&rng, &request, sizeof request);
}

/* --- Components --- */

static struct component {
    const char *name;
    bool driver;              /* devmgr ends it, by the name of its service */
    status_t (*use)(void);    /* succeeds only if the component works */
    _Atomic uint64_t used_at; /* when the last use that succeeded began */
    uint64_t killed_at;
    uint32_t kills, refused;
} components[] = {
    {"fs", false, use_fs, 0, 0, 0, 0},           {"sysinfo", false, use_sysinfo, 0, 0, 0, 0},
    {"console", false, use_console, 0, 0, 0, 0}, {"http-server", false, use_page, 0, 0, 0, 0},
    {"net", false, use_page, 0, 0, 0, 0},        {"devmgr", false, use_devmgr, 0, 0, 0, 0},
    {"uart0", true, use_console, 0, 0, 0, 0},    {"nic0", true, use_page, 0, 0, 0, 0},
    {"rtc", true, use_rtc, 0, 0, 0, 0},          {"rng", true, use_rng, 0, 0, 0, 0},
};
#define COMPONENTS (sizeof components / sizeof components[0])

static _Atomic bool stopping;

/* Uses one component for all that are seen working by it. */
static void use(status_t (*function)(void))
{
    uint64_t begin = sk_now();
    if (function() != SK_OK) {
        sk_sleep(SK_MS);
        return;
    }
    for (size_t i = 0; i < COMPONENTS; i++) {
        if (components[i].use == function) {
            atomic_store(&components[i].used_at, begin);
        }
    }
}

static void use_for_ever(void *functions)
{
    status_t (*const *all)(void) = functions;
    while (!atomic_load(&stopping)) {
        for (size_t i = 0; all[i] != NULL; i++) {
            use(all[i]);
        }
        sk_sleep(SK_MS);
    }
}

/* --- Kills --- */

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 16) % limit);
}

static status_t kill_component(struct component *component)
{
    if (!component->driver) {
        return heal_kill(component->name);
    }
    struct sk_devmgr_restart request = {.operation = SK_DEVMGR_RESTART, .cause = SK_CAUSE_KILLED};
    strncpy(request.service, component->name, sizeof request.service - 1);
    return call(&devmgr, &request, sizeof request);
}

static bool is_back(const struct component *component)
{
    return atomic_load(&component->used_at) > component->killed_at;
}

/* One that is back, at random; NULL: none was for too long. */
static struct component *choose_victim(void)
{
    uint64_t deadline = sk_deadline_after(BACK_LIMIT);
    do {
        struct component *component = &components[random_below(COMPONENTS)];
        for (size_t i = 0; i < COMPONENTS; i++) {
            if (is_back(component)) {
                return component;
            }
            component = component + 1 < components + COMPONENTS ? component + 1 : components;
        }
        sk_sleep(SK_MS);
    } while (sk_now() < deadline);
    return NULL;
}

static uint32_t wanted = 1000;

static bool all_back(void)
{
    uint64_t now = sk_now(), deadline = sk_deadline_after(BACK_LIMIT);
    bool all = false;
    while (!all && sk_now() < deadline) {
        all = true;
        for (size_t i = 0; i < COMPONENTS; i++) {
            all &= atomic_load(&components[i].used_at) > now;
        }
        sk_sleep(SK_MS);
    }
    for (size_t i = 0; !all && i < COMPONENTS; i++) {
        if (atomic_load(&components[i].used_at) <= now) {
            printf("# %s does not work\n", components[i].name);
        }
    }
    return all;
}

static void kill_many(void)
{
    for (uint32_t done = 0; done < wanted;) {
        struct component *victim = choose_victim();
        if (!test_check(victim != NULL)) {
            return;
        }
        status_t status = kill_component(victim);
        victim->killed_at = sk_now();
        if (status == SK_OK) {
            victim->kills++;
            done++;
        } else { /* it went down with another one at this moment */
            victim->refused++;
        }
        if (random_below(4) == 0) {
            sk_sleep(random_below(20) * SK_MS);
        }
    }
    all_back(); /* a console that is about to die would take the result's line along */
}

static void everybody_comes_back(void)
{
    test_check(all_back());
    for (size_t i = 0; i < COMPONENTS; i++) {
        printf("# %s: %u kills, %u refused\n", components[i].name, (unsigned)components[i].kills,
               (unsigned)components[i].refused);
        /* Who is started last after its supervisor, at a small share of a busy hart, is seldom there to be killed. */
        test_check(components[i].kills >= wanted / COMPONENTS / 10);
    }
}

static void nobody_failed_to_start(void)
{
    static struct sk_init_services list;
    struct sk_init_list request = {SK_INIT_SERVICES, 0};
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&list, sizeof list);
    test_status(sk_channel_call(sk_boot_endpoint, &out, &in, test_deadline()), SK_OK);
    test_check(list.count >= 6);
    for (uint32_t i = 0; i < list.count; i++) {
        const struct sk_init_service *entry = &list.entries[i];
        bool ended = entry->state == SK_INIT_ENDED; /* a program that is done */
        bool good = (entry->state == SK_INIT_UP || ended) && entry->cause != SK_CAUSE_NOT_STARTED &&
                    entry->cause != SK_CAUSE_HUNG && entry->cause != SK_CAUSE_FAULT;
        if (!test_check(good)) {
            printf("# %s: state %u, cause %u, code %d\n", entry->program, (unsigned)entry->state,
                   (unsigned)entry->cause, (int)entry->code);
        }
    }
}

/* --- The run --- */

static status_t (*loads[][4])(void) = {
    {use_page, NULL},
    {use_fs, use_sysinfo, NULL},
    {use_console, use_devmgr, NULL},
    {use_rtc, use_rng, NULL},
};
#define LOADS (sizeof loads / sizeof loads[0])

static struct sk_thread threads[LOADS];

static void start_load(void)
{
    atomic_store(&stopping, false);
    for (size_t i = 0; i < LOADS; i++) {
        test_status(sk_thread_start(&threads[i], use_for_ever, loads[i], 0, SK_PRIORITY_DEFAULT),
                    SK_OK);
    }
}

static void stop_load(void)
{
    atomic_store(&stopping, true);
    for (size_t i = 0; i < LOADS; i++) {
        test_status(sk_thread_join(&threads[i], sk_deadline_after(BACK_LIMIT)), SK_OK);
    }
}

static uint64_t pages_free(void)
{
    struct sk_system_info info = {0};
    uint64_t written;
    sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_GENERAL, &info, sizeof info, &written);
    return info.memory_free_pages;
}

static bool kill_and_wait(struct component *component)
{
    uint64_t deadline = sk_deadline_after(BACK_LIMIT);
    while (kill_component(component) != SK_OK && sk_now() < deadline) {
        sk_sleep(SK_MS);
    }
    component->killed_at = sk_now();
    while (!is_back(component) && sk_now() < deadline) {
        sk_sleep(SK_MS);
    }
    return is_back(component);
}

/*
 * Brings the system into a state to compare with: an idle client holds its end of a dead connection
 * until it needs it again, so everybody is killed once more in an order in which all who speak to a
 * service do so after its last end. The console goes with devmgr, which may have a line for it.
 */
static void settle(void)
{
    static const char *const order[] = {"devmgr", "fs", "sysinfo", "http-server", "net"};
    char body[16];
    heal_drain();
    start_load();
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        for (size_t j = 0; j < COMPONENTS; j++) {
            if (strcmp(components[j].name, order[i]) == 0) {
                test_check(kill_and_wait(&components[j]));
            }
        }
    }
    test_check(all_back());
    stop_load();
    test_status(heal_get("/status.json", body, sizeof body, sk_deadline_after(USE_LIMIT)), SK_OK);
}

static struct test_counts counts_before;
static uint64_t pages_before;

static void nothing_is_left_over(void)
{
    settle();
    test_check(test_counts_back(&counts_before));
    uint64_t deadline = sk_deadline_after(USE_LIMIT), pages = pages_free();
    while (pages + PAGES_LOST_MAX < pages_before && sk_now() < deadline) {
        sk_sleep(SK_MS);
        pages = pages_free();
    }
    printf("# free pages: %llu before, %llu now\n", (unsigned long long)pages_before,
           (unsigned long long)pages);
    test_check(pages + PAGES_LOST_MAX >= pages_before);
}

/* What is made at first and then kept, as heaps and tables that have grown, is made now. */
static void warm_up(void)
{
    uint32_t all = wanted;
    wanted = all < 100 ? all : 100;
    start_load();
    kill_many();
    stop_load();
    settle();
    for (size_t i = 0; i < COMPONENTS; i++) {
        components[i].kills = components[i].refused = 0;
    }
    wanted = all;
}

int main(int argc, char **argv)
{
    wanted = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : wanted;
    random_state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    printf("# %u kills, seed %llu\n", (unsigned)wanted, (unsigned long long)random_state);
    warm_up();
    test_counts_take(&counts_before);
    pages_before = pages_free();
    uint64_t begin = sk_now();
    heal_drain();
    start_load();
    test_case_uncounted("components are killed under load", kill_many);
    test_case_uncounted("everybody comes back", everybody_comes_back);
    stop_load();
    printf("# %llu ms\n", (unsigned long long)((sk_now() - begin) / SK_MS));
    test_case_uncounted("nobody failed to start", nobody_failed_to_start);
    test_case_uncounted("nothing is left over", nothing_is_left_over);
    return test_done();
}
