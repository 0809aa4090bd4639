/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy of restarts. Owns nothing; see supervise.h.
 * Invariant: early < SUPERVISE_EARLY_MAX whenever a restart is decided, so the pause cannot overflow.
 */
#include "supervise.h"

#include <stdio.h>

#include <sk/print.h>

void supervise_started(struct supervision *history, uint64_t now)
{
    history->started = now;
    history->good = false;
}

void supervise_good(struct supervision *history)
{
    history->good = true;
    history->early = 0;
}

static bool wants_restart(enum manifest_restart policy, enum sk_init_cause cause, int32_t code)
{
    if (cause == SK_CAUSE_TORN_DOWN) {
        return true; /* it did nothing wrong, and was not done */
    }
    switch (policy) {
    case MANIFEST_RESTART_ALWAYS:
        return true;
    case MANIFEST_RESTART_ON_FAILURE:
        return cause != SK_CAUSE_EXITED || code != 0;
    default:
        return false;
    }
}

enum supervise_step supervise_ended(struct supervision *history, enum manifest_restart policy,
                                    enum sk_init_cause cause, int32_t code, uint64_t now,
                                    uint64_t *pause_ns)
{
    history->cause = cause;
    history->code = code;
    if (!wants_restart(policy, cause, code)) {
        return SUPERVISE_REST;
    }
    bool ran = cause != SK_CAUSE_NOT_STARTED && now - history->started >= SUPERVISE_RAN_NS;
    if (history->good || ran || cause == SK_CAUSE_TORN_DOWN) {
        history->early = 0;
        *pause_ns = 0;
        return SUPERVISE_RESTART;
    }
    if (++history->early >= SUPERVISE_EARLY_MAX) {
        return SUPERVISE_GIVE_UP;
    }
    *pause_ns = SUPERVISE_PAUSE_NS << (history->early - 1);
    return SUPERVISE_RESTART;
}

void supervise_words(const struct supervision *history, char *words, size_t size)
{
    switch (history->cause) {
    case SK_CAUSE_NONE:
        snprintf(words, size, "has not ended");
        break;
    case SK_CAUSE_EXITED:
        snprintf(words, size, "ended with exit code %ld", (long)history->code);
        break;
    case SK_CAUSE_KILLED:
        snprintf(words, size, "was killed");
        break;
    case SK_CAUSE_FAULT:
        snprintf(words, size, "ended by a fault");
        break;
    case SK_CAUSE_OVER_BUDGET:
        snprintf(words, size, "ended: over its budget of memory");
        break;
    case SK_CAUSE_HUNG:
        snprintf(words, size, "hung and was killed");
        break;
    case SK_CAUSE_TORN_DOWN:
        snprintf(words, size, "was taken down with what it depends on");
        break;
    default:
        snprintf(words, size, "cannot be started: %s", sk_status_words(history->code));
        break;
    }
}
