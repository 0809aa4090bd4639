/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads. A thread's block is one mapping: a guard page, the stack, and its thread-local data on
 * top. Owned by the struct sk_thread; freed by the joiner after the kernel says the thread is gone.
 * Tests: tests/qemu/process.
 */
#include <sk/thread.h>

#include <sk/service.h>
#include <sk/syscalls.h>

#include "../crt/crt.h"

void crt_thread_main(uint64_t argument)
{
    struct sk_thread *thread = (struct sk_thread *)argument;
    crt_tls_enter((char *)thread->block + thread->block_size - crt_tls_size());
    thread->entry(thread->argument);
    crt_stdio_flush();
    sk_thread_exit();
    __builtin_unreachable();
}

static status_t map_block(uint64_t size, void **block)
{
    handle_t memory;
    status_t status = sk_memory_create(sk_self_job, size, 0, &memory);
    if (status != SK_OK) {
        return status;
    }
    uint64_t address = 0;
    status = sk_memory_map(sk_self_process, memory, 0, size, 0, SK_PROT_READ | SK_PROT_WRITE,
                           &address);
    sk_handle_close(memory);
    if (status != SK_OK) {
        return status;
    }
    status = sk_memory_protect(sk_self_process, address, SK_PAGE_SIZE, 0);
    if (status != SK_OK) {
        sk_memory_unmap(sk_self_process, address, size);
        return status;
    }
    *block = (void *)address;
    return SK_OK;
}

status_t sk_thread_start(struct sk_thread *thread, void (*entry)(void *argument), void *argument,
                         uint64_t stack_size, uint32_t priority)
{
    uint64_t usable = (stack_size != 0 ? stack_size : SK_STACK_DEFAULT) + crt_tls_size();
    uint64_t size = (usable + 2 * SK_PAGE_SIZE - 1) / SK_PAGE_SIZE * SK_PAGE_SIZE;
    thread->entry = entry;
    thread->argument = argument;
    thread->block_size = size;
    status_t status = map_block(size, &thread->block);
    if (status != SK_OK) {
        return status;
    }
    uint64_t top = (uint64_t)thread->block + size - crt_tls_size();
    status = sk_thread_create(sk_self_process, (uint64_t)crt_thread_start, top, (uint64_t)thread,
                              priority, &thread->handle);
    if (status != SK_OK) {
        sk_memory_unmap(sk_self_process, (uint64_t)thread->block, size);
    }
    return status;
}

status_t sk_thread_join(struct sk_thread *thread, uint64_t deadline)
{
    uint64_t observed;
    status_t status = sk_object_wait(thread->handle, SK_SIGNAL_TERMINATED, deadline, &observed);
    if (status != SK_OK) {
        return status;
    }
    sk_handle_close(thread->handle);
    sk_memory_unmap(sk_self_process, (uint64_t)thread->block, thread->block_size);
    thread->handle = SK_HANDLE_NONE;
    thread->block = NULL;
    return SK_OK;
}
