/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words for errors, and ends with a message. Ordinary output is stdio's: stdout and stderr are
 * line-buffered and go to the console service (boot handle "console"), else to the kernel log (boot
 * handle "log", one line "name: text" each), else nowhere.
 */
#ifndef SK_PRINT_H
#define SK_PRINT_H

#include <skerry/status.h>
#include <skerry/types.h>

/* The words of a status, "success" for SK_OK. Never NULL. */
const char *sk_status_words(status_t status);

/* Prints the line on stderr and ends the process with code 1. */
_Noreturn void sk_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * From now on output never waits: a console that is behind drops whole lines and says how many.
 * For servers, whose work must not stop for their chatter; sk_server_init calls it. Other programs
 * go at the console's pace and lose nothing.
 */
void sk_stdio_never_wait(void);

struct sk_connection;
/* The connection to the console behind stdout (<sk/connection.h>); NULL: this program has none. */
struct sk_connection *sk_stdio_console(void);

#endif
