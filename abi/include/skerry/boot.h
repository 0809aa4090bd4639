/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot message: the first message on the endpoint that a process's first thread gets in a0.
 * It says everything the process was given. Layout: the header, then NUL-terminated strings in this
 * order: arguments (argv[0] is the program's name), environment entries ("NAME=value"), names of
 * handles. The handles are those of the message, in the order of their names.
 *
 * Names that every process gets: "process" (itself), "job" (where it charges what it makes),
 * "thread" (its first thread) if MANAGE over priorities is granted. Init also gets "resource" (the
 * root), "bootfs" (the boot archive), "dtb" (the device tree); its arguments are the words of the
 * kernel command line. The boot endpoint itself stays open: it is the way to init (connect).
 */
#ifndef SKERRY_BOOT_H
#define SKERRY_BOOT_H

#include <skerry/types.h>

#define SK_BOOT_MAGIC 0x746f6f62u /* "boot" */

struct sk_boot_header {
    uint32_t magic;
    uint32_t abi_version;
    uint32_t length; /* of the whole message, bytes */
    uint16_t argument_count;
    uint16_t environment_count;
    uint16_t handle_count;
    uint16_t more; /* not 0: another message like this follows, with handle names only */
    uint16_t reserved[2];
};

_Static_assert(sizeof(struct sk_boot_header) == 24, "ABI layout");

#endif
