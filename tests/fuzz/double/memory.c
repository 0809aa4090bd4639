/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory objects, and what devices have of them: registers, and memory at physical addresses. See double.h. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include <sk/service.h>

void (*double_registers)(struct object *memory);

struct sk_result sys_memory_create(handle_t job, uint64_t size)
{
    status_t status;
    if (handle_object(job, SK_TYPE_JOB, 0, &status) == NULL) {
        return failed(status);
    }
    return double_must_fail() ? failed(SK_OVER_BUDGET) : gave_handle(memory_make(NULL, size));
}

static bool is_resource(handle_t handle, status_t *status)
{
    return handle_object(handle, SK_TYPE_RESOURCE, SK_RIGHT_MANAGE, status) != NULL;
}

/* What devices reach begins somewhere below 4 GiB, and nothing ever lies where something else was. */
struct sk_result sys_memory_create_dma(handle_t resource, uint64_t size)
{
    static uint64_t next = 0x80000000;
    status_t status;
    if (!is_resource(resource, &status)) {
        return failed(status);
    }
    if (double_must_fail()) {
        return failed(SK_OVER_BUDGET);
    }
    struct held memory = memory_make(NULL, size);
    memory.object->physical = next;
    next += memory.object->size + SK_PAGE_SIZE;
    return gave(handle_insert(memory), memory.object->physical);
}

struct sk_result sys_memory_create_physical(handle_t handle, uint64_t offset, uint64_t size)
{
    status_t status;
    struct object *resource = handle_object(handle, SK_TYPE_RESOURCE, SK_RIGHT_MANAGE, &status);
    if (resource == NULL) {
        return failed(status);
    }
    if (double_must_fail()) {
        return failed(SK_OVER_BUDGET);
    }
    struct held memory = memory_make(NULL, size);
    memory.object->physical = resource->physical + offset;
    if (double_registers != NULL) {
        double_registers(memory.object);
    }
    return gave_handle(memory);
}

uint8_t *double_physical(uint64_t address, uint64_t size)
{
    for (struct object *object = double_objects; object != NULL; object = object->next) {
        if (object->type == SK_TYPE_MEMORY && object->physical != 0 &&
            address >= object->physical && size <= object->size &&
            address - object->physical <= object->size - size) {
            return object->bytes + (address - object->physical);
        }
    }
    return NULL;
}

struct sk_result sys_memory_slice(handle_t handle, uint64_t offset, uint64_t size)
{
    status_t status;
    struct object *whole = handle_object(handle, SK_TYPE_MEMORY, SK_RIGHT_READ, &status);
    if (whole == NULL) {
        return failed(status);
    }
    if (offset % SK_PAGE_SIZE != 0 || size > whole->size || offset > whole->size - size) {
        return failed(SK_OUT_OF_RANGE);
    }
    if (double_must_fail()) {
        return failed(SK_OVER_BUDGET);
    }
    struct object *slice = object_new(SK_TYPE_MEMORY);
    slice->whole = whole;
    slice->bytes = whole->bytes + offset;
    slice->size = size;
    whole->maps++;
    return gave_handle(object_hold(slice, DOUBLE_ALL_RIGHTS));
}

/* What was unmapped last, and is nobody's: it may be about to be replaced. Poisoned meanwhile. */
static struct object *left;

static void left_free(void)
{
    if (left != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(left->bytes, left->size);
        left->maps--;
        object_free_if_unused(left);
        left = NULL;
    }
}

/* At a fixed address only in the place of what was unmapped last. Memory lies where it is mapped, so it moves. */
static struct sk_result map_fixed(struct object *memory, uint64_t address, uint64_t length)
{
    if (left == NULL || address != (uintptr_t)left->bytes || length != left->size ||
        length != memory->size || memory->maps != 0) {
        double_broke("memory is mapped at a fixed address where there was none like it");
    }
    uint8_t *bytes = left->bytes;
    ASAN_UNPOISON_MEMORY_REGION(bytes, length);
    memcpy(bytes, memory->bytes, length);
    left->bytes = memory->bytes;
    memory->bytes = bytes;
    memory->maps++;
    left_free();
    return gave(address, 0);
}

/* Mapped where its bytes are; into another process: nowhere, but it counts. */
struct sk_result sys_memory_map(handle_t process, handle_t handle, uint64_t offset, uint64_t length,
                                uint64_t address, uint64_t flags)
{
    status_t status;
    struct object *memory = handle_object(handle, SK_TYPE_MEMORY, SK_RIGHT_MAP, &status);
    if (memory == NULL || handle_object(process, SK_TYPE_PROCESS, 0, &status) == NULL) {
        return failed(status);
    }
    if (length > memory->size || offset > memory->size - length) {
        return failed(SK_OUT_OF_RANGE);
    }
    if (process == sk_self_process && (flags & SK_MAP_FIXED) != 0) {
        return map_fixed(memory, address, length);
    }
    if (double_must_fail()) {
        return failed(SK_OVER_BUDGET);
    }
    if (process == sk_self_process) {
        memory->maps++;
    }
    return gave((uintptr_t)memory->bytes + offset, 0);
}

static void unmap(struct object *memory)
{
    if (memory->maps == 0 || memory == left) {
        double_broke("memory is unmapped that is not mapped");
    }
    left_free();
    if (memory->maps == 1 && memory->handles == 0) {
        left = memory;
        ASAN_POISON_MEMORY_REGION(memory->bytes, memory->size);
    } else {
        memory->maps--;
    }
}

struct sk_result sys_memory_unmap(handle_t process, uint64_t address)
{
    if (process != sk_self_process) {
        return failed(SK_OK);
    }
    for (struct object *object = double_objects; object != NULL; object = object->next) {
        uint64_t start = (uintptr_t)object->bytes;
        if (object->type == SK_TYPE_MEMORY && object->whole == NULL && address >= start &&
            address < start + object->size) {
            unmap(object);
            return failed(SK_OK);
        }
    }
    return failed(SK_NOT_FOUND);
}

struct sk_result sys_memory_copy(handle_t handle, uint64_t offset, void *buffer, uint64_t size,
                                 bool write)
{
    status_t status;
    struct object *memory = handle_object(handle, SK_TYPE_MEMORY, 0, &status);
    if (memory == NULL) {
        return failed(status);
    }
    if (size > memory->size || offset > memory->size - size) {
        return failed(SK_OUT_OF_RANGE);
    }
    if (write) {
        memcpy(memory->bytes + offset, buffer, size);
    } else {
        memcpy(buffer, memory->bytes + offset, size);
    }
    return failed(SK_OK);
}
