/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the service "console" understands. Programs use stdio; the C library glue uses this page.
 *
 * Text of a program appears as whole lines, "name: text", never mixed with another's. It comes either
 *
 *   as a plain message   never waits; when the console is behind, lines are dropped, counted, and the
 *                        loss is said on the console ("console: 3 lines of net dropped")
 *   as a call            answered when the console has taken the text, so a program that prints much
 *                        goes at the console's pace; one such call per client waits at a time (BUSY)
 */
#ifndef SK_PROTOCOL_CONSOLE_H
#define SK_PROTOCOL_CONSOLE_H

#include <skerry/types.h>

/* Bytes of text or input in one message. */
#define SK_CONSOLE_TEXT_MAX 1024u

enum sk_console_operation {
    /* struct sk_console_write, as call or message. TOO_BIG, BUSY. */
    SK_CONSOLE_WRITE = 1,
    /*
     * struct sk_console_read -> struct sk_console_input: waits for a line that was typed. Only for
     * the foreground program, which is the youngest client with SK_GRANT_FOREGROUND (NOT_ALLOWED
     * for others). A program that ends its wait and comes back finds the line still there. BUSY: it
     * has a read waiting already.
     */
    SK_CONSOLE_READ = 2,
    /* the operation alone, as a call: answered when everything written so far has left the machine. */
    SK_CONSOLE_DRAIN = 3,
};

struct sk_console_write {
    uint64_t operation;
    char text[]; /* to the end of the message; need not end with a newline */
};

struct sk_console_read {
    uint64_t operation;
    uint64_t capacity; /* at most this many bytes are wanted; what is left comes next time */
};

/* No text at all is the end of the input (Ctrl-D on an empty line). */
struct sk_console_input {
    int64_t status;
    char text[]; /* to the end of the message, the newline included */
};

#endif
