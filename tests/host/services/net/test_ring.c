/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * <sk/ring.h>: hostile indices; and two threads that pass a million entries and sleep in between, by
 * a semaphore in the role of the event. Also built under the thread sanitizer (ring_threads.py).
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sk/ring.h>

static int cases, failures;

static void check(bool good, const char *name)
{
    failures += !good;
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++cases, name);
}

static void hostile_indices(void)
{
    static struct sk_ring_shared shared;
    struct sk_ring ring;

    sk_ring_init(&ring, &shared, 16);
    atomic_store(&shared.head, 16);
    bool full = sk_ring_available(&ring) == 16;
    atomic_store(&shared.head, 17);
    check(full && sk_ring_available(&ring) == 0 && ring.broken, "a head beyond the ring breaks it");
    atomic_store(&shared.head, 3);
    check(sk_ring_available(&ring) == 0, "a broken ring stays empty");

    sk_ring_init(&ring, &shared, 16);
    ring.own = 5;
    atomic_store(&shared.tail, 6);
    check(sk_ring_room(&ring) == 0 && ring.broken, "a tail beyond the head breaks it");
    atomic_store(&shared.tail, 5);
    check(sk_ring_room(&ring) == 0, "a broken ring stays full");

    sk_ring_init(&ring, &shared, 16);
    ring.own = 0xfffffffa;
    atomic_store(&shared.head, 6);
    check(sk_ring_available(&ring) == 12 && !ring.broken, "indices may wrap at 2^32");
    check(sk_ring_contiguous(&ring, ring.own, 12) == 6, "a piece ends at the ring's end");
}

#define ENTRIES 1000000u
#define SIZE 64u

static struct sk_ring_shared shared;
static struct sk_sleeper sleeper;
static uint32_t entries[SIZE];
static sem_t event;
static uint32_t sleeps, signals;

static void *produce(void *arg)
{
    struct sk_ring ring;

    sk_ring_init(&ring, &shared, SIZE);
    for (uint32_t i = 0; i < ENTRIES;) {
        if (sk_ring_room(&ring) == 0) {
            continue;
        }
        entries[sk_ring_slot(&ring, ring.own)] = i++;
        sk_ring_publish(&ring, 1);
        if (sk_wake_needed(&sleeper)) {
            signals++;
            sem_post(&event);
        }
    }
    return NULL;
}

/* False: it slept with entries in the ring, for ever. */
static bool sleep_until_signal(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 20;
    return sem_timedwait(&event, &deadline) == 0;
}

static bool consume(void)
{
    struct sk_ring ring;
    uint32_t next = 0;

    sk_ring_init(&ring, &shared, SIZE);
    while (next < ENTRIES) {
        uint32_t count = sk_ring_available(&ring);
        if (count == 0) {
            sk_sleep_begin(&sleeper);
            sleeps++; /* even one that is given up may be signalled */
            if (sk_ring_available(&ring) == 0 && !sleep_until_signal()) {
                return false;
            }
            sk_sleep_end(&sleeper);
            continue;
        }
        for (uint32_t i = 0; i < count; i++) {
            if (entries[sk_ring_slot(&ring, ring.own + i)] != next++) {
                return false;
            }
        }
        sk_ring_release(&ring, count);
    }
    return true;
}

int main(void)
{
    pthread_t producer;

    hostile_indices();
    sem_init(&event, 0, 0);
    pthread_create(&producer, NULL, produce, NULL);
    bool good = consume();
    check(good, "two threads: every entry once, in order, no wake-up lost");
    if (good) {
        pthread_join(producer, NULL);
    }
    check(signals <= sleeps + 1, "at most one signal for each sleep");
    printf("1..%d\n", cases);
    return failures != 0;
}
