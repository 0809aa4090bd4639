/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is typed: a line editor (backspace, Ctrl-U, Ctrl-D), and a queue of finished lines. Pure.
 * Tests: tests/host/services/console/.
 */
#ifndef CONSOLE_INPUT_H
#define CONSOLE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INPUT_LINE_MAX 256u
#define INPUT_QUEUE_BYTES 1024u

struct input {
    char line[INPUT_LINE_MAX]; /* being typed */
    size_t length;
    char queue[INPUT_QUEUE_BYTES]; /* finished lines, each with its newline */
    size_t queued;
    bool ended; /* Ctrl-D on an empty line */
};

/* Takes one byte; writes what the terminal should show to `echo` (room for 4) and returns its length. */
size_t input_type(struct input *input, uint8_t byte, char echo[4]);
/* True if a read would get something: a line, or the end of the input. */
bool input_ready(const struct input *input);
/* Takes at most one line of at most `size` bytes; 0 is the end of the input. */
size_t input_take(struct input *input, char *text, size_t size);

#endif
