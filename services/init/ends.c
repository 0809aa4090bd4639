/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends of programs, and what follows: the cause is told, what depends on the program is taken down,
 * and when everything that it had started has ended, too, it is started again (supervise.c decides).
 * A service that leaves its control queue alone is ended here. Nothing here waits: what is not yet
 * possible is tried again after the next event.
 * Tests: tests/qemu/heal; the policy alone: tests/host/services/init/test_supervise.c.
 */
#include <stdio.h>
#include <string.h>

#include <sk/print.h>
#include <sk/time.h>

#include "init.h"

#define WORDS_MAX 80u

static bool depends_on(const struct program *program, const struct program *base)
{
    const struct manifest_list *bases = &program->entry->restart_with;
    for (uint32_t i = 0; i < bases->count; i++) {
        if (strcmp(bases->items[i], base->entry->name) == 0) {
            return true;
        }
    }
    return false;
}

bool program_returns(const struct program *program)
{
    return program->state == SK_INIT_RESTARTING ||
           (program->process != SK_HANDLE_NONE &&
            program->entry->restart != MANIFEST_RESTART_NEVER);
}

/* Ends what depends on the program, last in the manifest first. */
static void tear_down_dependents(struct init *init, const struct program *base)
{
    for (uint32_t i = init->program_count; i-- > 0;) {
        struct program *program = &init->programs[i];
        if (depends_on(program, base) && program->process != SK_HANDLE_NONE) {
            program->torn_down = true;
            tear_down_dependents(init, program);
            sk_process_kill(program->process, 0);
        }
    }
}

/* Decides what comes after an end. A restart is told when it becomes possible (restart_due). */
static void program_ended(struct init *init, struct program *program, enum sk_init_cause cause,
                          int32_t code)
{
    char words[WORDS_MAX];
    uint64_t now = sk_now();
    program->pause = 0;
    enum supervise_step step = supervise_ended(&program->history, program->entry->restart, cause,
                                               code, now, &program->pause);
    bool good = cause == SK_CAUSE_EXITED && code == 0;
    supervise_words(&program->history, words, sizeof words);
    program->state = good ? SK_INIT_ENDED : SK_INIT_FAILED;
    program->settled = true;
    switch (step) {
    case SUPERVISE_REST:
        if (!good) {
            say("%s %s", program->name, words);
        }
        break;
    case SUPERVISE_GIVE_UP:
        say("%s %s; given up after %u times without a response", program->name, words,
            (unsigned)program->history.early);
        break;
    case SUPERVISE_RESTART:
        program->state = SK_INIT_RESTARTING;
        program->settled = false;
        program->untold = true;
        program->restart_at = now + program->pause;
        tear_down_dependents(init, program);
        break;
    }
}

/* What follows a decision for those who wait. */
static void tell_all(struct init *init, const struct program *program)
{
    if (program->foreground) {
        power_off(init, SK_POWER_OFF,
                  program->state == SK_INIT_ENDED ? SK_POWER_SUCCESS : SK_POWER_FAILURE);
    }
    settle_waits(init);
    maybe_start_foreground(init);
}

static void close_job(struct init *init, struct program *program)
{
    sk_server_unwatch(&init->server, program->job);
    sk_handle_close(program->job);
    program->job = SK_HANDLE_NONE;
}

/* Everything that the program had started has ended. */
static void on_job_ended(struct sk_server *server, handle_t job, uint32_t signals, void *context)
{
    close_job(server->context, context);
}

/* What the program had started goes with it. */
static void end_job(struct init *init, struct program *program)
{
    if (program->job == SK_HANDLE_NONE) {
        return;
    }
    sk_job_kill(program->job);
    if (sk_server_watch(&init->server, program->job, SK_SIGNAL_TERMINATED, on_job_ended, program) !=
        SK_OK) {
        close_job(init, program);
    }
}

static enum sk_init_cause cause_of(const struct program *program,
                                   const struct sk_process_info *info)
{
    if (program->torn_down) {
        return SK_CAUSE_TORN_DOWN;
    }
    switch (info->exit_reason) {
    case SK_EXIT_EXITED:
        return SK_CAUSE_EXITED;
    case SK_EXIT_FAULT:
        return SK_CAUSE_FAULT;
    case SK_EXIT_OVER_BUDGET:
        return SK_CAUSE_OVER_BUDGET;
    default:
        return program->hung ? SK_CAUSE_HUNG : SK_CAUSE_KILLED;
    }
}

static void on_terminated(struct sk_server *server, handle_t process, uint32_t signals,
                          void *context)
{
    struct init *init = server->context;
    struct program *program = context;
    struct sk_process_info info = {.exit_reason = SK_EXIT_KILLED};
    uint64_t written;
    sk_object_info(process, &info, sizeof info, &written);
    program_clean_up(init, program);
    program_ended(init, program, cause_of(program, &info), (int32_t)info.exit_code);
    end_job(init, program);
    tell_all(init, program);
}

status_t program_watch(struct init *init, struct program *program)
{
    return sk_server_watch(&init->server, program->process, SK_SIGNAL_TERMINATED, on_terminated,
                           program);
}

/* Want of memory may pass; that a file is missing or no program will not. */
static bool may_pass(status_t reason)
{
    return reason == SK_NO_MEMORY || reason == SK_OVER_BUDGET || reason == SK_NO_HANDLES;
}

void program_not_started(struct init *init, struct program *program, status_t reason)
{
    if (program->process != SK_HANDLE_NONE) {
        sk_process_kill(program->process, 0);
    }
    program_clean_up(init, program);
    if (may_pass(reason)) {
        program_ended(init, program, SK_CAUSE_NOT_STARTED, reason);
    } else {
        say("cannot start %s: %s", program->name, sk_status_words(reason));
        program->history.cause = SK_CAUSE_NOT_STARTED;
        program->history.code = reason;
        program->state = SK_INIT_FAILED;
        program->settled = true;
    }
    end_job(init, program);
    tell_all(init, program);
}

/* Must it wait for others, however long ago its time has come? */
static bool is_blocked(const struct init *init, const struct program *program)
{
    if (program->job != SK_HANDLE_NONE) {
        return true; /* its last life is not over */
    }
    for (uint32_t i = 0; i < init->program_count; i++) {
        const struct program *other = &init->programs[i];
        bool above = depends_on(program, other) &&
                     (other->state == SK_INIT_RESTARTING || other->torn_down);
        bool below = depends_on(other, program) && other->torn_down && other->job != SK_HANDLE_NONE;
        if (above || below) {
            return true;
        }
    }
    return false;
}

/* Not sooner, as the console may be what had to be taken down: a line that it had in hand is lost. */
static void tell_restart(struct program *program)
{
    char words[WORDS_MAX];
    if (!program->untold) {
        return;
    }
    program->untold = false;
    supervise_words(&program->history, words, sizeof words);
    if (program->pause == 0) {
        say("%s %s; restarting", program->name, words);
    } else {
        say("%s %s; restarting in %lu ms", program->name, words,
            (unsigned long)(program->pause / SK_MS));
    }
}

void restart_due(struct init *init)
{
    uint64_t now = sk_now();
    for (uint32_t i = 0; i < init->program_count; i++) {
        struct program *program = &init->programs[i];
        if (program->state != SK_INIT_RESTARTING || is_blocked(init, program)) {
            continue;
        }
        tell_restart(program);
        if (program->restart_at <= now) {
            program_start(init, program);
            settle_waits(init);
        }
    }
}

uint64_t earliest_restart(const struct init *init)
{
    uint64_t earliest = SK_DEADLINE_NEVER;
    for (uint32_t i = 0; i < init->program_count; i++) {
        const struct program *program = &init->programs[i];
        if (program->state == SK_INIT_RESTARTING && program->restart_at < earliest &&
            !is_blocked(init, program)) {
            earliest = program->restart_at;
        }
    }
    return earliest;
}

/* --- Services that hang --- */

static uint64_t limit_of(const struct program *program, const struct broker_service *service)
{
    uint64_t limit = program->entry->limit_ms * SK_MS;
    bool begun = program->history.good || service->accepted != 0;
    if (limit == 0) {
        limit = begun ? SERVICE_LIMIT : START_LIMIT;
    }
    return limit;
}

/* Names that a program has put up for others are that program's business: it knows who serves them. */
static bool serves_itself(const struct program *program, const char *name)
{
    return manifest_list_matches(&program->entry->offers, name);
}

void ping_later(struct init *init)
{
    if (init->ping_due == SK_DEADLINE_NEVER) {
        init->ping_due = sk_deadline_after(PING_PAUSE);
    }
}

static void ping_all(struct init *init, uint64_t now)
{
    if (init->ping_due <= now) {
        init->ping_due = SK_DEADLINE_NEVER;
        for (uint32_t i = 0; i < init->broker.count; i++) {
            broker_ping(&init->broker.services[i]);
        }
    }
}

/* Of those that are stuck, who cannot have been kept from running by another of them: the one of the highest
 * priority. NULL: nobody is. */
static struct broker_service *find_stuck(struct init *init, uint64_t now)
{
    struct broker_service *worst = NULL;
    for (uint32_t i = 0; i < init->broker.count; i++) {
        struct broker_service *service = &init->broker.services[i];
        const struct program *program = service->owner;
        bool own = serves_itself(program, service->name);
        if (program->hung || (!own && program->entry->offers.count == 0)) {
            service->look = SK_DEADLINE_NEVER; /* it is just about to end; nobody is to be told */
        } else if (broker_is_stuck(service, now, limit_of(program, service)) &&
                   (worst == NULL || service->priority > worst->priority)) {
            worst = service;
        }
    }
    return worst;
}

static void end_service(struct init *init, const struct broker_service *service)
{
    struct program *program = service->owner;
    if (serves_itself(program, service->name)) {
        program->hung = true;
        sk_process_kill(program->process, 0);
    } else if (program->entry->offers.count != 0) {
        broker_tell_stuck(broker_find(&init->broker, program->entry->offers.items[0]),
                          service->name);
    }
}

void end_stuck(struct init *init)
{
    uint64_t now = sk_now();
    ping_all(init, now);
    const struct broker_service *stuck = find_stuck(init, now);
    if (stuck == NULL) {
        return;
    }
    end_service(init, stuck);
    /* The others may only have waited for this one. */
    for (uint32_t i = 0; i < init->broker.count; i++) {
        struct broker_service *service = &init->broker.services[i];
        broker_look_anew(service, now, limit_of(service->owner, service));
    }
}

uint64_t earliest_look(const struct init *init)
{
    uint64_t earliest = init->ping_due;
    for (uint32_t i = 0; i < init->broker.count; i++) {
        if (init->broker.services[i].look < earliest) {
            earliest = init->broker.services[i].look;
        }
    }
    return earliest;
}
