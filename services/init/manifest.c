/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manifest parser: lines of words. "program NAME" begins a program, every other line is a key of
 * it with its values. One table names the keys. Owns nothing; the strings stay in the text.
 */
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

#include <sk/protocol/init.h>

#define WORDS_MAX 24u
#define LIMIT_MS_MAX (60u * 1000)

/* One line as words, and where to complain. */
struct line {
    uint32_t number;
    uint32_t count;
    char *words[WORDS_MAX];
    struct manifest_error *error;
};

struct keyword {
    const char *word;
    uint32_t value;
};

static const struct keyword handle_words[] = {
    {"log", MANIFEST_HANDLE_LOG},         {"log-reader", MANIFEST_HANDLE_LOG_READER},
    {"inspect", MANIFEST_HANDLE_INSPECT}, {"bootfs", MANIFEST_HANDLE_BOOTFS},
    {"dtb", MANIFEST_HANDLE_DTB},         {"devices", MANIFEST_HANDLE_DEVICES},
    {"console", MANIFEST_HANDLE_CONSOLE}, {NULL, 0},
};

static const struct keyword grant_words[] = {
    {"low-ports", SK_GRANT_LOW_PORTS}, {"power", SK_GRANT_POWER}, {"inspect", SK_GRANT_INSPECT},
    {"restart", SK_GRANT_RESTART},     {"kill", SK_GRANT_KILL},   {NULL, 0},
};

static const struct keyword restart_words[] = {
    {"never", MANIFEST_RESTART_NEVER},
    {"on-failure", MANIFEST_RESTART_ON_FAILURE},
    {"always", MANIFEST_RESTART_ALWAYS},
    {NULL, 0},
};

static status_t refuse(const struct line *line, const char *reason, const char *word)
{
    *line->error = (struct manifest_error){line->number, reason, word};
    return SK_BAD_FORMAT;
}

static const struct keyword *find_keyword(const struct keyword *table, const char *word)
{
    for (; table->word != NULL; table++) {
        if (strcmp(table->word, word) == 0) {
            return table;
        }
    }
    return NULL;
}

static bool parse_number(const char *text, uint64_t limit, uint64_t *value)
{
    uint64_t result = 0;
    if (*text == 0) {
        return false;
    }
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || result > limit) {
            return false;
        }
        result = result * 10 + (uint64_t)(*text - '0');
    }
    *value = result;
    return result <= limit;
}

static bool is_name(const char *word)
{
    size_t length = strlen(word);
    return length > 0 && length < SK_INIT_NAME_MAX;
}

static status_t add_names(struct line *line, struct manifest_list *list)
{
    for (uint32_t i = 1; i < line->count; i++) {
        if (!is_name(line->words[i])) {
            return refuse(line, "name too long", line->words[i]);
        }
        if (list->count == MANIFEST_LIST_MAX) {
            return refuse(line, "too many names", line->words[i]);
        }
        list->items[list->count++] = line->words[i];
    }
    return SK_OK;
}

static status_t add_flags(struct line *line, const struct keyword *table, uint32_t *flags)
{
    for (uint32_t i = 1; i < line->count; i++) {
        const struct keyword *keyword = find_keyword(table, line->words[i]);
        if (keyword == NULL) {
            return refuse(line, "unknown word", line->words[i]);
        }
        *flags |= keyword->value;
    }
    return SK_OK;
}

static status_t key_offers(struct line *line, struct manifest_program *program)
{
    return add_names(line, &program->offers);
}

static status_t key_may_offer(struct line *line, struct manifest_program *program)
{
    return add_names(line, &program->may_offer);
}

static status_t key_connects(struct line *line, struct manifest_program *program)
{
    return add_names(line, &program->connects);
}

static status_t key_handles(struct line *line, struct manifest_program *program)
{
    return add_flags(line, handle_words, &program->handles);
}

static status_t key_grants(struct line *line, struct manifest_program *program)
{
    return add_flags(line, grant_words, &program->grants);
}

static status_t key_file(struct line *line, struct manifest_program *program)
{
    program->file = line->words[1];
    return SK_OK;
}

static status_t key_arguments(struct line *line, struct manifest_program *program)
{
    for (uint32_t i = 1; i < line->count; i++) {
        if (program->argument_count == MANIFEST_ARGUMENTS_MAX) {
            return refuse(line, "too many arguments", line->words[i]);
        }
        program->arguments[program->argument_count++] = line->words[i];
    }
    return SK_OK;
}

static status_t key_priority(struct line *line, struct manifest_program *program)
{
    uint64_t value;
    if (!parse_number(line->words[1], SK_PRIORITY_MAX, &value) || value < SK_PRIORITY_MIN) {
        return refuse(line, "not a priority", line->words[1]);
    }
    program->priority = (uint32_t)value;
    return SK_OK;
}

static status_t key_restart(struct line *line, struct manifest_program *program)
{
    const struct keyword *keyword = find_keyword(restart_words, line->words[1]);
    if (keyword == NULL) {
        return refuse(line, "unknown word", line->words[1]);
    }
    program->restart = (enum manifest_restart)keyword->value;
    return SK_OK;
}

static status_t key_restart_with(struct line *line, struct manifest_program *program)
{
    return add_names(line, &program->restart_with);
}

static status_t key_limit(struct line *line, struct manifest_program *program)
{
    uint64_t value;
    if (!parse_number(line->words[1], LIMIT_MS_MAX, &value) || value == 0) {
        return refuse(line, "not a limit in milliseconds", line->words[1]);
    }
    program->limit_ms = (uint32_t)value;
    return SK_OK;
}

static status_t key_ready(struct line *line, struct manifest_program *program)
{
    program->ready = true;
    return SK_OK;
}

static status_t key_off(struct line *line, struct manifest_program *program)
{
    program->off = true;
    return SK_OK;
}

static status_t key_manual(struct line *line, struct manifest_program *program)
{
    program->manual = true;
    return SK_OK;
}

static const struct {
    const char *word;
    size_t offset; /* in struct sk_budget */
} budget_words[] = {
    {"pages", offsetof(struct sk_budget, pages)},
    {"objects", offsetof(struct sk_budget, objects)},
    {"handles", offsetof(struct sk_budget, handles)},
    {"messages", offsetof(struct sk_budget, messages)},
    {"threads", offsetof(struct sk_budget, threads)},
    {"cpu", offsetof(struct sk_budget, cpu)},
};
#define BUDGET_WORDS (sizeof budget_words / sizeof budget_words[0])

static uint64_t *budget_field(struct sk_budget *budget, size_t index)
{
    return (uint64_t *)((char *)budget + budget_words[index].offset);
}

/* "64", or "5%": a share of what init has. */
static bool set_budget(struct manifest_program *program, size_t index, const char *value)
{
    char digits[24];
    uint64_t number;
    size_t length = strlen(value);
    bool share = length > 0 && value[length - 1] == '%';
    if (length >= sizeof digits) {
        return false;
    }
    memcpy(digits, value, length + 1);
    if (share) {
        digits[length - 1] = 0;
    }
    if (!parse_number(digits, share ? 100 : UINT32_MAX, &number) || (share && number == 0)) {
        return false;
    }
    *budget_field(&program->percent, index) = share ? number : 0;
    *budget_field(&program->budget, index) = share ? 0 : number;
    return true;
}

/* "pages=64", "objects=5%", or "5%" for every kind. */
static bool parse_budget(struct manifest_program *program, const char *word)
{
    const char *equals = strchr(word, '=');
    bool good = false;
    for (size_t i = 0; i < BUDGET_WORDS; i++) {
        if (equals == NULL) {
            good = strchr(word, '%') != NULL && set_budget(program, i, word);
        } else if (strlen(budget_words[i].word) == (size_t)(equals - word) &&
                   strncmp(budget_words[i].word, word, (size_t)(equals - word)) == 0) {
            return set_budget(program, i, equals + 1);
        }
    }
    return good;
}

static status_t key_budget(struct line *line, struct manifest_program *program)
{
    for (uint32_t i = 1; i < line->count; i++) {
        if (!parse_budget(program, line->words[i])) {
            return refuse(line, "not a budget", line->words[i]);
        }
    }
    return SK_OK;
}

static const struct key {
    const char *word;
    status_t (*parse)(struct line *line, struct manifest_program *program);
    uint32_t least, most; /* values */
} keys[] = {
    {"file", key_file, 1, 1},
    {"arguments", key_arguments, 0, WORDS_MAX},
    {"priority", key_priority, 1, 1},
    {"budget", key_budget, 1, WORDS_MAX},
    {"offers", key_offers, 1, WORDS_MAX},
    {"may-offer", key_may_offer, 1, WORDS_MAX},
    {"connects", key_connects, 1, WORDS_MAX},
    {"handles", key_handles, 1, WORDS_MAX},
    {"grants", key_grants, 1, WORDS_MAX},
    {"restart", key_restart, 1, 1},
    {"restart-with", key_restart_with, 1, WORDS_MAX},
    {"limit", key_limit, 1, 1},
    {"ready", key_ready, 0, 0},
    {"off", key_off, 0, 0},
    {"manual", key_manual, 0, 0},
};

static status_t parse_program(struct line *line, struct manifest *manifest)
{
    if (line->count != 2) {
        return refuse(line, "expected: program NAME", "");
    }
    if (!is_name(line->words[1])) {
        return refuse(line, "name too long", line->words[1]);
    }
    if (manifest_find(manifest, line->words[1]) != NULL) {
        return refuse(line, "program is there twice", line->words[1]);
    }
    if (manifest->count == MANIFEST_PROGRAMS_MAX) {
        return refuse(line, "too many programs", line->words[1]);
    }
    manifest->programs[manifest->count++] = (struct manifest_program){
        .name = line->words[1],
        .priority = SK_PRIORITY_DEFAULT,
        .budget =
            {.pages = 256, .objects = 128, .handles = 128, .messages = 64, .threads = 4, .cpu = 20},
    };
    return SK_OK;
}

static status_t parse_line(struct line *line, struct manifest *manifest)
{
    if (strcmp(line->words[0], "program") == 0) {
        return parse_program(line, manifest);
    }
    if (manifest->count == 0) {
        return refuse(line, "expected: program NAME", line->words[0]);
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(line->words[0], keys[i].word) == 0) {
            uint32_t values = line->count - 1;
            if (values < keys[i].least || values > keys[i].most) {
                return refuse(line, "wrong number of values", line->words[0]);
            }
            return keys[i].parse(line, &manifest->programs[manifest->count - 1]);
        }
    }
    return refuse(line, "unknown key", line->words[0]);
}

/* No two programs may offer one name, or a connect would depend on the order of lines. */
static status_t check_offers(struct manifest *manifest, struct line *line)
{
    for (uint32_t i = 0; i < manifest->count; i++) {
        const struct manifest_list *offers = &manifest->programs[i].offers;
        for (uint32_t j = 0; j < offers->count; j++) {
            for (uint32_t k = 0; k < manifest->count; k++) {
                uint32_t end = k == i ? j : manifest->programs[k].offers.count;
                for (uint32_t m = 0; m < end; m++) {
                    if (strcmp(offers->items[j], manifest->programs[k].offers.items[m]) == 0) {
                        return refuse(line, "two offers of one name", offers->items[j]);
                    }
                }
            }
        }
    }
    return SK_OK;
}

/* What a program depends on stands above it: so there is no circle, and the order of starting is that
 * of the lines. */
static status_t check_dependencies(struct manifest *manifest, struct line *line)
{
    for (uint32_t i = 0; i < manifest->count; i++) {
        const struct manifest_list *bases = &manifest->programs[i].restart_with;
        for (uint32_t j = 0; j < bases->count; j++) {
            struct manifest_program *base = manifest_find(manifest, bases->items[j]);
            if (base == NULL || base >= &manifest->programs[i]) {
                return refuse(line, "restart-with names no program above", bases->items[j]);
            }
        }
    }
    return SK_OK;
}

/* Cuts the line at *at into words and moves *at to the next one. False: too many words. */
static bool split_line(char **at, struct line *line)
{
    char *text = *at, *save = NULL;
    size_t length = strcspn(text, "\n");
    *at = text[length] != 0 ? text + length + 1 : text + length;
    text[length] = 0;
    text[strcspn(text, "#")] = 0;
    line->count = 0;
    for (char *word = strtok_r(text, " \t\r", &save); word != NULL;
         word = strtok_r(NULL, " \t\r", &save)) {
        if (line->count == WORDS_MAX) {
            return false;
        }
        line->words[line->count++] = word;
    }
    return true;
}

status_t manifest_parse(char *text, struct manifest *manifest, struct manifest_error *error)
{
    struct line line = {.error = error};
    manifest->count = 0;
    for (char *at = text; *at != 0;) {
        line.number++;
        if (!split_line(&at, &line)) {
            return refuse(&line, "too many words", "");
        }
        if (line.count == 0) {
            continue;
        }
        status_t status = parse_line(&line, manifest);
        if (status != SK_OK) {
            return status;
        }
    }
    status_t status = check_offers(manifest, &line);
    return status == SK_OK ? check_dependencies(manifest, &line) : status;
}

struct manifest_program *manifest_find(struct manifest *manifest, const char *name)
{
    for (uint32_t i = 0; i < manifest->count; i++) {
        if (strcmp(manifest->programs[i].name, name) == 0) {
            return &manifest->programs[i];
        }
    }
    return NULL;
}

bool manifest_list_matches(const struct manifest_list *list, const char *name)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const char *item = list->items[i];
        size_t length = strlen(item);
        bool pattern = length > 0 && item[length - 1] == '*';
        if (pattern ? strncmp(item, name, length - 1) == 0 : strcmp(item, name) == 0) {
            return true;
        }
    }
    return false;
}
