/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * System calls on memory objects and mappings: they check, then call one function.
 */
#include <kernel/handle.h>
#include <kernel/memory.h>
#include <kernel/process.h>
#include <kernel/resource.h>
#include <kernel/syscalls.h>

#define COPY_MAX 65536u
#define COPY_CHUNK 1024u

static struct memory *memory_of(struct capability capability)
{
    return container_of(capability.object, struct memory, object);
}

static struct job *job_of(struct capability capability)
{
    return container_of(capability.object, struct job, object);
}

status_t sys_memory_create(struct thread *self, struct capability job, uint64_t size,
                           uint32_t flags, handle_t *handle)
{
    if ((flags & ~(uint32_t)SK_MEMORY_COMMIT) != 0 || size > MEMORY_SIZE_MAX) {
        return SK_INVALID_ARGS;
    }
    struct memory *memory;
    status_t status = memory_create(job_of(job), size, flags & SK_MEMORY_COMMIT, &memory);
    return status != SK_OK ? status : handle_add_new(self->process, &memory->object, handle);
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
    struct capability capability = capability_make(&memory->object, memory_type.rights);
    handle_fill(self->process, handle, 1, &capability);
    object_put(&memory->object);
    return SK_OK;
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

/* Copies in chunks through the kernel's stack, so that neither side's pages need to be there. */
static status_t copy(struct thread *self, struct memory *memory, uint64_t offset, vaddr_t buffer,
                     uint64_t size, bool out)
{
    unsigned char chunk[COPY_CHUNK];
    struct address_space *space = &self->process->space;
    if (size > COPY_MAX) {
        return SK_INVALID_ARGS;
    }
    if (offset > memory->size || size > memory->size - offset) {
        return SK_OUT_OF_RANGE;
    }
    status_t status = SK_OK;
    for (uint64_t done = 0; status == SK_OK && done < size;) {
        uint64_t part = size - done < sizeof(chunk) ? size - done : sizeof(chunk);
        if (out) {
            status = memory_copy_out(memory, offset + done, chunk, part);
            if (status == SK_OK) {
                status = space_copy_out(space, buffer + done, chunk, part);
            }
        } else {
            status = space_copy_in(space, chunk, buffer + done, part);
            if (status == SK_OK) {
                status = memory_copy_in(memory, offset + done, chunk, part);
            }
        }
        done += part;
    }
    return status;
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

status_t sys_memory_map(struct thread *self, struct capability process, struct capability memory,
                        uint64_t offset, uint64_t length, uint64_t address, uint32_t flags,
                        uint64_t *mapped_at)
{
    return space_map(&process_from_object(process.object)->space, memory_of(memory), memory.rights,
                     offset, length, address, flags, mapped_at);
}

status_t sys_memory_unmap(struct thread *self, struct capability process, uint64_t address,
                          uint64_t length)
{
    return space_unmap(&process_from_object(process.object)->space, address, length);
}

status_t sys_memory_protect(struct thread *self, struct capability process, uint64_t address,
                            uint64_t length, uint32_t protection)
{
    return space_protect(&process_from_object(process.object)->space, address, length, protection);
}
