/* SPDX-License-Identifier: BSD-2-Clause */
/* Resources: rights to a range of something the machine has. */
#ifndef KERNEL_RESOURCE_H
#define KERNEL_RESOURCE_H

#include <kernel/object.h>

struct resource {
    struct object object;
    uint32_t kind;         /* [I] enum sk_resource_kind */
    uint64_t base, size;   /* [I] by kind */
    struct list_node held; /* [lock] DMA: memory whose frames wait for the grant to end */
    bool ended;            /* [lock] DMA: the last handle is gone */
};

extern const struct object_type resource_type;

static inline struct resource *resource_from_object(struct object *object)
{
    return container_of(object, struct resource, object);
}

/* The caller owns the reference. OVER_BUDGET, NO_MEMORY. */
status_t resource_create(struct job *job, uint32_t kind, uint64_t base, uint64_t size,
                         struct resource **resource);
/* DMA memory that nothing refers to any more: a device may still write to it, so its frames wait for
 * the end of the grant. False: the grant has ended, they may go. `memory` joins a list. */
bool resource_hold(struct object *grant, struct list_node *memory);
/* True if the object is a resource of this kind, or the root. */
bool resource_is(struct object *object, uint32_t kind);

#endif
