/* SPDX-License-Identifier: BSD-2-Clause */
/* The service's thread, and what it has of the C and the os library. See double.h. */
#include "internal.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sk/print.h>
#include <sk/service.h>
#include <sk/thread.h>

#include "libc.h"
#undef malloc
#undef calloc
#undef free
#undef printf
#undef exit

#define BOOT_HANDLES_MAX 24u

handle_t sk_self_process, sk_self_job, sk_boot_endpoint;
const char *sk_self_name = "service";
struct object *double_boot;

static struct {
    const char *name;
    handle_t handle;
} boot_handles[BOOT_HANDLES_MAX];
static uint32_t boot_count;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static bool service_runs; /* [lock] whose turn it is */
static uint64_t wake_at;  /* the deadline of the service's wait */
static int (*service)(void);
static uint32_t blocks;

void double_broke(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

/* --- Whose turn it is --- */

static void turn_give(bool to_service)
{
    pthread_mutex_lock(&lock);
    service_runs = to_service;
    pthread_cond_broadcast(&turned);
    while (service_runs == to_service) {
        pthread_cond_wait(&turned, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void *service_thread(void *argument)
{
    pthread_mutex_lock(&lock);
    while (!service_runs) {
        pthread_cond_wait(&turned, &lock);
    }
    pthread_mutex_unlock(&lock);
    double_broke("the service has ended with %d", service());
}

void service_wait(uint64_t deadline)
{
    wake_at = deadline;
    turn_give(false);
}

void double_run(void)
{
    turn_give(true);
}

void double_start(int (*run)(void))
{
    static pthread_t thread;
    service = run;
    sk_self_process = handle_insert(object_make(SK_TYPE_PROCESS));
    sk_self_job = handle_insert(object_make(SK_TYPE_JOB));
    struct held boot[2];
    channel_make(boot);
    double_boot = boot[0].object;
    sk_boot_endpoint = handle_insert(boot[0]); /* outside keeps the other end for ever */
    if (pthread_create(&thread, NULL, service_thread, NULL) != 0) {
        double_broke("no thread");
    }
    double_run();
}

void double_advance(uint64_t ns, bool bounded)
{
    uint64_t to = double_now + ns;
    double_now = bounded && wake_at < to ? (wake_at > double_now ? wake_at : double_now) : to;
}

/* --- The os library --- */

handle_t sk_boot_handle(const char *name)
{
    for (uint32_t i = 0; i < boot_count; i++) {
        if (strcmp(boot_handles[i].name, name) == 0) {
            return boot_handles[i].handle;
        }
    }
    return SK_HANDLE_NONE;
}

handle_t sk_boot_handle_take(const char *name)
{
    for (uint32_t i = 0; i < boot_count; i++) {
        if (strcmp(boot_handles[i].name, name) == 0) {
            boot_handles[i].name = "";
            return boot_handles[i].handle;
        }
    }
    return SK_HANDLE_NONE;
}

status_t sk_boot_handle_add(const char *name, handle_t handle)
{
    if (boot_count == BOOT_HANDLES_MAX) {
        return SK_TOO_BIG;
    }
    boot_handles[boot_count].name = name;
    boot_handles[boot_count++].handle = handle;
    return SK_OK;
}

void double_boot_handle(const char *name, struct held held)
{
    sk_boot_handle_add(name, handle_insert(held));
}

void sk_stdio_never_wait(void) {}

/* A thread runs to its end where it is started: there is never more than one that does something. */
status_t sk_thread_start(struct sk_thread *thread, void (*entry)(void *argument), void *argument,
                         uint64_t stack_size, uint32_t priority)
{
    if (double_must_fail()) {
        return SK_OVER_BUDGET;
    }
    entry(argument);
    return SK_OK;
}

status_t sk_thread_join(struct sk_thread *thread, uint64_t deadline)
{
    return SK_OK;
}

/* --- The C library --- */

uint32_t double_blocks(void)
{
    return blocks;
}

void *double_malloc(size_t size)
{
    void *block = double_must_fail() ? NULL : malloc(size);
    blocks += block != NULL;
    return block;
}

void *double_calloc(size_t count, size_t size)
{
    void *block = double_must_fail() ? NULL : calloc(count, size);
    blocks += block != NULL;
    return block;
}

void double_free(void *block)
{
    blocks -= block != NULL;
    free(block);
}

int double_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = double_vprintf(format, arguments);
    va_end(arguments);
    return length;
}

void double_exit(int code)
{
    double_broke("the service ends itself with %d", code);
}

/* Formatted all the same, for what a sanitizer sees in it; shown with SHOW=1 in the environment. */
int double_vprintf(const char *format, va_list arguments)
{
    char text[512];
    int length = vsnprintf(text, sizeof text, format, arguments);
    if (getenv("SHOW") != NULL) {
        fputs(text, stderr);
    }
    return length;
}

int double_putchar(int c)
{
    char text[2] = {(char)c};
    double_printf("%s", text);
    return c;
}
