/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages: reading one from its sender, delivering it, keeping it queued.
 *
 * Owns: message memory, each hart's bounce buffer during one system call, and the list of dead
 * messages. Tests: tests/host/ipc/.
 */
#include <string.h>

#include <arch/mmu.h>
#include <ipc/message.h>
#include <kernel/hart.h>
#include <kernel/page.h>
#include <kernel/panic.h>
#include <kernel/step.h>

#define REGISTER_BYTES SK_MESSAGE_REGISTER_BYTES
#define INFO_MASK (SK_INFO_LENGTH_MASK | SK_INFO_HANDLES_MASK << SK_INFO_HANDLES_SHIFT)

/* What giving up a handle costs, in units of step_take, without what its object pays itself. */
#define DROP_UNITS 4

_Atomic uint64_t message_live;
static struct cache message_cache = CACHE_INIT("message", struct message);

/* A handle to this channel in its own message would keep it alive for ever. */
static bool names_channel(const struct outgoing *out, uint32_t count, const struct channel *channel)
{
    for (uint32_t i = 0; i < count; i++) {
        struct object *object = handle_peek_reserved(out->giver, out->handles[i]);
        if (object->type == SK_TYPE_ENDPOINT && endpoint_from_object(object)->channel == channel) {
            return true;
        }
    }
    return false;
}

status_t outgoing_prepare(struct thread *self, uint64_t info, const uint64_t *words,
                          struct outgoing *out, handle_t *handles, const struct channel *channel)
{
    struct arch_frame *frame = &self->frame;
    struct address_space *space = &self->process->space;
    uint32_t length = SK_INFO_LENGTH(info), count = SK_INFO_HANDLES(info);
    if ((info & ~(uint64_t)INFO_MASK) != 0) {
        return SK_INVALID_ARGS;
    }
    if (length > SK_MESSAGE_BYTES_MAX || count > SK_MESSAGE_HANDLES_MAX) {
        return SK_TOO_BIG;
    }
    *out = (struct outgoing){.info = info, .words = words};
    if (length > REGISTER_BYTES) {
        unsigned char *bounce = cpu_hart()->bounce;
        status_t status = space_copy_in(space, bounce,
                                        frame->extra[MESSAGE_OUT_BYTES] + REGISTER_BYTES,
                                        length - REGISTER_BYTES);
        if (status != SK_OK) {
            return status;
        }
        out->payload = bounce;
    }
    if (count == 0) {
        return SK_OK;
    }
    status_t status = space_copy_in(space, handles, frame->extra[MESSAGE_OUT_HANDLES],
                                    count * sizeof(handle_t));
    if (status == SK_OK) {
        status = handle_reserve(self->process, handles, count);
    }
    if (status != SK_OK) {
        return status;
    }
    out->giver = self->process;
    out->handles = handles;
    if (channel != NULL && names_channel(out, count, channel)) {
        outgoing_cancel(out);
        return SK_INVALID_ARGS;
    }
    return SK_OK;
}

void outgoing_cancel(const struct outgoing *out)
{
    if (out->giver != NULL) {
        handle_unreserve(out->giver, out->handles, SK_INFO_HANDLES(out->info));
    }
}

/* Writes to the thread's memory, populating it on its behalf. */
static status_t write_user(struct thread *to, vaddr_t va, const void *from, size_t size)
{
    struct address_space *space = &to->process->space;
    for (;;) {
        vaddr_t missing;
        status_t status = space_write(space, va, from, size, &missing);
        if (status != SK_PENDING) {
            return status;
        }
        status = space_populate(space, missing, SK_PROT_WRITE);
        if (status != SK_OK) {
            return status;
        }
    }
}

/* The part of a delivery that can fail: room for the handles, and everything in user memory. */
static status_t deliver_prepare(struct thread *to, const struct outgoing *out, handle_t *handles)
{
    struct arch_frame *frame = &to->frame;
    uint32_t length = SK_INFO_LENGTH(out->info), count = SK_INFO_HANDLES(out->info);
    uint32_t room_bytes = frame->extra[MESSAGE_IN_ROOM] & 0xffff;
    uint32_t room_handles = frame->extra[MESSAGE_IN_ROOM] >> 16 & 0xff;
    if ((length > room_bytes && length > REGISTER_BYTES) || count > room_handles) {
        return SK_TOO_SMALL;
    }
    status_t status = SK_OK;
    if (length > REGISTER_BYTES) {
        status = write_user(to, frame->extra[MESSAGE_IN_BYTES] + REGISTER_BYTES, out->payload,
                            length - REGISTER_BYTES);
    }
    if (status != SK_OK || count == 0) {
        return status;
    }
    status = handle_room(to->process, handles, count);
    if (status != SK_OK) {
        return status;
    }
    status = write_user(to, frame->extra[MESSAGE_IN_HANDLES], handles, count * sizeof(handle_t));
    if (status != SK_OK) {
        handle_room_cancel(to->process, handles, count);
    }
    return status;
}

UNGUARDED status_t message_deliver_long(struct thread *to, const struct outgoing *out,
                                        uint64_t flags, token_t token, uint64_t key)
{
    handle_t handles[SK_MESSAGE_HANDLES_MAX];
    struct capability taken[SK_MESSAGE_HANDLES_MAX];
    uint32_t count = SK_INFO_HANDLES(out->info);
    status_t status = deliver_prepare(to, out, handles);
    if (status != SK_OK) {
        return status;
    }
    /* Point of no return. */
    if (count > 0) {
        const struct capability *capabilities = out->capabilities;
        if (out->giver != NULL) {
            handle_take(out->giver, out->handles, count, taken);
            capabilities = taken;
        }
        handle_fill(to->process, handles, count, capabilities);
    }
    message_result(to, out->info | flags, out->words, token, key);
    return SK_OK;
}

void message_fail(struct thread *to, status_t status, uint64_t info)
{
    static const uint64_t nothing[4];
    message_result(to, info, nothing, SK_TOKEN_NONE, 0);
    to->frame.arg[0] = (uint64_t)(int64_t)status;
}

void message_signals(struct thread *to, uint32_t signals, uint64_t key)
{
    const uint64_t words[4] = {signals, 0, 0, 0};
    message_result(to, SK_INFO_SIGNALS, words, SK_TOKEN_NONE, key);
}

UNGUARDED status_t message_keep_payload(struct message *message, struct job *payer,
                                        const struct outgoing *out)
{
    uint32_t length = SK_INFO_LENGTH(out->info);
    message->payload = NULL;
    if (length <= REGISTER_BYTES) {
        return SK_OK;
    }
    paddr_t pa;
    status_t status = page_alloc_dirty(payer, &pa); /* no more than `length` is ever read */
    if (status == SK_OK) {
        message->payload = phys_to_virt(pa);
        memcpy(message->payload, out->payload, length - REGISTER_BYTES);
    }
    return status;
}

void message_drop_payload(struct message *message, struct job *payer)
{
    if (message->payload != NULL) {
        page_free(payer, virt_to_phys(message->payload));
        message->payload = NULL;
    }
}

UNGUARDED status_t message_create(struct job *payer, const struct outgoing *out,
                                  struct message **result)
{
    uint32_t count = SK_INFO_HANDLES(out->info);
    status_t status = job_charge(payer, BUDGET_MESSAGES, 1);
    if (status != SK_OK) {
        return status;
    }
    status = count == 0 ? SK_OK : job_charge(payer, BUDGET_HANDLES, count);
    if (status != SK_OK) {
        goto fail_handles;
    }
    struct message *message = cache_alloc(&message_cache);
    if (message == NULL) {
        status = SK_NO_MEMORY;
        goto fail_alloc;
    }
    status = message_keep_payload(message, payer, out);
    if (status != SK_OK) {
        goto fail_payload;
    }
    list_init(&message->link);
    message->caller = NULL;
    message->info = out->info;
    message->words[0] = out->words[0];
    message->words[1] = out->words[1];
    message->words[2] = out->words[2];
    message->words[3] = out->words[3];
    message->job = payer;
    object_get(&payer->object);
    if (out->giver != NULL) {
        handle_take(out->giver, out->handles, count, message->handles);
    } else if (count > 0) {
        memcpy(message->handles, out->capabilities, count * sizeof(message->handles[0]));
    }
    atomic_fetch_add_explicit(&message_live, 1, memory_order_relaxed);
    *result = message;
    return SK_OK;

fail_payload:
    cache_free(&message_cache, message);
fail_alloc:
    job_uncharge(payer, BUDGET_HANDLES, count);
fail_handles:
    job_uncharge(payer, BUDGET_MESSAGES, 1);
    return status;
}

void message_free(struct message *message)
{
    struct job *payer = message->job;
    message_drop_payload(message, payer);
    uint32_t count = SK_INFO_HANDLES(message->info);
    cache_free(&message_cache, message);
    if (count > 0) {
        job_uncharge(payer, BUDGET_HANDLES, count);
    }
    job_uncharge(payer, BUDGET_MESSAGES, 1);
    object_put_later(&payer->object);
    atomic_fetch_sub_explicit(&message_live, 1, memory_order_relaxed);
}

bool message_release_step(struct chores *chores)
{
    struct list_node *dead = &chores->messages;
    while (!list_empty(dead)) {
        struct message *message = list_first(dead, struct message, link);
        uint32_t count = SK_INFO_HANDLES(message->info);
        if (!step_take(3 + (int32_t)count * DROP_UNITS)) {
            return false;
        }
        list_remove(&message->link);
        /* Dropping may close endpoints, whose messages join the list. */
        for (uint32_t i = 0; i < count; i++) {
            capability_drop(message->handles[i]);
        }
        message_free(message);
    }
    return true;
}
