/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command line words. One table says whose each is. Owns nothing; the strings stay where they are.
 */
#include "words.h"

#include <string.h>

#include <sk/protocol/init.h>

enum owner { INIT, KERNEL, PROGRAMS };

static const struct known_word {
    const char *name; /* before the "=" */
    enum owner owner;
} known_words[] = {
    {"manifest", INIT},   {"run", INIT},     {"off", INIT},    {"panic", KERNEL}, {"asid", KERNEL},
    {"sbi-hide", KERNEL}, {"harts", KERNEL}, {"ip", PROGRAMS}, {"log", PROGRAMS},
};

static const struct known_word *find(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof known_words / sizeof known_words[0]; i++) {
        if (strlen(known_words[i].name) == length &&
            strncmp(known_words[i].name, word, length) == 0) {
            return &known_words[i];
        }
    }
    return NULL;
}

/* "a,b,c" as three strings; false when one more than `room`. */
static bool split(char *value, const char **items, uint32_t room, uint32_t *count)
{
    uint32_t used = 0;
    for (char *comma; value != NULL; value = comma) {
        comma = strchr(value, ',');
        if (comma != NULL) {
            *comma++ = 0;
        }
        if (used == room) {
            return false;
        }
        items[used++] = value;
    }
    *count = used;
    return true;
}

static bool is_name(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length < SK_INIT_NAME_MAX && strchr(text, '/') == NULL;
}

/* NULL when all is well, else the reason. */
static const char *take_init_word(const char *name, char *value, struct words *words)
{
    if (strcmp(name, "manifest") == 0) {
        if (!is_name(value)) {
            return "is not the name of a manifest";
        }
        words->manifest = value;
        return NULL;
    }
    if (strcmp(name, "run") == 0) {
        uint32_t count;
        if (!split(value, words->run, WORDS_RUN_MAX, &count)) {
            words->run_count = 0;
            return "has too many arguments";
        }
        words->run_count = is_name(words->run[0]) ? count : 0;
        return words->run_count == 0 ? "names no program" : NULL;
    }
    if (!split(value, words->off, WORDS_OFF_MAX, &words->off_count)) {
        return "has too many names";
    }
    return NULL;
}

void words_parse(char **list, size_t count, struct words *words,
                 void (*complain)(const char *word, const char *reason))
{
    *words = (struct words){.manifest = "system"};
    for (size_t i = 0; i < count; i++) {
        char *word = list[i], *equals = strchr(word, '=');
        size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
        const struct known_word *known = find(word, length);
        if (known == NULL) {
            complain(word, "is unknown");
        } else if (equals == NULL) {
            complain(word, "needs a value");
        } else if (known->owner == PROGRAMS) {
            if (words->environment_count == WORDS_ENVIRONMENT_MAX) {
                complain(word, "is one too many");
            } else {
                words->environment[words->environment_count++] = word;
            }
        } else if (known->owner == INIT) {
            const char *reason = take_init_word(known->name, equals + 1, words);
            if (reason != NULL) {
                complain(known->name, reason);
            }
        }
    }
}
