/* SPDX-License-Identifier: BSD-2-Clause */
/* The state of the system as text, from the service "sysinfo". */
#ifndef SK_SYSINFO_H
#define SK_SYSINFO_H

#include <skerry/status.h>
#include <skerry/types.h>

/*
 * The JSON of docs/status.md: *length bytes at *text, to be freed by the caller, and a NUL behind
 * them. The connection is kept; one that broke is made again once. Errors: those of sk_connect and
 * sk_channel_call, NO_MEMORY, BAD_FORMAT. One thread at a time.
 */
status_t sk_sysinfo_status(uint64_t deadline, char **text, size_t *length);

#endif
