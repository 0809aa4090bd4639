/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs a libFuzzer target without libFuzzer: random bytes, and random changes of the files named on
 * the command line, from a fixed seed, so that every run of the host tests is the same. For real
 * fuzzing see tests/fuzz/README.md.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef ROUNDS
#define ROUNDS 20000u
#endif
#define INPUT_MAX 8192u

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

int main(int argc, char **argv)
{
    static uint8_t seed[INPUT_MAX], data[INPUT_MAX];
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t size = next() % 512;
        for (size_t i = 0; i < size; i++) {
            data[i] = (uint8_t)next();
        }
        feed(data, size);
    }
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        if (file == NULL) {
            perror(argv[i]);
            return 1;
        }
        size_t seed_size = fread(seed, 1, sizeof seed, file);
        fclose(file);
        for (unsigned round = 0; round < ROUNDS; round++) {
            size_t size = seed_size;
            memcpy(data, seed, seed_size);
            mutate(data, &size);
            feed(data, size);
        }
    }
    printf("1..1\nok 1 - %u inputs, none of them harmful\n", ROUNDS * (unsigned)argc);
    return 0;
}
