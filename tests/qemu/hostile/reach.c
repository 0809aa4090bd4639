/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that reach for what they were not given: registers, kernel memory, other processes, other
 * programs' services; and program files that lie about themselves.
 */
#include <elf.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <sk/cpio.h>

#include "hostile.h"

/* Touches an address in a child, which must be ended for it; the address in hexadecimal. */
static int touch(const char *text)
{
    atomic_store((_Atomic uint32_t *)(uintptr_t)strtoull(text, NULL, 16), 1);
    return 0; /* it could: the parent sees an exit instead of a fault */
}

static void must_fault(const char *address)
{
    struct self_start start = {sk_self_job, "reach", address, 0, NULL, 0};
    struct sk_process_info info;
    struct sk_child child;
    insist(self_start(&start, &child) == SK_OK);
    insist(sk_process_wait(child.process, test_deadline(), &info) == SK_OK);
    insist(info.exit_reason == SK_EXIT_FAULT);
    close_all((handle_t[]){child.process, child.boot}, 2);
}

/* What each handle number names, tried for everything that only others may do. */
static void try_handle(handle_t handle)
{
    uint64_t type_and_rights, id, a, b;
    uint8_t bytes[64];
    handle_t made;
    bool ours = sk_handle_info(handle, &type_and_rights, &id) == SK_OK;
    insist(sk_system_info(handle, SK_SYSTEM_PROCESSES, bytes, sizeof bytes, &a) != SK_OK);
    insist(sk_system_power(handle, SK_POWER_OFF, SK_POWER_FAILURE) != SK_OK);
    insist(sk_resource_create(handle, SK_RESOURCE_MMIO, 0x10000000, 4096, &made) != SK_OK);
    insist(sk_memory_create_physical(handle, 0, 4096, &made) != SK_OK);
    insist(sk_memory_create_dma(handle, sk_self_job, 4096, &made, &a) != SK_OK);
    insist(sk_interrupt_create(handle, 10, sk_self_job, &made) != SK_OK);
    insist(sk_log_read(handle, 0, bytes, sizeof bytes, &a, &b) != SK_OK);
    insist(sk_log_write(handle, "x", 1) != SK_OK);
    if (!ours) {
        insist(sk_process_kill(handle, 1) == SK_BAD_HANDLE);
        insist(sk_job_kill(handle) == SK_BAD_HANDLE);
    }
}

int mode_reach(int argc, char **argv)
{
    /* The kernel's halves of Sv39, the devices of QEMU's machine, RAM by physical address, the top. */
    static const char *const places[] = {
        "0",          "8",          "10000000",         "c000000",
        "80000000",   "80200000",   "ffffffc000000000", "ffffffff80000000",
        "4000000000", "3fffff0000", "fffffffffffffff8"};
    if (argc > 1) {
        return touch(argv[1]);
    }
    for (uint32_t i = 0; i < COUNT(places); i++) {
        must_fault(places[i]);
        uint64_t place = strtoull(places[i], NULL, 16), at;
        handle_t memory = make_memory(1);
        if (place != 0x10000000 && place != 0xc000000 && place != 0x80000000 &&
            place != 0x80200000 && place != 0) {
            insist(sk_memory_map(sk_self_process, memory, 0, SK_PAGE_SIZE, place,
                                 SK_PROT_READ | SK_MAP_FIXED, &at) == SK_INVALID_ARGS);
        }
        insist(sk_log_write(SK_HANDLE_NONE, (void *)place, 8) != SK_OK);
        insist(sk_memory_write(memory, 0, (void *)place, 8) == SK_BAD_ADDRESS);
        insist(sk_memory_read(memory, 0, (void *)place, 8) == SK_BAD_ADDRESS);
        sk_handle_close(memory);
    }
    /* Every number a handle of a small table could have, and those of others' tables. */
    for (handle_t handle = 0; handle < 3000; handle++) {
        try_handle(handle);
        try_handle(handle | (handle_t)1 << 31);
    }
    /* Its parent's job and process are not its own to manage. */
    handle_t job;
    struct sk_budget more = {.pages = (uint64_t)1 << 40};
    insist(sk_job_create(sk_self_job, &more, &job) == SK_OVER_BUDGET);
    insist(sk_thread_create(sk_self_process, 0x10000, 0x20000, 0, SK_PRIORITY_MAX, &job) ==
           SK_ACCESS_DENIED);
    return 0;
}

/* --- Files that lie --- */

static void lie(uint64_t *state, uint8_t *file, uint64_t size)
{
    Elf64_Ehdr *elf = (Elf64_Ehdr *)file;
    Elf64_Phdr *segments = (Elf64_Phdr *)(file + elf->e_phoff);
    static const uint64_t values[] = {0,
                                      1,
                                      0xfff,
                                      0x1000,
                                      0x10000,
                                      0x7fffffff,
                                      0x3fffff0000,
                                      0xffffffc000000000,
                                      ~0ull,
                                      ~0xfffull,
                                      (uint64_t)1 << 38};
    uint64_t value = values[random_next(state) % COUNT(values)];
    Elf64_Phdr *segment = &segments[random_next(state) % 3];
    switch (random_next(state) % 9) {
    case 0:
        segment->p_vaddr = value;
        break;
    case 1:
        segment->p_offset = value;
        break;
    case 2:
        segment->p_filesz = value;
        break;
    case 3:
        segment->p_memsz = value;
        break;
    case 4:
        segment->p_flags = random_next(state) % 8;
        break;
    case 5:
        elf->e_entry = value;
        break;
    case 6:
        elf->e_phoff = value;
        break;
    case 7:
        elf->e_phnum = (Elf64_Half)value;
        break;
    default: /* anything in the headers */
        for (uint32_t i = 0; i < 8; i++) {
            file[random_next(state) % 400] = (uint8_t)random_next(state);
        }
        break;
    }
    (void)size;
}

int mode_elf(int argc, char **argv)
{
    uint64_t state = (uint64_t)atoi(argv[1]), written, archive_at, at;
    handle_t bootfs = sk_boot_handle("bootfs");
    struct sk_memory_info info;
    struct sk_cpio_entry hello;
    must(sk_object_info(bootfs, &info, sizeof info, &written));
    must(sk_memory_map(sk_self_process, bootfs, 0, info.size, 0, SK_PROT_READ, &archive_at));
    must(sk_cpio_find((const void *)archive_at, info.size, "bin/hello", &hello));
    uint64_t size = (hello.size + SK_PAGE_SIZE - 1) / SK_PAGE_SIZE * SK_PAGE_SIZE;
    handle_t image = make_memory(size / SK_PAGE_SIZE);
    must(sk_memory_map(sk_self_process, image, 0, size, 0, SK_PROT_READ | SK_PROT_WRITE, &at));
    for (uint32_t round = 0; round < 100; round++) {
        memcpy((void *)at, (const char *)archive_at + hello.offset, hello.size);
        lie(&state, (uint8_t *)at, size);
        struct sk_spawn spawn = {
            .name = "liar", .job = sk_self_job, .image = image, .image_size = hello.size};
        struct sk_child child;
        struct sk_process_info end;
        if (sk_spawn(&spawn, &child) == SK_OK) { /* not every change is a lie */
            sk_process_wait(child.process, sk_deadline_after(20 * SK_MS), &end);
            sk_process_kill(child.process, 0);
            close_all((handle_t[]){child.process, child.boot}, 2);
        }
    }
    return 0;
}
