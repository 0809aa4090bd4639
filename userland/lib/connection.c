/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections that are made again. Owns the endpoint in struct sk_connection; `lock` guards it. An
 * endpoint that another thread has closed meanwhile is a stale handle, which counts as a closed peer.
 * Tests: tests/qemu/heal.
 */
#include <sk/connection.h>

#include <sk/service.h>
#include <sk/time.h>

/* How often a request is given to a new service after one that had received it died. More would let a
 * request that kills its service do so for as long as its caller waits. */
#define REPEATS_MAX 3

static status_t endpoint_get(struct sk_connection *connection, uint64_t deadline,
                             handle_t *endpoint)
{
    status_t status = sk_mutex_lock_until(&connection->lock, deadline);
    if (status != SK_OK) {
        return status;
    }
    if (connection->endpoint == SK_HANDLE_NONE) {
        status = sk_connect(connection->service, deadline, &connection->endpoint);
    }
    *endpoint = connection->endpoint;
    sk_mutex_unlock(&connection->lock);
    return status;
}

/*
 * A message could not be sent to `endpoint`. True: because it is gone, and closed now if this thread
 * is the first to notice; *status is BUSY then if the service had turned us away. False: for another
 * reason, such as a bad handle in the message.
 */
static bool endpoint_lost(struct sk_connection *connection, handle_t endpoint, status_t *status)
{
    bool closed = *status == SK_PEER_CLOSED;
    if (!closed && *status != SK_BAD_HANDLE) {
        return false;
    }
    sk_mutex_lock(&connection->lock);
    bool present = connection->endpoint == endpoint;
    if (present && closed) {
        *status = sk_connect_refusal(endpoint);
        sk_handle_close(endpoint);
        connection->endpoint = SK_HANDLE_NONE;
    }
    sk_mutex_unlock(&connection->lock);
    return closed || !present;
}

status_t sk_connection_call(struct sk_connection *connection, const struct sk_out *out,
                            struct sk_in *in, enum sk_repeat repeat, uint64_t deadline)
{
    for (int deaths = 0;;) {
        handle_t endpoint = SK_HANDLE_NONE;
        in->delivered = false;
        status_t status = endpoint_get(connection, deadline, &endpoint);
        if (status != SK_OK) {
            return status;
        }
        status = sk_channel_call(endpoint, out, in, deadline);
        if (status == SK_TIMED_OUT) {
            sk_complain(connection->service);
        }
        if (!endpoint_lost(connection, endpoint, &status) || status == SK_BUSY) {
            return status;
        }
        deaths += in->delivered;
        if (in->delivered && (repeat != SK_REPEAT_ALWAYS || deaths > REPEATS_MAX)) {
            return SK_PEER_CLOSED;
        }
    }
}

status_t sk_connection_send(struct sk_connection *connection, const struct sk_out *out)
{
    status_t status = SK_OK;
    for (int attempt = 0; attempt < 2; attempt++) {
        handle_t endpoint = SK_HANDLE_NONE;
        status = endpoint_get(connection, SK_DEADLINE_POLL, &endpoint);
        if (status == SK_OK) {
            status = sk_channel_send(endpoint, out);
            if (endpoint_lost(connection, endpoint, &status) && status != SK_BUSY) {
                continue;
            }
        }
        break;
    }
    return status;
}
