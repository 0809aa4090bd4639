/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcpy in place of the libc's, which copies byte by byte when source and destination are not equally
 * aligned: that is every body that follows a header. Here such copies read whole words, too, and shift;
 * all accesses are aligned, as a machine may emulate others. Needs a little-endian machine. The compiler is
 * told not to see a memcpy in these loops and call it (userland/bin/meson.build).
 * Tests: tests/host/userland/lib/test_memcpy.c.
 */
#include <stddef.h>
#include <stdint.h>

#include "memcpy.h"

#define WORD sizeof(uint64_t)

/* A word that may stand for bytes of any type. */
typedef uint64_t __attribute__((may_alias)) word_t;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are merged by shifts");

/* Both aligned: `words` words, eight at a time while they last. */
static void copy_words(word_t *to, const word_t *from, size_t words)
{
    for (; words >= 8; words -= 8, to += 8, from += 8) {
        uint64_t a = from[0], b = from[1], c = from[2], d = from[3];
        uint64_t e = from[4], f = from[5], g = from[6], h = from[7];
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
        to[4] = e, to[5] = f, to[6] = g, to[7] = h;
    }
    for (; words > 0; words--) {
        *to++ = *from++;
    }
}

/* `from` lies `shift` bits into a word. Reads only words that hold a byte that is copied. */
static void merge_words(word_t *to, const word_t *from, size_t words, unsigned shift)
{
    uint64_t low = *from++;

    for (; words >= 4; words -= 4, to += 4, from += 4) {
        uint64_t a = from[0], b = from[1], c = from[2], d = from[3];
        to[0] = low >> shift | a << (64 - shift);
        to[1] = a >> shift | b << (64 - shift);
        to[2] = b >> shift | c << (64 - shift);
        to[3] = c >> shift | d << (64 - shift);
        low = d;
    }
    for (; words > 0; words--) {
        uint64_t high = *from++;
        *to++ = low >> shift | high << (64 - shift);
        low = high;
    }
}

void *memcpy_by_words(void *restrict to, const void *restrict from, size_t length)
{
    uint8_t *out = to;
    const uint8_t *in = from;

    if (length >= 2 * WORD) {
        for (; (uintptr_t)out % WORD != 0; length--) {
            *out++ = *in++;
        }
        size_t words = length / WORD;
        unsigned offset = (uintptr_t)in % WORD;
        if (offset == 0) {
            copy_words((word_t *)(void *)out, (const word_t *)(const void *)in, words);
        } else {
            merge_words((word_t *)(void *)out, (const word_t *)(const void *)(in - offset), words,
                        offset * 8);
        }
        out += words * WORD;
        in += words * WORD;
        length -= words * WORD;
    }
    for (; length > 0; length--) {
        *out++ = *in++;
    }
    return to;
}
