/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of healing share: killing a program by its name, and asking the web server.
 */
#ifndef HEAL_TEST_H
#define HEAL_TEST_H

#include <stddef.h>

#include <skerry/status.h>
#include <skerry/types.h>

/* Asks init to end a program as if it had crashed (the manifest grants `kill`). */
status_t heal_kill(const char *program);

/* Waits until everything printed has left the machine: a console that dies loses what it has in hand. */
void heal_drain(void);

/* One GET over loopback on a session of its own; the body's first bytes. BAD_FORMAT: not a 200. */
status_t heal_get(const char *path, char *body, size_t size, uint64_t deadline);

/* Ends a component (recovery.c lists them) and measures until its next good response. NOT_FOUND;
 * BAD_STATE: it was not well before; TIMED_OUT: it did not come back. */
status_t heal_recovery(const char *name, uint64_t *ns);

/* The cases of attack_init.c. */
void attack_init(void);

#endif
