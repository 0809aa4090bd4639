/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What programs ask of init (sk/protocol/init.h). Every answer is given at once, but for a connect
 * to a device that has not been found yet: that waits in its requester. Init waits for nobody.
 * Tests: tests/qemu/broker.
 */
#include <stdlib.h>

#include <sk/service.h>
#include <sk/time.h>

#include "init.h"

struct requester *requester_new(struct program *program, const char *name, handle_t job,
                                uint64_t id)
{
    struct requester *requester = calloc(1, sizeof *requester);
    if (requester == NULL) {
        return NULL;
    }
    requester->program = program;
    memcpy(requester->name, name, strnlen(name, sizeof requester->name - 1));
    requester->client = (struct broker_client){.id = id, .name = requester->name, .job = job};
    requester->client.grants = program->entry->grants |
                               (program->foreground ? SK_GRANT_FOREGROUND : 0);
    return requester;
}

status_t requester_attach(struct init *init, struct requester *requester, handle_t endpoint)
{
    struct sk_client *client;
    status_t status = sk_server_add_client(&init->server, endpoint, requester->client.id,
                                           requester->name, &client);
    if (status == SK_OK) {
        client->service = ENDPOINT_REQUESTER;
        client->data = requester;
        requester->endpoint = client;
    }
    return status;
}

void requester_gone(struct init *init, struct requester *requester)
{
    struct program *program = requester->program;
    broker_forget(&init->broker, &requester->client);
    if (requester->token !=
        SK_TOKEN_NONE) { /* dropped, but still there: the call does not end by itself */
        sk_server_answer_status(requester->token, SK_PEER_CLOSED);
    }
    if (requester->delegated) {
        sk_handle_close(requester->client.job);
        program->delegates--;
    } else {
        program->requester = NULL;
    }
    free(requester);
}

/* For a name that nobody has offered: may it still come? */
static status_t expect(struct init *init, const char *name)
{
    status_t status = SK_NOT_FOUND;
    for (uint32_t i = 0; i < init->program_count; i++) {
        const struct program *program = &init->programs[i];
        if (!manifest_list_matches(&program->entry->may_offer, name)) {
            continue;
        }
        bool lives = program->process != SK_HANDLE_NONE || program_returns(program);
        if (!lives) {
            status = SK_SERVICE_DOWN;
        } else if (!program->settled) {
            return SK_PENDING;
        }
    }
    return status;
}

static bool is_known(struct init *init, const char *name)
{
    return broker_find(&init->broker, name) != NULL || expect(init, name) != SK_NOT_FOUND;
}

/* PENDING: it may become possible; if it does not until the deadline, *late is the answer. */
static status_t try_connect(struct init *init, struct requester *requester, const char *name,
                            handle_t *endpoint, status_t *late)
{
    struct broker_service *service = broker_find(&init->broker, name);
    *late = SK_TIMED_OUT;
    if (service == NULL) {
        return expect(init, name);
    }
    if (service->absent) {
        return SK_NOT_FOUND;
    }
    status_t status = broker_connect(&init->broker, &requester->client, service, endpoint);
    if (status == SK_SERVICE_DOWN && program_returns(service->owner)) {
        *late = SK_SERVICE_DOWN;
        return SK_PENDING;
    }
    return status;
}

/* Whoever has stdin and stdout there may come again when the console has been started again. */
static bool may_connect(const struct program *program, const char *name)
{
    return manifest_list_matches(&program->entry->connects, name) ||
           ((program->entry->handles & MANIFEST_HANDLE_CONSOLE) != 0 &&
            strcmp(name, "console") == 0);
}

static status_t handle_connect(struct init *init, struct requester *requester, struct sk_in *in,
                               struct sk_reply *reply)
{
    const struct sk_init_connect *request = sk_request(in, struct sk_init_connect);
    if (request == NULL || memchr(request->name, 0, sizeof request->name) == NULL || !in->is_call) {
        return SK_INVALID_ARGS;
    }
    if (!is_known(init, request->name)) {
        return SK_NOT_FOUND;
    }
    if (!may_connect(requester->program, request->name)) {
        return SK_NOT_ALLOWED;
    }
    uint64_t now = sk_now();
    if (requester->token != SK_TOKEN_NONE && requester->deadline > now) {
        return SK_BUSY;
    }
    requester->token = SK_TOKEN_NONE;
    status_t status = try_connect(init, requester, request->name, &reply->handles[0],
                                  &requester->late);
    if (status == SK_PENDING && request->deadline <= now) {
        return requester->late;
    }
    if (status == SK_PENDING) {
        requester->token = in->token;
        requester->deadline = request->deadline;
        memcpy(requester->wanted, request->name, sizeof requester->wanted);
    } else if (status == SK_OK) {
        reply->handle_count = 1;
    }
    return status;
}

static void settle(struct init *init, struct requester *requester, uint64_t now)
{
    if (requester->token == SK_TOKEN_NONE) {
        return;
    }
    struct sk_init_status reply = {SK_OK};
    handle_t endpoint = SK_HANDLE_NONE;
    status_t status = try_connect(init, requester, requester->wanted, &endpoint, &requester->late);
    if (status == SK_PENDING) {
        if (requester->deadline > now) {
            return;
        }
        status = requester->late;
    }
    token_t token = requester->token;
    requester->token = SK_TOKEN_NONE;
    reply.status = status;
    size_t handles = status == SK_OK ? 1 : 0;
    if (sk_server_answer(token, &reply, sizeof reply, &endpoint, handles) != SK_OK &&
        handles != 0) {
        sk_handle_close(endpoint);
    }
}

void settle_waits(struct init *init)
{
    uint64_t now = sk_now();
    for (struct sk_client *c = init->server.clients; c != NULL; c = c->next) {
        if (c->service == ENDPOINT_REQUESTER && !c->closing) {
            settle(init, c->data, now);
        }
    }
}

uint64_t earliest_wait(const struct init *init)
{
    uint64_t earliest = SK_DEADLINE_NEVER;
    for (const struct sk_client *c = init->server.clients; c != NULL; c = c->next) {
        const struct requester *requester = c->data;
        if (c->service == ENDPOINT_REQUESTER && requester->token != SK_TOKEN_NONE &&
            requester->deadline < earliest) {
            earliest = requester->deadline;
        }
    }
    return earliest;
}

/* The name in a struct sk_init_name, NULL if the request is malformed. */
static const char *name_in(struct sk_in *in)
{
    const struct sk_init_name *request = sk_request(in, struct sk_init_name);
    if (request == NULL || request->name[0] == 0 ||
        memchr(request->name, 0, sizeof request->name) == NULL) {
        return NULL;
    }
    return request->name;
}

/* The service that the request names, which the requester may offer. */
static status_t service_in(struct init *init, struct requester *requester, struct sk_in *in,
                           struct broker_service **service)
{
    const char *name = name_in(in);
    if (name == NULL) {
        return SK_INVALID_ARGS;
    }
    if (requester->delegated ||
        !manifest_list_matches(&requester->program->entry->may_offer, name)) {
        return SK_NOT_ALLOWED;
    }
    return broker_add(&init->broker, name, requester->program, service);
}

static status_t handle_offer(struct init *init, struct requester *requester, struct sk_in *in)
{
    struct broker_service *service;
    const struct sk_init_offer *request = sk_request(in, struct sk_init_offer);
    if (request == NULL || request->priority > SK_PRIORITY_MAX || in->handle_count != 1) {
        return SK_INVALID_ARGS;
    }
    status_t status = service_in(init, requester, in, &service);
    if (status != SK_OK) {
        return status;
    }
    service->priority = (uint32_t)request->priority;
    handle_t control = in->handles[0];
    in->handles[0] = SK_HANDLE_NONE;
    status = service_up(init, service, control);
    if (status == SK_OK) {
        settle_waits(init);
    }
    return status;
}

static status_t handle_no_device(struct init *init, struct requester *requester, struct sk_in *in)
{
    struct broker_service *service;
    status_t status = service_in(init, requester, in, &service);
    if (status == SK_OK) {
        service->absent = true;
        settle_waits(init);
    }
    return status;
}

static status_t handle_ready(struct init *init, struct requester *requester)
{
    struct program *program = requester->program;
    if (requester->delegated) {
        return SK_OK;
    }
    program->settled = true;
    program->state = SK_INIT_UP;
    supervise_good(&program->history);
    settle_waits(init);
    maybe_start_foreground(init);
    return SK_OK;
}

static status_t handle_delegate(struct init *init, struct requester *parent, struct sk_in *in,
                                struct sk_reply *reply)
{
    const char *name = name_in(in);
    if (name == NULL || in->handle_count != 1) {
        return SK_INVALID_ARGS;
    }
    if (parent->program->delegates == DELEGATES_PER_PROGRAM) {
        return SK_BUSY;
    }
    handle_t ours, theirs, job = in->handles[0];
    status_t status = sk_channel_create(job, &ours, &theirs);
    if (status != SK_OK) {
        return status;
    }
    struct requester *child = requester_new(parent->program, name, job, parent->client.id);
    status = child != NULL ? requester_attach(init, child, ours) : SK_NO_MEMORY;
    if (status != SK_OK) {
        free(child);
        sk_handle_close(ours);
        sk_handle_close(theirs);
        return status;
    }
    in->handles[0] = SK_HANDLE_NONE;
    child->delegated = true;
    child->client.grants = 0;
    parent->program->delegates++;
    reply->handles[0] = theirs;
    reply->handle_count = 1;
    return SK_OK;
}

/* Appends one entry if it is wanted and there is room. */
static void add_entry(struct sk_init_services *list, uint64_t first, const char *service,
                      const struct program *program, enum sk_init_state state)
{
    uint32_t index = list->total++;
    if (index < first || list->count == SK_INIT_SERVICES_PER_REPLY) {
        return;
    }
    struct sk_init_service *entry = &list->entries[list->count++];
    strncpy(entry->service, service, sizeof entry->service - 1);
    strncpy(entry->program, program->name, sizeof entry->program - 1);
    entry->process_id = program->process_id;
    entry->state = state;
    entry->restarts = program->history.restarts;
    entry->cause = program->history.cause;
    entry->code = program->history.code;
}

static status_t handle_services(struct init *init, struct requester *requester, struct sk_in *in,
                                struct sk_reply *reply)
{
    const struct sk_init_list *request = sk_request(in, struct sk_init_list);
    if (request == NULL) {
        return SK_INVALID_ARGS;
    }
    if ((requester->client.grants & SK_GRANT_INSPECT) == 0) {
        return SK_NOT_ALLOWED;
    }
    uint64_t first = request->first;
    struct sk_init_services *list = sk_reply_struct(reply, struct sk_init_services);
    for (uint32_t i = 0; i < init->broker.count; i++) {
        const struct broker_service *service = &init->broker.services[i];
        const struct program *program = service->owner;
        bool gone = program->state == SK_INIT_UP && service->control == SK_HANDLE_NONE;
        if (!service->absent) {
            add_entry(list, first, service->name, program, gone ? SK_INIT_FAILED : program->state);
        }
    }
    for (uint32_t i = 0; i < init->program_count; i++) {
        const struct program *program = &init->programs[i];
        bool listed = program->entry->offers.count != 0;
        bool dormant = program->entry->manual && program->process == SK_HANDLE_NONE;
        if (!listed && !dormant) {
            add_entry(list, first, "", program, program->state);
        }
    }
    reply->length = offsetof(struct sk_init_services, entries) +
                    list->count * sizeof list->entries[0];
    return SK_OK;
}

static status_t handle_kill(struct init *init, struct requester *requester, struct sk_in *in)
{
    const char *name = name_in(in);
    if (name == NULL) {
        return SK_INVALID_ARGS;
    }
    if ((requester->client.grants & SK_GRANT_KILL) == 0) {
        return SK_NOT_ALLOWED;
    }
    for (uint32_t i = 0; i < init->program_count; i++) {
        const struct program *program = &init->programs[i];
        if (strcmp(program->name, name) == 0) {
            return program->process == SK_HANDLE_NONE ? SK_BAD_STATE
                                                      : sk_process_kill(program->process, 0);
        }
    }
    return SK_NOT_FOUND;
}

static struct kept *find_kept(struct program *program, const char *name)
{
    for (uint32_t i = 0; i < SK_INIT_KEPT_MAX; i++) {
        if (strcmp(program->kept[i].name, name) == 0) {
            return &program->kept[i];
        }
    }
    return NULL;
}

/* What a dead program's devices may still write to stays pinned until its next life has stopped them. */
static status_t handle_keep(struct init *init, struct requester *requester, struct sk_in *in)
{
    struct program *program = requester->program;
    const char *given = name_in(in);
    char name[sizeof program->kept[0].name] = "kept:";
    if (given == NULL || in->handle_count > 1) {
        return SK_INVALID_ARGS;
    }
    if (requester->delegated || (program->entry->handles & MANIFEST_HANDLE_DEVICES) == 0) {
        return SK_NOT_ALLOWED;
    }
    const uint32_t passed_on = SK_RIGHT_DUPLICATE |
                               SK_RIGHT_TRANSFER; /* else the next life never begins */
    if (in->handle_count == 1 && (rights_of(in->handles[0]) & passed_on) != passed_on) {
        return SK_ACCESS_DENIED;
    }
    strcat(name, given);
    struct kept *kept = find_kept(program, name);
    kept = kept != NULL ? kept : find_kept(program, "");
    if (kept == NULL) {
        return SK_BUSY;
    }
    if (kept->handle != SK_HANDLE_NONE) {
        sk_handle_close(kept->handle);
    }
    *kept = (struct kept){.handle = SK_HANDLE_NONE};
    if (in->handle_count == 1) {
        strcpy(kept->name, name);
        kept->handle = in->handles[0];
        in->handles[0] = SK_HANDLE_NONE;
    }
    return SK_OK;
}

static status_t handle_complaint(struct init *init, struct requester *requester, struct sk_in *in)
{
    const char *name = name_in(in);
    if (name == NULL) {
        return SK_INVALID_ARGS;
    }
    struct broker_service *service = broker_find(&init->broker, name);
    if (service == NULL) {
        return SK_NOT_FOUND;
    }
    if (!may_connect(requester->program, name)) {
        return SK_NOT_ALLOWED;
    }
    broker_ping(service);
    return SK_OK;
}

static status_t handle_power(struct init *init, struct requester *requester, struct sk_in *in)
{
    const struct sk_init_power *request = sk_request(in, struct sk_init_power);
    if (request == NULL || request->power_operation > SK_POWER_REBOOT ||
        request->reason > SK_POWER_FAILURE) {
        return SK_INVALID_ARGS;
    }
    if ((requester->client.grants & SK_GRANT_POWER) == 0) {
        return SK_NOT_ALLOWED;
    }
    power_off(init, request->power_operation, request->reason);
}

status_t handle_request(struct init *init, struct requester *requester, struct sk_in *in,
                        struct sk_reply *reply)
{
    status_t status = SK_INVALID_ARGS;
    switch (sk_operation(in)) {
    case SK_INIT_CONNECT:
        status = handle_connect(init, requester, in, reply);
        break;
    case SK_INIT_OFFER:
        return handle_offer(init, requester, in);
    case SK_INIT_NO_DEVICE:
        return handle_no_device(init, requester, in);
    case SK_INIT_READY:
        return handle_ready(init, requester);
    case SK_INIT_SERVICES:
        return handle_services(init, requester, in, reply);
    case SK_INIT_POWER:
        return handle_power(init, requester, in);
    case SK_INIT_DELEGATE:
        status = handle_delegate(init, requester, in, reply);
        break;
    case SK_INIT_KILL:
        return handle_kill(init, requester, in);
    case SK_INIT_COMPLAIN:
        return handle_complaint(init, requester, in);
    case SK_INIT_KEEP:
        return handle_keep(init, requester, in);
    default:
        return SK_NOT_SUPPORTED;
    }
    if (status == SK_OK) {
        sk_reply_struct(reply, struct sk_init_status)->status = SK_OK;
    }
    return status;
}
