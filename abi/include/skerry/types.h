/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scalars of the contract between kernel and user space.
 *
 * A handle is a 32-bit name in one process's table. Bit 31 is always clear and no handle is 0, so a
 * handle never collides with an error code or with "none".
 */
#ifndef SKERRY_TYPES_H
#define SKERRY_TYPES_H

#include <stddef.h>
#include <stdint.h>

typedef uint32_t handle_t;
typedef int32_t status_t;
typedef uint64_t token_t; /* names one call being served; 0 is none */

#define SK_ABI_VERSION 1u

#define SK_HANDLE_NONE ((handle_t)0)
#define SK_TOKEN_NONE ((token_t)0)

/* Absolute monotonic deadlines, in nanoseconds since boot. */
#define SK_DEADLINE_POLL ((uint64_t)0)
#define SK_DEADLINE_NEVER (~(uint64_t)0)

#define SK_PAGE_SIZE 4096u

/* The part of an address space that programs may map: [BASE, LIMIT). */
#define SK_USER_BASE ((uint64_t)0x10000)
#define SK_USER_LIMIT ((uint64_t)0x3fffff0000)

/* Object types, as handle_info reports them. */
enum sk_type {
    SK_TYPE_NONE = 0,
    SK_TYPE_JOB,
    SK_TYPE_PROCESS,
    SK_TYPE_THREAD,
    SK_TYPE_ENDPOINT,
    SK_TYPE_MEMORY,
    SK_TYPE_WAITSET,
    SK_TYPE_EVENT,
    SK_TYPE_TIMER,
    SK_TYPE_INTERRUPT,
    SK_TYPE_RESOURCE,
    SK_TYPE_COUNT,
};

/* Rights of a handle. A duplicate has the same or fewer. */
enum sk_right {
    SK_RIGHT_DUPLICATE = 1u << 0,
    SK_RIGHT_TRANSFER = 1u << 1, /* may be moved in a message */
    SK_RIGHT_READ = 1u << 2,     /* receive; read memory */
    SK_RIGHT_WRITE = 1u << 3,    /* send, call, signal; write memory */
    SK_RIGHT_EXECUTE = 1u << 4,  /* map memory executable */
    SK_RIGHT_MAP = 1u << 5,      /* map memory; change a process's mappings */
    SK_RIGHT_WAIT = 1u << 6,     /* wait for signals, be a member of a wait set */
    SK_RIGHT_MANAGE = 1u << 7,   /* start, kill, charge to a job, set priorities */
    SK_RIGHT_INSPECT = 1u << 8,  /* read state and statistics */
    SK_RIGHTS_ALL = (1u << 9) - 1,
};

/* Signals of an object, for object_wait and wait sets. */
enum sk_signal {
    SK_SIGNAL_READABLE = 1u << 0,    /* endpoint: a message is queued (level) */
    SK_SIGNAL_PEER_CLOSED = 1u << 1, /* endpoint: the other end is closed (level) */
    SK_SIGNAL_EVENT = 1u << 2,       /* event: signalled (taken by delivery) */
    SK_SIGNAL_TIMER = 1u << 3,       /* timer: expired (taken by delivery) */
    SK_SIGNAL_INTERRUPT = 1u << 4,   /* interrupt: fired (taken by delivery) */
    SK_SIGNAL_TERMINATED = 1u << 5,  /* process, thread, job: has ended (level) */
};

/* Protection bits of a mapping. Write with execute is refused. */
enum sk_prot {
    SK_PROT_READ = 1u << 0,
    SK_PROT_WRITE = 1u << 1,
    SK_PROT_EXECUTE = 1u << 2,
};

/* Flags of memory_map. */
enum sk_map_flag {
    SK_MAP_FIXED = 1u << 8,    /* exactly at the address given, or EXISTS */
    SK_MAP_POPULATE = 1u << 9, /* fill the page tables now */
    SK_MAP_APART = 1u << 10,   /* at a random place, not next to the last one; without FIXED */
};

/* Flags of memory_create. */
enum sk_memory_flag {
    SK_MEMORY_COMMIT = 1u << 0,     /* charge and allocate every page now */
    SK_MEMORY_CONTIGUOUS = 1u << 1, /* one physical range (memory_create_dma only) */
};

/* Kinds of resource: what a resource handle gives a right to. */
enum sk_resource_kind {
    SK_RESOURCE_ROOT = 0, /* all of the below; init's */
    SK_RESOURCE_MMIO,     /* a physical address range: base, size in bytes */
    SK_RESOURCE_IRQ,      /* interrupt sources: first, count */
    SK_RESOURCE_DMA,      /* memory for devices: physical address limit, pages */
    SK_RESOURCE_POWER,    /* power-off and reset */
    SK_RESOURCE_LOG,      /* the kernel log */
    SK_RESOURCE_INSPECT,  /* system-wide statistics */
    SK_RESOURCE_KIND_COUNT,
};

enum sk_power_op { SK_POWER_OFF = 0, SK_POWER_REBOOT = 1 };
enum sk_power_reason { SK_POWER_SUCCESS = 0, SK_POWER_FAILURE = 1 };

/* Thread priorities: larger runs first. */
#define SK_PRIORITY_MIN 1u
#define SK_PRIORITY_DEFAULT 16u
#define SK_PRIORITY_MAX 31u

#endif
