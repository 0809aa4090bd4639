/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Structures that job_create takes and that object_info and system_info fill in.
 */
#ifndef SKERRY_INFO_H
#define SKERRY_INFO_H

#include <skerry/types.h>

#define SK_NAME_MAX 32u /* bytes of a process or thread name, NUL included */

#define SK_OBSERVERS_MAX 64u /* wait sets and threads that wait for one object at a time */
#define SK_JOB_DEPTH_MAX 32u /* jobs below the root job, each in the other */

#define SK_CPU_HART 1000u /* the share of the processors that is one whole hart */

/* What a job may use. Carved out of the parent at job_create, given back when the job ends. */
struct sk_budget {
    uint64_t pages;    /* page frames: memory objects and page tables */
    uint64_t objects;  /* kernel objects of any type, wait set members included */
    uint64_t handles;  /* handle table entries, and handles in flight */
    uint64_t messages; /* messages in flight */
    uint64_t threads;
    uint64_t cpu; /* share of the processors, in SK_CPU_HART; 0: it uses its parent's */
};

struct sk_job_info {
    uint64_t id;
    uint64_t parent_id;     /* 0: the root */
    struct sk_budget limit; /* after what was carved out for children */
    struct sk_budget used;  /* its share is none: time comes back by itself */
    uint64_t
        cpu_time_ns; /* that its share paid for, or that nobody else wanted; told when turns end */
    uint64_t cpu_ran_out; /* turns that began with its share of the period used up */
    uint32_t processes;
    uint32_t children;
};

enum sk_process_state {
    SK_PROCESS_NEW = 0, /* created, not started */
    SK_PROCESS_RUNNING,
    SK_PROCESS_DYING, /* killed or exited, being torn down */
    SK_PROCESS_DEAD,
};

/* Why a process ended. */
enum sk_exit_reason {
    SK_EXIT_NONE = 0,
    SK_EXIT_EXITED,      /* process_exit, or its last thread ended */
    SK_EXIT_KILLED,      /* process_kill or job_kill */
    SK_EXIT_FAULT,       /* a fault that nobody handles */
    SK_EXIT_OVER_BUDGET, /* touched memory that its job could not pay */
};

struct sk_process_info {
    uint64_t id;
    uint64_t job_id;
    uint32_t state;       /* enum sk_process_state */
    uint32_t exit_reason; /* enum sk_exit_reason */
    int64_t exit_code;
    uint32_t threads;
    uint32_t handles;
    uint64_t mapped_pages; /* populated page table entries */
    uint64_t run_time_ns;  /* CPU time of its threads, those that ended included */
    char name[SK_NAME_MAX];
};

struct sk_thread_info {
    uint64_t id;
    uint32_t priority;
    uint32_t state; /* 0 ready or running, 1 blocked, 2 suspended, 3 dead */
    uint64_t run_time_ns;
};

struct sk_memory_info {
    uint64_t size;            /* bytes */
    uint64_t committed_pages; /* frames it owns */
    uint64_t physical;        /* DMA memory only: its first physical address, else 0 */
};

/* What the pages of a memory object are. */
enum sk_memory_kind {
    SK_MEMORY_RAM = 0,
    SK_MEMORY_DMA,
    SK_MEMORY_BOOT,   /* RAM that boot handed out */
    SK_MEMORY_DEVICE, /* registers */
    SK_MEMORY_SLICE,
};

/* A handle that a process holds, as handle_list tells. */
struct sk_handle_entry {
    uint64_t object_id; /* the ends of a channel differ in bit 0 */
    uint32_t type;      /* enum sk_type */
    uint32_t rights;
    uint32_t kind; /* enum sk_resource_kind or enum sk_memory_kind, by the type; else 0 */
    uint32_t reserved;
};

/* Topics of system_info. */
enum sk_system_topic {
    SK_SYSTEM_GENERAL = 0, /* one struct sk_system_info */
    SK_SYSTEM_PROCESSES,   /* an array of struct sk_process_info */
    SK_SYSTEM_HARTS,       /* an array of struct sk_hart_info: those that have come */
    SK_SYSTEM_JOBS,        /* an array of struct sk_job_info, parents first */
};

struct sk_system_info {
    uint64_t uptime_ns;
    uint64_t timebase_hz;
    uint64_t memory_total_pages;
    uint64_t memory_free_pages;
    uint64_t objects[SK_TYPE_COUNT]; /* live objects by type */
    uint64_t messages;               /* queued messages */
    uint64_t handles;                /* entries in all tables, and in flight */
    uint64_t kernel_pages;           /* frames the kernel holds for itself */
    uint32_t harts;
    uint32_t runnable; /* threads that run or wait for a hart, the caller's included */
};

struct sk_hart_info {
    uint64_t hart_id;
    uint64_t timer_interrupts;
    uint64_t switches;
    uint64_t system_calls;
    uint64_t idle_ns;
    uint64_t ipi_received;
};

#endif
