/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The areas of test-kernel.
 */
#ifndef KERNEL_TEST_H
#define KERNEL_TEST_H

#include "self.h"

void test_basics(void);
void test_handles(void);
void test_waits(void);
void test_futexes(void);
void test_memory(void);
void test_faults(void);
void test_pointers(void);
void test_budgets(void);
void test_threads(void);
void test_resources(void);
void test_slices(void);
void test_sweeps(void);

/* Modes of the program as a child. */
int mode_fault(int argc, char **argv);
int mode_share(int argc, char **argv);
int mode_touch(int argc, char **argv);
int mode_spend_handles(int argc, char **argv);
int mode_spend_threads(int argc, char **argv);
int mode_spend_thread(int argc, char **argv);
int mode_spend_messages(int argc, char **argv);
int mode_floats(int argc, char **argv);
int mode_futex(int argc, char **argv);
int mode_quit(int argc, char **argv);
int mode_idle(int argc, char **argv);

/* The root resource, and a narrower one made of it. */
handle_t root_resource(void);
handle_t make_resource(uint32_t kind, uint64_t base, uint64_t size);

#endif
