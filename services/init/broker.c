/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The connect transaction and its accounts. Owns the table of names; borrows control endpoints and
 * clients. One thread. Invariant: client->unaccepted is the number of its entries in all queues.
 * Tests: tests/qemu/broker, tests/host/services/init/test_broker.c (who hangs).
 */
#include "broker.h"

#include <string.h>

#include <sk/ipc.h>

struct broker_service *broker_find(struct broker *broker, const char *name)
{
    for (uint32_t i = 0; i < broker->count; i++) {
        if (strcmp(broker->services[i].name, name) == 0) {
            return &broker->services[i];
        }
    }
    return NULL;
}

status_t broker_add(struct broker *broker, const char *name, void *owner,
                    struct broker_service **service)
{
    struct broker_service *found = broker_find(broker, name);
    if (found != NULL && found->control != SK_HANDLE_NONE) {
        return SK_EXISTS;
    }
    if (found == NULL) {
        if (broker->count == BROKER_SERVICES_MAX || strlen(name) >= sizeof found->name) {
            return SK_NO_SPACE;
        }
        found = &broker->services[broker->count++];
        strcpy(found->name, name);
        found->look = SK_DEADLINE_NEVER;
    }
    found->owner = owner;
    *service = found;
    return SK_OK;
}

void broker_up(struct broker_service *service, handle_t control)
{
    service->control = control;
    service->absent = false;
    service->sent = service->accepted = 0;
}

static struct broker_client **slot(struct broker_service *service, uint64_t number)
{
    return &service->queue[number % SK_INBOX_MESSAGES_MAX];
}

void broker_accepted(struct broker_service *service, uint64_t sequence)
{
    if (sequence > service->sent) {
        return;
    }
    while (service->accepted < sequence) {
        struct broker_client **client = slot(service, ++service->accepted);
        if (*client != NULL) {
            (*client)->unaccepted--;
            *client = NULL;
        }
    }
}

void broker_down(struct broker_service *service)
{
    broker_accepted(service, service->sent);
    service->control = SK_HANDLE_NONE;
}

void broker_ping(struct broker_service *service)
{
    struct sk_init_ping ping = {SK_INIT_PING, service->sent + 1};
    struct sk_out out = sk_out_bytes(&ping, sizeof ping);
    /* If it cannot be sent the service has ended, or init has no memory: no time to judge others. */
    if (service->control != SK_HANDLE_NONE && service->sent == service->accepted &&
        sk_channel_send(service->control, &out) == SK_OK) {
        *slot(service, ++service->sent) = NULL;
    }
}

void broker_tell_stuck(const struct broker_service *owner, const char *name)
{
    struct sk_init_name stuck = {.operation = SK_INIT_STUCK};
    memcpy(stuck.name, name, strnlen(name, sizeof stuck.name - 1));
    struct sk_out out = sk_out_bytes(&stuck, sizeof stuck);
    /* If it cannot be sent the owner hangs itself, or will be told again one limit later. */
    if (owner != NULL && owner->control != SK_HANDLE_NONE) {
        sk_channel_send(owner->control, &out);
    }
}

bool broker_is_stuck(struct broker_service *service, uint64_t now, uint64_t limit)
{
    uint64_t oldest = service->accepted + 1;
    if (service->control == SK_HANDLE_NONE || service->sent == service->accepted) {
        service->look = SK_DEADLINE_NEVER;
        return false;
    }
    if (service->look == SK_DEADLINE_NEVER || service->oldest != oldest) {
        service->oldest = oldest;
        service->looks = 0;
    } else if (now < service->look) {
        return false;
    } else if (++service->looks >= BROKER_LOOKS) {
        return true;
    }
    service->look = now + limit / BROKER_LOOKS;
    return false;
}

void broker_look_anew(struct broker_service *service, uint64_t now, uint64_t limit)
{
    service->look = SK_DEADLINE_NEVER;
    broker_is_stuck(service, now, limit);
}

void broker_forget(struct broker *broker, const struct broker_client *client)
{
    for (uint32_t i = 0; i < broker->count; i++) {
        for (uint32_t j = 0; j < SK_INBOX_MESSAGES_MAX; j++) {
            if (broker->services[i].queue[j] == client) {
                broker->services[i].queue[j] = NULL;
            }
        }
    }
}

static void step(struct broker *broker, enum broker_step step)
{
    if (broker->step != NULL) {
        broker->step(broker, step);
    }
}

static status_t send_new_client(struct broker_service *service, const struct broker_client *client,
                                handle_t theirs)
{
    struct sk_init_new_client message = {
        .operation = SK_INIT_NEW_CLIENT,
        .sequence = service->sent + 1,
        .client_id = client->id,
        .grants = client->grants,
    };
    strncpy(message.client_name, client->name, sizeof message.client_name - 1);
    struct sk_out out = {&message, sizeof message, &theirs, 1};
    return sk_channel_send(service->control, &out);
}

status_t broker_connect(struct broker *broker, struct broker_client *client,
                        struct broker_service *service, handle_t *endpoint)
{
    if (service->control == SK_HANDLE_NONE) {
        return SK_SERVICE_DOWN;
    }
    if (client->unaccepted >= SK_INIT_UNACCEPTED_MAX ||
        service->sent - service->accepted == SK_INBOX_MESSAGES_MAX) {
        return SK_BUSY;
    }
    step(broker, BROKER_LOOKED_UP);
    handle_t ours, theirs;
    status_t status = sk_channel_create(client->job, &ours, &theirs);
    if (status != SK_OK) {
        return status;
    }
    step(broker, BROKER_CREATED);
    status = send_new_client(service, client, theirs);
    if (status != SK_OK) {
        sk_handle_close(theirs);
        sk_handle_close(ours);
        if (status == SK_PEER_CLOSED) {
            broker->lost(broker, service);
            return SK_SERVICE_DOWN;
        }
        return status == SK_FULL ? SK_BUSY : status;
    }
    service->sent++;
    *slot(service, service->sent) = client;
    client->unaccepted++;
    step(broker, BROKER_SENT);
    *endpoint = ours;
    return SK_OK;
}
