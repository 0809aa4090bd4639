/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the parts of the double. */
#ifndef DOUBLE_INTERNAL_H
#define DOUBLE_INTERNAL_H

#include "double.h"

#include <sk/arch_syscall.h>

struct member {
    struct member *next;
    struct object *object; /* not counted: it is removed when its last handle is closed */
    uint32_t signals;
    uint64_t key;
};

struct message {
    struct message *next;
    struct call *call; /* NULL: plain */
    size_t length, handle_count;
    struct held handles[SK_MESSAGE_HANDLES_MAX];
    uint8_t bytes[];
};

extern uint64_t double_now;

/* double.c: the table. NULL and a status when it is no such handle; type NONE: any. */
struct object *handle_object(handle_t handle, enum sk_type type, uint32_t rights, status_t *status);
/* NULL: none. */
const struct held *handle_held(handle_t handle);
handle_t handle_insert(struct held held);
struct held handle_remove(handle_t handle);
bool double_must_fail(void);
struct object *object_new(enum sk_type type);
struct held object_hold(struct object *object, uint32_t rights);
void object_drop(struct object *object);
void object_free_if_unused(struct object *object);
extern struct object *double_objects;

/* ipc.c */
void endpoint_closed(struct object *endpoint);
void object_leave_waitsets(struct object *object);
void waitset_clear(struct object *waitset);
status_t waitset_add(struct object *waitset, struct object *object, uint32_t signals, uint64_t key);
status_t waitset_remove(struct object *waitset, struct object *object);
uint32_t object_signals(struct object *object, uint32_t wanted);

/* syscalls.c: results. */
struct sk_result failed(status_t status);
struct sk_result gave(uint64_t a, uint64_t b);
struct sk_result gave_handle(struct held held);

/* memory.c */
struct sk_result sys_memory_create(handle_t job, uint64_t size);
struct sk_result sys_memory_create_dma(handle_t resource, uint64_t size);
struct sk_result sys_memory_create_physical(handle_t resource, uint64_t offset, uint64_t size);
struct sk_result sys_memory_slice(handle_t whole, uint64_t offset, uint64_t size);
struct sk_result sys_memory_map(handle_t process, handle_t memory, uint64_t offset, uint64_t length,
                                uint64_t address, uint64_t flags);
struct sk_result sys_memory_unmap(handle_t process, uint64_t address);
struct sk_result sys_memory_copy(handle_t memory, uint64_t offset, void *buffer, uint64_t size,
                                 bool write);

/* service.c: blocks the service's thread until outside lets it run again. */
void service_wait(uint64_t deadline);

#endif
