/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The long operations that test-steps measures.
 */
#ifndef STEPS_H
#define STEPS_H

#include "self.h"

/* One long operation: `run` is measured, and what the kernel has put off when it returns; the others are
 * preparation and tidying up, and may be NULL. */
struct operation {
    const char *name;
    void (*prepare)(void);
    void (*run)(void);
    void (*finish)(void);
    bool
        uncut; /* what is measured is not one stretch, but how late the probe is behind others: told only */
};

extern const struct operation memory_operations[], object_operations[];
extern const size_t memory_operation_count, object_operation_count;

/* Modes of the program as a child: each fills itself with something and then waits to be killed. */
int mode_threads(int argc, char **argv);
int mode_handles(int argc, char **argv);
int mode_regions(int argc, char **argv);
int mode_callers(int argc, char **argv);
int mode_inboxes(int argc, char **argv);

#endif
