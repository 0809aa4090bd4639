/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Start and stop of programs. A program's job, process handle and control endpoints are owned here;
 * they go when the process has ended (ends.c). Tests: tests/qemu/broker, tests/qemu/process.
 */
#include <stdio.h>
#include <stdlib.h>

#include <sk/cpio.h>
#include <sk/print.h>
#include <sk/service.h>
#include <sk/time.h>

#include "init.h"

#define GIVEN_MAX SK_SPAWN_HANDLES_MAX

/* Handles collected for a program that is about to start. */
struct given {
    uint32_t count;
    struct sk_spawn_handle handles[GIVEN_MAX];
    char names[MANIFEST_LIST_MAX][SK_INIT_NAME_MAX + 8]; /* "control:NAME" */
};

void program_register(struct init *init, struct program *program)
{
    for (uint32_t i = 0; i < program->entry->offers.count; i++) {
        struct broker_service *service;
        if (broker_add(&init->broker, program->entry->offers.items[i], program, &service) !=
            SK_OK) {
            say("no room for the name %s", program->entry->offers.items[i]);
        } else {
            service->priority = program->entry->priority;
        }
    }
}

status_t service_up(struct init *init, struct broker_service *service, handle_t control)
{
    struct sk_client *endpoint;
    status_t status = sk_server_add_client(&init->server, control, 0, service->name, &endpoint);
    if (status != SK_OK) {
        sk_handle_close(control);
        return status;
    }
    endpoint->service = ENDPOINT_CONTROL;
    endpoint->data = service;
    broker_up(service, control);
    return SK_OK;
}

static void give(struct given *given, const char *name, handle_t handle)
{
    given->handles[given->count++] = (struct sk_spawn_handle){name, handle};
}

static status_t give_copy(struct given *given, const char *name, handle_t source, uint32_t rights)
{
    handle_t copy;
    status_t status = sk_handle_duplicate(source, rights, &copy);
    if (status == SK_OK) {
        give(given, name, copy);
    }
    return status;
}

uint32_t rights_of(handle_t handle)
{
    uint64_t type_and_rights = 0, id;
    sk_handle_info(handle, &type_and_rights, &id);
    return (uint32_t)(type_and_rights >> 32);
}

static status_t give_resources(struct init *init, const struct program *program,
                               struct given *given)
{
    const uint32_t log_rights = SK_RIGHT_WRITE | SK_RIGHT_DUPLICATE | SK_RIGHT_TRANSFER;
    const uint32_t read_rights = SK_RIGHT_READ | SK_RIGHT_MAP | SK_RIGHT_DUPLICATE |
                                 SK_RIGHT_TRANSFER | SK_RIGHT_INSPECT;
    const struct {
        uint32_t flag;
        const char *name;
        handle_t handle;
        uint32_t rights;
    } resources[] = {
        {MANIFEST_HANDLE_LOG, "log", init->log, log_rights},
        {MANIFEST_HANDLE_LOG_READER, "log", init->log, rights_of(init->log)},
        {MANIFEST_HANDLE_INSPECT, "inspect", init->inspect, rights_of(init->inspect)},
        {MANIFEST_HANDLE_BOOTFS, "bootfs", init->bootfs, read_rights | SK_RIGHT_EXECUTE},
        {MANIFEST_HANDLE_DTB, "dtb", init->dtb, read_rights},
        {MANIFEST_HANDLE_DEVICES, "resource", init->root, rights_of(init->root)},
    };
    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++) {
        if ((program->entry->handles & resources[i].flag) == 0) {
            continue;
        }
        uint32_t rights = resources[i].rights & rights_of(resources[i].handle);
        status_t status = give_copy(given, resources[i].name, resources[i].handle, rights);
        if (status != SK_OK) {
            return status;
        }
    }
    return SK_OK;
}

/* Makes the control channel of each name that the program offers from its start. */
static status_t give_controls(struct init *init, struct program *program, struct given *given)
{
    for (uint32_t i = 0; i < program->entry->offers.count; i++) {
        struct broker_service *service = broker_find(&init->broker,
                                                     program->entry->offers.items[i]);
        if (service == NULL) {
            return SK_NO_SPACE;
        }
        handle_t ours, theirs;
        status_t status = sk_channel_create(program->job, &ours, &theirs);
        if (status != SK_OK) {
            return status;
        }
        snprintf(given->names[i], sizeof given->names[i], "control:%s", service->name);
        give(given, given->names[i], theirs);
        status = service_up(init, service, ours);
        if (status != SK_OK) {
            return status;
        }
    }
    return SK_OK;
}

static status_t give_kept(const struct program *program, struct given *given)
{
    status_t status = SK_OK;
    for (uint32_t i = 0; i < SK_INIT_KEPT_MAX && status == SK_OK; i++) {
        const struct kept *kept = &program->kept[i];
        if (kept->handle != SK_HANDLE_NONE) {
            status = give_copy(given, kept->name, kept->handle, rights_of(kept->handle));
        }
    }
    return status;
}

/* A console that is down is no reason not to start: the program then writes to the log, if it may. */
static void give_console(struct init *init, struct program *program, struct given *given)
{
    struct broker_service *console = broker_find(&init->broker, "console");
    handle_t endpoint;
    if ((program->entry->handles & MANIFEST_HANDLE_CONSOLE) != 0 && console != NULL &&
        broker_connect(&init->broker, &program->requester->client, console, &endpoint) == SK_OK) {
        give(given, "console", endpoint);
    }
}

static status_t make_job(struct init *init, struct program *program)
{
    const struct sk_budget *share = &program->entry->percent, *all = &init->budget;
    struct sk_budget budget = program->entry->budget;
    budget.pages += all->pages * share->pages / 100;
    budget.objects += all->objects * share->objects / 100;
    budget.handles += all->handles * share->handles / 100;
    budget.messages += all->messages * share->messages / 100;
    budget.threads += all->threads * share->threads / 100;
    budget.cpu += all->cpu * share->cpu / 100;
    return sk_job_create(sk_self_job, &budget, &program->job);
}

/* Makes the process, still without a thread, so that connections made for it can name it. */
static status_t make_process(struct init *init, struct program *program)
{
    uint64_t type_and_rights;
    status_t status = sk_process_create(program->job, program->name, strlen(program->name),
                                        &program->process);
    if (status != SK_OK) {
        return status;
    }
    sk_handle_info(program->process, &type_and_rights, &program->process_id);
    return SK_OK;
}

static status_t spawn(struct init *init, struct program *program, struct given *given)
{
    const struct manifest_program *entry = program->entry;
    char path[SK_INIT_NAME_MAX + 8];
    snprintf(path, sizeof path, "bin/%s", program->name);
    const char *file = entry->file != NULL ? entry->file : path;
    struct sk_cpio_entry image;
    status_t status = sk_cpio_find(init->archive, init->archive_size, file, &image);
    if (status != SK_OK) {
        return status;
    }
    const char *arguments[1 + MANIFEST_ARGUMENTS_MAX + WORDS_RUN_MAX] = {program->name};
    size_t count = 1;
    for (uint32_t i = 0; i < entry->argument_count; i++) {
        arguments[count++] = entry->arguments[i];
    }
    for (uint32_t i = 1; program->foreground && i < init->words.run_count; i++) {
        arguments[count++] = init->words.run[i];
    }
    struct sk_spawn spawn = {
        .name = program->name,
        .job = program->job,
        .process = program->process,
        .priority = entry->priority,
        .image = init->bootfs,
        .image_offset = image.offset,
        .image_size = image.size,
        .argument_count = count,
        .arguments = arguments,
        .environment_count = init->words.environment_count,
        .environment = init->words.environment,
        .handles = given->handles,
        .handle_count = given->count,
        .commit = true,
    };
    given->count = 0; /* gone in any case */
    struct sk_child child;
    status = sk_spawn(&spawn, &child);
    if (status != SK_OK) {
        return status;
    }
    status = requester_attach(init, program->requester, child.boot);
    if (status != SK_OK) {
        sk_handle_close(child.boot);
    }
    return status;
}

static void drop_controls(struct init *init, const struct program *program)
{
    for (struct sk_client *c = init->server.clients, *next; c != NULL; c = next) {
        next = c->next;
        struct broker_service *service = c->data;
        if (c->service == ENDPOINT_CONTROL && service->owner == program) {
            sk_server_drop(&init->server, c);
        }
    }
}

void program_clean_up(struct init *init, struct program *program)
{
    drop_controls(init, program);
    if (program->requester != NULL) {
        if (program->requester->endpoint != NULL) {
            sk_server_drop(&init->server, program->requester->endpoint);
        } else {
            requester_gone(init, program->requester);
        }
    }
    if (program->process != SK_HANDLE_NONE) {
        sk_server_unwatch(&init->server, program->process);
        sk_handle_close(program->process);
        program->process = SK_HANDLE_NONE;
    }
    program->process_id = 0;
    for (uint32_t i = 0; i < init->broker.count; i++) {
        if (init->broker.services[i].owner == program) {
            init->broker.services[i].absent = false; /* nobody says so any more */
        }
    }
}

static status_t start(struct init *init, struct program *program)
{
    struct given given = {.count = 0};
    status_t status = make_job(init, program);
    if (status == SK_OK) {
        status = make_process(init, program);
    }
    if (status == SK_OK) {
        program->requester = requester_new(program, program->name, program->job,
                                           program->process_id);
        status = program->requester != NULL ? SK_OK : SK_NO_MEMORY;
    }
    if (status == SK_OK) {
        status = give_resources(init, program, &given);
    }
    if (status == SK_OK) {
        status = give_controls(init, program, &given);
    }
    if (status == SK_OK) {
        status = give_kept(program, &given);
    }
    if (status == SK_OK) {
        give_console(init, program, &given);
        status = spawn(init, program, &given);
    }
    for (uint32_t i = 0; i < given.count; i++) {
        sk_handle_close(given.handles[i].handle);
    }
    return status == SK_OK ? program_watch(init, program) : status;
}

void program_start(struct init *init, struct program *program)
{
    struct supervision *history = &program->history;
    history->restarts += history->started != 0;
    supervise_started(history, sk_now());
    program->hung = program->torn_down = false;
    program->settled = program->entry->may_offer.count == 0;
    program->state = program->entry->ready ? SK_INIT_STARTING : SK_INIT_UP;
    status_t status = start(init, program);
    if (status != SK_OK) {
        program_not_started(init, program, status);
    }
}

void program_stop(struct init *init, struct program *program)
{
    if (program->process == SK_HANDLE_NONE) {
        return;
    }
    uint64_t observed;
    if (program->entry->offers.count != 0) {
        /* A service that finds its control endpoints closed ends by itself. */
        drop_controls(init, program);
        sk_object_wait(program->process, SK_SIGNAL_TERMINATED, sk_deadline_after(STOP_PATIENCE),
                       &observed);
    }
    sk_job_kill(program->job);
    sk_object_wait(program->process, SK_SIGNAL_TERMINATED, sk_deadline_after(STOP_PATIENCE),
                   &observed);
}
