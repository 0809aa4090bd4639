/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ring of output and its tags. A write is measured first, then made, so that it is whole.
 */
#include "output.h"

#include <string.h>

void output_init(struct output *output)
{
    output->at_line_start = true;
}

/* Appends one byte, or only counts it. */
static void put(struct output *output, bool measure, size_t *length, char c)
{
    if (!measure) {
        uint32_t at = (output->first + output->count + *length) % OUTPUT_BYTES;
        output->bytes[at] = (uint8_t)c;
    }
    (*length)++;
}

static void put_string(struct output *output, bool measure, size_t *length, const char *text)
{
    for (; *text != '\0'; text++) {
        put(output, measure, length, *text);
    }
}

/* The bytes that a write becomes; *start tells whether a line begins afterwards. */
static size_t render(struct output *output, bool measure, uint64_t writer, const char *name,
                     const char *text, size_t length, bool *start)
{
    size_t made = 0;
    *start = output->at_line_start;
    if (!*start && output->open_line != writer) {
        put_string(output, measure, &made, "\r\n");
        *start = true;
    }
    for (size_t i = 0; i < length; i++) {
        if (*start && name != NULL) {
            put_string(output, measure, &made, name);
            put_string(output, measure, &made, ": ");
        }
        *start = text[i] == '\n';
        if (*start) {
            put(output, measure, &made, '\r');
        }
        put(output, measure, &made, text[i]);
    }
    return made;
}

static bool append(struct output *output, uint64_t writer, const char *name, const char *text,
                   size_t length)
{
    bool start;
    size_t made = render(output, true, writer, name, text, length, &start);
    if (made > OUTPUT_BYTES - output->count) {
        return false;
    }
    render(output, false, writer, name, text, length, &start);
    output->count += (uint32_t)made;
    output->at_line_start = start;
    output->open_line = start ? 0 : writer;
    return true;
}

bool output_text(struct output *output, uint64_t writer, const char *name, const char *text,
                 size_t length)
{
    return append(output, writer, name, text, length);
}

bool output_raw(struct output *output, uint64_t writer, const char *text, size_t length)
{
    return append(output, writer, NULL, text, length);
}

size_t output_peek(const struct output *output, uint8_t *bytes, size_t size)
{
    size_t count = size < output->count ? size : output->count;
    size_t until_end = OUTPUT_BYTES - output->first;
    size_t head = count < until_end ? count : until_end;
    memcpy(bytes, output->bytes + output->first, head);
    memcpy(bytes + head, output->bytes, count - head);
    return count;
}

void output_drop(struct output *output, size_t count)
{
    output->first = (uint32_t)((output->first + count) % OUTPUT_BYTES);
    output->count -= (uint32_t)count;
}
