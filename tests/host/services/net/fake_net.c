/* SPDX-License-Identifier: BSD-2-Clause */
/* See fake_net.h. Handles are small numbers: session * 8 + what. */
#include "fake_net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>
#include <sk/ipc.h>
#include <sk/service.h>
#include <sk/socket.h>
#include <sk/thread.h>

enum { ENDPOINT = 1, CONTROL, DATA, TO_NET, TO_PROGRAM, WAITSET };

#define SESSIONS_MAX 16u
#define TICK_NS 250000000ull

static struct fake {
    struct net_session *net; /* NULL: free */
    void *control, *data;
    bool signalled; /* the program's event */
    bool closed;
} fakes[SESSIONS_MAX];

static struct fake *last;
static uint64_t now;

bool fake_net_low_ports;
uint32_t fake_net_slots_max = SK_NET_SLOTS_MAX;
bool fake_net_is_dead;
uint32_t fake_net_signals;

handle_t sk_self_process = 1, sk_self_job = 2;

static struct fake *fake_of(handle_t handle)
{
    return &fakes[handle / 8];
}

static handle_t handle_of(const struct fake *fake, uint32_t what)
{
    return (handle_t)(fake - fakes) * 8 + what;
}

void fake_net_start(void)
{
    static bool started;

    if (!started) {
        lwip_init();
        started = true;
    }
    fake_net_low_ports = true;
    fake_net_slots_max = SK_NET_SLOTS_MAX;
    fake_net_is_dead = false;
    fake_net_signals = 0;
}

struct net_session *fake_net_session(void)
{
    return last->net;
}

static void fake_free(struct fake *fake)
{
    free(fake->net);
    free(fake->control);
    free(fake->data);
    *fake = (struct fake){0};
}

static bool run_once(void)
{
    bool any = false;
    struct netif *netif;

    for (struct fake *fake = fakes; fake < fakes + SESSIONS_MAX; fake++) {
        if (fake->net == NULL) {
            continue;
        }
        if (!fake->net->orphaned) {
            any |= session_poll(fake->net);
            tcp_socket_admit(fake->net);
        }
        if ((fake->closed || fake->net->broken) && !fake->net->orphaned) {
            session_orphan(fake->net);
            any = true;
        }
        if (fake->closed && fake->net->orphaned && fake->net->in_use == 0) {
            fake_free(fake);
            continue;
        }
        if (session_must_wake(fake->net)) {
            fake->signalled = true;
            fake_net_signals++;
        }
    }
    NETIF_FOREACH(netif)
    {
        if (netif->loop_first != NULL) {
            any = true;
            netif_poll(netif);
        }
    }
    if (turn_waits()) {
        any = true;
        turn_serve();
    }
    return any;
}

static void run_until_quiet(void)
{
    while (run_once()) {
    }
    for (struct fake *fake = fakes; fake < fakes + SESSIONS_MAX; fake++) {
        if (fake->net != NULL) {
            sk_sleep_begin(&fake->net->control->net_sleeps);
        }
    }
    while (run_once()) {
    }
}

static void tick(void)
{
    now += TICK_NS;
    tcp_tmr();
    run_until_quiet();
}

void fake_net_run(uint32_t ticks)
{
    run_until_quiet();
    for (uint32_t i = 0; i < ticks; i++) {
        tick();
    }
}

uint32_t fake_net_sockets(void)
{
    uint32_t sum = 0;
    for (struct fake *fake = fakes; fake < fakes + SESSIONS_MAX; fake++) {
        sum += fake->net != NULL ? fake->net->in_use : 0;
    }
    return sum;
}

uint32_t fake_net_sessions(void)
{
    uint32_t sum = 0;
    for (struct fake *fake = fakes; fake < fakes + SESSIONS_MAX; fake++) {
        sum += fake->net != NULL;
    }
    return sum;
}

/* --- What lwIP asks for --- */

uint32_t lwip_port_rand(void)
{
    return (uint32_t)rand();
}

uint32_t lwip_port_isn(uint32_t local_ip, uint16_t local_port, uint32_t remote_ip,
                       uint16_t remote_port)
{
    return (uint32_t)rand();
}

void lwip_port_assert(const char *message, const char *file, int line)
{
    fprintf(stderr, "lwIP: %s (%s:%d)\n", message, file, line);
    abort();
}

void lwip_port_diag(const char *format, ...) {}

void lwip_port_set_time(uint32_t seconds, uint32_t microseconds) {}

void sys_timeout(u32_t milliseconds, sys_timeout_handler handler, void *arg) {}

void sys_untimeout(sys_timeout_handler handler, void *arg) {}

uint32_t sys_now(void)
{
    return (uint32_t)(now / 1000000);
}

void sys_timeouts_init(void) {}

/* --- What the socket library asks for --- */

status_t sk_connect_refusal(handle_t endpoint)
{
    return SK_PEER_CLOSED;
}

void sk_complain(const char *service)
{
    /* There is no init to look. */
}

void sk_control_accept(handle_t control, const struct sk_in *in)
{
    /* Nor to be answered. */
}

/* One thread. */
void sk_mutex_lock(struct sk_mutex *mutex) {}

void sk_mutex_unlock(struct sk_mutex *mutex) {}

/* Only what a dead session leaves behind comes as a message. */
status_t sk_channel_send(handle_t endpoint, const struct sk_out *out)
{
    return SK_OK;
}

status_t sk_connect(const char *service, uint64_t deadline, handle_t *endpoint)
{
    if (fake_net_is_dead || strcmp(service, "net") != 0) {
        return SK_SERVICE_DOWN;
    }
    for (struct fake *fake = fakes + 1; fake < fakes + SESSIONS_MAX; fake++) {
        if (fake->net == NULL) {
            *endpoint = handle_of(fake, ENDPOINT);
            return SK_OK;
        }
    }
    return SK_BUSY;
}

static status_t open_session(struct fake *fake, const struct sk_out *out, struct sk_in *in)
{
    const struct sk_net_open_request *request = out->bytes;
    struct sk_net_open_reply reply = {.slots = request->slots};

    if (reply.slots > fake_net_slots_max) {
        reply.slots = fake_net_slots_max;
    }
    fake->net = calloc(1, session_bytes(reply.slots));
    fake->control = aligned_alloc(4096, sk_net_control_bytes(reply.slots));
    fake->data = aligned_alloc(4096, sk_net_data_bytes(reply.slots));
    memset(fake->control, 0, sk_net_control_bytes(reply.slots));
    session_init(fake->net, reply.slots, fake->control, fake->data);
    fake->net->may_use_low_ports = fake_net_low_ports;
    last = fake;
    memcpy(in->bytes, &reply, sizeof reply);
    in->length = sizeof reply;
    in->handle_count = 4;
    for (uint32_t i = 0; i < 4; i++) {
        in->handles[i] = handle_of(fake, CONTROL + i);
    }
    return SK_OK;
}

status_t sk_channel_call(handle_t endpoint, const struct sk_out *out, struct sk_in *in,
                         uint64_t deadline)
{
    struct fake *fake = fake_of(endpoint);
    uint64_t op;

    memcpy(&op, out->bytes, sizeof op);
    if (fake_net_is_dead) {
        return SK_PEER_CLOSED;
    }
    if (op == SK_NET_OP_OPEN) {
        return open_session(fake, out, in);
    }
    struct sk_net_socket_reply reply = {0};
    session_poll(fake->net);
    if (op == SK_NET_OP_JOIN || op == SK_NET_OP_LEAVE) {
        reply.status = op == SK_NET_OP_JOIN ? udp_socket_join(fake->net, out->bytes)
                                            : udp_socket_leave(fake->net, out->bytes);
        memcpy(in->bytes, &reply.status, sizeof reply.status);
        in->length = sizeof reply.status;
        return SK_OK;
    }
    reply.status = session_socket(fake->net, out->bytes, &reply.slot);
    if (reply.status == SK_OK) {
        reply.generation = fake->net->sockets[reply.slot].generation;
    }
    memcpy(in->bytes, &reply, sizeof reply);
    in->length = reply.status == SK_OK ? sizeof reply : sizeof reply.status;
    return SK_OK;
}

status_t sk_channel_receive(handle_t source, struct sk_in *in, uint64_t deadline)
{
    struct fake *fake = fake_of(source);

    run_until_quiet();
    while (!fake->signalled && !fake_net_is_dead) {
        if (now >= deadline) {
            return SK_TIMED_OUT;
        }
        tick();
    }
    in->key = fake_net_is_dead ? 2 : 1;
    fake->signalled = false;
    return SK_OK;
}

struct sk_result sk_syscall6(uint64_t number, uint64_t arg0, uint64_t arg1, uint64_t arg2,
                             uint64_t arg3, uint64_t arg4, uint64_t arg5)
{
    struct sk_result result = {.status = SK_OK};
    handle_t handle = (handle_t)arg0;

    switch (number) {
    case SK_SYS_memory_map: {
        struct fake *fake = fake_of((handle_t)arg1);
        result.value[0] = (uintptr_t)(arg1 % 8 == CONTROL ? fake->control : fake->data);
        break;
    }
    case SK_SYS_waitset_create:
        result.value[0] = handle_of(last, WAITSET);
        break;
    case SK_SYS_handle_close:
        if (handle % 8 == ENDPOINT) {
            fake_of(handle)->closed = true;
        }
        break;
    case SK_SYS_event_signal:
        fake_net_signals++;
        break;
    default:
        break;
    }
    return result;
}
