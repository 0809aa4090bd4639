/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a cpio "newc" archive that lies in memory: the boot archive. Trusts nothing in it. Pure: no
 * system calls, no allocation. Tests: tests/host/userland/lib/test_cpio.c, tests/fuzz/fuzz_cpio.c.
 */
#ifndef SK_CPIO_H
#define SK_CPIO_H

#include <stdbool.h>

#include <skerry/status.h>
#include <skerry/types.h>

struct sk_cpio_entry {
    const char *name; /* in the archive, NUL-terminated */
    uint32_t mode;    /* as stat's st_mode */
    uint64_t offset;  /* of the data, from the start of the archive */
    uint64_t size;    /* of the data, bytes */
};

/*
 * Walks the archive: start with *position = 0. NOT_FOUND at the end (the trailer), BAD_FORMAT when
 * the archive is damaged at *position.
 */
status_t sk_cpio_next(const void *archive, uint64_t size, uint64_t *position,
                      struct sk_cpio_entry *entry);
/* The entry of exactly this name, without a leading slash. NOT_FOUND, BAD_FORMAT. */
status_t sk_cpio_find(const void *archive, uint64_t size, const char *name,
                      struct sk_cpio_entry *entry);

#endif
