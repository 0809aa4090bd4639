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
    } kinds[] = {{"pages=", &budget->pages},     {"objects=", &budget->objects},
                 {"handles=", &budget->handles}, {"messages=", &budget->messages},
                 {"threads=", &budget->threads}, {"cpu=", &budget->cpu}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i].name);
        if (strncmp(word, kinds[i].name, length) == 0) {
            return take_number(reader, word + length, UINT32_MAX, kinds[i].value);
        }
    }
    return refuse(reader, "unknown kind of budget:", word);
}

/* Words into an array of `most` names of `size` bytes each. */
static bool take_list(struct reader *reader, char **words, uint32_t count, char *names, size_t size,
                      uint32_t most, uint32_t *total)
{
    for (uint32_t i = 0; i < count; i++) {
        if (*total == most) {
            return refuse(reader, "too many words; first too many:", words[i]);
        }
        if (strlen(words[i]) >= size) {
            return refuse(reader, "name too long:", words[i]);
        }
        strcpy(names + *total * size, words[i]);
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

/* PROPERTY:BITS words. */
static bool take_fields(struct reader *reader, char **words, uint32_t count)
{
    struct driver_manifest *driver = reader->driver;
    for (uint32_t i = 0; i < count; i++) {
        char *colon = strrchr(words[i], ':');
        if (colon == NULL) {
            return refuse(reader, "a field is PROPERTY:BITS, not", words[i]);
        }
        *colon = '\0';
        uint32_t number = driver->field_count;
        if (!take_list(reader, &words[i], 1, driver->fields[0], MATCH_NAME_MAX, MATCH_FIELDS_MAX,
                       &driver->field_count) ||
            !take_small(reader, colon + 1, 32, &driver->field_bits[number])) {
            return false;
        }
    }
    return true;
}

/* The keys whose words are names. */
static bool take_names(struct reader *reader, const char *key, char **words, uint32_t count,
                       bool *is_one)
{
    struct driver_manifest *driver = reader->driver;
    const struct {
        const char *key;
        char *names;
        size_t size;
        uint32_t most, *total;
    } lists[] = {
        {"compatible", driver->compatible[0], MATCH_NAME_MAX, MATCH_COMPATIBLES_MAX,
         &driver->compatible_count},
        {"properties", driver->properties[0], MATCH_PROPERTY_NAME_MAX, MATCH_PROPERTIES_MAX,
         &driver->property_count},
        {"clocks", driver->clocks[0], MATCH_NAME_MAX, MATCH_CLOCKS_MAX, &driver->clock_count},
        {"resets", driver->resets[0], MATCH_NAME_MAX, MATCH_RESETS_MAX, &driver->reset_count}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        if (strcmp(key, lists[i].key) == 0) {
            *is_one = true;
            return take_list(reader, words, count, lists[i].names, lists[i].size, lists[i].most,
                             lists[i].total);
        }
    }
    *is_one = false;
    return true;
}

/* Where to write what, so that the device leaves memory alone. */
static bool take_dma_stop(struct reader *reader, char **words, uint32_t count)
{
    struct driver_manifest *driver = reader->driver;
    if (count != 2) {
        return refuse(reader, "dma-stop needs a register's offset and a value", "");
    }
    driver->has_dma_stop = true;
    return take_small(reader, words[0], UINT32_MAX, &driver->dma_stop_offset) &&
           take_small(reader, words[1], UINT32_MAX, &driver->dma_stop_value);
}

static bool take_line(struct reader *reader, const char *key, char **words, uint32_t count)
{
    struct driver_manifest *driver = reader->driver;
    if (strcmp(key, "dma") == 0 && count == 0) {
        driver->dma = true;
        return true;
    }
    if (strcmp(key, "provider") == 0 && count == 0) {
        driver->provider = true;
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
    bool is_list;
    if (!take_names(reader, key, words, count, &is_list)) {
        return false;
    }
    if (is_list) {
        return true;
    }
    if (strcmp(key, "fields") == 0) {
        return take_fields(reader, words, count);
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
    if (strcmp(key, "dma-stop") == 0) {
        return take_dma_stop(reader, words, count);
    }
    if (strcmp(key, "restart") == 0) {
        driver->restarts = strcmp(words[0], "always") == 0;
        return driver->restarts || strcmp(words[0], "never") == 0 ||
               refuse(reader, "neither always nor never:", words[0]);
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
        .restarts = true,
        .priority = SK_PRIORITY_DEFAULT,
        .budget = {
            .pages = 128, .objects = 128, .handles = 64, .messages = 64, .threads = 1, .cpu = 20}};
    if (!take_text(&reader, text, length)) {
        return SK_BAD_FORMAT;
    }
    bool serves = driver->service[0] != '\0';
    if (driver->name[0] == '\0' || driver->compatible_count == 0 || serves == driver->provider) {
        refuse(&reader, "a driver needs the keys driver, compatible, and service or provider", "");
        return SK_BAD_FORMAT;
    }
    return SK_OK;
}
