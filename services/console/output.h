/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What goes to the terminal: a ring of bytes that holds whole writes or none, and the tags that tell
 * programs apart. Pure. Tests: tests/host/services/console/.
 */
#ifndef CONSOLE_OUTPUT_H
#define CONSOLE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_BYTES 16384u

struct output {
    uint8_t bytes[OUTPUT_BYTES];
    uint32_t first, count;
    /* Whose line is unfinished at the end of the ring; 0: the line is finished, or nobody's. */
    uint64_t open_line;
    bool at_line_start;
};

/* Zero-filled memory becomes an empty output. */
void output_init(struct output *output);
/*
 * Appends text of a program: each line begins with "name: ", line ends become CR LF, and another
 * writer's unfinished line is ended first. False, and nothing is changed, if there is no room.
 */
bool output_text(struct output *output, uint64_t writer, const char *name, const char *text,
                 size_t length);
/* The same without tags, for lines that carry one already. */
bool output_raw(struct output *output, uint64_t writer, const char *text, size_t length);
/* Copies at most `size` bytes from the front; returns how many. */
size_t output_peek(const struct output *output, uint8_t *bytes, size_t size);
/* Takes so many bytes off the front, which are there. */
void output_drop(struct output *output, size_t count);

#endif
