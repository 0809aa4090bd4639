/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the kernel's functions, for backtraces. The table is made by tools/mksymbols.py from a first
 * link of the kernel and linked into the second one. Immutable: no lock, any context.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

extern const uint32_t symbol_count;
extern const uint64_t symbol_base;      /* address of the first function */
extern const uint32_t symbol_offsets[]; /* ascending, from symbol_base */
extern const uint32_t symbol_places[];  /* where its name begins in symbol_names */
extern const char symbol_names[];

/* The function that contains `pc`, and how far into it; NULL if the kernel has none there. */
const char *symbol_find(uint64_t pc, uint64_t *offset);
