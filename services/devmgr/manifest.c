/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Driver manifests: one key and its words a line, `#` begins a comment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "match.h"

#define WORDS_MAX 10u
#define LINE_MAX_BYTES 160u

struct reader {
    struct driver_manifest *driver;
    char *problem;
    size_t problem_size;
    uint32_t line;
};

static bool refuse(struct reader *reader, const char *what, const char *word)
{
    snprintf(reader->problem, reader->problem_size, "line %u: %s%s%s", reader->line, what,
             word[0] != '\0' ? " " : "", word);
    return false;
}

static bool take_name(struct reader *reader, const char *word, char *name)
{
    if (strlen(word) >= MATCH_NAME_MAX) {
        return refuse(reader, "name too long:", word);
    }
    strcpy(name, word);
    return true;
}

static bool take_number(struct reader *reader, const char *word, uint64_t most, uint64_t *number)
{
    char *end;
    *number = strtoull(word, &end, 0);
    if (word[0] < '0' || word[0] > '9' || *end != '\0' || *number > most) {
        return refuse(reader, "not a number that is allowed here:", word);
    }
    return true;
}

/* NAME=NUMBER words of a budget. */
static bool take_budget(struct reader *reader, const char *word)
{
    struct sk_budget *budget = &reader->driver->budget;
    const struct {
        const char *name;
        uint64_t *value;
    } kinds[] = {{"pages=", &budget->pages},
                 {"objects=", &budget->objects},
                 {"handles=", &budget->handles},
                 {"messages=", &budget->messages},
                 {"threads=", &budget->threads}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i].name);
        if (strncmp(word, kinds[i].name, length) == 0) {
            return take_number(reader, word + length, UINT32_MAX, kinds[i].value);
        }
    }
    return refuse(reader, "unknown kind of budget:", word);
}

static bool take_list(struct reader *reader, char **words, uint32_t count,
                      char (*names)[MATCH_NAME_MAX], uint32_t most, uint32_t *total)
{
    for (uint32_t i = 0; i < count; i++) {
        if (*total == most) {
            return refuse(reader, "too many words; first too many:", words[i]);
        }
        if (!take_name(reader, words[i], names[*total])) {
            return false;
        }
        (*total)++;
    }
    return true;
}

/* A key of one number. */
static bool take_small(struct reader *reader, const char *word, uint64_t most, uint32_t *value)
{
    uint64_t number;
    if (!take_number(reader, word, most, &number)) {
        return false;
    }
    *value = (uint32_t)number;
    return true;
}

static bool take_line(struct reader *reader, const char *key, char **words, uint32_t count)
{
    struct driver_manifest *driver = reader->driver;
    if (strcmp(key, "dma") == 0 && count == 0) {
        driver->dma = true;
        return true;
    }
    if (count == 0) {
        return refuse(reader, "nothing after", key);
    }
    if (strcmp(key, "driver") == 0) {
        return take_name(reader, words[0], driver->name);
    }
    if (strcmp(key, "service") == 0) {
        return take_name(reader, words[0], driver->service);
    }
    if (strcmp(key, "compatible") == 0) {
        return take_list(reader, words, count, driver->compatible, MATCH_COMPATIBLES_MAX,
                         &driver->compatible_count);
    }
    if (strcmp(key, "properties") == 0) {
        return take_list(reader, words, count, driver->properties, MATCH_PROPERTIES_MAX,
                         &driver->property_count);
    }
    if (strcmp(key, "virtio") == 0) {
        return take_small(reader, words[0], UINT32_MAX, &driver->virtio);
    }
    if (strcmp(key, "ranges") == 0) {
        return take_small(reader, words[0], MATCH_RANGES_MAX, &driver->ranges);
    }
    if (strcmp(key, "interrupts") == 0) {
        return take_small(reader, words[0], MATCH_INTERRUPTS_MAX, &driver->interrupts);
    }
    if (strcmp(key, "priority") == 0) {
        return take_small(reader, words[0], SK_PRIORITY_MAX, &driver->priority);
    }
    if (strcmp(key, "budget") == 0) {
        for (uint32_t i = 0; i < count; i++) {
            if (!take_budget(reader, words[i])) {
                return false;
            }
        }
        return true;
    }
    return refuse(reader, "unknown key", key);
}

static bool take_text(struct reader *reader, const char *text, size_t length)
{
    while (length > 0) {
        char line[LINE_MAX_BYTES], *words[WORDS_MAX], *rest = NULL;
        const char *end = memchr(text, '\n', length);
        size_t size = end != NULL ? (size_t)(end - text) : length;
        reader->line++;
        if (size >= sizeof line) {
            return refuse(reader, "line too long", "");
        }
        memcpy(line, text, size);
        line[size] = '\0';
        line[strcspn(line, "#")] = '\0';
        uint32_t count = 0;
        for (char *word = strtok_r(line, " \t\r", &rest); word != NULL;
             word = strtok_r(NULL, " \t\r", &rest)) {
            if (count == WORDS_MAX) {
                return refuse(reader, "too many words; first too many:", word);
            }
            words[count++] = word;
        }
        if (count > 0 && !take_line(reader, words[0], words + 1, count - 1)) {
            return false;
        }
        size += end != NULL;
        text += size;
        length -= size;
    }
    return true;
}

status_t driver_parse(const char *text, size_t length, struct driver_manifest *driver,
                      char *problem, size_t problem_size)
{
    struct reader reader = {.driver = driver, .problem = problem, .problem_size = problem_size};
    *driver = (struct driver_manifest){
        .ranges = 1,
        .interrupts = 1,
        .priority = SK_PRIORITY_DEFAULT,
        .budget = {.pages = 128, .objects = 128, .handles = 64, .messages = 64, .threads = 1}};
    if (!take_text(&reader, text, length)) {
        return SK_BAD_FORMAT;
    }
    if (driver->name[0] == '\0' || driver->service[0] == '\0' || driver->compatible_count == 0) {
        refuse(&reader, "a driver needs the keys driver, service and compatible", "");
        return SK_BAD_FORMAT;
    }
    return SK_OK;
}
