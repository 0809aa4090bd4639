/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service "sysinfo": the state of the system as JSON and as raw structures
 * (sk/protocol/sysinfo.h). It holds the right to inspect, and hands out only what it reads with it.
 * Owns, for each client that is in the middle of a text, that text. One thread, no lock.
 * Tests: tests/host/services/sysinfo/ (the text), tests/qemu/http/.
 */
#include <stdlib.h>
#include <string.h>

#include <sk/connection.h>
#include <sk/print.h>
#include <sk/protocol/devmgr.h>
#include <sk/protocol/sysinfo.h>
#include <sk/server.h>
#include <sk/service.h>
#include <sk/time.h>

#include "skerry_version.h"
#include "status.h"

/* More of one kind than this are not told of. */
#define PROCESSES_MAX 128u
#define HARTS_MAX 64u
#define JOBS_MAX 64u
#define SERVICES_MAX 96u

#define INIT_LIMIT_NS (100 * SK_MS) /* init answers at once, or the list stays empty */

/* One look at the system. */
static struct {
    struct sk_system_info system;
    struct sk_process_info processes[PROCESSES_MAX];
    struct sk_hart_info harts[HARTS_MAX];
    struct sk_job_info jobs[JOBS_MAX];
    struct sk_init_service services[SERVICES_MAX];
    uint32_t process_count, hart_count, job_count, service_count;
} look;

static handle_t inspect;
static char text_buffer[SK_SYSINFO_STATUS_MAX];

/* What sk_client.data points to: a client's text, from its first request on. The memory stays the client's until
 * it leaves, so that who has been served once is not turned away when there is no more. */
struct text {
    size_t room;
    size_t length; /* 0: it has been read to the end */
    char bytes[];
};

static status_t read_topic(enum sk_system_topic topic, void *buffer, size_t size, size_t each,
                           uint32_t *count)
{
    uint64_t written;
    status_t status = sk_system_info(inspect, topic, buffer, size, &written);
    if (status == SK_OK) {
        *count = (uint32_t)(written / each);
    }
    return status;
}

static status_t read_system(void)
{
    uint32_t count;
    return read_topic(SK_SYSTEM_GENERAL, &look.system, sizeof(look.system), sizeof(look.system),
                      &count);
}

static status_t read_processes(void)
{
    return read_topic(SK_SYSTEM_PROCESSES, look.processes, sizeof(look.processes),
                      sizeof(look.processes[0]), &look.process_count);
}

static status_t read_harts(void)
{
    return read_topic(SK_SYSTEM_HARTS, look.harts, sizeof(look.harts), sizeof(look.harts[0]),
                      &look.hart_count);
}

static status_t read_jobs(void)
{
    return read_topic(SK_SYSTEM_JOBS, look.jobs, sizeof(look.jobs), sizeof(look.jobs[0]),
                      &look.job_count);
}

static status_t read_services(void)
{
    uint64_t deadline = sk_deadline_after(INIT_LIMIT_NS);
    look.service_count = 0;
    for (uint32_t total = 1; look.service_count < total;) {
        struct sk_init_list request = {SK_INIT_SERVICES, look.service_count};
        static struct sk_init_services reply;
        struct sk_out out = sk_out_bytes(&request, sizeof(request));
        struct sk_in in = sk_in_bytes(&reply, sizeof(reply));
        status_t status = sk_channel_call(sk_boot_endpoint, &out, &in, deadline);
        if (status == SK_OK && in.length >= sizeof(reply.status)) {
            status = (status_t)reply.status;
        }
        if (status != SK_OK) {
            return status;
        }
        size_t entries = sizeof(reply) - sizeof(reply.entries);
        if (in.length < entries || reply.count > (in.length - entries) / sizeof(reply.entries[0])) {
            return SK_BAD_FORMAT;
        }
        uint32_t room = SERVICES_MAX - look.service_count;
        uint32_t part = reply.count < room ? reply.count : room;
        memcpy(look.services + look.service_count, reply.entries, part * sizeof(reply.entries[0]));
        look.service_count += part;
        total = part == 0 ? 0 : reply.total;
    }
    return SK_OK;
}

static void tell_device(const struct sk_devmgr_device *device)
{
    static const uint32_t states[] = {[SK_DEVMGR_RUNNING] = SK_INIT_UP,
                                      [SK_DEVMGR_FAILED] = SK_INIT_FAILED,
                                      [SK_DEVMGR_ENDED] = SK_INIT_ENDED,
                                      [SK_DEVMGR_WAITING] = SK_INIT_RESTARTING};
    for (uint32_t i = 0; i < look.service_count; i++) {
        struct sk_init_service *service = &look.services[i];
        if (strcmp(service->service, device->service) != 0 || service->service[0] == '\0' ||
            device->state >= sizeof states / sizeof states[0]) {
            continue;
        }
        memcpy(service->program, device->driver, sizeof service->program);
        service->process_id = device->process_id;
        service->state = states[device->state];
        service->restarts = device->restarts;
        service->cause = device->cause;
        service->code = (int32_t)device->code;
    }
}

/* Init knows of a device's service that it is devmgr's; devmgr knows the driver behind it. */
static void read_devices(void)
{
    static struct sk_connection devmgr = SK_CONNECTION("devmgr");
    static struct sk_devmgr_devices reply;
    struct sk_devmgr_list request = {.operation = SK_DEVMGR_LIST};
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&reply, sizeof reply);
    status_t status = sk_connection_call(&devmgr, &out, &in, SK_REPEAT_ALWAYS,
                                         sk_deadline_after(INIT_LIMIT_NS));
    size_t head = offsetof(struct sk_devmgr_devices, entries);
    if (status != SK_OK || in.length < head || reply.status != SK_OK ||
        reply.count > (in.length - head) / sizeof reply.entries[0]) {
        return;
    }
    for (uint32_t i = 0; i < reply.count; i++) {
        reply.entries[i].service[SK_DEVMGR_NAME_MAX - 1] = '\0';
        tell_device(&reply.entries[i]);
    }
}

/* The client's text with room for `length` bytes, what it held is gone; NULL: no memory. */
static struct text *text_with_room(struct sk_client *client, size_t length)
{
    struct text *text = client->data;
    if (text == NULL || text->room < length) {
        size_t room = length + length / 4; /* it grows with the number of programs */
        free(text);
        text = client->data = malloc(sizeof(*text) + room);
        if (text == NULL) {
            return NULL;
        }
        text->room = room;
    }
    text->length = length;
    return text;
}

/* Makes a new text for the client. Init may be busy: the services are then missing, not the text. */
static status_t make_text(struct sk_client *client)
{
    status_t status = read_system();
    if (status == SK_OK) {
        status = read_processes();
    }
    if (status == SK_OK) {
        status = read_harts();
    }
    if (status == SK_OK) {
        status = read_jobs();
    }
    if (status != SK_OK) {
        return status;
    }
    if (read_services() != SK_OK) {
        look.service_count = 0;
    }
    read_devices();
    struct status_input input = {
        .version = SKERRY_VERSION,
        .system = &look.system,
        .harts = look.harts,
        .hart_count = look.hart_count,
        .jobs = look.jobs,
        .job_count = look.job_count,
        .processes = look.processes,
        .process_count = look.process_count,
        .services = look.services,
        .service_count = look.service_count,
    };
    size_t length = status_write(&input, text_buffer, sizeof(text_buffer));
    if (length == 0) {
        return SK_TOO_BIG;
    }
    struct text *text = text_with_room(client, length);
    if (text == NULL) {
        return SK_NO_MEMORY;
    }
    memcpy(text->bytes, text_buffer, length);
    return SK_OK;
}

static status_t reply_part(struct sk_reply *reply, const void *items, size_t total, size_t each,
                           uint64_t first)
{
    struct sk_sysinfo_reply *head = sk_reply_struct(reply, struct sk_sysinfo_reply);
    size_t room = (sizeof(reply->bytes) - sizeof(*head)) / each;
    size_t left = first < total ? total - (size_t)first : 0;
    size_t count = left < room ? left : room;
    head->total = (uint32_t)total;
    head->count = (uint32_t)count;
    if (count > 0) {
        memcpy(head + 1, (const char *)items + first * each, count * each);
    }
    reply->length += count * each;
    return SK_OK;
}

static status_t reply_text(struct sk_client *client, uint64_t first, struct sk_reply *reply)
{
    if (first == 0) {
        status_t status = make_text(client);
        if (status != SK_OK) {
            return status;
        }
    }
    struct text *text = client->data;
    if (text == NULL || first >= text->length) {
        return SK_BAD_STATE;
    }
    reply_part(reply, text->bytes, text->length, 1, first);
    if (reply->length - sizeof(struct sk_sysinfo_reply) + first == text->length) {
        text->length = 0;
    }
    return SK_OK;
}

static status_t on_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    const struct sk_sysinfo_request *request = sk_request(in, struct sk_sysinfo_request);
    if (request == NULL) {
        return SK_INVALID_ARGS;
    }
    uint64_t first = request->first;
    status_t status;
    switch (request->operation) {
    case SK_SYSINFO_STATUS:
        return reply_text(client, first, reply);
    case SK_SYSINFO_SYSTEM:
        status = read_system();
        return status != SK_OK ? status
                               : reply_part(reply, &look.system, 1, sizeof(look.system), first);
    case SK_SYSINFO_PROCESSES:
        status = read_processes();
        return status != SK_OK ? status
                               : reply_part(reply, look.processes, look.process_count,
                                            sizeof(look.processes[0]), first);
    case SK_SYSINFO_HARTS:
        status = read_harts();
        return status != SK_OK
                   ? status
                   : reply_part(reply, look.harts, look.hart_count, sizeof(look.harts[0]), first);
    case SK_SYSINFO_SERVICES:
        status = read_services();
        return status != SK_OK ? status
                               : reply_part(reply, look.services, look.service_count,
                                            sizeof(look.services[0]), first);
    default:
        return SK_INVALID_ARGS;
    }
}

static void on_disconnect(struct sk_server *server, struct sk_client *client)
{
    free(client->data);
}

int main(void)
{
    static const struct sk_server_ops ops = {.message = on_message, .disconnect = on_disconnect};
    static struct sk_server server;
    inspect = sk_boot_handle("inspect");
    status_t status = sk_server_init(&server, &ops, NULL);
    if (status == SK_OK) {
        status = sk_server_offer(&server, "sysinfo");
    }
    if (status != SK_OK) {
        sk_die("cannot serve: %s", sk_status_words(status));
    }
    return sk_server_run(&server);
}
