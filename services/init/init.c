/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Init: the first user process, broker of services and parent of programs. Reads as the list of what
 * happens: main() below. All state is in `the_init`; one thread. docs/init.md is the user's page.
 */
#include "init.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <sk/cpio.h>
#include <sk/print.h>
#include <sk/service.h>
#include <sk/time.h>

static struct init the_init;

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

void power_off(struct init *init, enum sk_power_op operation, enum sk_power_reason reason)
{
    for (uint32_t i = init->program_count; i-- > 0;) {
        program_stop(init, &init->programs[i]);
    }
    /* Not every firmware passes the reason on, so whoever reads the console is told too. */
    say("switching off: %s", reason == SK_POWER_SUCCESS ? "success" : "failure");
    handle_t power;
    status_t status = sk_resource_create(init->root, SK_RESOURCE_POWER, 0, 0, &power);
    if (status == SK_OK) {
        status = sk_system_power(power, operation, reason);
    }
    say("the machine cannot be switched off: %s", sk_status_words(status));
    for (;;) {
        sk_thread_sleep(SK_DEADLINE_NEVER);
    }
}

/* Ends the system for a reason that nobody can repair. */
static _Noreturn void give_up(const char *what, status_t status)
{
    say("%s: %s", what, sk_status_words(status));
    power_off(&the_init, SK_POWER_OFF, SK_POWER_FAILURE);
}

static void check(status_t status, const char *what)
{
    if (status != SK_OK) {
        give_up(what, status);
    }
}

/* The log first, so that everything after it can be told. */
static void take_resources(struct init *init)
{
    init->root = sk_boot_handle("resource");
    init->bootfs = sk_boot_handle("bootfs");
    init->dtb = sk_boot_handle("dtb");
    check(sk_resource_create(init->root, SK_RESOURCE_LOG, 0, 0, &init->log), "no log");
    sk_boot_handle_add("log", init->log);
    check(sk_resource_create(init->root, SK_RESOURCE_INSPECT, 0, 0, &init->inspect),
          "no statistics");
    struct sk_job_info job = {0};
    uint64_t written;
    check(sk_object_info(sk_self_job, &job, sizeof job, &written), "no budget");
    init->budget = job.limit;
    init->budget.pages -= job.used.pages;
}

static void map_archive(struct init *init)
{
    struct sk_memory_info info = {0};
    uint64_t written, address;
    check(sk_object_info(init->bootfs, &info, sizeof info, &written), "no boot archive");
    check(sk_memory_map(sk_self_process, init->bootfs, 0, info.size, 0, SK_PROT_READ, &address),
          "cannot map the boot archive");
    init->archive = (const void *)address;
    init->archive_size = info.size;
}

static void complain(const char *word, const char *reason)
{
    say("command line: \"%s\" %s", word, reason);
}

static void read_manifest(struct init *init)
{
    char path[SK_INIT_NAME_MAX + 16];
    snprintf(path, sizeof path, "etc/%s.manifest", init->words.manifest);
    struct sk_cpio_entry file;
    status_t status = sk_cpio_find(init->archive, init->archive_size, path, &file);
    if (status != SK_OK) {
        give_up(path, status);
    }
    char *text = malloc(file.size + 1);
    check(text != NULL ? SK_OK : SK_NO_MEMORY, path);
    memcpy(text, (const char *)init->archive + file.offset, file.size);
    text[file.size] = 0;
    struct manifest_error error;
    if (manifest_parse(text, &init->manifest, &error) != SK_OK) {
        say("%s:%u: %s %s", path, (unsigned)error.line, error.reason, error.word);
        power_off(init, SK_POWER_OFF, SK_POWER_FAILURE);
    }
}

static void switch_off(struct init *init)
{
    for (uint32_t i = 0; i < init->words.off_count; i++) {
        struct manifest_program *entry = manifest_find(&init->manifest, init->words.off[i]);
        if (entry != NULL) {
            entry->off = true;
        } else {
            complain(init->words.off[i], "is no program of the manifest");
        }
    }
}

static struct program *add_program(struct init *init, const struct manifest_program *entry,
                                   const char *name)
{
    struct program *program = &init->programs[init->program_count++];
    *program = (struct program){.entry = entry, .name = name, .settled = true};
    program_register(init, program);
    return program;
}

/* The run= program: its own manifest entry, or the template for programs that have none. */
static void add_foreground(struct init *init)
{
    if (init->words.run_count == 0) {
        return;
    }
    const char *name = init->words.run[0];
    struct manifest_program *entry = manifest_find(&init->manifest, name);
    if (entry == NULL) {
        entry = manifest_find(&init->manifest, "*");
    }
    const char *problem = NULL;
    if (entry == NULL) {
        problem = "the manifest does not list it and has no template";
    } else if (!entry->manual && strcmp(entry->name, "*") != 0) {
        problem = "it is started anyway";
    }
    if (problem != NULL) {
        say("run=%s: %s", name, problem);
        power_off(init, SK_POWER_OFF, SK_POWER_FAILURE);
    }
    init->foreground = add_program(init, entry, name);
    init->foreground->foreground = true;
    init->foreground_deadline = sk_deadline_after(READY_PATIENCE);
}

static void add_programs(struct init *init)
{
    for (uint32_t i = 0; i < init->manifest.count; i++) {
        const struct manifest_program *entry = &init->manifest.programs[i];
        if (strcmp(entry->name, "*") != 0 && !entry->manual) {
            add_program(init, entry, entry->name);
        }
    }
    add_foreground(init);
}

static void start_programs(struct init *init)
{
    for (uint32_t i = 0; i < init->program_count; i++) {
        struct program *program = &init->programs[i];
        if (!program->foreground && !program->entry->off) {
            program_start(init, program);
        }
    }
    maybe_start_foreground(init);
}

void maybe_start_foreground(struct init *init)
{
    struct program *foreground = init->foreground;
    if (foreground == NULL) {
        return;
    }
    bool waited = sk_now() >= init->foreground_deadline;
    for (uint32_t i = 0; i < init->program_count; i++) {
        const struct program *program = &init->programs[i];
        if (program->state == SK_INIT_STARTING ||
            (program->state == SK_INIT_RESTARTING && program->entry->ready)) {
            if (!waited) {
                return;
            }
            say("%s is not ready yet", program->name);
        }
    }
    init->foreground = NULL;
    program_start(init, foreground);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* After every event: what has become due is done, and the next thing to wait for is found. */
static bool before_wait(struct sk_server *server)
{
    struct init *init = server->context;
    end_stuck(init);
    restart_due(init);
    uint64_t deadline = earlier(earliest_wait(init), earliest_restart(init));
    deadline = earlier(deadline, earliest_look(init));
    if (init->foreground != NULL) {
        deadline = earlier(deadline, init->foreground_deadline);
    }
    sk_server_set_deadline(server, deadline);
    return false;
}

static void on_deadline(struct sk_server *server)
{
    struct init *init = server->context;
    settle_waits(init);
    maybe_start_foreground(init);
}

static status_t on_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    struct init *init = server->context;
    if (client->service == ENDPOINT_REQUESTER) {
        return handle_request(init, client->data, in, reply);
    }
    struct broker_service *service = client->data;
    const struct sk_init_accepted *accepted = sk_request(in, struct sk_init_accepted);
    if (sk_operation(in) == SK_INIT_ACCEPTED && accepted != NULL) {
        broker_accepted(service, accepted->sequence);
    } else if (sk_operation(in) == SK_INIT_SERVED) {
        supervise_good(&((struct program *)service->owner)->history);
    } else if (sk_operation(in) == SK_INIT_WORKING) {
        ping_later(init);
    }
    return SK_NOT_SUPPORTED;
}

static void on_disconnect(struct sk_server *server, struct sk_client *client)
{
    struct init *init = server->context;
    if (client->service == ENDPOINT_REQUESTER) {
        requester_gone(init, client->data);
    } else {
        broker_down(client->data);
    }
}

static const struct sk_server_ops ops = {
    .message = on_message,
    .disconnect = on_disconnect,
    .deadline = on_deadline,
    .before_wait = before_wait,
};

static void on_lost(struct broker *broker, struct broker_service *service)
{
    struct init *init = broker->context;
    for (struct sk_client *c = init->server.clients; c != NULL; c = c->next) {
        if (c->service == ENDPOINT_CONTROL && c->data == service) {
            sk_server_drop(&init->server, c);
            return;
        }
    }
}

int main(int argc, char **argv)
{
    struct init *init = &the_init;
    take_resources(init);
    map_archive(init);
    words_parse(argv + 1, (size_t)argc - 1, &init->words, complain);
    read_manifest(init);
    switch_off(init);

    check(sk_server_init(&init->server, &ops, init), "no wait set");
    init->server.clients_pay = true; /* channels are charged to who asked for them */
    init->broker.context = init;
    init->broker.lost = on_lost;
    init->ping_due = SK_DEADLINE_NEVER;
    add_programs(init);
    start_programs(init);
    return sk_server_run(&init->server);
}
