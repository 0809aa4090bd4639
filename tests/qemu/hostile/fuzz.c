/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every system call with random arguments: handles that exist and that do not, addresses of the
 * program, of the kernel and of nothing, small and huge numbers. The program ends itself now and then
 * (it unmaps its own stack, say); its parent starts it again with the next seed.
 */
#include <stdlib.h>

#include <sk/arch_syscall.h>

#include "hostile.h"

#define NUMBERS 112u /* above the last system call */
#define SLOTS 64u
#define REGISTERS (sizeof(struct sk_ipc_registers) / sizeof(uint64_t))

static uint8_t memory[4 * SK_PAGE_SIZE];
static handle_t seen[SLOTS];

static uint64_t any_handle(uint64_t *state)
{
    handle_t handle = seen[random_next(state) % SLOTS];
    return random_next(state) % 16 == 0 ? handle ^ 1u << random_next(state) % 32 : handle;
}

static uint64_t any_argument(uint64_t *state)
{
    static const uint64_t odd[] = {0,          ~0ull,      1ull << 63,   1ull << 38,
                                   0xfff,      0x10000,    0x3fffff0000, 0xffffffc000000000,
                                   0x80200000, 0x7fffffff, 0xffffffff,   0x3ffffeffff};
    switch (random_next(state) % 8) {
    case 0:
    case 1:
    case 2:
        return any_handle(state);
    case 3:
        return random_next(state) % 70;
    case 4:
        return (uint64_t)memory + random_next(state) % sizeof memory;
    case 5:
        return ((uint64_t)memory & ~(uint64_t)0xfff) + random_next(state) % 8 * SK_PAGE_SIZE;
    case 6:
        return odd[random_next(state) % COUNT(odd)];
    default:
        return (uint64_t)random_next(state) << (random_next(state) % 33);
    }
}

/* Not those that only end or stop this thread, most of the time. */
static uint64_t any_number(uint64_t *state)
{
    uint64_t number = random_next(state) % NUMBERS;
    bool ends = number == 74 || number == 77 || number == 78;
    return ends && random_next(state) % 512 != 0 ? 0 : number;
}

#define KERNEL_BASE 0xffffffc000000000u
#define STATUS_WORST 0xfffffffffffff000u /* statuses are small negative numbers */

/* A word that came back and looks like an address of the kernel's, but was not given to it. */
static void insist_no_kernel_address(const uint64_t *given, const uint64_t *got)
{
    for (uint32_t i = 0; i < REGISTERS; i++) {
        bool known = got[i] < KERNEL_BASE || got[i] >= STATUS_WORST;
        for (uint32_t k = 0; k < REGISTERS && !known; k++) {
            known = got[i] == given[k];
        }
        if (!known) {
            sk_process_exit(FUZZ_LEAK);
        }
    }
}

static void fuzz(void *argument)
{
    uint64_t state = (uint64_t)argument;
    for (;;) {
        struct sk_ipc_registers r;
        uint64_t number = any_number(&state);
        uint64_t *words = (uint64_t *)&r;
        for (uint32_t i = 0; i < sizeof r / sizeof *words; i++) {
            words[i] = any_argument(&state);
        }
        /* Mostly waits that end: the deadline's place differs from call to call. */
        if (random_next(&state) % 64 != 0) {
            r.deadline = sk_now() + random_next(&state) % 200 * SK_US;
            r.words[0] = number == 3 || number == 90 ? r.deadline : r.words[0];
            r.a0 = number == 41 ? r.deadline : r.a0;
        }
        struct sk_ipc_registers given = r;
        sk_syscall_ipc(number, &r);
        insist_no_kernel_address((const uint64_t *)&given, (const uint64_t *)&r);
        /* What looks like a new handle is kept for later calls. */
        if ((status_t)r.a0 == SK_OK) {
            seen[random_next(&state) % SLOTS] = (handle_t)r.info;
            seen[random_next(&state) % SLOTS] = (handle_t)r.words[0];
        }
    }
}

int mode_fuzz(int argc, char **argv)
{
    static const char *const services[] = {"fs", "net", "sysinfo"};
    static struct sk_thread threads[2];
    uint64_t seed = strtoull(argv[1], NULL, 10) * 3;
    uint32_t at = 0;
    for (uint32_t i = 0; i < SLOTS / 2; i++) {
        seen[at++] = sk_self_job;
        seen[at++] = sk_self_process;
    }
    for (uint32_t i = 0; i < COUNT(services); i++) {
        sk_connect(services[i], test_deadline(), &seen[i]);
    }
    seen[4] = sk_boot_endpoint;
    seen[5] = sk_boot_handle("init");
    seen[6] = sk_boot_handle("bootfs");
    for (uint64_t i = 0; i < COUNT(threads); i++) {
        sk_thread_start(&threads[i], fuzz, (void *)(seed + 1 + i), 0, HOSTILE_PRIORITY);
    }
    fuzz((void *)seed);
    return 0;
}
