/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manifest: which programs make up the system, and what each gets. The grammar is told in
 * docs/init.md. Pure. Tests: tests/host/services/init/test_manifest.c, tests/fuzz/fuzz_manifest.c.
 */
#ifndef INIT_MANIFEST_H
#define INIT_MANIFEST_H

#include <stdbool.h>

#include <skerry/info.h>
#include <skerry/status.h>

#define MANIFEST_PROGRAMS_MAX 32u
#define MANIFEST_LIST_MAX 16u
#define MANIFEST_ARGUMENTS_MAX 16u

/* A list of names; the strings lie in the manifest's text. */
struct manifest_list {
    uint32_t count;
    const char *items[MANIFEST_LIST_MAX];
};

/* Handles that init can give (key `handles`). */
enum manifest_handle {
    MANIFEST_HANDLE_LOG = 1u << 0,        /* "log": write to the kernel log */
    MANIFEST_HANDLE_LOG_READER = 1u << 1, /* "log-reader": read it and take it over, named "log" */
    MANIFEST_HANDLE_INSPECT = 1u << 2,    /* "inspect": system-wide statistics */
    MANIFEST_HANDLE_BOOTFS = 1u << 3,     /* "bootfs": the boot archive */
    MANIFEST_HANDLE_DTB = 1u << 4,        /* "dtb": the device tree */
    MANIFEST_HANDLE_DEVICES = 1u << 5,    /* "devices": the root resource, named "resource" */
    MANIFEST_HANDLE_CONSOLE = 1u << 6,    /* "console": a connection for stdin and stdout */
};

enum manifest_restart {
    MANIFEST_RESTART_NEVER,
    MANIFEST_RESTART_ON_FAILURE,
    MANIFEST_RESTART_ALWAYS
};

struct manifest_program {
    const char *name;        /* "*": the template for run= programs that are not listed */
    const char *file;        /* in the boot archive */
    uint32_t argument_count; /* without argv[0] */
    const char *arguments[MANIFEST_ARGUMENTS_MAX];
    uint32_t priority;
    struct sk_budget budget;
    struct sk_budget percent;       /* where not 0: a share of what init has, instead */
    struct manifest_list offers;    /* names it serves from its start */
    struct manifest_list may_offer; /* names it may put up later; "nic*" matches nic0, nic1, ... */
    struct manifest_list connects;  /* names it may connect to; "*" matches all */
    uint32_t handles;               /* enum manifest_handle */
    uint32_t grants;                /* enum sk_init_grant */
    enum manifest_restart restart;
    struct manifest_list restart_with; /* programs with which it is torn down and started again */
    uint32_t limit_ms; /* how long it may leave its control endpoint alone; 0: init's usual limit */
    bool ready;        /* it says when it is ready, and the foreground program waits for that */
    bool off;          /* never started; what it offers is down */
    bool manual;       /* started only as the foreground program */
};

struct manifest {
    uint32_t count;
    struct manifest_program programs[MANIFEST_PROGRAMS_MAX];
};

/* Where and why a manifest was refused. */
struct manifest_error {
    uint32_t line; /* from 1 */
    const char *reason;
    const char *word; /* the word that was not understood, or "" */
};

/*
 * Parses `text` (NUL-terminated), which is cut into words in place and must outlive the manifest.
 * BAD_FORMAT, with *error filled in.
 */
status_t manifest_parse(char *text, struct manifest *manifest, struct manifest_error *error);

/* The program of this name, NULL when there is none. */
struct manifest_program *manifest_find(struct manifest *manifest, const char *name);

/* Does the list name it? An item that ends in "*" matches every name with its beginning. */
bool manifest_list_matches(const struct manifest_list *list, const char *name);

#endif
