/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks up the kernel's own function names. Owns nothing: the table is immutable. Any context, any
 * number of harts. Tests: tests/host/symbols_test.c.
 */
#include <kernel/symbols.h>

/* Farther behind the last function than this is not in it any more. */
#define LAST_FUNCTION_BYTES 4096u

const char *symbol_find(uint64_t pc, uint64_t *offset)
{
    if (symbol_count == 0 || pc < symbol_base) {
        return NULL;
    }
    uint64_t wanted = pc - symbol_base;
    if (wanted >= symbol_offsets[symbol_count - 1] + (uint64_t)LAST_FUNCTION_BYTES) {
        return NULL;
    }
    uint32_t low = 0;
    uint32_t high = symbol_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_offsets[middle] <= wanted) {
            low = middle;
        } else {
            high = middle;
        }
    }
    *offset = wanted - symbol_offsets[low];
    return symbol_names + symbol_places[low];
}
