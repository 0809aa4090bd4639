/* SPDX-License-Identifier: BSD-2-Clause */
/* Regions as space.c and space_access.c, which are one, see them. */
#ifndef KERNEL_REGION_H
#define KERNEL_REGION_H

#include <kernel/space.h>

/* That which `va` is in; NULL: none. Space lock held. */
struct region *region_find(struct address_space *space, vaddr_t va);
/* Enters one of its pages in the page tables: OVER_BUDGET or NO_MEMORY when it cannot be paid. Space lock held. */
status_t region_enter(struct address_space *space, const struct region *region, vaddr_t va);
/* All of [start, start + length) is the user's half. */
bool range_is_user(vaddr_t start, uint64_t length);

#endif
