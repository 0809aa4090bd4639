/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words of the kernel command line, as init understands them (docs/init.md). Pure.
 * Tests: tests/host/services/init/test_words.c.
 */
#ifndef INIT_WORDS_H
#define INIT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORDS_RUN_MAX 16u
#define WORDS_ENVIRONMENT_MAX 16u
#define WORDS_OFF_MAX 16u

struct words {
    const char *manifest; /* "system" unless manifest=NAME */
    uint32_t run_count;   /* run=PROGRAM,ARGUMENT,...: argv; 0: none */
    const char *run[WORDS_RUN_MAX];
    uint32_t off_count; /* off=PROGRAM,...: switched off, as in the manifest */
    const char *off[WORDS_OFF_MAX];
    uint32_t environment_count; /* words that programs look at: every NAME=value but init's */
    const char *environment[WORDS_ENVIRONMENT_MAX];
};

/*
 * Reads `count` words, which are cut in place and must outlive the result. A word that is not
 * understood, or is malformed, is passed to `complain` with the reason and then ignored.
 */
void words_parse(char **list, size_t count, struct words *words,
                 void (*complain)(const char *word, const char *reason));

#endif
