/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages, calls and wait sets of the double: docs/ipc.md, from the one service's side. See double.h. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <sk/service.h>

struct call *double_calls;
status_t (*double_answer)(struct object *endpoint, const struct sk_out *out, struct sk_in *in);

static token_t next_token = 1;

/* --- Calls of outside --- */

static void call_end(struct call *call, enum call_state state, status_t status)
{
    call->state = state;
    call->status = status;
}

void call_forget(struct call *call)
{
    struct call **link = &double_calls;
    while (*link != call) {
        link = &(*link)->next;
    }
    *link = call->next;
    for (size_t i = 0; i < call->handle_count; i++) {
        held_drop(&call->handles[i]);
    }
    free(call);
}

static struct call *call_find(token_t token)
{
    struct call *call = double_calls;
    while (call != NULL && call->token != token) {
        call = call->next;
    }
    return call;
}

/* --- Queues --- */

static void message_free(struct message *message)
{
    for (size_t i = 0; i < message->handle_count; i++) {
        held_drop(&message->handles[i]);
    }
    free(message);
}

static struct message *message_new(const void *bytes, size_t length, const struct held *handles,
                                   size_t handle_count)
{
    struct message *message = calloc(1, sizeof *message + length);
    message->length = length;
    message->handle_count = handle_count;
    if (length != 0) {
        memcpy(message->bytes, bytes, length);
    }
    if (handle_count != 0) {
        memcpy(message->handles, handles, handle_count * sizeof handles[0]);
    }
    return message;
}

static void enqueue(struct object *endpoint, struct message *message)
{
    *(endpoint->first != NULL ? &endpoint->last->next : &endpoint->first) = message;
    endpoint->last = message;
    endpoint->queued++;
}

static struct message *dequeue(struct object *endpoint)
{
    struct message *message = endpoint->first;
    endpoint->first = message->next;
    endpoint->queued--;
    return message;
}

/* A call that nobody has received is taken back; of one that somebody has, the answer finds nobody. */
void call_abandon(struct call *call)
{
    if (call->state == CALL_QUEUED) {
        struct object *endpoint = call->endpoint->peer;
        for (struct message **link = &endpoint->first, *before = NULL; *link != NULL;
             before = *link, link = &(*link)->next) {
            struct message *message = *link;
            if (message->call == call) {
                *link = message->next;
                endpoint->last = endpoint->last == message ? before : endpoint->last;
                endpoint->queued--;
                message_free(message);
                break;
            }
        }
    }
    if (call->state == CALL_QUEUED || call->state == CALL_RECEIVED) {
        call->state = CALL_ABANDONED;
    }
}

void endpoint_closed(struct object *endpoint)
{
    for (struct call *call = double_calls; call != NULL; call = call->next) {
        if (call->endpoint == endpoint) {
            call_abandon(call);
        }
    }
    if (endpoint->peer != NULL) {
        endpoint->peer->peer = NULL;
        endpoint->peer = NULL;
    }
    while (endpoint->first != NULL) {
        struct message *message = dequeue(endpoint);
        if (message->call != NULL && message->call->state == CALL_QUEUED) {
            call_end(message->call, CALL_ANSWERED, SK_PEER_CLOSED);
        }
        message_free(message);
    }
}

status_t outside_send(struct object *endpoint, const void *bytes, size_t length,
                      const struct held *handles, size_t handle_count)
{
    status_t status = endpoint->peer == NULL                            ? SK_PEER_CLOSED
                      : endpoint->peer->queued == SK_INBOX_MESSAGES_MAX ? SK_FULL
                                                                        : SK_OK;
    struct message *message = message_new(bytes, length, handles, handle_count);
    if (status == SK_OK) {
        enqueue(endpoint->peer, message);
    } else {
        message_free(message);
    }
    return status;
}

struct call *outside_call(struct object *endpoint, const void *bytes, size_t length,
                          const struct held *handles, size_t handle_count)
{
    struct call *call = calloc(1, sizeof *call);
    call->token = next_token++;
    call->endpoint = endpoint;
    call->state = CALL_QUEUED;
    memcpy(&call->operation, bytes, length < 8 ? length : 8);
    call->next = double_calls;
    double_calls = call;
    struct message *message = message_new(bytes, length, handles, handle_count);
    message->call = call;
    if (endpoint->peer != NULL) {
        enqueue(endpoint->peer, message);
    } else {
        message_free(message);
        call_end(call, CALL_ANSWERED, SK_PEER_CLOSED);
    }
    return call;
}

bool outside_receive(struct object *endpoint, struct outside_message *message)
{
    if (endpoint->first == NULL) {
        return false;
    }
    struct message *taken = dequeue(endpoint);
    message->length = taken->length;
    message->handle_count = taken->handle_count;
    memcpy(message->bytes, taken->bytes, taken->length);
    memcpy(message->handles, taken->handles, sizeof taken->handles);
    taken->handle_count = 0;
    message_free(taken);
    return true;
}

bool outside_discard(struct object *endpoint)
{
    bool any = endpoint->first != NULL;
    if (any) {
        message_free(dequeue(endpoint));
    }
    return any;
}

/* --- Wait sets --- */

/* What shows; events, timers and interrupts are taken by this. */
uint32_t object_signals(struct object *object, uint32_t wanted)
{
    const uint32_t taken = SK_SIGNAL_EVENT | SK_SIGNAL_TIMER | SK_SIGNAL_INTERRUPT;
    uint32_t shown = object->signals;
    if (object->type == SK_TYPE_ENDPOINT) {
        shown = object->first != NULL  ? SK_SIGNAL_READABLE
                : object->peer == NULL ? SK_SIGNAL_PEER_CLOSED
                                       : 0;
    }
    shown &= wanted;
    object->signals &= ~(shown & taken);
    return shown;
}

void object_leave_waitsets(struct object *object)
{
    for (struct object *waitset = double_objects; waitset != NULL; waitset = waitset->next) {
        if (waitset->type == SK_TYPE_WAITSET) {
            waitset_remove(waitset, object);
        }
    }
}

void waitset_clear(struct object *waitset)
{
    while (waitset->members != NULL) {
        waitset_remove(waitset, waitset->members->object);
    }
}

status_t waitset_remove(struct object *waitset, struct object *object)
{
    for (struct member **link = &waitset->members; *link != NULL; link = &(*link)->next) {
        struct member *member = *link;
        if (member->object == object) {
            *link = member->next;
            free(member);
            return SK_OK;
        }
    }
    return SK_NOT_FOUND;
}

status_t waitset_add(struct object *waitset, struct object *object, uint32_t signals, uint64_t key)
{
    static const uint32_t shown[SK_TYPE_COUNT] = {
        [SK_TYPE_JOB] = SK_SIGNAL_TERMINATED,
        [SK_TYPE_PROCESS] = SK_SIGNAL_TERMINATED,
        [SK_TYPE_THREAD] = SK_SIGNAL_TERMINATED,
        [SK_TYPE_EVENT] = SK_SIGNAL_EVENT,
        [SK_TYPE_TIMER] = SK_SIGNAL_TIMER,
        [SK_TYPE_INTERRUPT] = SK_SIGNAL_INTERRUPT,
        [SK_TYPE_ENDPOINT] = SK_SIGNAL_READABLE | SK_SIGNAL_PEER_CLOSED,
    };
    if (signals == 0 || (signals & ~shown[object->type]) != 0) {
        return SK_INVALID_ARGS;
    }
    struct member **link = &waitset->members;
    for (; *link != NULL; link = &(*link)->next) {
        if ((*link)->object == object) {
            return SK_EXISTS;
        }
    }
    if (double_must_fail()) {
        return SK_OVER_BUDGET;
    }
    *link = malloc(sizeof **link);
    **link = (struct member){NULL, object, signals, key};
    return SK_OK;
}

/* The next member that shows something, which goes behind the others. */
static struct member *waitset_next(struct object *waitset, uint32_t *signals)
{
    for (struct member **link = &waitset->members; *link != NULL; link = &(*link)->next) {
        struct member *member = *link;
        *signals = object_signals(member->object, member->signals);
        if (*signals == 0) {
            continue;
        }
        *link = member->next;
        member->next = NULL;
        while (*link != NULL) {
            link = &(*link)->next;
        }
        *link = member;
        return member;
    }
    return NULL;
}

/* --- The service's calls --- */

/* Moves the message at the head of `endpoint` to the service, or leaves it there. */
static status_t deliver(struct object *endpoint, struct sk_in *in)
{
    struct message *message = endpoint->first;
    in->length = message->length;
    in->handle_count = message->handle_count;
    if (message->length > in->capacity || message->handle_count > in->handle_capacity) {
        return SK_TOO_SMALL;
    }
    if (message->handle_count != 0 && double_must_fail()) {
        return SK_OVER_BUDGET;
    }
    dequeue(endpoint);
    memcpy(in->bytes, message->bytes, message->length);
    for (size_t i = 0; i < message->handle_count; i++) {
        in->handles[i] = handle_insert(message->handles[i]);
    }
    message->handle_count = 0;
    struct call *call = message->call;
    if (call != NULL) {
        in->is_call = true;
        in->token = call->token;
        call->state = CALL_RECEIVED;
    }
    message_free(message);
    return SK_OK;
}

static status_t receive(handle_t source, struct sk_in *in, uint64_t deadline)
{
    status_t status;
    struct object *object = handle_object(source, SK_TYPE_NONE, SK_RIGHT_READ, &status);
    if (object == NULL) {
        return status;
    }
    in->length = in->handle_count = 0;
    in->is_call = in->delivered = false;
    in->signals = 0;
    in->token = SK_TOKEN_NONE;
    for (;;) {
        uint32_t signals = 0;
        if (object->type == SK_TYPE_WAITSET) {
            struct member *member = waitset_next(object, &signals);
            if (member != NULL) {
                in->key = member->key;
                if ((signals & SK_SIGNAL_READABLE) != 0) {
                    return deliver(member->object, in);
                }
                in->signals = signals;
                return SK_OK;
            }
        } else if (object->first != NULL || object->peer == NULL) {
            in->key = object->id;
            return object->first != NULL ? deliver(object, in) : SK_PEER_CLOSED;
        }
        if (deadline <= double_now) {
            return SK_TIMED_OUT;
        }
        service_wait(deadline);
    }
}

status_t sk_channel_receive(handle_t source, struct sk_in *in, uint64_t deadline)
{
    return receive(source, in, deadline);
}

static status_t check_handles(const struct sk_out *out, const struct object *endpoint)
{
    status_t status = SK_OK;
    for (size_t i = 0; i < out->handle_count; i++) {
        struct object *object = handle_object(out->handles[i], SK_TYPE_NONE, SK_RIGHT_TRANSFER,
                                              &status);
        if (object == NULL) {
            return status;
        }
        if (endpoint != NULL && (object == endpoint || object == endpoint->peer)) {
            return SK_INVALID_ARGS;
        }
    }
    return out->length > SK_MESSAGE_BYTES_MAX || out->handle_count > SK_MESSAGE_HANDLES_MAX
               ? SK_TOO_BIG
               : SK_OK;
}

status_t sk_channel_send(handle_t handle, const struct sk_out *out)
{
    status_t status;
    struct held handles[SK_MESSAGE_HANDLES_MAX];
    struct object *endpoint = handle_object(handle, SK_TYPE_ENDPOINT, SK_RIGHT_WRITE, &status);
    if (endpoint == NULL) {
        return status;
    }
    status = check_handles(out, endpoint);
    if (status != SK_OK) {
        return status;
    }
    if (endpoint->peer == NULL || endpoint->peer->queued == SK_INBOX_MESSAGES_MAX) {
        return endpoint->peer == NULL ? SK_PEER_CLOSED : SK_FULL;
    }
    if (double_must_fail()) {
        return SK_OVER_BUDGET;
    }
    for (size_t i = 0; i < out->handle_count; i++) {
        handles[i] = handle_remove(out->handles[i]);
    }
    return outside_send(endpoint, out->bytes, out->length, handles, out->handle_count);
}

status_t sk_channel_call(handle_t handle, const struct sk_out *out, struct sk_in *in,
                         uint64_t deadline)
{
    status_t status;
    struct object *endpoint = handle_object(handle, SK_TYPE_ENDPOINT,
                                            SK_RIGHT_READ | SK_RIGHT_WRITE, &status);
    in->delivered = false;
    if (endpoint == NULL) {
        return status;
    }
    status = check_handles(out, endpoint);
    if (status != SK_OK) {
        return status;
    }
    if (endpoint->peer == NULL) {
        return SK_PEER_CLOSED;
    }
    in->length = in->handle_count = 0;
    status = double_answer(endpoint, out, in);
    for (size_t i = 0; (status == SK_OK || in->delivered) && i < out->handle_count; i++) {
        if (handle_object(out->handles[i], SK_TYPE_NONE, 0, &(status_t){0}) != NULL) {
            object_drop(handle_remove(out->handles[i]).object);
        }
    }
    if (status == SK_TIMED_OUT && deadline != SK_DEADLINE_NEVER) {
        double_now = deadline > double_now ? deadline : double_now;
    }
    return status;
}

static void check_answer(const struct sk_out *out)
{
    int64_t word = 1;
    memcpy(&word, out->bytes, out->length < 8 ? 0 : 8);
    if (word > 0 || word < SK_BAD_SYSCALL) {
        double_broke("an answer of %zu bytes begins with %lld, which is no status", out->length,
                     (long long)word);
    }
}

status_t sk_channel_reply(token_t token, const struct sk_out *out)
{
    struct call *call = call_find(token);
    status_t status = check_handles(out, NULL);
    if (status != SK_OK) {
        return status;
    }
    check_answer(out);
    if (token == SK_TOKEN_NONE || token >= next_token) {
        double_broke("an answer to a call that there never was");
    }
    if (call == NULL || call->state == CALL_ABANDONED) {
        return SK_NOT_FOUND;
    }
    if (call->state != CALL_RECEIVED) {
        double_broke("a call of operation %llu is answered twice",
                     (unsigned long long)call->operation);
    }
    call->state = CALL_ANSWERED;
    call->length = out->length;
    memcpy(call->bytes, out->bytes, out->length);
    memcpy(&call->status, out->bytes, sizeof call->status);
    call->handle_count = out->handle_count;
    for (size_t i = 0; i < out->handle_count; i++) {
        call->handles[i] = handle_remove(out->handles[i]);
    }
    return SK_OK;
}

status_t sk_channel_reply_receive(token_t token, const struct sk_out *out, status_t *reply_status,
                                  handle_t source, struct sk_in *in, uint64_t deadline)
{
    *reply_status = token != SK_TOKEN_NONE ? sk_channel_reply(token, out) : SK_OK;
    return receive(source, in, deadline);
}
