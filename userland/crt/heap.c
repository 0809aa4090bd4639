/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap under malloc: one memory object, made at the first allocation. Its whole address range is
 * reserved without access; sbrk opens it piece by piece and has the pages charged there and then, so
 * that running out of budget is a NULL from malloc and not the end of the process.
 * Called with libc's malloc lock held. Invariant: [base, opened) is readable and writable.
 */
#include <errno.h>
#include <unistd.h>

#include <sk/service.h>
#include <sk/syscalls.h>

#define HEAP_MAX ((uint64_t)256 << 20)
#define HEAP_STEP ((uint64_t)16 << 10)

static handle_t memory;
static uint64_t base, used, opened;

static status_t reserve(void)
{
    if (memory != SK_HANDLE_NONE) {
        return SK_OK;
    }
    handle_t object;
    status_t status = sk_memory_create(sk_self_job, HEAP_MAX, 0, &object);
    if (status != SK_OK) {
        return status;
    }
    uint64_t address;
    status = sk_memory_map(sk_self_process, object, 0, HEAP_MAX, 0, 0, &address);
    if (status != SK_OK) {
        sk_handle_close(object);
        return status;
    }
    memory = object;
    base = used = opened = address;
    return SK_OK;
}

/* Larger steps for larger heaps, so that the number of mappings stays small. */
static status_t open_to(uint64_t end)
{
    uint64_t step = HEAP_STEP + (opened - base) / 4;
    uint64_t target = end > opened + step ? end : opened + step;
    target = (target - base + HEAP_STEP - 1) / HEAP_STEP * HEAP_STEP + base;
    if (target > base + HEAP_MAX) {
        target = base + HEAP_MAX;
    }
    uint64_t length = target - opened, at;
    status_t status = sk_memory_unmap(sk_self_process, opened, length);
    if (status != SK_OK) {
        return status;
    }
    uint32_t open_flags = SK_PROT_READ | SK_PROT_WRITE | SK_MAP_FIXED | SK_MAP_POPULATE;
    status = sk_memory_map(sk_self_process, memory, opened - base, length, opened, open_flags, &at);
    if (status != SK_OK) {
        sk_memory_map(sk_self_process, memory, opened - base, length, opened, SK_MAP_FIXED, &at);
        return status;
    }
    opened = target;
    return SK_OK;
}

void *sbrk(ptrdiff_t increment)
{
    if (reserve() != SK_OK) {
        errno = ENOMEM;
        return (void *)-1;
    }
    if (increment < 0 ? (uint64_t)-increment > used - base
                      : (uint64_t)increment > base + HEAP_MAX - used) {
        errno = ENOMEM;
        return (void *)-1;
    }
    uint64_t end = used + (uint64_t)increment;
    if (end > opened && open_to(end) != SK_OK) {
        errno = ENOMEM;
        return (void *)-1;
    }
    uint64_t old = used;
    used = end;
    return (void *)old;
}
