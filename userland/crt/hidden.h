/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Included before everything: whatever is declared is in this program, so that position-independent code finds it
 * relative to the program counter, and not by a table.
 */
#pragma GCC visibility push(hidden)
