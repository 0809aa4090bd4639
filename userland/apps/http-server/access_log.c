/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The batch of access lines. Owns the message being filled. Lines for which the console has no room
 * are dropped and counted, and the loss is told when there is room again.
 * Tests: tests/qemu/http/.
 */
#include "access_log.h"

#include <stdio.h>
#include <string.h>

#include <sk/connection.h>
#include <sk/print.h>
#include <sk/protocol/console.h>
#include <sk/service.h>
#include <sk/time.h>

#define LINGER_NS (100 * SK_MS) /* a line waits no longer for others */
#define RETRY_NS (100 * SK_MS)
#define TEXT_MAX SK_CONSOLE_TEXT_MAX

static struct {
    uint64_t operation;
    char text[TEXT_MAX];
} batch = {.operation = SK_CONSOLE_WRITE};
static size_t used;
static uint64_t due = SK_DEADLINE_NEVER;
static uint32_t dropped;

static void flush(uint64_t now)
{
    struct sk_connection *console = sk_stdio_console();
    struct sk_out out = sk_out_bytes(&batch, sizeof(batch.operation) + used);
    status_t status = console != NULL ? sk_connection_send(console, &out) : SK_NOT_FOUND;
    if (status == SK_FULL) {
        due = now + RETRY_NS;
        return;
    }
    if (status != SK_OK) {
        fwrite(batch.text, 1, used, stdout); /* to the kernel log, if anywhere */
    }
    used = 0;
    due = SK_DEADLINE_NEVER;
}

void access_log_add(uint64_t now, const uint8_t ip[4], const struct http_request *request,
                    int status, uint64_t sent)
{
    if (TEXT_MAX - used < ACCESS_LINE_MAX) {
        flush(now);
    }
    if (TEXT_MAX - used < ACCESS_LINE_MAX) {
        dropped++;
        return;
    }
    if (used == 0) {
        due = now + LINGER_NS;
    }
    if (dropped > 0 && used == 0) {
        used += (size_t)snprintf(batch.text, TEXT_MAX, "%u access lines dropped\n", dropped);
        dropped = 0;
    }
    used += access_line(batch.text + used, ip, request, status, sent);
}

uint64_t access_log_due(void)
{
    return due;
}

void access_log_update(uint64_t now)
{
    if (now >= due) {
        flush(now);
    }
}
