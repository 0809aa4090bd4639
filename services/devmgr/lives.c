/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lives of drivers. A driver that ends is started again: first its device is reset, then the grant
 * of the life that ended is closed, so that no frame is used for anything else while the device may still
 * write to it. A driver that ends before it has answered anything is waited for longer each time, and
 * given up in the end; then its service goes down. One that cannot be started for what may pass by itself is tried
 * for ever. One thread, no locks. Tests: tests/qemu/heal, tests/fuzz.
 */
#include <stdio.h>
#include <string.h>

#include <sk/cpio.h>
#include <sk/mmio.h>
#include <sk/print.h>
#include <sk/service.h>
#include <sk/time.h>

#include "devmgr.h"

#define CRASHES_MAX 6u            /* lives without an answer, then it is given up */
#define PAUSE_FIRST (100 * SK_MS) /* after the second such life; doubled for each further */
#define PAUSE_WANT SK_SECOND  /* before another attempt, when memory or a provider may come back */
#define STOP_PATIENCE 100u    /* looks, a millisecond apart */
#define YOUNG (2 * SK_SECOND) /* what lay in the control queue may be older than the driver */

static struct sk_server *server;
static const void *tree, *archive;
static uint64_t archive_size;

void lives_init(struct sk_server *loop, const void *device_tree, const void *bootfs,
                uint64_t bootfs_size)
{
    server = loop;
    tree = device_tree;
    archive = bootfs;
    archive_size = bootfs_size;
}

static void close_handle(handle_t *handle)
{
    if (*handle != SK_HANDLE_NONE) {
        sk_handle_close(*handle);
        *handle = SK_HANDLE_NONE;
    }
}

/* Everything of this life but the DMA grant. */
static void clean_up(struct found *found)
{
    found->entry.process_id = 0;
    if (found->child.process != SK_HANDLE_NONE) {
        sk_server_unwatch(server, found->child.process);
    }
    if (found->served != SK_HANDLE_NONE) {
        sk_server_unwatch(server, found->served);
    }
    if (found->job != SK_HANDLE_NONE) {
        sk_job_kill(found->job);
    }
    close_handle(&found->child.process);
    close_handle(&found->child.boot);
    close_handle(&found->served);
    close_handle(&found->job);
}

/* The register that stops the device's DMA. Memory that lacks now may be there in a moment: a device is not
 * given up for that. */
static status_t map_dma_stop(const struct found *found, uintptr_t *at, uint64_t *mapped)
{
    uint64_t offset = found->driver->dma_stop_offset;
    status_t status = registers_map(&found->device, offset, at, mapped);
    for (uint32_t i = 0; i < STOP_PATIENCE && (status == SK_OVER_BUDGET || status == SK_NO_MEMORY ||
                                               status == SK_NO_HANDLES);
         i++) {
        sk_sleep(SK_MS);
        status = registers_map(&found->device, offset, at, mapped);
    }
    return status;
}

/* True when the device does no DMA any more. */
static bool reset_device(const struct found *found)
{
    const struct driver_manifest *driver = found->driver;
    uintptr_t at;
    uint64_t mapped;
    if (!driver->has_dma_stop || map_dma_stop(found, &at, &mapped) != SK_OK) {
        return false;
    }
    sk_mmio_write32(at, driver->dma_stop_value);
    bool done = sk_mmio_read32(at) == 0;
    for (uint32_t i = 0; !done && i < STOP_PATIENCE; i++) {
        sk_sleep(SK_MS);
        done = sk_mmio_read32(at) == 0;
    }
    sk_memory_unmap(sk_self_process, mapped, SK_PAGE_SIZE);
    return done;
}

static const char *cause_words(const struct found *found, char *text, size_t size)
{
    switch ((enum sk_init_cause)found->entry.cause) {
    case SK_CAUSE_KILLED:
        return "was killed";
    case SK_CAUSE_FAULT:
        return "ended by a fault";
    case SK_CAUSE_OVER_BUDGET:
        return "ended: over its budget of memory";
    case SK_CAUSE_HUNG:
        return "hung";
    case SK_CAUSE_NONSENSE:
        return "broke its protocol";
    case SK_CAUSE_TORN_DOWN:
        return "ended with devmgr";
    case SK_CAUSE_NOT_STARTED:
        snprintf(text, size, "cannot be started: %s", sk_status_words((status_t)found->entry.code));
        return text;
    default:
        snprintf(text, size, "ended with exit code %ld", (long)found->entry.code);
        return text;
    }
}

/* One line for each end. */
static void tell(const struct found *found, const char *what)
{
    char words[64];
    printf("%s: %s %s; %s\n", found->entry.service, found->entry.driver,
           cause_words(found, words, sizeof words), what);
}

static void give_up(struct found *found, enum sk_devmgr_state state, const char *why)
{
    tell(found, why);
    found->entry.state = state;
    found->start_due = SK_DEADLINE_NEVER;
    close_handle(&found->control); /* clients are told that the service is down */
}

/* Gives the DMA memory of a life that has ended back, once the device cannot write to it any more. */
static bool release_dma(struct found *found)
{
    if (found->dma == SK_HANDLE_NONE) {
        return true;
    }
    if (!reset_device(found)) {
        give_up(found, SK_DEVMGR_FAILED,
                "not started again, as its device cannot be reset and keeps its memory");
        return false; /* with the grant, for as long as the machine runs */
    }
    close_handle(&found->dma);
    sk_keep(found->entry.service, SK_HANDLE_NONE);
    return true;
}

static uint64_t pause_of(const struct found *found)
{
    return found->crashes < 2 ? 0 : PAUSE_FIRST << (found->crashes - 2);
}

/* After the end of a life, or of an attempt to start one: the next begins so much later. found->entry.cause and .code are
 * set. */
static void plan(struct found *found, uint64_t pause)
{
    if (!release_dma(found)) {
        return;
    }
    if (!found->driver->restarts) {
        give_up(found, SK_DEVMGR_ENDED, "not started again");
        return;
    }
    if (found->crashes == CRASHES_MAX) {
        give_up(found, SK_DEVMGR_FAILED, "given up, as it never answers");
        return;
    }
    found->entry.state = SK_DEVMGR_WAITING;
    found->start_due = sk_deadline_after(pause);
    char words[48] = "starting it again";
    if (pause != 0) {
        snprintf(words, sizeof words, "starting it again in %u ms", (unsigned)(pause / SK_MS));
    }
    tell(found, words);
}

static enum sk_init_cause cause_of(const struct found *found, const struct sk_process_info *info)
{
    switch (info->exit_reason) {
    case SK_EXIT_KILLED:
        return found->blame != SK_CAUSE_NONE ? (enum sk_init_cause)found->blame : SK_CAUSE_KILLED;
    case SK_EXIT_FAULT:
        return SK_CAUSE_FAULT;
    case SK_EXIT_OVER_BUDGET:
        return SK_CAUSE_OVER_BUDGET;
    default:
        return SK_CAUSE_EXITED;
    }
}

/* init closes its end of a control channel when the machine is switched off. */
static bool service_is_wanted(const struct found *found)
{
    uint64_t observed;
    return sk_object_wait(found->control, SK_SIGNAL_PEER_CLOSED, SK_DEADLINE_POLL, &observed) !=
           SK_OK;
}

static void driver_ended(struct sk_server *loop, handle_t process, uint32_t signals, void *context)
{
    struct found *found = context;
    struct sk_process_info info = {.exit_reason = SK_EXIT_KILLED};
    uint64_t written, observed;
    sk_object_info(process, &info, sizeof info, &written);
    found->entry.cause = cause_of(found, &info);
    found->entry.code = info.exit_code;
    if (sk_object_wait(found->served, SK_SIGNAL_EVENT, SK_DEADLINE_POLL, &observed) == SK_OK) {
        found->crashes = 0; /* this end was told before its answer was */
    }
    clean_up(found);
    if (!service_is_wanted(found)) {
        found->entry.state = SK_DEVMGR_ENDED;
        return;
    }
    found->crashes++;
    plan(found, pause_of(found));
}

/* The driver has answered a request: whatever ends this life, it can be started. */
static void driver_served(struct sk_server *loop, handle_t event, uint32_t signals, void *context)
{
    struct found *found = context;
    found->crashes = 0;
}

static status_t watch(struct found *found)
{
    struct sk_process_info info = {0};
    uint64_t written;
    sk_object_info(found->child.process, &info, sizeof info, &written);
    found->entry.process_id = info.id;
    status_t status = sk_server_watch(server, found->child.process, SK_SIGNAL_TERMINATED,
                                      driver_ended, found);
    if (status == SK_OK) {
        status = sk_server_watch(server, found->served, SK_SIGNAL_EVENT, driver_served, found);
    }
    return status;
}

static status_t start(struct found *found)
{
    static struct grant grant; /* reused: large, and one driver starts at a time */
    char file[MATCH_NAME_MAX + 4];
    struct sk_cpio_entry image;
    snprintf(file, sizeof file, "bin/%s", found->driver->name);
    status_t status = sk_cpio_find(archive, archive_size, file, &image);
    if (status != SK_OK) {
        return status;
    }
    status = grant_make(&grant, found, tree);
    if (status != SK_OK) {
        grant_close(&grant);
        return status;
    }
    struct sk_spawn spawn = {
        .name = found->driver->name,
        .job = found->job,
        .priority = found->driver->priority,
        .image = sk_boot_handle("bootfs"),
        .image_offset = image.offset,
        .image_size = image.size,
        .argument_count = grant.argument_count,
        .arguments = grant.arguments,
        .handles = grant.handles,
        .handle_count = grant.handle_count,
        .commit = true,
    };
    status = sk_spawn(&spawn, &found->child);
    return status == SK_OK ? watch(found) : status;
}

/* What may pass by itself is no fault of the driver's: want of memory, a provider that reads nothing or has just ended. */
static bool may_pass(status_t status)
{
    return status == SK_OVER_BUDGET || status == SK_NO_MEMORY || status == SK_NO_HANDLES ||
           status == SK_FULL || status == SK_PEER_CLOSED;
}

static void begin_life(struct found *found)
{
    found->start_due = SK_DEADLINE_NEVER;
    found->blame = SK_CAUSE_NONE;
    found->began = sk_now();
    found->entry.error = start(found);
    if (found->entry.error == SK_OK) {
        found->entry.state = SK_DEVMGR_RUNNING;
        return;
    }
    found->entry.cause = SK_CAUSE_NOT_STARTED;
    found->entry.code = found->entry.error;
    clean_up(found);
    if (may_pass(found->entry.error)) {
        plan(found, PAUSE_WANT);
    } else {
        found->crashes++;
        plan(found, pause_of(found));
    }
}

/* A devmgr before this one may have died with the driver: then init has kept the grant for us. */
static void take_former_grant(struct found *found)
{
    char name[SK_DEVMGR_NAME_MAX + 8];
    snprintf(name, sizeof name, "kept:%s", found->entry.service);
    found->dma = sk_boot_handle_take(name);
    if (found->dma != SK_HANDLE_NONE) {
        found->entry.cause = SK_CAUSE_TORN_DOWN;
    }
}

void lives_begin(struct found *found)
{
    found->start_due = SK_DEADLINE_NEVER;
    if (!found->driver->provider) { /* a provider has its control channel already */
        found->entry.error = sk_offer(found->entry.service, sk_self_job, found->driver->priority,
                                      &found->control);
    }
    if (found->entry.error != SK_OK) {
        found->entry.state = SK_DEVMGR_FAILED;
        printf("%s: cannot offer %s: %s\n", found->entry.path, found->entry.service,
               sk_status_words(found->entry.error));
        return;
    }
    take_former_grant(found);
    if (release_dma(found)) {
        begin_life(found);
    }
}

status_t lives_cut(struct found *found, enum sk_init_cause cause)
{
    if (found->child.process == SK_HANDLE_NONE || found->blame != SK_CAUSE_NONE) {
        return SK_BAD_STATE; /* there is none, or it is just about to end */
    }
    found->blame = cause;
    return sk_process_kill(found->child.process, 0);
}

void lives_stuck(struct found *found)
{
    if (sk_now() - found->began > YOUNG) {
        lives_cut(found, SK_CAUSE_HUNG);
    }
}

uint64_t lives_continue(struct found *found, uint32_t count)
{
    uint64_t next = SK_DEADLINE_NEVER;
    for (uint32_t i = 0; i < count; i++) {
        if (found[i].start_due != SK_DEADLINE_NEVER && found[i].start_due <= sk_now()) {
            found[i].entry.restarts++;
            begin_life(&found[i]);
        }
        next = found[i].start_due < next ? found[i].start_due : next;
    }
    return next;
}
