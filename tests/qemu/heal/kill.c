/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request to init that ends a program, and the one to the console without which that may cost a
 * line of the test's.
 */
#include <stdio.h>
#include <string.h>

#include <sk/connection.h>
#include <sk/print.h>
#include <sk/protocol/console.h>
#include <sk/protocol/init.h>
#include <sk/service.h>
#include <sk/time.h>

#include "heal_test.h"

status_t heal_kill(const char *program)
{
    struct sk_init_name request = {.operation = SK_INIT_KILL};
    int64_t answer = SK_BAD_FORMAT;
    strncpy(request.name, program, sizeof request.name - 1);
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&answer, sizeof answer);
    status_t status = sk_channel_call(sk_boot_endpoint, &out, &in, sk_deadline_after(SK_SECOND));
    return status == SK_OK ? (status_t)answer : status;
}

void heal_drain(void)
{
    struct sk_connection *console = sk_stdio_console();
    uint64_t operation = SK_CONSOLE_DRAIN;
    int64_t answer;
    struct sk_out out = sk_out_bytes(&operation, sizeof operation);
    struct sk_in in = sk_in_bytes(&answer, sizeof answer);
    fflush(stdout);
    if (console != NULL) {
        sk_connection_call(console, &out, &in, SK_REPEAT_ALWAYS, sk_deadline_after(SK_SECOND));
    }
}
