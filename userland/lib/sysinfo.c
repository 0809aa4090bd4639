/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client of the sysinfo service. Owns the connection. Reading is idempotent, but a text is read in
 * parts that belong together: one whose service died in the middle is begun again.
 */
#include <sk/sysinfo.h>

#include <stdlib.h>
#include <string.h>

#include <sk/connection.h>
#include <sk/protocol/sysinfo.h>

#define ATTEMPTS_MAX 3

static struct sk_connection sysinfo = SK_CONNECTION("sysinfo");

struct part {
    struct sk_sysinfo_reply head;
    char bytes[SK_MESSAGE_BYTES_MAX - sizeof(struct sk_sysinfo_reply)];
};

static status_t read_part(uint64_t first, uint64_t deadline, struct part *part)
{
    struct sk_sysinfo_request request = {SK_SYSINFO_STATUS, first};
    struct sk_out out = sk_out_bytes(&request, sizeof(request));
    struct sk_in in = sk_in_bytes(part, sizeof(*part));
    status_t status = sk_connection_call(&sysinfo, &out, &in, SK_REPEAT_ALWAYS, deadline);
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

/* BAD_STATE: a new service was asked for the rest of what its predecessor had begun. */
status_t sk_sysinfo_status(uint64_t deadline, char **text, size_t *length)
{
    status_t status = SK_BAD_STATE;
    for (int attempt = 0; attempt < ATTEMPTS_MAX && status == SK_BAD_STATE; attempt++) {
        status = read_text(deadline, text, length);
    }
    return status;
}
