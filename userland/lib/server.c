/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of services and drivers. Owns the wait set, the endpoints of controls and clients, and a
 * struct sk_server_source for each member, whose address is the member's key. One thread; no lock.
 * Invariant: a source is freed only between two callbacks (the graveyard), so callbacks may drop
 * anything. Tests: tests/qemu/broker, and every service.
 */
#include <sk/server.h>

#include <stdlib.h>

#include <sk/print.h>
#include <sk/service.h>
#include <sk/time.h>
#include <skerry/info.h>

enum source_kind { SOURCE_CONTROL, SOURCE_CLIENT, SOURCE_WATCH };

struct sk_server_source {
    struct sk_client client; /* SOURCE_CLIENT; first, so that a client is its source */
    enum source_kind kind;
    handle_t handle;
    struct sk_server_source *next; /* in `watches` or in the graveyard */
    bool dead;

    uint32_t index;          /* SOURCE_CONTROL: which offer */
    uint64_t sequence;       /* SOURCE_CONTROL: last connection taken off the queue */
    uint64_t acknowledged;   /* SOURCE_CONTROL: ... and told to init */
    sk_watch_function watch; /* SOURCE_WATCH */
    void *context;           /* SOURCE_WATCH */
};

/* Messages between two looks at the clock while a deadline is set and messages keep coming. */
#define MESSAGES_PER_CLOCK 8u
/* Pause when the job cannot pay for a message that init has sent. */
#define OVER_BUDGET_PAUSE (10 * SK_MS)

/* What a lack of ours is to a client: it may come again. What is given back makes room. */
static status_t told_status(const struct sk_server *server, status_t status)
{
    bool lack = status == SK_NO_MEMORY || status == SK_OVER_BUDGET || status == SK_NO_HANDLES;
    return lack && !server->clients_pay ? SK_BUSY : status;
}

static struct sk_server_source *source_of(struct sk_client *client)
{
    return (struct sk_server_source *)client;
}

static void bury(struct sk_server *server, struct sk_server_source *source)
{
    source->dead = true;
    source->next = server->graveyard;
    server->graveyard = source;
}

static void empty_graveyard(struct sk_server *server)
{
    while (server->graveyard != NULL) {
        struct sk_server_source *source = server->graveyard;
        server->graveyard = source->next;
        free(source);
    }
}

status_t sk_server_init(struct sk_server *server, const struct sk_server_ops *ops, void *context)
{
    server->ops = ops;
    server->context = context;
    server->clients_max = SK_SERVER_CLIENTS_DEFAULT;
    server->clients_per_process_max = SK_SERVER_CLIENTS_PER_PROCESS_DEFAULT;
    server->deadline = SK_DEADLINE_NEVER;
    sk_stdio_never_wait();
    status_t status = sk_waitset_create(sk_self_job, &server->waitset);
    return status == SK_OK ? sk_event_create(sk_self_job, &server->spare) : status;
}

static status_t add_source(struct sk_server *server, enum source_kind kind, handle_t handle,
                           uint32_t signals, struct sk_server_source **result)
{
    struct sk_server_source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return SK_NO_MEMORY;
    }
    source->kind = kind;
    source->handle = handle;
    status_t status = sk_waitset_add(server->waitset, handle, signals, (uint64_t)(uintptr_t)source);
    if (status != SK_OK) {
        free(source);
        return status;
    }
    *result = source;
    return SK_OK;
}

status_t sk_server_add_control(struct sk_server *server, handle_t control)
{
    if (server->offer_count == SK_SERVER_OFFERS_MAX) {
        return SK_NO_SPACE;
    }
    struct sk_server_source *source;
    status_t status = add_source(server, SOURCE_CONTROL, control,
                                 SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED, &source);
    if (status == SK_OK) {
        source->index = server->offer_count;
        server->offers[server->offer_count++] = source;
    }
    return status;
}

status_t sk_server_offer(struct sk_server *server, const char *name)
{
    char handle_name[sizeof "control:" + SK_INIT_NAME_MAX] = "control:";
    strncat(handle_name, name, SK_INIT_NAME_MAX);
    handle_t control = sk_boot_handle(handle_name);
    return control != SK_HANDLE_NONE ? sk_server_add_control(server, control) : SK_NOT_FOUND;
}

static bool has_room(const struct sk_server *server, uint64_t process_id)
{
    uint32_t same = 0;
    for (const struct sk_client *c = server->clients; c != NULL; c = c->next) {
        same += c->process_id == process_id;
    }
    return server->spare != SK_HANDLE_NONE && server->client_count < server->clients_max &&
           same < server->clients_per_process_max;
}

status_t sk_server_add_client(struct sk_server *server, handle_t endpoint, uint64_t process_id,
                              const char *name, struct sk_client **client)
{
    struct sk_server_source *source;
    status_t status = add_source(server, SOURCE_CLIENT, endpoint,
                                 SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED, &source);
    if (status != SK_OK) {
        return status;
    }
    source->client.process_id = process_id;
    source->client.endpoint = endpoint;
    memcpy(source->client.name, name, strnlen(name, sizeof source->client.name - 1));
    source->client.next = server->clients;
    server->clients = &source->client;
    server->client_count++;
    *client = &source->client;
    return SK_OK;
}

/* Takes a client out of the list and closes its endpoint; disconnect() is the caller's. */
static void remove_client(struct sk_server *server, struct sk_client *client)
{
    struct sk_client **link = &server->clients;
    while (*link != client) {
        link = &(*link)->next;
    }
    *link = client->next;
    server->client_count--;
    sk_handle_close(client->endpoint);
    bury(server, source_of(client));
}

void sk_server_drop(struct sk_server *server, struct sk_client *client)
{
    if (client->closing) {
        return;
    }
    client->closing = true;
    if (server->ops->disconnect != NULL) {
        server->ops->disconnect(server, client);
    }
    remove_client(server, client);
}

/* `watches` is kept as a list through the sources' `next`. */
status_t sk_server_watch(struct sk_server *server, handle_t handle, uint32_t signals,
                         sk_watch_function function, void *context)
{
    struct sk_server_source *source;
    status_t status = add_source(server, SOURCE_WATCH, handle, signals, &source);
    if (status != SK_OK) {
        return status;
    }
    source->watch = function;
    source->context = context;
    source->next = server->watches;
    server->watches = source;
    return SK_OK;
}

status_t sk_server_unwatch(struct sk_server *server, handle_t handle)
{
    for (struct sk_server_source **link = &server->watches; *link != NULL; link = &(*link)->next) {
        struct sk_server_source *source = *link;
        if (source->handle == handle) {
            *link = source->next;
            sk_waitset_remove(server->waitset, handle);
            bury(server, source);
            return SK_OK;
        }
    }
    return SK_NOT_FOUND;
}

/* Tells init by every control channel, or by the first, with an operation alone. False: not now. */
static bool tell_init(const struct sk_server *server, uint64_t operation, bool all)
{
    struct sk_out out = sk_out_bytes(&operation, sizeof operation);
    bool told = true;
    for (uint32_t i = 0; i < server->offer_count; i++) {
        const struct sk_server_source *control = server->offers[i];
        if (control != NULL) {
            status_t status = sk_channel_send(control->handle, &out);
            told &= status == SK_OK || status == SK_PEER_CLOSED;
            if (!all) {
                break;
            }
        }
    }
    return told;
}

/* An acknowledgement that does not fit into init's queue is made up for by the next one. */
static void acknowledge(struct sk_server_source *control)
{
    struct sk_init_accepted accepted = {SK_INIT_ACCEPTED, control->sequence};
    struct sk_out out = sk_out_bytes(&accepted, sizeof accepted);
    if (sk_channel_send(control->handle, &out) == SK_OK) {
        control->acknowledged = control->sequence;
    }
}

/* Tells a client, who is not one yet, why. Who does not read it keeps a message that we pay: half of what we
 * have is for our own, such as what init must hear. */
static void turn_away(const struct sk_server *server, handle_t endpoint, status_t reason)
{
    struct sk_job_info job = {0};
    uint64_t written;
    if (sk_object_info(sk_self_job, &job, sizeof job, &written) == SK_OK &&
        job.used.messages < job.limit.messages / 2) {
        struct sk_init_status refusal = {told_status(server, reason)};
        struct sk_out out = sk_out_bytes(&refusal, sizeof refusal);
        sk_channel_send(endpoint, &out);
    }
}

/* The entry that is put by, if it was used up and there is room again. */
static void restore_spare(struct sk_server *server)
{
    if (server->spare == SK_HANDLE_NONE) {
        sk_event_create(sk_self_job, &server->spare);
    }
}

/* Who hangs, as init says. */
static void hear_of_stuck(struct sk_server *server, const struct sk_in *in)
{
    const struct sk_init_name *stuck = sk_request(in, struct sk_init_name);
    if (stuck != NULL && memchr(stuck->name, 0, sizeof stuck->name) != NULL &&
        server->ops->stuck != NULL) {
        server->ops->stuck(server, stuck->name);
    }
}

static void accept(struct sk_server *server, struct sk_server_source *control, struct sk_in *in)
{
    const struct sk_init_ping *ping = sk_request(in, struct sk_init_ping);
    if (ping != NULL && ping->operation == SK_INIT_PING) {
        server->working = false;
        control->sequence = ping->sequence;
        acknowledge(control);
        return;
    }
    if (ping != NULL && ping->operation == SK_INIT_STUCK) {
        hear_of_stuck(server, in);
        return;
    }
    const struct sk_init_new_client *request = sk_request(in, struct sk_init_new_client);
    if (request == NULL || request->operation != SK_INIT_NEW_CLIENT || in->handle_count != 1) {
        return;
    }
    control->sequence = request->sequence;
    acknowledge(control);
    restore_spare(server);
    if (!has_room(server, request->client_id)) {
        turn_away(server, in->handles[0], SK_BUSY);
        return;
    }
    char name[SK_INIT_NAME_MAX];
    memcpy(name, request->client_name, sizeof name);
    name[sizeof name - 1] = 0;
    struct sk_client *client;
    status_t status = sk_server_add_client(server, in->handles[0], request->client_id, name,
                                           &client);
    if (status != SK_OK) {
        turn_away(server, in->handles[0], status);
        return;
    }
    in->handles[0] = SK_HANDLE_NONE;
    client->grants = request->grants;
    client->service = control->index;
    status = server->ops->connect != NULL ? server->ops->connect(server, client) : SK_OK;
    if (status != SK_OK && !client->closing) {
        client->closing = true;
        turn_away(server, client->endpoint, status);
        remove_client(server, client);
    }
}

static void drop_control(struct sk_server *server, struct sk_server_source *control)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < server->offer_count; i++) {
        if (server->offers[i] == control) {
            server->offers[i] = NULL;
        }
        left += server->offers[i] != NULL;
    }
    sk_handle_close(control->handle);
    bury(server, control);
    if (left == 0) {
        server->stopping = true;
    }
}

static void close_handles(handle_t *handles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (handles[i] != SK_HANDLE_NONE) {
            sk_handle_close(handles[i]);
        }
    }
}

/* Lets the service answer; true when `reply` is to be sent for in->token. */
static bool serve(struct sk_server *server, struct sk_client *client, struct sk_in *in)
{
    struct sk_reply *reply = &server->reply;
    reply->length = 0;
    reply->handle_count = 0;
    status_t status = SK_INVALID_ARGS;
    if (in->length >= sizeof(uint64_t)) {
        status = server->ops->message(server, client, in, reply);
    }
    if (!in->is_call || status == SK_PENDING) {
        close_handles(reply->handles, reply->handle_count);
        return false;
    }
    if (status != SK_OK) {
        close_handles(reply->handles, reply->handle_count);
        reply->handle_count = 0;
        reply->length = 0;
    }
    if (reply->length < sizeof(int64_t)) {
        int64_t word = told_status(server, status);
        memcpy(reply->bytes, &word, sizeof word);
        reply->length = sizeof word;
    }
    return true;
}

/* Handles one delivery; true when a reply is due. */
static bool dispatch(struct sk_server *server, struct sk_in *in)
{
    struct sk_server_source *source = (struct sk_server_source *)(uintptr_t)in->key;
    if (source == NULL) {
        return false;
    }
    if (!server->working && source->kind != SOURCE_CONTROL) {
        server->working = tell_init(server, SK_INIT_WORKING, false);
    }
    bool answer = false;
    switch (source->kind) {
    case SOURCE_CONTROL:
        if (in->signals != 0) {
            drop_control(server, source);
        } else {
            accept(server, source, in);
        }
        close_handles(in->handles, in->handle_count);
        in->handle_count = 0;
        restore_spare(server);
        break;
    case SOURCE_CLIENT:
        if (in->signals != 0) {
            sk_server_drop(server, &source->client);
        } else {
            answer = serve(server, &source->client, in);
            if (!server->served) { /* it has come back from a client's message */
                server->served = tell_init(server, SK_INIT_SERVED, true);
            }
        }
        break;
    case SOURCE_WATCH:
        source->watch(server, source->handle, in->signals, source->context);
        break;
    }
    close_handles(in->handles, in->handle_count);
    return answer;
}

/* A message that cannot be taken stays at the head of its queue and would be met again for ever: a
 * client is dropped for it, as what it sent are handles that nobody wants. What init sends is a client:
 * there is a table entry put by to take it with, and to turn it away. */
static void refuse(struct sk_server *server, const struct sk_in *in)
{
    struct sk_server_source *source = (struct sk_server_source *)(uintptr_t)in->key;
    if (source != NULL && source->kind == SOURCE_CLIENT) {
        sk_server_drop(server, &source->client);
    } else if (server->spare != SK_HANDLE_NONE) {
        sk_handle_close(server->spare);
        server->spare = SK_HANDLE_NONE;
    } else {
        sk_sleep(OVER_BUDGET_PAUSE);
    }
}

static void retry_acknowledgements(struct sk_server *server)
{
    for (uint32_t i = 0; i < server->offer_count; i++) {
        struct sk_server_source *control = server->offers[i];
        if (control != NULL && control->acknowledged != control->sequence) {
            acknowledge(control);
        }
    }
}

static void check_deadline(struct sk_server *server)
{
    if (server->deadline != SK_DEADLINE_NEVER && sk_now() >= server->deadline) {
        server->deadline = SK_DEADLINE_NEVER;
        if (!server->working) {
            server->working = tell_init(server, SK_INIT_WORKING, false);
        }
        if (server->ops->deadline != NULL) {
            server->ops->deadline(server);
        }
    }
}

static struct sk_out reply_out(struct sk_server *server)
{
    struct sk_reply *reply = &server->reply;
    return (struct sk_out){reply->bytes, reply->length, reply->handles, reply->handle_count};
}

/* Replies if `token` says so, waits for the next delivery, and handles it. Returns the next token. */
static token_t turn(struct sk_server *server, token_t token, uint32_t *since_clock)
{
    bool more = server->ops->before_wait != NULL && server->ops->before_wait(server);
    struct sk_in in = {server->in_bytes, sizeof server->in_bytes, server->in_handles,
                       SK_MESSAGE_HANDLES_MAX};
    struct sk_out out = reply_out(server);
    status_t reply_status = SK_OK;
    status_t status = sk_channel_reply_receive(token, &out, &reply_status, server->waitset, &in,
                                               more ? SK_DEADLINE_POLL : server->deadline);
    if (token != SK_TOKEN_NONE && reply_status != SK_OK) {
        close_handles(server->reply.handles, server->reply.handle_count);
    }
    bool answer = false;
    if (status == SK_OK) {
        answer = dispatch(server, &in);
    } else if (status != SK_TIMED_OUT) {
        refuse(server, &in);
    }
    if (status == SK_TIMED_OUT || ++*since_clock == MESSAGES_PER_CLOCK) {
        *since_clock = 0;
        check_deadline(server);
        retry_acknowledgements(server);
    }
    empty_graveyard(server);
    return answer ? in.token : SK_TOKEN_NONE;
}

int sk_server_run(struct sk_server *server)
{
    token_t token = SK_TOKEN_NONE;
    uint32_t since_clock = 0;
    while (!server->stopping) {
        token = turn(server, token, &since_clock);
    }
    if (token != SK_TOKEN_NONE) {
        struct sk_out out = reply_out(server);
        sk_channel_reply(token, &out);
    }
    return server->exit_code;
}

void sk_server_stop(struct sk_server *server, int exit_code)
{
    server->stopping = true;
    server->exit_code = exit_code;
}

status_t sk_server_answer(token_t token, const void *reply, size_t length, const handle_t *handles,
                          size_t handle_count)
{
    struct sk_out out = {reply, length, handles, handle_count};
    return sk_channel_reply(token, &out);
}

status_t sk_server_answer_status(token_t token, status_t status)
{
    int64_t word = status;
    return sk_server_answer(token, &word, sizeof word, NULL, 0);
}
