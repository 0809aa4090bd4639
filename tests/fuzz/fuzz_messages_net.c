/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to the service "net" and what programs write into the memory of their sessions, while frames come and go and
 * drivers die or write nonsense (net_world.h). In the end lwIP has no more than at the start either. See messages.h.
 */
#include <stdlib.h>
#include <string.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/stats.h>
#include <lwip/udp.h>
#include <sk/protocol/net.h>

#include "net_world.h"

#define REST_LOOKS 400u /* at each of lwIP's timers: it keeps nothing that long, but connections */

int service_main(int argc, char **argv);

static const char *const words[] = {"localhost", "a.example", "10.0.2.2", "a..b", "-", NULL};
static const char *const shapes[] = {"x", "x", "x", "x", "x", "", "", "x", "x", "x"};

static size_t socket_field(uint8_t *field)
{
    struct sk_net_socket_request *request = (void *)(field - sizeof request->op);
    address_make(request->address.ip);
    request->address.port = port_make();
    request->backlog = input_byte() % 8;
    return sizeof *request - sizeof request->op;
}

static size_t name_field(uint8_t *field)
{
    struct sk_net_resolve_request *request = (void *)(field - sizeof request->op);
    uint8_t how = input_byte();
    const char *name = words[how % 5];
    request->length = (uint32_t)strlen(name) + (how >= 240 ? how - 240u : 0);
    memcpy(request->name, name, strlen(name));
    return sizeof *request - sizeof request->op;
}

static size_t group_field(uint8_t *field)
{
    struct sk_net_group_request *request = (void *)(field - sizeof request->op);
    request->slot = input_byte() % 2;
    request->generation = input_byte() % 2;
    address_make(request->ip);
    request->ip[0] = request->ip[1] == 0 ? 224 : request->ip[0];
    request->ip[3] = input_byte() % 8;
    return sizeof *request - sizeof request->op;
}

static size_t lost_field(uint8_t *field)
{
    struct sk_net_lost_request *request = (void *)(field - sizeof request->op);
    struct sk_net_pair *pairs = (void *)(request + 1);
    request->count = input_byte() % 4;
    for (uint32_t i = 0; i < request->count; i++) {
        address_make(pairs[i].local.ip);
        address_make(pairs[i].remote.ip);
        pairs[i].local.port = port_make();
        pairs[i].remote.port = port_make();
    }
    return sizeof *request - sizeof request->op + request->count * sizeof *pairs;
}

static size_t field(uint8_t *field, uint64_t operation)
{
    static _Alignas(8) uint8_t request[8 + FIELD_MAX];
    size_t length = 8;
    memset(request, 0, sizeof request);
    switch (operation) {
    case SK_NET_OP_OPEN:
        request[8] = input_byte() % 8;
        break;
    case SK_NET_OP_LISTEN:
    case SK_NET_OP_CONNECT:
    case SK_NET_OP_UDP:
        length = socket_field(request + 8);
        break;
    case SK_NET_OP_RESOLVE:
        length = name_field(request + 8);
        break;
    case SK_NET_OP_JOIN:
    case SK_NET_OP_LEAVE:
        length = group_field(request + 8);
        break;
    case SK_NET_OP_LOST:
        length = lost_field(request + 8);
        break;
    default:
        break;
    }
    memcpy(field, request + 8, length);
    return length;
}

static void answered(struct call *call)
{
    if (call->operation == SK_NET_OP_OPEN && call->status == SK_OK) {
        program_opened(call);
    }
}

/* Most programs open a session first. */
static struct held connect_program(uint8_t how)
{
    struct held program = connect_by_control(how);
    struct sk_net_open_request open = {.op = SK_NET_OP_OPEN, .slots = 1 + how / 64u};
    if (how % 16 < 12) {
        outside_call(program.object, &open, sizeof open, NULL, 0);
    }
    return program;
}

static void special(void)
{
    if (input_byte() % 2 == 0) {
        program_act();
    } else {
        driver_act();
    }
}

/* What lwIP makes for others and takes back, beside answers to names. */
static const struct {
    memp_t kind;
    const char *name;
} kinds[] = {{MEMP_TCP_PCB, "connections"}, {MEMP_TCP_PCB_LISTEN, "listeners"},
             {MEMP_TCP_SEG, "segments"},    {MEMP_UDP_PCB, "UDP sockets"},
             {MEMP_REASSDATA, "datagrams"}, {MEMP_IGMP_GROUP, "groups"}};
#define KINDS (sizeof kinds / sizeof kinds[0])

static uint32_t lwip_had[KINDS];

/* The kind of which there is more than at first; KINDS: none. */
static uint32_t lwip_has_more(void)
{
    uint32_t i = 0;
    while (i < KINDS && lwip_stats.memp[kinds[i].kind]->used <= lwip_had[i]) {
        i++;
    }
    return i;
}

/* Peers that never answer: the connections to them end. */
static void abort_connections(void)
{
    while (tcp_active_pcbs != NULL) {
        tcp_abort(tcp_active_pcbs);
    }
    while (tcp_tw_pcbs != NULL) {
        tcp_abort(tcp_tw_pcbs);
    }
}

static void rest(void)
{
    uint32_t looks = 0;
    bool driver;
    program_forget_all();
    driver_new_input();
    do {
        abort_connections(); /* what is under way to ourselves may make others yet */
        driver = driver_settle();
        double_run();
        double_advance(1000000000, true);
    } while ((!driver || !all_is_back() || lwip_has_more() < KINDS) && looks++ < REST_LOOKS);
    if (!driver) {
        double_broke("there is no driver any more");
    }
    uint32_t more = lwip_has_more();
    if (more < KINDS) {
        double_broke("lwIP has more %s than at first", kinds[more].name);
    }
}

static void settle(void)
{
    for (uint32_t i = 0; i < KINDS; i++) {
        lwip_had[i] = lwip_stats.memp[kinds[i].kind]->used;
    }
}

static void prepare(void)
{
    double_job_pages = 2000;
    double_answer = driver_answer;
    double_boot_handle("dtb", memory_make("tree", 4));
    setenv("ip", "10.0.2.15::10.0.2.2:255.255.255.0::en0:off:10.0.2.3", 1);
}

static int run(void)
{
    static char name[] = "net";
    char *arguments[] = {name, NULL};
    return service_main(1, arguments);
}

const struct target target = {
    .service = "net",
    .run = run,
    .operations = SK_NET_OP_LOST,
    .waits = 1u << SK_NET_OP_RESOLVE,
    .shapes = shapes,
    .field = field,
    .words = words,
    .prepare = prepare,
    .settle = settle,
    .connect = connect_program,
    .answered = answered,
    .special = special,
    .rest = rest,
};
