/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The net service: TCP/IP for every program, over the service "nic0" where there is one. Owns the
 * sessions' memory and lwIP; one thread, no lock. Everything that happens per packet or per request
 * happens in before_wait, over shared rings; see net.h for the parts, docs/net.md for the whole.
 * Tests: tests/qemu/net; parts without system calls under tests/host/services/net.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/dns.h>
#include <lwip/init.h>
#include <sk/print.h>
#include <sk/service.h>
#include <sk/time.h>
#include <skerry/info.h>

#include "net.h"
#include "session.h"

#define SESSIONS_MAX 32u
#define NIC_WAIT (10 * SK_SECOND)
#define PAGES_PER_SLOT ((SK_NET_RX_BYTES + SK_NET_TX_BYTES) / SK_PAGE_SIZE)
#define SLOTS_FOR_OTHERS 16u /* a large session leaves that many */
#define ROUNDS_BEFORE_IPC 16 /* then requests get their turn */
#define BEHIND_REST 4u       /* after a turn of one who is behind: so many times what it took, */
#define BEHIND_REST_MAX (5 * SK_MS) /* which may be long because others ran */

/* A session with its system resources. */
struct service_session {
    struct service_session *next;
    struct sk_client *client; /* NULL: gone, see net_session.orphaned */
    void *control, *data;     /* mappings */
    handle_t to_net, to_program;
    struct net_session net; /* last: it ends with its sockets */
};

static struct service_session *sessions;
static uint32_t session_count;
static uint64_t slots_left; /* that the job's budget can still pay */
static bool active = true;  /* something happened since timers_arm */
static uint64_t behind_due; /* when the next who is behind has his turn */

void lwip_port_assert(const char *message, const char *file, int line)
{
    sk_die("lwIP: %s (%s:%d)", message, file, line);
}

void lwip_port_diag(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

/* --- Sessions --- */

static void session_destroy(struct service_session *s)
{
    struct service_session **link = &sessions;

    while (*link != NULL && *link != s) {
        link = &(*link)->next;
    }
    if (*link == s) {
        *link = s->next;
        session_count--;
    }
    if (s->control != NULL) {
        sk_memory_unmap(sk_self_process, (uintptr_t)s->control, sk_net_control_bytes(s->net.slots));
    }
    if (s->data != NULL) {
        sk_memory_unmap(sk_self_process, (uintptr_t)s->data, sk_net_data_bytes(s->net.slots));
    }
    if (s->to_net != SK_HANDLE_NONE) {
        sk_handle_close(s->to_net);
    }
    if (s->to_program != SK_HANDLE_NONE) {
        sk_handle_close(s->to_program);
    }
    slots_left += s->net.slots;
    free(s);
}

/* Makes memory that both map; *memory is the handle for the program. */
static status_t make_shared(uint64_t bytes, void **at, handle_t *memory)
{
    uint64_t address;
    status_t status = sk_memory_create(sk_self_job, bytes, 0, memory);

    if (status != SK_OK) {
        return status;
    }
    status = sk_memory_map(sk_self_process, *memory, 0, bytes, 0, SK_PROT_READ | SK_PROT_WRITE,
                           &address);
    if (status == SK_OK) {
        *at = (void *)(uintptr_t)address;
    }
    return status;
}

/* An event, and a handle to it with fewer rights for the program. */
static status_t make_event(uint32_t rights, handle_t *event, handle_t *for_program)
{
    status_t status = sk_event_create(sk_self_job, event);

    if (status == SK_OK) {
        status = sk_handle_duplicate(*event, rights | SK_RIGHT_TRANSFER, for_program);
    }
    return status;
}

static void on_event(struct sk_server *server, handle_t handle, uint32_t signals, void *context)
{
    /* The loop looks at the rings before each wait. */
}

/* What a session is made of. What was made is in *s and reply->handles, also on error. */
static status_t session_make(struct sk_server *server, struct service_session *s,
                             struct sk_reply *reply)
{
    handle_t *handles = reply->handles;
    uint32_t slots = s->net.slots;
    status_t status;

    memset(handles, 0, 4 * sizeof handles[0]);
    reply->handle_count = 4;
    status = make_shared(sk_net_control_bytes(slots), &s->control, &handles[0]);
    if (status == SK_OK) {
        status = make_shared(sk_net_data_bytes(slots), &s->data, &handles[1]);
    }
    if (status == SK_OK) {
        status = make_event(SK_RIGHT_WRITE, &s->to_net, &handles[2]);
    }
    if (status == SK_OK) {
        status = make_event(SK_RIGHT_WAIT, &s->to_program, &handles[3]);
    }
    if (status == SK_OK) {
        status = sk_server_watch(server, s->to_net, SK_SIGNAL_EVENT, on_event, NULL);
    }
    return status;
}

/* The slots that a session gets: not all, so that others find some, too. */
static uint32_t slots_granted(uint32_t wanted)
{
    uint64_t most = slots_left;
    uint64_t others = slots_left / 4 < SLOTS_FOR_OTHERS ? slots_left / 4 : SLOTS_FOR_OTHERS;

    if (wanted > others) {
        most -= others;
    }
    return wanted < most ? wanted : (uint32_t)most;
}

static status_t on_open(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                        struct sk_reply *reply)
{
    const struct sk_net_open_request *request = sk_request(in, struct sk_net_open_request);

    if (request == NULL || request->slots == 0 || request->slots > SK_NET_SLOTS_MAX) {
        return SK_INVALID_ARGS;
    }
    if (client->data != NULL) {
        return SK_BAD_STATE;
    }
    uint32_t slots = slots_granted(request->slots);
    if (session_count == SESSIONS_MAX || slots == 0) {
        return SK_BUSY;
    }
    struct service_session *s = calloc(1, sizeof *s - sizeof(struct net_session) +
                                              session_bytes(slots));
    if (s == NULL) {
        return SK_NO_MEMORY;
    }
    s->net.slots = slots;
    slots_left -= slots;
    status_t status = session_make(server, s, reply);
    if (status != SK_OK) {
        session_destroy(s);
        return status;
    }
    session_init(&s->net, slots, s->control, s->data);
    s->net.may_use_low_ports = (client->grants & SK_GRANT_LOW_PORTS) != 0;
    s->client = client;
    client->data = s;
    s->next = sessions;
    sessions = s;
    session_count++;
    sk_reply_struct(reply, struct sk_net_open_reply)->slots = slots;
    return SK_OK;
}

static status_t on_socket(struct sk_client *client, struct sk_in *in, struct sk_reply *reply)
{
    const struct sk_net_socket_request *request = sk_request(in, struct sk_net_socket_request);
    struct service_session *s = client->data;
    uint32_t slot;

    if (request == NULL) {
        return SK_INVALID_ARGS;
    }
    if (s == NULL) {
        return SK_BAD_STATE;
    }
    session_poll(&s->net); /* sockets closed before this request make room for it */
    status_t status = session_socket(&s->net, request, &slot);
    if (status == SK_OK) {
        struct sk_net_socket_reply *answer = sk_reply_struct(reply, struct sk_net_socket_reply);
        answer->slot = slot;
        answer->generation = s->net.sockets[slot].generation;
    }
    return status;
}

static status_t on_group(struct sk_client *client, struct sk_in *in, bool join)
{
    const struct sk_net_group_request *request = sk_request(in, struct sk_net_group_request);
    struct service_session *s = client->data;

    if (request == NULL) {
        return SK_INVALID_ARGS;
    }
    if (s == NULL) {
        return SK_BAD_STATE;
    }
    session_poll(&s->net); /* sockets closed before this request have left their groups */
    return join ? udp_socket_join(&s->net, request) : udp_socket_leave(&s->net, request);
}

static status_t on_resolve(struct sk_client *client, struct sk_in *in, struct sk_reply *reply)
{
    const struct sk_net_resolve_request *request = sk_request(in, struct sk_net_resolve_request);

    if (request == NULL || !in->is_call) {
        return SK_INVALID_ARGS;
    }
    return resolve_request(request, in->token, client,
                           sk_reply_struct(reply, struct sk_net_resolve_reply));
}

static status_t on_info(struct sk_reply *reply)
{
    struct sk_net_info_reply *info = sk_reply_struct(reply, struct sk_net_info_reply);
    struct netif *netif = link_netif();

    if (netif != NULL) {
        uint32_t words[] = {ip4_addr_get_u32(netif_ip4_addr(netif)),
                            ip4_addr_get_u32(netif_ip4_netmask(netif)),
                            ip4_addr_get_u32(netif_ip4_gw(netif))};
        link_info(info);
        memcpy(info->ip, &words[0], 4);
        memcpy(info->netmask, &words[1], 4);
        memcpy(info->gateway, &words[2], 4);
        info->configured = words[0] != 0;
    }
    for (uint8_t i = 0; i < 2; i++) {
        uint32_t dns = ip_addr_get_ip4_u32(dns_getserver(i));
        memcpy(info->dns[i], &dns, 4);
    }
    for (struct service_session *s = sessions; s != NULL; s = s->next) {
        info->sessions++;
        info->sockets += s->net.in_use;
    }
    return SK_OK;
}

static status_t on_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    active = true;
    switch (sk_operation(in)) {
    case SK_NET_OP_OPEN:
        return on_open(server, client, in, reply);
    case SK_NET_OP_LISTEN:
    case SK_NET_OP_CONNECT:
    case SK_NET_OP_UDP:
        return on_socket(client, in, reply);
    case SK_NET_OP_JOIN:
    case SK_NET_OP_LEAVE:
        return on_group(client, in, sk_operation(in) == SK_NET_OP_JOIN);
    case SK_NET_OP_RESOLVE:
        return on_resolve(client, in, reply);
    case SK_NET_OP_INFO:
        return on_info(reply);
    case SK_NET_OP_LOST:
        return lost_add((const struct sk_net_lost_request *)in->bytes, in->length,
                        (client->grants & SK_GRANT_LOW_PORTS) != 0);
    case SK_NET_OP_TIME:
        return clock_read_wall(sk_reply_struct(reply, struct sk_net_time_reply));
    default:
        return SK_INVALID_ARGS;
    }
}

static void on_disconnect(struct sk_server *server, struct sk_client *client)
{
    struct service_session *s = client->data;

    active = true;
    resolve_forget(client);
    if (s != NULL) {
        sk_server_unwatch(server, s->to_net);
        s->client = NULL;
        session_orphan(&s->net); /* freed by the loop when nothing is left to be sent */
    }
}

/* --- The loop --- */

/* Looks at every session. True: there was something. */
static bool poll_sessions(struct sk_server *server)
{
    bool any = false;
    struct service_session *next;

    for (struct service_session *s = sessions; s != NULL; s = next) {
        next = s->next;
        if (!s->net.orphaned) {
            any |= session_poll(&s->net);
            tcp_socket_admit(&s->net);
        }
        if (s->net.broken && s->client != NULL) {
            printf("%s broke the socket protocol, its session is ended\n", s->client->name);
            sk_server_drop(server, s->client);
        }
        if (s->client == NULL && s->net.in_use == 0) {
            session_destroy(s);
        }
    }
    return any;
}

/* Packets to ourselves wait in lwIP. True: there were some. */
static bool poll_loopback(void)
{
    bool any = false;
    struct netif *netif;

    NETIF_FOREACH(netif)
    {
        if (netif->loop_first != NULL) {
            any = true;
            netif_poll(netif);
        }
    }
    return any;
}

/*
 * Those who are behind have a fifth of the time, all together. The rest is for everybody else: programs of lower
 * priority run only while this thread sleeps. True: one had a turn.
 */
static bool poll_behind(void)
{
    if (!turn_waits()) {
        return false;
    }
    uint64_t began = sk_now();
    if (began < behind_due) {
        return false;
    }
    turn_serve();
    poll_loopback();
    uint64_t now = sk_now(), rest = BEHIND_REST * (now - began);
    behind_due = now + (rest < BEHIND_REST_MAX ? rest : BEHIND_REST_MAX);
    return true;
}

static void wake_others(void)
{
    for (struct service_session *s = sessions; s != NULL; s = s->next) {
        if (session_must_wake(&s->net)) {
            sk_event_signal(s->to_program);
        }
    }
    link_flush();
}

static void sleep_end(void)
{
    link_sleep_end();
    for (struct service_session *s = sessions; s != NULL; s = s->next) {
        sk_sleep_end(&s->net.control->net_sleeps);
    }
}

static void sleep_begin(void)
{
    link_sleep_begin();
    for (struct service_session *s = sessions; s != NULL; s = s->next) {
        sk_sleep_begin(&s->net.control->net_sleeps);
    }
}

static bool poll_all(struct sk_server *server)
{
    bool any = link_poll();

    any |= poll_sessions(server);
    any |= poll_loopback();
    any |= poll_behind();
    active |= any;
    return any;
}

static bool before_wait(struct sk_server *server)
{
    int rounds = 0;

    sleep_end();
    while (rounds < ROUNDS_BEFORE_IPC && poll_all(server)) {
        rounds++;
    }
    wake_others();
    if (rounds == ROUNDS_BEFORE_IPC) {
        return true;
    }
    sleep_begin();
    if (poll_all(server)) { /* once more: see sk/ring.h */
        wake_others();
        return true;
    }
    uint64_t next = timers_arm(active), look = link_heal_deadline();
    next = look < next ? look : next;
    sk_server_set_deadline(server, turn_waits() && behind_due < next ? behind_due : next);
    active = false;
    return false;
}

static void on_deadline(struct sk_server *server)
{
    timers_run();
    link_heal_run();
}

/* How many slots the job's budget can pay, with a quarter kept for everything else. */
static uint64_t count_slots(void)
{
    struct sk_job_info info = {0};
    uint64_t written;

    if (sk_object_info(sk_self_job, &info, sizeof info, &written) != SK_OK ||
        written < sizeof info || info.used.pages >= info.limit.pages) {
        return 0;
    }
    return (info.limit.pages - info.used.pages) * 3 / 4 / (PAGES_PER_SLOT + 1);
}

int main(int argc, char **argv)
{
    static const struct sk_server_ops ops = {
        .message = on_message,
        .disconnect = on_disconnect,
        .deadline = on_deadline,
        .before_wait = before_wait,
    };
    static struct sk_server server;

    status_t status = sk_server_init(&server, &ops, NULL);
    if (status == SK_OK) {
        status = sk_server_offer(&server, "net");
    }
    if (status != SK_OK) {
        sk_die("cannot start: %s", sk_status_words(status));
    }
    random_start();
    lwip_init();
    status = link_open(&server, sk_deadline_after(NIC_WAIT));
    if (status == SK_NOT_FOUND) {
        printf("no network device, loopback only\n");
    } else if (status != SK_OK) {
        printf("cannot use the network device: %s; loopback only\n", sk_status_words(status));
    }
    config_start(link_netif(), argc, argv);
    slots_left = count_slots();
    sk_ready();
    return sk_server_run(&server);
}
