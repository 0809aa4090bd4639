/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a component is missed: from the moment when it is ended to its next good response, asked for
 * again and again. What is a good response:
 *
 *     nic0          it tells that the network service is attached to it
 *     net           a page over loopback, on a new session
 *     http-server   the same
 *     fs            a file's size
 *     console       everything written has left the machine
 *     sysinfo       the text of /status.json
 *     devmgr        the list of devices, with the network card running
 */
#include <stdlib.h>
#include <string.h>

#include <sk/file.h>
#include <sk/ipc.h>
#include <sk/protocol/console.h>
#include <sk/protocol/devmgr.h>
#include <sk/protocol/nic.h>
#include <sk/service.h>
#include <sk/sysinfo.h>
#include <sk/time.h>

#include "heal_test.h"

#define LIMIT (20 * SK_SECOND)
#define ATTEMPT (2 * SK_SECOND)
#define PAUSE (SK_MS / 4) /* between two attempts that failed at once */

/* One call of an operation without arguments, on a new connection. */
static status_t ask(const char *service, const void *request, size_t size, void *reply, size_t room)
{
    struct sk_out out = sk_out_bytes(request, size);
    struct sk_in in = sk_in_bytes(reply, room);
    uint64_t deadline = sk_deadline_after(ATTEMPT);
    handle_t endpoint;
    status_t status = sk_connect(service, deadline, &endpoint);
    if (status != SK_OK) {
        return status;
    }
    status = sk_channel_call(endpoint, &out, &in, deadline);
    sk_handle_close(endpoint);
    if (status == SK_OK && in.length >= sizeof(int64_t)) {
        memcpy(&status, reply, sizeof status);
    }
    return status;
}

static bool nic_is_good(void)
{
    struct sk_nic_request request = {.op = SK_NIC_OP_INFO};
    struct sk_nic_info_reply info = {0};
    return ask("nic0", &request, sizeof request, &info, sizeof info) == SK_OK && info.attached;
}

static bool page_is_good(void)
{
    char body[64];
    return heal_get("/index.html", body, sizeof body, sk_deadline_after(ATTEMPT)) == SK_OK;
}

static bool fs_is_good(void)
{
    struct sk_file_info info;
    return sk_file_stat("/etc/heal.manifest", &info) == SK_OK;
}

static bool console_is_good(void)
{
    uint64_t request = SK_CONSOLE_DRAIN;
    int64_t reply;
    return ask("console", &request, sizeof request, &reply, sizeof reply) == SK_OK;
}

static bool sysinfo_is_good(void)
{
    char *text = NULL;
    size_t length;
    status_t status = sk_sysinfo_status(sk_deadline_after(ATTEMPT), &text, &length);
    free(text);
    return status == SK_OK;
}

static bool devmgr_is_good(void)
{
    static struct sk_devmgr_devices devices;
    struct sk_devmgr_list request = {.operation = SK_DEVMGR_LIST};
    if (ask("devmgr", &request, sizeof request, &devices, sizeof devices) != SK_OK) {
        return false;
    }
    for (uint32_t i = 0; i < devices.count; i++) {
        if (strcmp(devices.entries[i].service, "nic0") == 0) {
            return devices.entries[i].state == SK_DEVMGR_RUNNING;
        }
    }
    return false;
}

static status_t end_nic(const char *name)
{
    struct sk_devmgr_restart request = {.operation = SK_DEVMGR_RESTART, .cause = SK_CAUSE_KILLED};
    int64_t reply;
    strncpy(request.service, name, sizeof request.service - 1);
    return ask("devmgr", &request, sizeof request, &reply, sizeof reply);
}

static const struct component {
    const char *name;
    status_t (*end)(const char *name);
    bool (*is_good)(void);
} components[] = {
    {"nic0", end_nic, nic_is_good},           {"net", heal_kill, page_is_good},
    {"http-server", heal_kill, page_is_good}, {"fs", heal_kill, fs_is_good},
    {"console", heal_kill, console_is_good},  {"sysinfo", heal_kill, sysinfo_is_good},
    {"devmgr", heal_kill, devmgr_is_good},
};

static bool good_within(const struct component *component, uint64_t limit)
{
    uint64_t deadline = sk_deadline_after(limit);
    while (!component->is_good()) {
        if (sk_now() > deadline) {
            return false;
        }
        sk_sleep(PAUSE);
    }
    return true;
}

status_t heal_recovery(const char *name, uint64_t *ns)
{
    for (size_t i = 0; i < sizeof components / sizeof components[0]; i++) {
        const struct component *component = &components[i];
        if (strcmp(component->name, name) != 0) {
            continue;
        }
        if (!good_within(component, LIMIT)) {
            return SK_BAD_STATE; /* it was not well before */
        }
        uint64_t began = sk_now();
        status_t status = component->end(name);
        if (status == SK_OK && !good_within(component, LIMIT)) {
            status = SK_TIMED_OUT;
        }
        *ns = sk_now() - began;
        return status;
    }
    return SK_NOT_FOUND;
}
