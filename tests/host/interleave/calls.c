/* SPDX-License-Identifier: BSD-2-Clause */
/* Callers and servers, and those who close, kill and hand over under their feet. */
#include "ledger.h"
#include "scenarios.h"

#define CALLS 3u

static struct party *client, *server, *other;
static handle_t client_end, server_end; /* of the channel between the two */
static handle_t victim;                 /* other's handle to the process that it kills */
static handle_t control_end,
    broker_end; /* scenario_connect: broker's and service's; client's and broker's */
static handle_t service_end, boot_end;

static void play_caller(struct actor *self)
{
    for (uint32_t i = 0; i < CALLS; i++) {
        ledger_call(self, client_end, SK_HANDLE_NONE, act_soon(self));
    }
}

static void play_server(struct actor *self)
{
    ledger_serve(self, server_end);
}

static void begin_pair(void)
{
    client = party_make("client", NULL);
    server = party_make("server", NULL);
    party_connect(client, &client_end, server, &server_end);
    actor_make(server, "server", play_server);
    actor_make(client, "caller", play_caller);
    actor_make(client, "second caller", play_caller);
}

static void check_all_live(void)
{
    ledger_check(false);
}

static void check_server_dies(void)
{
    ledger_check(true);
}

static void begin_call(void)
{
    begin_pair();
    actor_make(server, "second server", play_server);
}

const struct scenario scenario_call = {
    "call", "two callers with deadlines, two servers of one endpoint", begin_call, check_all_live};

static void play_closer(struct actor *self)
{
    if (explore_draw(2) == 0) {
        act(self, SK_SYS_thread_sleep, act_soon(self), 0, 0, 0);
    }
    bool of_client = self->party == client;
    CHECK(act(self, SK_SYS_handle_close, of_client ? client_end : server_end, 0, 0, 0) == SK_OK);
}

static void begin_close(void)
{
    begin_pair();
    actor_make(explore_draw(2) == 0 ? client : server, "closer", play_closer);
}

const struct scenario scenario_close = {"close", "one side closes its end while calls are made",
                                        begin_close, check_all_live};

static void play_killer(struct actor *self)
{
    if (explore_draw(2) == 0) {
        act(self, SK_SYS_thread_sleep, act_soon(self), 0, 0, 0);
    }
    CHECK(act(self, SK_SYS_process_kill, victim, 1, 0, 0) == SK_OK);
    uint32_t shown = SK_SIGNAL_TERMINATED;
    CHECK(act(self, SK_SYS_object_wait, victim, shown, SK_DEADLINE_NEVER, 0) == SK_OK);
}

static void begin_kill(void)
{
    begin_pair();
    other = party_make("other", NULL);
    struct party *dies = explore_draw(2) == 0 ? client : server;
    victim = party_give(other, &dies->process->object, process_type.rights);
    actor_make(other, "killer", play_killer);
}

const struct scenario scenario_kill = {"kill", "one side is killed while calls are made",
                                       begin_kill, check_server_dies};

/* ---- ends that move ---- */

/* Makes a channel, gives one end to the server, by a call or a send, and calls through the other. */
static void play_giver(struct actor *self)
{
    for (uint32_t i = 0; i < 2; i++) {
        CHECK(act(self, SK_SYS_channel_create, client->job_handle, 0, 0, 0) == SK_OK);
        handle_t kept = (handle_t)act_value(self, 0), given = (handle_t)act_value(self, 1);
        if (explore_draw(2) == 0) {
            ledger_call(self, client_end, given, act_soon(self));
        } else {
            status_t status = act_send(self, client_end, 0, given);
            CHECK(status == SK_OK || status == SK_PEER_CLOSED);
            status_t closed = status == SK_OK ? SK_BAD_HANDLE : SK_OK;
            CHECK(act(self, SK_SYS_handle_close, given, 0, 0, 0) == closed);
        }
        ledger_call(self, kept, SK_HANDLE_NONE, act_soon(self));
        CHECK(act(self, SK_SYS_handle_close, kept, 0, 0, 0) == SK_OK);
    }
}

/* Takes the ends, and serves each until its other end is closed, or lets it go. */
static void play_taker(struct actor *self)
{
    struct message_in message;
    while (act_receive(self, server_end, SK_DEADLINE_NEVER, &message) == SK_OK) {
        if (message.info & SK_INFO_CALL) {
            ledger_received(&message);
            ledger_reply(self, &message);
        }
        CHECK(message.count == 1);
        if (explore_draw(3) != 0) {
            ledger_serve(self, message.handles[0]);
        }
        CHECK(act(self, SK_SYS_handle_close, message.handles[0], 0, 0, 0) == SK_OK);
    }
}

static void begin_transfer(void)
{
    client = party_make("client", NULL);
    server = party_make("server", NULL);
    party_connect(client, &client_end, server, &server_end);
    actor_make(client, "giver", play_giver);
    actor_make(server, "taker", play_taker);
    actor_make(server, "second taker", play_taker);
    if (explore_draw(2) == 0) {
        other = party_make("other", NULL);
        victim = party_give(other, &server->process->object, process_type.rights);
        actor_make(other, "killer", play_killer);
    }
}

const struct scenario scenario_transfer = {
    "transfer", "ends of channels move in calls and sends, and are served or let go",
    begin_transfer, check_server_dies};

/* ---- connect, as init's broker makes it ---- */

/* Asks for a connection, which the answer brings, and uses it. */
static void play_connecting(struct actor *self)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct message_in reply;
        status_t status = act_call(self, boot_end, 0, SK_HANDLE_NONE, SK_DEADLINE_NEVER, &reply);
        CHECK(status == SK_OK);
        CHECK(reply.count == 1 || reply.word == (uint64_t)SK_SERVICE_DOWN);
        if (reply.count == 1) {
            ledger_call(self, reply.handles[0], SK_HANDLE_NONE, act_soon(self));
            CHECK(act(self, SK_SYS_handle_close, reply.handles[0], 0, 0, 0) == SK_OK);
        }
    }
}

/* The result of the send to the service decides; each of the two ends has one owner at each step. */
static void connect_one(struct actor *self, token_t token)
{
    CHECK(act(self, SK_SYS_channel_create, other->job_handle, 0, 0, 0) == SK_OK);
    handle_t for_client = (handle_t)act_value(self, 0), for_service = (handle_t)act_value(self, 1);
    status_t sent = act_send(self, control_end, 0, for_service);
    CHECK(sent == SK_OK || sent == SK_PEER_CLOSED);
    handle_t given = sent == SK_OK ? for_client : SK_HANDLE_NONE;
    uint64_t word = sent == SK_OK ? 0 : (uint64_t)SK_SERVICE_DOWN;
    status_t replied = act_reply(self, token, word, given);
    CHECK(replied == SK_OK || replied == SK_NOT_FOUND);
    if (replied != SK_OK || given == SK_HANDLE_NONE) {
        CHECK(act(self, SK_SYS_handle_close, for_client, 0, 0, 0) == SK_OK);
    }
    if (sent != SK_OK) {
        CHECK(act(self, SK_SYS_handle_close, for_service, 0, 0, 0) == SK_OK);
    }
}

static void play_broker(struct actor *self)
{
    struct message_in message;
    while (act_receive(self, broker_end, SK_DEADLINE_NEVER, &message) == SK_OK) {
        connect_one(self, message.token);
    }
}

static void play_service(struct actor *self)
{
    struct message_in message;
    while (act_receive(self, service_end, SK_DEADLINE_NEVER, &message) == SK_OK) {
        ledger_serve(self, message.handles[0]);
        CHECK(act(self, SK_SYS_handle_close, message.handles[0], 0, 0, 0) == SK_OK);
    }
}

static void begin_connect(void)
{
    client = party_make("client", NULL);
    server = party_make("service", NULL);
    other = party_make("broker", NULL);
    party_connect(client, &boot_end, other, &broker_end);
    party_connect(other, &control_end, server, &service_end);
    victim = party_give(client, &server->process->object, process_type.rights);
    actor_make(other, "broker", play_broker);
    actor_make(server, "service", play_service);
    actor_make(client, "client", play_connecting);
    if (explore_draw(4) != 0) {
        actor_make(client, "killer", play_killer);
    }
}

const struct scenario scenario_connect = {
    "connect", "a broker makes connections to a service that is killed at any step", begin_connect,
    check_server_dies};

/* ---- ends in each other's inboxes ---- */

static handle_t near_end[2], far_end[2],
    third_end; /* each party has its near end and the other's far one */

/* Sends the far end of the other's channel into the inbox of its own, whose near end it then closes. */
static void play_ring(struct actor *self)
{
    uint32_t i = self->party == client ? 0 : 1;
    status_t status = act_send(self, near_end[i], 0, far_end[!i]);
    CHECK(status == SK_OK || status == SK_PEER_CLOSED);
    CHECK(act(self, SK_SYS_handle_close, near_end[i], 0, 0, 0) == SK_OK);
}

/* Has a handle to one of the far ends: takes what it finds there, or only lets go of it. */
static void play_third(struct actor *self)
{
    struct message_in message;
    if (explore_draw(2) == 0) {
        act(self, SK_SYS_thread_sleep, act_soon(self), 0, 0, 0);
    }
    if (explore_draw(2) == 0 && act_receive(self, third_end, act_soon(self), &message) == SK_OK) {
        CHECK(message.count == 1);
        CHECK(act(self, SK_SYS_handle_close, message.handles[0], 0, 0, 0) == SK_OK);
    }
    CHECK(act(self, SK_SYS_handle_close, third_end, 0, 0, 0) == SK_OK);
}

static void begin_ring(void)
{
    client = party_make("first", NULL);
    server = party_make("second", NULL);
    other = party_make("third", NULL);
    party_connect(client, &near_end[0], server, &far_end[0]);
    party_connect(server, &near_end[1], client, &far_end[1]);
    struct capability far;
    CHECK(handle_get(server->process, far_end[0], SK_TYPE_ENDPOINT, 0, &far) == SK_OK);
    third_end = party_give(other, far.object, far.rights);
    object_put(far.object);
    victim = party_give(other, &server->process->object, process_type.rights);
    actor_make(client, "first", play_ring);
    actor_make(server, "second", play_ring);
    actor_make(other, "third", play_third);
    if (explore_draw(2) == 0) {
        actor_make(other, "killer", play_killer);
    }
}

const struct scenario scenario_ring = {
    "ring", "ends of two jobs in each other's inboxes; who may reach one lets go, or takes it",
    begin_ring, check_server_dies};
