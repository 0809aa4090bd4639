/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The line editor. Bytes that find no room are not echoed, so one sees that they are lost.
 */
#include "input.h"

#include <string.h>

enum { CTRL_D = 4, BACKSPACE = 8, CTRL_U = 21, DELETE = 127 };

static size_t echo_text(char echo[4], const char *text)
{
    size_t length = strlen(text);
    memcpy(echo, text, length);
    return length;
}

static size_t finish_line(struct input *input, char echo[4])
{
    if (input->length + 1 > INPUT_QUEUE_BYTES - input->queued) {
        return 0;
    }
    memcpy(input->queue + input->queued, input->line, input->length);
    input->queued += input->length;
    input->queue[input->queued++] = '\n';
    input->length = 0;
    return echo_text(echo, "\r\n");
}

size_t input_type(struct input *input, uint8_t byte, char echo[4])
{
    switch (byte) {
    case '\r':
    case '\n':
        return finish_line(input, echo);
    case BACKSPACE:
    case DELETE:
        if (input->length == 0) {
            return 0;
        }
        input->length--;
        return echo_text(echo, "\b \b");
    case CTRL_U:
        input->length = 0;
        return echo_text(echo, "\r\n");
    case CTRL_D:
        input->ended = input->ended || input->length == 0;
        return 0;
    default:
        if (byte < ' ' || input->length + 1 == INPUT_LINE_MAX) {
            return 0;
        }
        input->line[input->length++] = (char)byte;
        echo[0] = (char)byte;
        return 1;
    }
}

bool input_ready(const struct input *input)
{
    return input->queued > 0 || input->ended;
}

size_t input_take(struct input *input, char *text, size_t size)
{
    const char *end = memchr(input->queue, '\n', input->queued);
    if (end == NULL) {
        input->ended = false;
        return 0;
    }
    size_t length = (size_t)(end - input->queue) + 1;
    length = length < size ? length : size;
    memcpy(text, input->queue, length);
    input->queued -= length;
    memmove(input->queue, input->queue + length, input->queued);
    return length;
}
