/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What test-child in the mode `serve` does instead of answering (tests/qemu/process/child.c).
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdint.h>

/* What a child says in the mode "place": addresses in its image, stack and heap. */
struct child_place {
    uint64_t text, stack, heap;
};

enum child_operation { CHILD_SPIN = 0x5350494e, CHILD_CRASH = 0x43524153 };

#endif
