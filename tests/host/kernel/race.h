/* SPDX-License-Identifier: BSD-2-Clause */
/* The two halves of the race: harts and the end (race.c), and what programs do (race_programs.c). */
#ifndef RACE_H
#define RACE_H

#include <arch_impl/host.h>
#include <kernel/process.h>

#define SHARED_PAGE ((vaddr_t)0x100000) /* of every process: areas of its threads */
#define SHARED_PAGES 5u
#define AREA_BYTES 512u
#define AREAS 32u
#define NAME_AT (SHARED_PAGE + AREAS * AREA_BYTES)
#define KNOWN 24u

struct memory_of_process {
    uint64_t id;
    _Atomic handle_t known[KNOWN];
    _Atomic handle_t job, self;
    handle_t caller_end, server_end; /* of first processes: calls that are served */
    _Atomic uint32_t threads;
};

/* System calls of programs, by either way. */
extern _Atomic uint64_t race_calls;
extern uint32_t race_process_count;

/* What the programs of a process share; a new one starts with this handle to its job. */
struct memory_of_process *race_process(const struct process *process, handle_t job);
/* One step of a program that runs on this hart; returns who runs next. */
struct thread *race_play(struct thread *thread);

#endif
