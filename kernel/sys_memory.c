/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on memory objects and mappings: they check, then call one function.
 */
#include <kernel/handle.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/resource.h>
#include <kernel/step.h>
#include <kernel/syscalls.h>

#define COPY_MAX 65536u
#define COPY_CHUNK 1024u
#define COPY_UNITS (16 + 2 * FRAME_UNITS) /* of a chunk, with a new page on each side */

static struct memory *memory_from_object(struct object *object)
{
    return container_of(object, struct memory, object);
}

static struct memory *memory_of(struct capability capability)
{
    return memory_from_object(capability.object);
}

static struct job *job_of(struct capability capability)
{
    return container_of(capability.object, struct job, object);
}

/* Commits; a handle to the object, which nobody else has until then, comes last. */
static status_t create_step(struct thread *self)
{
    struct memory *memory = memory_from_object(self->step.object[0]);
    handle_t handle = SK_HANDLE_NONE;
    status_t status = memory_commit_step(memory);
    if (status == SK_OK) {
        object_get(&memory->object);
        status = handle_add_new(self->process, &memory->object, &handle);
        self->step.result = handle;
    }
    return status;
}

status_t sys_memory_create(struct thread *self, struct capability job, uint64_t size,
                           uint32_t flags, handle_t *handle)
{
    if ((flags & ~(uint32_t)SK_MEMORY_COMMIT) != 0 || size > MEMORY_SIZE_MAX) {
        return SK_INVALID_ARGS;
    }
    struct memory *memory;
    status_t status = memory_create(job_of(job), size, &memory);
    if (status != SK_OK || (flags & SK_MEMORY_COMMIT) == 0) {
        return status != SK_OK ? status : handle_add_new(self->process, &memory->object, handle);
    }
    status = step_start(self, create_step, &memory->object, NULL);
    object_put(&memory->object);
    *handle = (handle_t)self->step.result;
    return status;
}

/* Zeroes what the frames held; then they are the program's to see. */
static status_t create_dma_step(struct thread *self)
{
    struct memory *memory = memory_from_object(self->step.object[0]);
    status_t status = memory_commit_step(memory);
    if (status == SK_OK) {
        handle_t handle = (handle_t)self->step.result;
        struct capability capability = capability_make(&memory->object, memory_type.rights);
        handle_fill(self->process, &handle, 1, &capability);
    }
    return status;
}

status_t sys_memory_create_dma(struct thread *self, struct capability dma, struct capability job,
                               uint64_t size, handle_t *handle, uint64_t *physical)
{
    struct resource *resource = resource_from_object(dma.object);
    if (!resource_is(dma.object, SK_RESOURCE_DMA)) {
        return SK_WRONG_TYPE;
    }
    bool root = resource->kind == SK_RESOURCE_ROOT;
    paddr_t limit = root ? ~(paddr_t)0 : resource->base + resource->size;
    /* Room first: memory that once was there stays with the grant, even if nobody ever had it. */
    status_t status = handle_room(self->process, handle, 1);
    if (status != SK_OK) {
        return status;
    }
    struct memory *memory;
    status = memory_create_dma(job_of(job), size, limit, dma.object, &memory);
    if (status != SK_OK) {
        handle_room_cancel(self->process, handle, 1);
        return status;
    }
    *physical = memory->base;
    self->step.result = *handle;
    self->step.result2 = *physical;
    status = step_start(self, create_dma_step, &memory->object, NULL);
    object_put(&memory->object);
    return status;
}

status_t sys_memory_create_physical(struct thread *self, struct capability mmio, uint64_t offset,
                                    uint64_t size, handle_t *handle)
{
    struct resource *resource = resource_from_object(mmio.object);
    if (resource->kind != SK_RESOURCE_MMIO) {
        return SK_WRONG_TYPE;
    }
    if (((offset | size | resource->base) & PAGE_MASK) != 0 || size == 0) {
        return SK_INVALID_ARGS;
    }
    if (offset > resource->size || size > resource->size - offset) {
        return SK_OUT_OF_RANGE;
    }
    struct memory *memory;
    status_t status = memory_create_fixed(self->process->job, MEMORY_DEVICE,
                                          resource->base + offset, size, &memory);
    return status != SK_OK ? status : handle_add_new(self->process, &memory->object, handle);
}

/* Copies through the kernel's stack, so that neither side's pages need to be there. step->at to step->end are bytes
 * of the object; step->value is where byte 0 of it would be in the program. */
static status_t copy_step(struct thread *self)
{
    unsigned char chunk[COPY_CHUNK];
    struct step *step = &self->step;
    struct memory *memory = memory_from_object(step->object[0]);
    struct address_space *space = &self->process->space;
    status_t status = SK_OK;
    while (status == SK_OK && step->at < step->end) {
        if (!step_take(COPY_UNITS)) {
            return SK_PENDING;
        }
        uint64_t rest = step->end - step->at, part = rest < sizeof(chunk) ? rest : sizeof(chunk);
        vaddr_t buffer = step->value + step->at;
        if (step->flag) {
            status = memory_copy_out(memory, step->at, chunk, part);
            if (status == SK_OK) {
                status = space_copy_out(space, buffer, chunk, part);
            }
        } else {
            status = space_copy_in(space, chunk, buffer, part);
            if (status == SK_OK) {
                status = memory_copy_in(memory, step->at, chunk, part);
            }
        }
        step->at += part;
    }
    return status;
}

static status_t copy(struct thread *self, struct memory *memory, uint64_t offset, vaddr_t buffer,
                     uint64_t size, bool out)
{
    if (size > COPY_MAX) {
        return SK_INVALID_ARGS;
    }
    if (offset > memory->size || size > memory->size - offset) {
        return SK_OUT_OF_RANGE;
    }
    self->step = (struct step){
        .at = offset, .end = offset + size, .value = buffer - offset, .flag = out};
    return step_start(self, copy_step, &memory->object, NULL);
}

status_t sys_memory_slice(struct thread *self, struct capability whole, struct capability job,
                          uint64_t offset, uint64_t size, handle_t *handle)
{
    status_t status = handle_room(self->process, handle, 1);
    if (status != SK_OK) {
        return status;
    }
    struct memory *slice;
    status = memory_slice(memory_of(whole), job_of(job), offset, size, &slice);
    if (status != SK_OK) {
        handle_room_cancel(self->process, handle, 1);
        return status;
    }
    struct capability capability = capability_make(&slice->object, whole.rights);
    handle_fill(self->process, handle, 1, &capability);
    object_put(&slice->object);
    return SK_OK;
}

status_t sys_memory_read(struct thread *self, struct capability memory, uint64_t offset,
                         vaddr_t buffer, uint64_t size)
{
    return copy(self, memory_of(memory), offset, buffer, size, true);
}

status_t sys_memory_write(struct thread *self, struct capability memory, uint64_t offset,
                          vaddr_t buffer, uint64_t size)
{
    return copy(self, memory_of(memory), offset, buffer, size, false);
}

/* Populates a mapping from step->at on. When that fails it is taken back, also in steps: step->value is the reason. */
static status_t populate_step(struct thread *self)
{
    struct step *step = &self->step;
    struct address_space *space = &process_from_object(step->object[0])->space;
    status_t status;
    if (!step->flag) {
        status = space_populate_step(space, memory_from_object(step->object[1]), &step->at,
                                     step->end);
        if (status == SK_OK || status == SK_PENDING) {
            return status;
        }
        step->flag = true;
        step->value = (uint64_t)(int64_t)status;
        step->at = step->result;
    }
    status = space_unmap_step(space, &step->at, step->end, false);
    return status == SK_PENDING ? SK_PENDING : (status_t)(int64_t)step->value;
}

status_t sys_memory_map(struct thread *self, struct capability process, struct capability memory,
                        uint64_t offset, uint64_t length, uint64_t address, uint32_t flags,
                        uint64_t *mapped_at)
{
    struct address_space *space = &process_from_object(process.object)->space;
    status_t status = space_map(space, memory_of(memory), memory.rights, offset, length, address,
                                flags, mapped_at);
    if (status != SK_OK || (flags & SK_MAP_POPULATE) == 0) {
        return status;
    }
    self->step = (struct step){.at = *mapped_at, .end = *mapped_at + length, .result = *mapped_at};
    return step_start(self, populate_step, process.object, memory.object);
}

static status_t unmap_step(struct thread *self)
{
    struct step *step = &self->step;
    bool first = step->flag;
    step->flag = false;
    return space_unmap_step(&process_from_object(step->object[0])->space, &step->at, step->end,
                            first);
}

status_t sys_memory_unmap(struct thread *self, struct capability process, uint64_t address,
                          uint64_t length)
{
    if (!space_range_is_good(address, length)) {
        return SK_INVALID_ARGS;
    }
    self->step = (struct step){.at = address, .end = address + length, .flag = true};
    return step_start(self, unmap_step, process.object, NULL);
}

/* All of it is checked before any of it is changed. */
static status_t protect_step(struct thread *self)
{
    struct step *step = &self->step;
    struct address_space *space = &process_from_object(step->object[0])->space;
    uint32_t prot = (uint32_t)step->value;
    if (!step->flag) {
        status_t status = space_protect_check_step(space, &step->at, step->end, prot);
        if (status != SK_OK) {
            return status;
        }
        step->flag = true;
        step->at = step->start;
    }
    return space_protect_step(space, step->start, &step->at, step->end, prot);
}

status_t sys_memory_protect(struct thread *self, struct capability process, uint64_t address,
                            uint64_t length, uint32_t protection)
{
    if (!space_range_is_good(address, length) || !space_prot_is_good(protection)) {
        return SK_INVALID_ARGS;
    }
    struct step *step = &self->step;
    *step = (struct step){
        .start = address, .at = address, .end = address + length, .value = protection};
    return step_start(self, protect_step, process.object, NULL);
}
