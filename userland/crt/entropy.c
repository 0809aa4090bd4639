/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * getentropy, under libc's arc4random: bytes from the rng service, for programs that the manifest
 * lets connect to it. Without a source it fails; nobody invents randomness here.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sk/ipc.h>
#include <sk/protocol/rng.h>
#include <sk/service.h>
#include <sk/thread.h>
#include <sk/time.h>

#define RNG_PATIENCE SK_SECOND

static handle_t rng; /* [lock] */
static struct sk_mutex lock;

static status_t read_rng(void *buffer, size_t size, uint64_t deadline)
{
    status_t status;
    if (rng == SK_HANDLE_NONE && (status = sk_connect("rng", deadline, &rng)) != SK_OK) {
        return status;
    }
    struct sk_rng_read request = {SK_RNG_READ, size};
    struct {
        int64_t status;
        uint8_t bytes[SK_RNG_BYTES_MAX];
    } reply;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&reply, sizeof reply);
    status = sk_channel_call(rng, &out, &in, deadline);
    if (status == SK_PEER_CLOSED) {
        sk_handle_close(rng);
        rng = SK_HANDLE_NONE;
    }
    if (status != SK_OK || reply.status != SK_OK) {
        return status != SK_OK ? status : (status_t)reply.status;
    }
    if (in.length != sizeof reply.status + size) {
        return SK_BAD_FORMAT;
    }
    memcpy(buffer, reply.bytes, size);
    return SK_OK;
}

int getentropy(void *buffer, size_t size)
{
    if (size > SK_RNG_BYTES_MAX) {
        errno = EIO;
        return -1;
    }
    sk_mutex_lock(&lock);
    status_t status = size == 0 ? SK_OK : read_rng(buffer, size, sk_deadline_after(RNG_PATIENCE));
    sk_mutex_unlock(&lock);
    if (status != SK_OK) {
        errno = EIO;
        return -1;
    }
    return 0;
}
