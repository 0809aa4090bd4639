/* SPDX-License-Identifier: BSD-2-Clause */
/* Scalars of the kernel. */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skerry/status.h>
#include <skerry/types.h>

typedef uint64_t paddr_t; /* physical address */
typedef uint64_t vaddr_t; /* user virtual address */

#define PAGE_SIZE ((uint64_t)SK_PAGE_SIZE)
#define PAGE_MASK (PAGE_SIZE - 1)
#define HARTS_MAX 8u

/* What the compiler should lay out of the way. */
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define likely(condition) __builtin_expect(!!(condition), 1)

/* A function of the rare case: what calls it keeps its registers for the others. */
#define RARELY __attribute__((cold, noinline))

/* For the few functions of which each use has to be its own code. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* A function on every system call's way whose locals are whole objects that the callee fills: without
 * a stack canary. Those with arrays have one. */
#define UNGUARDED __attribute__((no_stack_protector))

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
