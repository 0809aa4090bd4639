/* SPDX-License-Identifier: BSD-2-Clause */
/* A boot archive for services that read one, as tools/mkbootfs.py makes it: data begins on a page. */
#ifndef DOUBLE_ARCHIVE_H
#define DOUBLE_ARCHIVE_H

#include "double.h"

struct archive_file {
    const char *name;
    uint32_t mode; /* with the file's type */
    const void *bytes;
    uint32_t size;
};

/* At most 16 pages. */
struct held archive_make(const struct archive_file *files, size_t count);
/* The smallest program that the loader takes; *size: of it. */
const void *archive_program(uint32_t *size);

#endif
