/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What follows when a program has ended: the policy of the manifest, back-off and giving up. Pure;
 * the clock is the caller's. docs/init.md tells it in words.
 * Tests: tests/host/services/init/test_supervise.c.
 */
#ifndef INIT_SUPERVISE_H
#define INIT_SUPERVISE_H

#include <stdbool.h>
#include <stddef.h>

#include <sk/protocol/init.h>

#include "manifest.h"

/* The pause after the first early end; it doubles with every one that follows. */
#define SUPERVISE_PAUSE_NS ((uint64_t)20 * 1000 * 1000)
/* So many early ends in a row, and it is not started any more: 2.5 seconds after the first one. */
#define SUPERVISE_EARLY_MAX 8u
/* Who has run for so long was no failed start, whether or not anybody asked it anything. */
#define SUPERVISE_RAN_NS ((uint64_t)10 * 1000 * 1000 * 1000)

/* The history of one program. Zero-filled is the state before its first start. */
struct supervision {
    uint32_t restarts; /* starts but the first */
    uint32_t early;    /* ends in a row before the first good response */
    uint32_t cause;    /* of the last end: enum sk_init_cause */
    int32_t code;      /* exit code, or the status of a start that failed */
    uint64_t started;  /* when, the last time */
    bool good;         /* it has responded since then */
};

enum supervise_step {
    SUPERVISE_REST,    /* the policy wants no more of it */
    SUPERVISE_RESTART, /* after the pause */
    SUPERVISE_GIVE_UP, /* too many early ends */
};

void supervise_started(struct supervision *history, uint64_t now);
/* The first good response, or a later one. */
void supervise_good(struct supervision *history);
/* It has ended, or could not be started. *pause_ns is written for SUPERVISE_RESTART only. */
enum supervise_step supervise_ended(struct supervision *history, enum manifest_restart policy,
                                    enum sk_init_cause cause, int32_t code, uint64_t now,
                                    uint64_t *pause_ns);

/* The cause in words: "was killed", "ended with exit code 3"; at most `size` bytes. */
void supervise_words(const struct supervision *history, char *words, size_t size);

#endif
