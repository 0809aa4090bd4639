/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every service of the system is killed, twice each, while this program uses it: it comes back, pages
 * are served again, and nothing is left over (tests/qemu/manifests/heal.manifest).
 */
#include <stdlib.h>
#include <string.h>

#include <guest_test.h>
#include <sk/file.h>
#include <sk/protocol/init.h>
#include <sk/sysinfo.h>

#include "heal_test.h"

/* A restart takes milliseconds; a crowded machine may need more. */
#define BACK_LIMIT (20 * SK_SECOND)
#define PAGES_LOST_MAX 8
#define ROUNDS 3

/* Asks until a page is served; how often it was not. */
static bool page_is_served(const char *path)
{
    uint64_t deadline = sk_deadline_after(BACK_LIMIT);
    char body[64];
    status_t status = SK_OK;
    do {
        status = heal_get(path, body, sizeof body, sk_deadline_after(2 * SK_SECOND));
        if (status == SK_OK) {
            return true;
        }
        sk_sleep(5 * SK_MS);
    } while (sk_now() < deadline);
    printf("# the last answer: %s\n", sk_status_words(status));
    return false;
}

static bool find_program(const char *status_text, const char *program, long *restarts, bool *up)
{
    char key[64];
    snprintf(key, sizeof key, "\"program\":\"%s\"", program);
    const char *entry = strstr(status_text, key);
    const char *count = entry != NULL ? strstr(entry, "\"restarts\":") : NULL;
    const char *state = entry != NULL ? strstr(entry, "\"state\":\"up\"") : NULL;
    if (count == NULL) {
        return false;
    }
    *restarts = strtol(count + strlen("\"restarts\":"), NULL, 10);
    *up = state != NULL && state < count;
    return true;
}

/*
 * How often init has started the program again, as the page says once the program is up; -1: nobody
 * could tell. `wanted` (or -1) is waited for: the web server keeps the text for a fifth of a second.
 */
static long restarts_of(const char *program, long wanted)
{
    static char text[8192];
    long restarts = -1;
    bool up = false;
    uint64_t deadline = sk_deadline_after(BACK_LIMIT);
    do {
        if (heal_get("/status.json", text, sizeof text, sk_deadline_after(2 * SK_SECOND)) !=
                SK_OK ||
            !find_program(text, program, &restarts, &up)) {
            restarts = -1;
        }
    } while ((!up || (wanted >= 0 && restarts != wanted)) && sk_now() < deadline);
    return restarts;
}

static uint64_t pages_free(void)
{
    struct sk_system_info info = {0};
    uint64_t written;
    test_status(
        sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_GENERAL, &info, sizeof info, &written),
        SK_OK);
    return info.memory_free_pages;
}

/* A good response of each: the next end of any of them is then no early one. */
static void use_everything(void)
{
    struct sk_file_info info;
    printf("# everything is used\n");
    test_status(sk_file_stat("/etc/heal.manifest", &info), SK_OK);
    char *text = NULL;
    size_t length;
    test_status(sk_sysinfo_status(sk_deadline_after(5 * SK_SECOND), &text, &length), SK_OK);
    free(text);
    test_check(page_is_served("/index.html"));
    test_check(page_is_served("/status.json"));
}

/* The program is killed, everything works, and the program has been started once more. */
static void kill_and_see(const char *program)
{
    long before = restarts_of(program, -1);
    heal_drain();
    test_status(heal_kill(program), SK_OK);
    test_equal(restarts_of(program, before + 1), before + 1);
    use_everything();
}

static const char *victim;

static void comes_back_twice(void)
{
    kill_and_see(victim);
    kill_and_see(victim);
}

static bool round_loses_memory(void)
{
    uint64_t before = pages_free(), after = 0;
    for (int i = 0; i < 3; i++) {
        kill_and_see(victim);
    }
    uint64_t deadline = sk_deadline_after(5 * SK_SECOND);
    do {
        after = pages_free();
        sk_sleep(2 * SK_MS);
    } while (after + PAGES_LOST_MAX < before && sk_now() < deadline);
    bool lost = after + PAGES_LOST_MAX < before;
    if (lost) {
        printf("# %lld pages\n", (long long)(before - after));
    }
    return lost;
}

/* A leak takes as much each time; a heap that had to hold more requests at once than ever before does not. */
static void loses_no_memory(void)
{
    int rounds = 0;
    while (rounds < ROUNDS && round_loses_memory()) {
        rounds++;
    }
    test_check(rounds < ROUNDS);
}

int main(void)
{
    static const char *const victims[] = {"fs",      "sysinfo", "http-server",
                                          "console", "net",     "devmgr"};
    char name[96];
    use_everything();
    for (size_t i = 0; i < sizeof victims / sizeof victims[0]; i++) {
        victim = victims[i];
        comes_back_twice(); /* what is made at a first restart stays */
        snprintf(name, sizeof name, "%s comes back, and again", victim);
        test_case(name, comes_back_twice);
        snprintf(name, sizeof name, "%s leaves no memory behind", victim);
        test_case(name, loses_no_memory);
    }
    return test_done();
}
