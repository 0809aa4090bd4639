/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The child of the process and broker tests. Its first argument is what it does:
 *
 *   exit N            ends with N
 *   arguments A B...  answers on the boot channel with all arguments, a line each, then ends
 *   environment       answers with its environment, a line each, then ends
 *   place             answers with a struct child_place, then ends
 *   wait              does nothing until it is killed
 *   fault KIND        does something forbidden
 *   exhaust           touches more memory than its job has
 *   malloc            allocates until malloc says no; ends with 0 if it did say so
 *   relay             sends a message on the boot handle "relay", then ends
 *   serve NAME [N]    serves the name and answers calls; ends itself at its Nth connection. A call whose
 *                     first word is CHILD_SPIN or CHILD_CRASH makes it hang, or fault
 *   deaf              holds its control endpoint and never looks at it
 *   connect NAME      connects to a service through its own "init"; ends with minus the status
 *   abort             calls abort
 *   atexit            ends with 1 but for a function registered with atexit, which makes it 9
 *   spin              computes for ever
 *   float N           computes with doubles, N times giving the hart up, and rounds in a way of its own; ends
 *                     with 0 if all came out right
 *   integer N         does the same without doubles, and then looks whether its own are untouched
 */
#include <fenv.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <child.h>
#include <sk/server.h>
#include <sk/service.h>
#include <sk/syscalls.h>
#include <sk/time.h>

static void send_lines(char **strings)
{
    char text[1024];
    size_t length = 0;
    for (; *strings != NULL; strings++) {
        size_t size = strlen(*strings);
        if (length + size + 1 > sizeof text) {
            break;
        }
        memcpy(text + length, *strings, size);
        length += size;
        text[length++] = '\n';
    }
    struct sk_out out = sk_out_bytes(text, length);
    sk_channel_send(sk_boot_endpoint, &out);
}

/* Known to the world, so that the compiler cannot make a loop of the recursion. */
static _Atomic(_Atomic char *) deepest;

/* Writes behind its array, by a count that the compiler does not know. */
static int smash(volatile int count)
{
    volatile char small[16];
    for (int i = 0; i < count; i++) {
        small[i] = 1;
    }
    return small[0];
}

static int recurse(_Atomic int depth)
{
    if (depth < 0) {
        return 0;
    }
    _Atomic char frame[256];
    atomic_store(&frame[0], (char)depth);
    atomic_store(&deepest, frame);
    return recurse(depth + 1) + frame[0];
}

/* A word that is written to, in the read-only segments. */
static const uint32_t constant = 7;

/* The same for constants that hold addresses. There are so many that they have a page. */
static const uint32_t *const addresses[] = {&constant, &constant, &constant, &constant, &constant,
                                            &constant, &constant, &constant, &constant};

/* Through memory, so that the compiler cannot reason the access away. */
static void poke(uintptr_t address)
{
    static _Atomic uintptr_t target;
    atomic_store(&target, address);
    atomic_store((_Atomic uint32_t *)atomic_load(&target), 1);
}

static int fault(const char *kind)
{
    static _Atomic uint32_t code[] = {0x00008067}; /* ret */
    if (strcmp(kind, "null") == 0) {
        poke(0);
    } else if (strcmp(kind, "kernel") == 0) {
        poke(0xffffffc000000000);
    } else if (strcmp(kind, "rodata") == 0) {
        poke((uintptr_t)&constant);
    } else if (strcmp(kind, "addresses") == 0) {
        poke((uintptr_t)addresses);
    } else if (strcmp(kind, "text") == 0) {
        poke((uintptr_t)&fault & ~(uintptr_t)3);
    } else if (strcmp(kind, "execute-data") == 0) {
        ((void (*)(void))code)();
    } else if (strcmp(kind, "illegal") == 0) {
        __builtin_trap();
    } else if (strcmp(kind, "jump") == 0) {
        ((void (*)(void))0x10)();
    } else if (strcmp(kind, "smash") == 0) {
        return smash(64);
    } else if (strcmp(kind, "stack") == 0) {
        return recurse(0);
    }
    return 0;
}

static int tell_place(void)
{
    struct child_place place = {
        .text = (uintptr_t)&tell_place, .stack = (uintptr_t)&place, .heap = (uintptr_t)malloc(64)};
    struct sk_out out = sk_out_bytes(&place, sizeof place);
    return sk_channel_send(sk_boot_endpoint, &out) == SK_OK ? 0 : 1;
}

static int exhaust(void)
{
    handle_t memory;
    uint64_t address, size = (uint64_t)64 << 20;
    if (sk_memory_create(sk_self_job, size, 0, &memory) != SK_OK ||
        sk_memory_map(sk_self_process, memory, 0, size, 0, SK_PROT_READ | SK_PROT_WRITE,
                      &address) != SK_OK) {
        return 2;
    }
    for (uint64_t at = 0; at < size; at += SK_PAGE_SIZE) {
        poke(address + at);
    }
    return 0;
}

static int use_malloc(void)
{
    for (int i = 0; i < 100000; i++) {
        char *block = malloc(4000);
        if (block == NULL) {
            /* Not by way of exit, which may touch a page that nobody can pay for any more. */
            sk_process_exit(i > 0 ? 0 : 2);
        }
        memset(block, 1, 4000);
    }
    return 3;
}

static int relay(void)
{
    uint64_t word = 42;
    struct sk_out out = sk_out_bytes(&word, sizeof word);
    return sk_channel_send(sk_boot_handle("relay"), &out) == SK_OK ? 0 : 1;
}

static int connections_left = -1;

static status_t on_connect(struct sk_server *server, struct sk_client *client)
{
    if (connections_left > 0 && --connections_left == 0) {
        exit(0);
    }
    return SK_OK;
}

static void spin(void)
{
    for (_Atomic uint64_t turns = 0;;) {
        turns++;
    }
}

/* Echoes the request with the status in front. */
static status_t on_message(struct sk_server *server, struct sk_client *client, struct sk_in *in,
                           struct sk_reply *reply)
{
    if (sk_operation(in) == CHILD_SPIN) {
        spin();
    }
    if (sk_operation(in) == CHILD_CRASH) {
        poke(0);
    }
    reply->length = in->length;
    memcpy(reply->bytes, in->bytes, in->length);
    memset(reply->bytes, 0, sizeof(int64_t));
    return SK_OK;
}

static int serve(const char *name, int count)
{
    static const struct sk_server_ops ops = {.connect = on_connect, .message = on_message};
    static struct sk_server server;
    connections_left = count;
    if (sk_server_init(&server, &ops, NULL) != SK_OK || sk_server_offer(&server, name) != SK_OK) {
        return 1;
    }
    return sk_server_run(&server);
}

static void end_with_nine(void)
{
    _exit(9);
}

static _Noreturn void wait_for_ever(void)
{
    for (;;) {
        sk_thread_sleep(SK_DEADLINE_NEVER);
    }
}

static int connect_to(const char *name)
{
    handle_t endpoint;
    return -sk_connect(name, sk_deadline_after(2 * SK_SECOND), &endpoint);
}

/* Sums that are exact whatever the rounding, in more variables than one would keep in memory; and a quotient that
 * is not. */
static int compute(int rounds, int rounding)
{
    double a = 0, b = 1, c = 2, d = 3, e = 4, f = 5, g = 6, h = 7;
    fesetround(rounding);
    volatile double one = 1, three = 3;
    double quotient = one / three;
    for (int i = 1; i <= rounds; i++) {
        a += i, b += 2 * a, c -= i, d += 0.5 * i, e += 4, f -= 8, g += i, h += 0.25;
        sk_thread_yield();
        if (one / three != quotient || fegetround() != rounding) {
            return 1;
        }
    }
    double sum = 0.5 * rounds * (rounds + 1.0);
    bool right = a == sum && c == 2 - sum && d == 3 + 0.5 * sum && e == 4 + 4.0 * rounds &&
                 f == 5 - 8.0 * rounds && g == 6 + sum && h == 7 + 0.25 * rounds;
    return right && b > a ? 0 : 2;
}

static int compute_integers(int rounds)
{
    volatile uint64_t sum = 0;
    for (int i = 1; i <= rounds; i++) {
        sum += (uint64_t)i;
        sk_thread_yield();
    }
    /* Nobody's way of rounding, and no flag that somebody's arithmetic raised. */
    bool untouched = fegetround() == FE_TONEAREST && fetestexcept(FE_ALL_EXCEPT) == 0;
    return sum == (uint64_t)rounds * ((uint64_t)rounds + 1) / 2 && untouched ? 0 : 3;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    const char *value = argc > 2 ? argv[2] : "";
    if (strcmp(mode, "exit") == 0) {
        return atoi(value);
    }
    if (strcmp(mode, "arguments") == 0) {
        send_lines(argv);
        return 0;
    }
    if (strcmp(mode, "environment") == 0) {
        send_lines(environ);
        return 0;
    }
    if (strcmp(mode, "place") == 0) {
        return tell_place();
    }
    if (strcmp(mode, "wait") == 0 || strcmp(mode, "deaf") == 0) {
        wait_for_ever();
    }
    if (strcmp(mode, "fault") == 0) {
        return fault(value);
    }
    if (strcmp(mode, "exhaust") == 0) {
        return exhaust();
    }
    if (strcmp(mode, "malloc") == 0) {
        return use_malloc();
    }
    if (strcmp(mode, "relay") == 0) {
        return relay();
    }
    if (strcmp(mode, "serve") == 0) {
        return serve(value, argc > 3 ? atoi(argv[3]) : -1);
    }
    if (strcmp(mode, "connect") == 0) {
        return connect_to(value);
    }
    if (strcmp(mode, "abort") == 0) {
        abort();
    }
    if (strcmp(mode, "atexit") == 0) {
        atexit(end_with_nine);
        return 1;
    }
    if (strcmp(mode, "spin") == 0) {
        spin();
    }
    if (strcmp(mode, "float") == 0) {
        int rounds = atoi(value);
        return compute(rounds, rounds % 2 == 0 ? FE_UPWARD : FE_DOWNWARD);
    }
    if (strcmp(mode, "integer") == 0) {
        return compute_integers(atoi(value));
    }
    return 99;
}
