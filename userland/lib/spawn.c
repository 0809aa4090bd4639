/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting programs. Everything that can be refused is checked before the process exists; the moves
 * of handles come last, and what fails is undone in reverse. Tests: tests/qemu/process.
 */
#include <sk/spawn.h>

#include <string.h>

#include <sk/ipc.h>
#include <sk/service.h>

#include "boot.h"
#include "elf.h"

#define COPY_BYTES 4096u

/* Room for "process", "job" and the caller's handles. */
#define NAMES_MAX (2u + SK_SPAWN_HANDLES_MAX)

/* Copies file bytes into fresh memory. Uses the stack of the caller as the bounce buffer. */
static status_t copy_data(const struct sk_spawn *spawn, const struct elf_segment *segment,
                          handle_t memory)
{
    uint8_t buffer[COPY_BYTES];
    for (uint64_t done = 0; done < segment->file_size; done += sizeof buffer) {
        uint64_t left = segment->file_size - done;
        uint64_t size = left < sizeof buffer ? left : sizeof buffer;
        status_t status = sk_memory_read(
            spawn->image, spawn->image_offset + segment->file_offset + done, buffer, size);
        if (status == SK_OK) {
            status = sk_memory_write(memory, done, buffer, size);
        }
        if (status != SK_OK) {
            return status;
        }
    }
    return SK_OK;
}

static uint32_t create_flags(const struct sk_spawn *spawn)
{
    return spawn->commit ? SK_MEMORY_COMMIT : 0;
}

static uint32_t map_flags(const struct sk_spawn *spawn)
{
    return SK_PROT_READ | SK_PROT_WRITE | (spawn->commit ? SK_MAP_POPULATE : 0);
}

/* At `address`, or where the kernel likes if that is 0; *at is where. */
static status_t map_segment(const struct sk_spawn *spawn, const struct elf_segment *segment,
                            handle_t process, uint64_t address, uint64_t *at)
{
    uint32_t fixed = address != 0 ? SK_MAP_FIXED : 0;
    if ((segment->protection & SK_PROT_WRITE) == 0) {
        return sk_memory_map(process, spawn->image, spawn->image_offset + segment->file_offset,
                             segment->memory_size, address, segment->protection | fixed, at);
    }
    handle_t memory;
    status_t status = sk_memory_create(spawn->job, segment->memory_size, create_flags(spawn),
                                       &memory);
    if (status != SK_OK) {
        return status;
    }
    status = copy_data(spawn, segment, memory);
    if (status == SK_OK) {
        status = sk_memory_map(process, memory, 0, segment->memory_size, address,
                               map_flags(spawn) | fixed, at);
    }
    sk_handle_close(memory);
    return status;
}

/* The stack's lowest page stays without access: the guard. *top is 16-aligned. Who knows where the stack is does
 * not know where the program is. */
static status_t map_stack(const struct sk_spawn *spawn, handle_t process, uint64_t *top)
{
    uint64_t wanted = spawn->stack_size != 0 ? spawn->stack_size : SK_SPAWN_STACK_DEFAULT;
    uint64_t size = (wanted + 2 * SK_PAGE_SIZE - 1) / SK_PAGE_SIZE * SK_PAGE_SIZE;
    handle_t memory;
    status_t status = sk_memory_create(spawn->job, size, create_flags(spawn), &memory);
    if (status != SK_OK) {
        return status;
    }
    uint64_t bottom = 0;
    status = sk_memory_map(process, memory, 0, size, 0, map_flags(spawn) | SK_MAP_APART, &bottom);
    sk_handle_close(memory);
    if (status == SK_OK) {
        status = sk_memory_protect(process, bottom, SK_PAGE_SIZE, 0);
    }
    *top = bottom + size;
    return status;
}

static status_t load(const struct sk_spawn *spawn, handle_t process, uint64_t *entry,
                     uint64_t *stack)
{
    uint8_t header[ELF_HEADER_BYTES] = {0};
    uint64_t size = spawn->image_size < sizeof header ? spawn->image_size : sizeof header;
    status_t status = sk_memory_read(spawn->image, spawn->image_offset, header, size);
    if (status != SK_OK) {
        return status;
    }
    struct elf_image image;
    uint64_t moved = 0; /* the first segment goes to a random place, the others follow it */
    status = elf_read(header, size, spawn->image_size, &image);
    for (uint32_t i = 0; status == SK_OK && i < image.count; i++) {
        uint64_t linked_at = image.segments[i].address, at = 0;
        status = map_segment(spawn, &image.segments[i], process, i == 0 ? 0 : moved + linked_at,
                             &at);
        moved = at - linked_at;
    }
    if (status == SK_OK) {
        status = map_stack(spawn, process, stack);
    }
    *entry = moved + image.entry;
    return status;
}

/* The messages that make up the boot message, sent before the child runs. */
struct boot_send {
    const char *names[NAMES_MAX];
    handle_t handles[NAMES_MAX];
    size_t count;
};

static status_t send_boot(const struct sk_spawn *spawn, const struct boot_send *boot,
                          handle_t endpoint)
{
    static const char *const no_strings[1];
    const char *own_name[1] = {spawn->name};
    bool named = spawn->argument_count == 0;
    const char *const *arguments = named ? own_name : spawn->arguments;
    const char *const *environment = spawn->environment_count != 0 ? spawn->environment
                                                                   : no_strings;
    size_t argument_count = named ? 1 : spawn->argument_count;
    if (argument_count + spawn->environment_count > BOOT_ARGUMENTS_MAX) {
        return SK_TOO_BIG;
    }

    size_t sent = 0;
    do {
        const char *strings[BOOT_ARGUMENTS_MAX + SK_MESSAGE_HANDLES_MAX];
        char message[SK_MESSAGE_BYTES_MAX];
        size_t string_count = 0;
        size_t left = boot->count - sent;
        size_t now = left < SK_MESSAGE_HANDLES_MAX ? left : SK_MESSAGE_HANDLES_MAX;
        struct sk_boot_header header = {.handle_count = (uint16_t)now, .more = left > now};
        if (sent == 0) {
            header.argument_count = (uint16_t)argument_count;
            header.environment_count = (uint16_t)spawn->environment_count;
            memcpy(strings, arguments, argument_count * sizeof strings[0]);
            memcpy(strings + argument_count, environment,
                   spawn->environment_count * sizeof strings[0]);
            string_count = argument_count + spawn->environment_count;
        }
        memcpy(strings + string_count, boot->names + sent, now * sizeof strings[0]);
        struct sk_out out = {message, 0, boot->handles + sent, now};
        status_t status = boot_compose(&header, strings, message, &out.length);
        if (status == SK_OK) {
            status = sk_channel_send(endpoint, &out);
        }
        if (status != SK_OK) {
            return status;
        }
        sent += now;
    } while (sent < boot->count);
    return SK_OK;
}

/* A second handle with all rights of the first, for the child. */
static status_t duplicate(handle_t source, handle_t *copy)
{
    uint64_t type_and_rights, id;
    status_t status = sk_handle_info(source, &type_and_rights, &id);
    if (status != SK_OK) {
        return status;
    }
    return sk_handle_duplicate(source, (uint32_t)(type_and_rights >> 32), copy);
}

static void close_handles(const struct boot_send *boot)
{
    for (size_t i = 0; i < boot->count; i++) {
        sk_handle_close(boot->handles[i]); /* one that has moved is a harmless BAD_HANDLE */
    }
}

static status_t add_handle(struct boot_send *boot, const char *name, handle_t handle)
{
    if (boot->count == NAMES_MAX) {
        sk_handle_close(handle);
        return SK_TOO_BIG;
    }
    boot->names[boot->count] = name;
    boot->handles[boot->count++] = handle;
    return SK_OK;
}

static status_t add_copy(struct boot_send *boot, const char *name, handle_t source)
{
    handle_t copy;
    status_t status = duplicate(source, &copy);
    return status == SK_OK ? add_handle(boot, name, copy) : status;
}

/* Gives `process` its program, boot message and first thread. `theirs` moves on success. */
static status_t start(const struct sk_spawn *spawn, struct boot_send *boot, handle_t process,
                      handle_t ours, handle_t theirs)
{
    uint64_t entry = 0, stack = 0;
    status_t status = load(spawn, process, &entry, &stack);
    if (status == SK_OK) {
        status = add_copy(boot, "process", process);
    }
    if (status == SK_OK) {
        status = add_copy(boot, "job", spawn->job);
    }
    if (status == SK_OK) {
        status = send_boot(spawn, boot, ours);
    }
    if (status != SK_OK) {
        return status;
    }
    handle_t thread;
    uint32_t priority = spawn->priority != 0 ? spawn->priority : SK_PRIORITY_DEFAULT;
    status = sk_process_start(process, entry, stack, theirs, priority, &thread);
    if (status == SK_OK) {
        sk_handle_close(thread);
    }
    return status;
}

status_t sk_spawn(const struct sk_spawn *spawn, struct sk_child *child)
{
    struct boot_send boot = {.count = 0};
    status_t status = SK_OK;
    for (size_t i = 0; i < spawn->handle_count; i++) {
        status_t added = add_handle(&boot, spawn->handles[i].name, spawn->handles[i].handle);
        status = status == SK_OK ? added : status;
    }
    handle_t process = spawn->process, ours = SK_HANDLE_NONE, theirs = SK_HANDLE_NONE;
    if (status == SK_OK && process == SK_HANDLE_NONE) {
        status = sk_process_create(spawn->job, spawn->name, strlen(spawn->name), &process);
    }
    if (status == SK_OK) {
        status = sk_channel_create(spawn->job, &ours, &theirs);
    }
    if (status == SK_OK) {
        status = start(spawn, &boot, process, ours, theirs);
    }
    if (status != SK_OK) {
        close_handles(&boot);
        sk_handle_close(theirs);
        sk_handle_close(ours);
        if (process != spawn->process) {
            sk_process_kill(process, 0);
            sk_handle_close(process);
        }
        return status;
    }
    *child = (struct sk_child){.process = process, .boot = ours};
    return SK_OK;
}

status_t sk_process_wait(handle_t process, uint64_t deadline, struct sk_process_info *info)
{
    uint64_t observed, written;
    status_t status = sk_object_wait(process, SK_SIGNAL_TERMINATED, deadline, &observed);
    if (status != SK_OK) {
        return status;
    }
    return sk_object_info(process, info, sizeof *info, &written);
}
