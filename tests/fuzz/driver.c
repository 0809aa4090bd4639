/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a libFuzzer target without libFuzzer: random bytes, and random changes of the files named on
 * the command line, from a fixed seed, so that every run of the host tests is the same. A file
 * NAME.corpus is many inputs, each behind its length in two bytes: all of them as they are, and changed.
 * For real fuzzing see tests/fuzz/README.md.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ROUNDS
#define ROUNDS 20000u
#endif
#define INPUT_MAX 8192u
#define CORPUS_MAX 65536u
#define CORPUS_CHANGES 3u /* of each of its inputs */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* The target gets a block of exactly its size, so that a sanitizer sees a read behind the end. */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size != 0 ? size : 1);
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void mutate(uint8_t *data, size_t *size)
{
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, ' ', '\n', '0', 'f', '*', '%'};
    for (uint64_t changes = 1 + next() % 8; changes > 0 && *size > 0; changes--) {
        size_t at = next() % *size;
        switch (next() % 4) {
        case 0:
            data[at] ^= (uint8_t)(1u << next() % 8);
            break;
        case 1:
            data[at] = edges[next() % sizeof edges];
            break;
        case 2:
            data[at] = (uint8_t)next();
            break;
        default:
            *size = next() % 16 == 0 ? at : *size;
            break;
        }
    }
}

static unsigned fed;

static void feed_changed(const uint8_t *seed, size_t seed_size, unsigned rounds)
{
    static uint8_t data[INPUT_MAX];
    fed += rounds;
    for (unsigned round = 0; round < rounds; round++) {
        size_t size = seed_size;
        memcpy(data, seed, seed_size);
        mutate(data, &size);
        feed(data, size);
    }
}

static void feed_corpus(const uint8_t *corpus, size_t size)
{
    for (size_t at = 0, length; at + 2 <= size; at += 2 + length) {
        length = corpus[at] | (size_t)corpus[at + 1] << 8;
        if (length > size - at - 2 || length > INPUT_MAX) {
            fprintf(stderr, "the corpus is cut off\n");
            exit(1);
        }
        feed(corpus + at + 2, length);
        feed_changed(corpus + at + 2, length, CORPUS_CHANGES);
        fed++;
    }
}

static void feed_random(void)
{
    static uint8_t data[INPUT_MAX];
    fed += ROUNDS;
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t size = next() % 512;
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)next();
        }
        feed(data, size);
    }
}

int main(int argc, char **argv)
{
    static uint8_t seed[CORPUS_MAX];
    feed_random();
    for (int i = 1; i < argc; i++) {
        const char *suffix = strrchr(argv[i], '.');
        bool is_corpus = suffix != NULL && strcmp(suffix, ".corpus") == 0;
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        size_t size = fread(seed, 1, is_corpus ? sizeof seed : INPUT_MAX, file);
        fclose(file);
        if (is_corpus) {
            feed_corpus(seed, size);
        } else {
            feed_changed(seed, size, ROUNDS);
        }
    }
    printf("1..1\nok 1 - %u inputs, none of them harmful\n", fed);
    return 0;
}
