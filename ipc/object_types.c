/* SPDX-License-Identifier: BSD-2-Clause */
/* The types of kernel objects, by enum sk_type. */
#include <ipc/channel.h>
#include <ipc/waitset.h>
#include <kernel/event.h>
#include <kernel/interrupt.h>
#include <kernel/resource.h>

const struct object_type *const object_types[SK_TYPE_COUNT] = {
    [SK_TYPE_JOB] = &job_type,
    [SK_TYPE_PROCESS] = &process_type,
    [SK_TYPE_THREAD] = &thread_type,
    [SK_TYPE_ENDPOINT] = &endpoint_type,
    [SK_TYPE_MEMORY] = &memory_type,
    [SK_TYPE_WAITSET] = &waitset_type,
    [SK_TYPE_EVENT] = &event_type,
    [SK_TYPE_TIMER] = &timer_type,
    [SK_TYPE_INTERRUPT] = &interrupt_type,
    [SK_TYPE_RESOURCE] = &resource_type,
};
