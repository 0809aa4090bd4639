/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stdin, stdout and stderr. Output is collected per thread until a newline, so that lines of two
 * threads never mix and no lock is needed; stdout and stderr share the line, so that their order is
 * kept. It goes to the console service, or to the kernel log, or nowhere. Input comes a line at a
 * time from the console, under `input_lock`. A console that died is connected to again; a line that
 * had reached it is written once more, as twice is better than never.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <sk/connection.h>
#include <sk/print.h>
#include <sk/protocol/console.h>
#include <sk/protocol/init.h>
#include <sk/service.h>
#include <sk/time.h>

#include "crt.h"

#define LINE_BYTES 256u
/* A console that does not take a line in this time is stuck, and the line is given up. */
#define CONSOLE_PATIENCE (5 * SK_SECOND)

struct console_line {
    uint64_t operation;
    char text[LINE_BYTES];
};

static _Thread_local struct console_line line;
static _Thread_local size_t line_length;
static atomic_bool never_wait, wrote;
static struct sk_connection console = SK_CONNECTION("console");

/* The first connection came with the boot message; who got none has no console. */
struct sk_connection *sk_stdio_console(void)
{
    static atomic_bool has_console;
    if (atomic_load_explicit(&has_console, memory_order_acquire)) {
        return &console;
    }
    sk_mutex_lock(&console.lock);
    handle_t given = sk_boot_handle_take("console");
    if (given != SK_HANDLE_NONE) {
        console.endpoint = given;
        atomic_store_explicit(&has_console, true, memory_order_release);
    }
    sk_mutex_unlock(&console.lock);
    return atomic_load_explicit(&has_console, memory_order_acquire) ? &console : NULL;
}

void sk_stdio_never_wait(void)
{
    atomic_store_explicit(&never_wait, true, memory_order_relaxed);
}

/* True: the console has the line, or is too far behind to take it. */
static bool write_console(struct sk_connection *to, size_t length)
{
    line.operation = SK_CONSOLE_WRITE;
    atomic_store_explicit(&wrote, true, memory_order_relaxed);
    struct sk_out out = sk_out_bytes(&line, sizeof line.operation + length);
    if (atomic_load_explicit(&never_wait, memory_order_relaxed)) {
        status_t status = sk_connection_send(to, &out);
        return status == SK_OK || status == SK_FULL;
    }
    int64_t result;
    struct sk_in in = sk_in_bytes(&result, sizeof result);
    status_t status = sk_connection_call(to, &out, &in, SK_REPEAT_ALWAYS,
                                         sk_deadline_after(CONSOLE_PATIENCE));
    return status == SK_OK || status == SK_TIMED_OUT;
}

static void write_log(handle_t log, size_t length)
{
    char text[SK_INIT_NAME_MAX + 2 + LINE_BYTES + 1];
    size_t name = strnlen(sk_self_name, SK_INIT_NAME_MAX);
    memcpy(text, sk_self_name, name);
    memcpy(text + name, ": ", 2);
    memcpy(text + name + 2, line.text, length);
    length += name + 2;
    if (text[length - 1] != '\n') {
        text[length++] = '\n';
    }
    sk_log_write(log, text, length);
}

void crt_stdio_flush(void)
{
    if (line_length == 0) {
        return;
    }
    size_t length = line_length;
    line_length = 0;
    struct sk_connection *to = sk_stdio_console();
    if (to != NULL && write_console(to, length)) {
        return;
    }
    handle_t log = sk_boot_handle("log");
    if (log != SK_HANDLE_NONE) {
        write_log(log, length);
    }
}

void crt_stdio_drain(void)
{
    crt_stdio_flush();
    struct sk_connection *to = sk_stdio_console();
    bool waits = atomic_load_explicit(&wrote, memory_order_relaxed) &&
                 !atomic_load_explicit(&never_wait, memory_order_relaxed);
    if (to == NULL || !waits) {
        return;
    }
    uint64_t operation = SK_CONSOLE_DRAIN;
    int64_t result;
    struct sk_out out = sk_out_bytes(&operation, sizeof operation);
    struct sk_in in = sk_in_bytes(&result, sizeof result);
    sk_connection_call(to, &out, &in, SK_REPEAT_ALWAYS, sk_deadline_after(CONSOLE_PATIENCE));
}

static int put(char c, FILE *file)
{
    line.text[line_length++] = c;
    if (c == '\n' || line_length == LINE_BYTES) {
        crt_stdio_flush();
    }
    return (unsigned char)c;
}

static int flush(FILE *file)
{
    crt_stdio_flush();
    return 0;
}

/* What was typed and not yet read. */
static struct {
    int64_t status;
    char text[LINE_BYTES];
} input;
static size_t input_position, input_length; /* [input_lock] */
static struct sk_mutex input_lock;

static bool fill_input(void)
{
    struct sk_connection *from = sk_stdio_console();
    if (from == NULL) {
        return false;
    }
    crt_stdio_flush();
    struct sk_console_read request = {SK_CONSOLE_READ, sizeof input.text};
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&input, sizeof input);
    status_t status = sk_connection_call(from, &out, &in, SK_REPEAT_ALWAYS, SK_DEADLINE_NEVER);
    if (status != SK_OK || in.length <= sizeof input.status || input.status != SK_OK) {
        return false;
    }
    input_position = 0;
    input_length = in.length - sizeof input.status;
    return true;
}

static int get(FILE *file)
{
    sk_mutex_lock(&input_lock);
    int c = _FDEV_EOF;
    if (input_position < input_length || fill_input()) {
        c = (unsigned char)input.text[input_position++];
    }
    sk_mutex_unlock(&input_lock);
    return c;
}

static FILE input_file = FDEV_SETUP_STREAM(NULL, get, NULL, _FDEV_SETUP_READ);
static FILE output_file = FDEV_SETUP_STREAM(put, NULL, flush, _FDEV_SETUP_WRITE);

FILE *const stdin = &input_file;
FILE *const stdout = &output_file;
FILE *const stderr = &output_file;
