/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starting programs. The ELF file lies in a memory object (the boot archive, or a file): read-only
 * pages are mapped straight from it, without a copy; writable ones are copied to fresh memory. The
 * file is not trusted: overlapping, huge, truncated and write-plus-execute segments are BAD_FORMAT.
 */
#ifndef SK_SPAWN_H
#define SK_SPAWN_H

#include <stdbool.h>

#include <skerry/info.h>
#include <skerry/status.h>
#include <skerry/types.h>

#define SK_SPAWN_STACK_DEFAULT ((uint64_t)64 * 1024)
#define SK_SPAWN_HANDLES_MAX 24u

/* A handle for the child, known there as sk_boot_handle(name). */
struct sk_spawn_handle {
    const char *name;
    handle_t handle;
};

struct sk_spawn {
    const char *name; /* of the process; argv[0] too when argument_count is 0 */
    handle_t job; /* borrowed; MANAGE and DUPLICATE: the child runs in it and gets a duplicate */
    uint32_t priority; /* 0: SK_PRIORITY_DEFAULT */
    /* SK_HANDLE_NONE, or a process that the caller has made in `job`; it stays the caller's. */
    handle_t process;

    handle_t image;        /* borrowed; READ, MAP, EXECUTE */
    uint64_t image_offset; /* of the ELF header in it, a multiple of SK_PAGE_SIZE */
    uint64_t image_size;

    size_t argument_count; /* argv[0] included */
    const char *const *arguments;
    size_t environment_count;
    const char *const *environment;

    const struct sk_spawn_handle *handles; /* move to the child; on failure they are closed */
    size_t handle_count;
    uint64_t stack_size; /* 0: SK_SPAWN_STACK_DEFAULT */
    /* All its data and stack are charged now: running out later is an error that it is told, and never the
     * end of it by a touch of a page that is still to be paid. For what must go on. */
    bool commit;
};

/* Both handles are the caller's. */
struct sk_child {
    handle_t process; /* shows SK_SIGNAL_TERMINATED at its end */
    handle_t boot;    /* our end of its boot channel: what it asks of its parent arrives here */
};

/*
 * Starts a program. The handles in `handles` are gone in any case, and on failure nothing else is
 * left behind.
 * BAD_FORMAT (the file), TOO_BIG (arguments and names over one message), INVALID_ARGS,
 * OVER_BUDGET, NO_MEMORY, NO_HANDLES, ACCESS_DENIED.
 */
status_t sk_spawn(const struct sk_spawn *spawn, struct sk_child *child);

/* Waits for the end of a process and tells how it ended. TIMED_OUT. */
status_t sk_process_wait(handle_t process, uint64_t deadline, struct sk_process_info *info);

/*
 * A way to init for a child of this process: an endpoint, to be given to the child under the name
 * "init", on which it may connect to what this process may connect to. Charged to `job`.
 */
status_t sk_delegate(const char *child_name, handle_t job, handle_t *endpoint);

#endif
