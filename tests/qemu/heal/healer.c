/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Does to the system what the host's scripts type, one line each, and says what came of it:
 *
 *     restart NAME   devmgr ends the driver of the service NAME       "restart NAME: STATUS"
 *     kill NAME      init ends the program NAME                       "kill NAME: STATUS"
 *     counts         live objects by type, handles, free pages        "counts O... H P"
 *     driver NAME    restarts, last cause and code of NAME's driver  "driver NAME RESTARTS CAUSE CODE"
 *     recover NAME   ends a component, and waits for its next good response (recovery.c)
 *                    "recover NAME NANOSECONDS: STATUS"
 *     inject N SEED  has the driver of nic0, if it is the one that can, inject N faults into itself
 *                    "inject STATUS N0 N1 N2 N3 N4 N5 ESCAPES LAST", see inject.h
 *     hang           the same driver goes into an endless loop                        "hang: STATUS"
 *     lose           the same driver misses one interrupt                              "lose: STATUS"
 *     hang NAME      the service NAME, if it is made for that (hang.h), hangs     "hang NAME: STATUS"
 *     quit           ends, and so switches the machine off
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sk/ipc.h>
#include <sk/print.h>
#include <sk/protocol/devmgr.h>
#include <sk/service.h>
#include <sk/time.h>
#include <skerry/info.h>

#include "hang.h"
#include "heal_test.h"
#include "inject.h"

#define PATIENCE (5 * SK_SECOND)

static handle_t devmgr;

static status_t call_devmgr(const void *request, size_t size, void *reply, size_t room,
                            size_t *length)
{
    struct sk_out out = sk_out_bytes(request, size);
    struct sk_in in = sk_in_bytes(reply, room);
    status_t status = SK_OK;
    if (devmgr == SK_HANDLE_NONE) {
        status = sk_connect("devmgr", sk_deadline_after(PATIENCE), &devmgr);
    }
    if (status == SK_OK) {
        status = sk_channel_call(devmgr, &out, &in, sk_deadline_after(PATIENCE));
    }
    if (status == SK_PEER_CLOSED && devmgr != SK_HANDLE_NONE) {
        sk_handle_close(devmgr);
        devmgr = SK_HANDLE_NONE;
    }
    *length = in.length;
    return status;
}

static void restart(const char *name)
{
    struct sk_devmgr_restart request = {.operation = SK_DEVMGR_RESTART, .cause = SK_CAUSE_KILLED};
    int64_t answer = 0;
    size_t length;
    snprintf(request.service, sizeof request.service, "%s", name);
    status_t status = call_devmgr(&request, sizeof request, &answer, sizeof answer, &length);
    printf("restart %s: %s\n", name, sk_status_words(status != SK_OK ? status : (status_t)answer));
}

static void driver(const char *name)
{
    static struct sk_devmgr_devices devices;
    struct sk_devmgr_list request = {.operation = SK_DEVMGR_LIST};
    size_t length;
    if (call_devmgr(&request, sizeof request, &devices, sizeof devices, &length) != SK_OK) {
        devices.count = 0;
    }
    for (uint32_t i = 0; i < devices.count; i++) {
        const struct sk_devmgr_device *device = &devices.entries[i];
        if (strcmp(device->service, name) == 0) {
            printf("driver %s %u %u %ld\n", name, device->restarts, device->cause,
                   (long)device->code);
            return;
        }
    }
    printf("driver %s: none\n", name);
}

static void counts(void)
{
    struct sk_system_info info;
    uint64_t written;
    sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_GENERAL, &info, sizeof info, &written);
    printf("counts");
    for (uint32_t i = 0; i < SK_TYPE_COUNT; i++) {
        printf(" %lu", (unsigned long)info.objects[i]);
    }
    printf(" %lu %lu\n", (unsigned long)info.handles, (unsigned long)info.memory_free_pages);
}

/* OK: all were injected, and the driver lives. */
static status_t have_injected(handle_t nic, const struct inject_request *request, handle_t memory)
{
    int64_t answer = SK_BAD_FORMAT;
    struct sk_out out = {request, sizeof *request, &memory, 1};
    struct sk_in in = sk_in_bytes(&answer, sizeof answer);
    status_t status = sk_channel_call(nic, &out, &in, sk_deadline_after(PATIENCE));
    return status == SK_OK ? (status_t)answer : status;
}

static status_t inject(const struct inject_request *request, struct inject_result *result)
{
    handle_t nic = SK_HANDLE_NONE, memory = SK_HANDLE_NONE, copy;
    status_t status = sk_connect("nic0", sk_deadline_after(PATIENCE), &nic);
    if (status == SK_OK) {
        status = sk_memory_create(sk_self_job, SK_PAGE_SIZE, SK_MEMORY_COMMIT, &memory);
    }
    if (status == SK_OK) {
        status = sk_handle_duplicate(
            memory, SK_RIGHT_READ | SK_RIGHT_WRITE | SK_RIGHT_MAP | SK_RIGHT_TRANSFER, &copy);
    }
    if (status == SK_OK) {
        status = have_injected(nic, request, copy);
        sk_memory_read(memory, 0, result, sizeof *result);
    }
    sk_handle_close(memory);
    sk_handle_close(nic);
    return status;
}

static void inject_many(uint64_t count, uint64_t seed)
{
    struct inject_request request = {INJECT_OPERATION, seed, count, 0};
    struct inject_result result = {0};
    status_t status = inject(&request, &result);
    printf("inject %s:", sk_status_words(status));
    for (int i = 0; i < INJECT_KINDS; i++) {
        printf(" %lu", (unsigned long)result.injected[i]);
    }
    printf(" %lu %lu\n", (unsigned long)result.escapes, (unsigned long)result.last);
}

static void inject_one(const char *command, enum inject_kind kind)
{
    struct inject_request request = {INJECT_OPERATION, 1, 1, 1 + kind};
    struct inject_result result = {0};
    status_t status = inject(&request, &result);
    printf("%s: %s\n", command, sk_status_words(result.injected[kind] == 1 ? SK_OK : status));
}

/* Without waiting for an answer: it is not the test's time-out that gives the service away. */
static void hang_service(const char *name)
{
    uint64_t operation = HANG_OPERATION;
    struct sk_out out = sk_out_bytes(&operation, sizeof operation);
    handle_t endpoint;
    status_t status = sk_connect(name, sk_deadline_after(PATIENCE), &endpoint);
    if (status == SK_OK) {
        status = sk_channel_send(endpoint, &out);
        sk_handle_close(endpoint);
    }
    printf("hang %s: %s\n", name, sk_status_words(status));
}

int main(void)
{
    char line[100];
    puts("ready");
    while (fgets(line, sizeof line, stdin) != NULL) {
        char command[16], name[SK_DEVMGR_NAME_MAX];
        unsigned long seed;
        int words = sscanf(line, "%15s %31s %lu", command, name, &seed);
        if (words == 2 && strcmp(command, "restart") == 0) {
            restart(name);
        } else if (words == 2 && strcmp(command, "kill") == 0) {
            printf("kill %s: %s\n", name, sk_status_words(heal_kill(name)));
        } else if (words == 2 && strcmp(command, "driver") == 0) {
            driver(name);
        } else if (words == 2 && strcmp(command, "recover") == 0) {
            uint64_t ns = 0;
            status_t status = heal_recovery(name, &ns);
            printf("recover %s %lu: %s\n", name, (unsigned long)ns, sk_status_words(status));
        } else if (words == 3 && strcmp(command, "inject") == 0) {
            inject_many(strtoul(name, NULL, 0), seed);
        } else if (words == 1 && strcmp(command, "hang") == 0) {
            inject_one("hang", INJECT_LOOP);
        } else if (words == 1 && strcmp(command, "lose") == 0) {
            inject_one("lose", INJECT_INTERRUPT);
        } else if (words == 2 && strcmp(command, "hang") == 0) {
            hang_service(name);
        } else if (words == 1 && strcmp(command, "counts") == 0) {
            counts();
        } else if (words == 1 && strcmp(command, "quit") == 0) {
            return 0;
        } else {
            printf("what is \"%s\"?\n", line);
        }
    }
    return 1;
}
