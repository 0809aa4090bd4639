/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of healing share: killing a program by its name, and asking the web server.
 */
#ifndef HEAL_TEST_H
#define HEAL_TEST_H

#include <stddef.h>

#include <skerry/status.h>

/* Asks init to end a program as if it had crashed (the manifest grants `kill`). */
status_t heal_kill(const char *program);

/* One GET over loopback on a session of its own; the body's first bytes. BAD_FORMAT: not a 200. */
status_t heal_get(const char *path, char *body, size_t size, uint64_t deadline);

#endif
