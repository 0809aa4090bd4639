/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot message as a program gets it: parsing (pure, tests/host/userland/lib/test_boot.c) and the
 * table of named handles behind <sk/service.h>. Not for programs.
 */
#ifndef LIB_BOOT_H
#define LIB_BOOT_H

#include <skerry/boot.h>
#include <skerry/ipc.h>
#include <skerry/status.h>

#define BOOT_ARGUMENTS_MAX 64u /* arguments and environment entries together */
#define BOOT_HANDLES_MAX 32u

/* argv and envp, both NULL-terminated; the strings lie in the boot message. */
struct boot_arguments {
    int count;
    char **values;
    char **environment;
};

/*
 * Checks a boot message of `length` bytes with `handle_count` handles, and writes the addresses of
 * its strings: arguments, environment, handle names, in this order. BAD_FORMAT; TOO_BIG (more than
 * `room` strings).
 */
status_t boot_parse(char *message, size_t length, size_t handle_count,
                    struct sk_boot_header *header, char **strings, size_t room);

/*
 * Receives the boot message (several, if it says so), fills the table of handles and the sk_self_*
 * variables. Once, before any other thread exists.
 */
status_t boot_receive(handle_t endpoint, struct boot_arguments *arguments);

/*
 * The inverse of boot_parse: writes a message of at most SK_MESSAGE_BYTES_MAX bytes. `strings` are
 * the arguments, the environment and the names, counted by the header's fields; its other fields but
 * `more` are filled in. TOO_BIG.
 */
status_t boot_compose(struct sk_boot_header *header, const char *const *strings, char *message,
                      size_t *length);

#endif
