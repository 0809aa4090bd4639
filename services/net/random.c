/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Unpredictable numbers: a 128-bit key, and SipHash-2-4 as the keyed
 * function: of a counter for lwIP's random numbers, of the four addresses for initial sequence numbers
 * (RFC 6528). The key comes from the service "rng" where the machine has one; else from the jitter
 * of the clock and the device tree, whose /chosen holds a seed of the firmware's (docs/net.md).
 * One thread, no lock.
 */
#include <stdio.h>
#include <string.h>

#include <sk/protocol/rng.h>
#include <sk/service.h>
#include <sk/time.h>

#include <shared/siphash.h>

#include "lwip_port.h"
#include "net.h"

#define RNG_WAIT (2 * SK_SECOND)
#define JITTER_SAMPLES 64u
#define DTB_BYTES_MAX 65536u

static struct siphash_key key;
static uint64_t counter;

/* Mixes bytes into the key: nothing that went in before is lost. */
static void absorb(const void *bytes, size_t length)
{
    struct siphash_key next = {
        .k0 = siphash(&key, 0, bytes, length),
        .k1 = siphash(&key, 1, bytes, length),
    };
    key = next;
}

static void absorb_jitter(void)
{
    uint64_t samples[JITTER_SAMPLES];

    for (size_t i = 0; i < JITTER_SAMPLES; i++) {
        samples[i] = sk_now();
    }
    absorb(samples, sizeof samples);
}

/* The device tree as a whole: its seed, and whatever else differs between machines. */
static void absorb_device_tree(void)
{
    handle_t dtb = sk_boot_handle("dtb");
    uint8_t piece[1024];

    for (uint64_t at = 0; dtb != SK_HANDLE_NONE && at < DTB_BYTES_MAX; at += sizeof piece) {
        if (sk_memory_read(dtb, at, piece, sizeof piece) != SK_OK) {
            return;
        }
        absorb(piece, sizeof piece);
    }
}

static status_t absorb_rng(void)
{
    struct sk_rng_read request = {.operation = SK_RNG_READ, .count = 32};
    struct {
        int64_t status;
        uint8_t bytes[32];
    } reply;
    struct sk_out out = sk_out_bytes(&request, sizeof request);
    struct sk_in in = sk_in_bytes(&reply, sizeof reply);
    uint64_t deadline = sk_deadline_after(RNG_WAIT);
    handle_t rng;
    status_t status = sk_connect("rng", deadline, &rng);

    if (status != SK_OK) {
        return status;
    }
    status = sk_channel_call(rng, &out, &in, deadline);
    if (status == SK_OK && (in.length != sizeof reply || reply.status != SK_OK)) {
        status = SK_IO_ERROR;
    }
    if (status == SK_OK) {
        absorb(reply.bytes, sizeof reply.bytes);
    }
    sk_handle_close(rng);
    return status;
}

void random_start(void)
{
    absorb_jitter();
    absorb_device_tree();
    status_t status = absorb_rng();
    if (status != SK_OK) {
        printf("no random device: sequence numbers come from clock jitter and the device tree\n");
    }
}

uint32_t lwip_port_rand(void)
{
    counter++;
    return (uint32_t)siphash(&key, 2, &counter, sizeof counter);
}

uint32_t lwip_port_isn(uint32_t local_ip, uint16_t local_port, uint32_t remote_ip,
                       uint16_t remote_port)
{
    struct {
        uint32_t local_ip, remote_ip;
        uint16_t local_port, remote_port;
    } tuple = {local_ip, remote_ip, local_port, remote_port};

    /* RFC 6528: a clock that ticks every 4 microseconds, plus the keyed hash. */
    return (uint32_t)(sk_now() / (4 * SK_US)) + (uint32_t)siphash(&key, 3, &tuple, sizeof tuple);
}
