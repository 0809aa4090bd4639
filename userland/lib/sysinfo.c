/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client of the sysinfo service. Owns the connection; reading is idempotent, so a text that met
 * a dead service is asked for once more.
 */
#include <sk/sysinfo.h>

#include <stdlib.h>
#include <string.h>

#include <sk/ipc.h>
#include <sk/protocol/sysinfo.h>
#include <sk/service.h>

static handle_t connection;

struct part {
    struct sk_sysinfo_reply head;
    char bytes[SK_MESSAGE_BYTES_MAX - sizeof(struct sk_sysinfo_reply)];
};

static status_t read_part(uint64_t first, uint64_t deadline, struct part *part)
{
    struct sk_sysinfo_request request = {SK_SYSINFO_STATUS, first};
    struct sk_out out = sk_out_bytes(&request, sizeof(request));
    struct sk_in in = sk_in_bytes(part, sizeof(*part));
    status_t status = sk_channel_call(connection, &out, &in, deadline);
    if (status == SK_OK && in.length >= sizeof(part->head.status)) {
        status = (status_t)part->head.status;
    }
    if (status != SK_OK) {
        return status;
    }
    bool sound = in.length >= sizeof(part->head) && part->head.count > 0 &&
                 part->head.count <= in.length - sizeof(part->head) &&
                 part->head.total <= SK_SYSINFO_STATUS_MAX && first < part->head.total &&
                 part->head.count <= part->head.total - first;
    return sound ? SK_OK : SK_BAD_FORMAT;
}

static status_t read_text(uint64_t deadline, char **text, size_t *length)
{
    struct part part;
    char *bytes = NULL;
    size_t total = 0, done = 0;
    do {
        status_t status = read_part(done, deadline, &part);
        if (status == SK_OK && bytes == NULL) {
            total = part.head.total;
            bytes = malloc(total + 1);
            status = bytes != NULL ? SK_OK : SK_NO_MEMORY;
        }
        if (status == SK_OK && part.head.total != total) {
            status = SK_BAD_FORMAT;
        }
        if (status != SK_OK) {
            free(bytes);
            return status;
        }
        memcpy(bytes + done, part.bytes, part.head.count);
        done += part.head.count;
    } while (done < total);
    bytes[total] = 0;
    *text = bytes;
    *length = total;
    return SK_OK;
}

status_t sk_sysinfo_status(uint64_t deadline, char **text, size_t *length)
{
    status_t status = SK_PEER_CLOSED;
    for (int attempt = 0; attempt < 2 && status == SK_PEER_CLOSED; attempt++) {
        if (connection == SK_HANDLE_NONE) {
            status = sk_connect("sysinfo", deadline, &connection);
            if (status != SK_OK) {
                return status;
            }
        }
        status = read_text(deadline, text, length);
        if (status == SK_PEER_CLOSED) {
            sk_handle_close(connection);
            connection = SK_HANDLE_NONE;
        }
    }
    return status;
}
