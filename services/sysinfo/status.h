/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON text of docs/status.md, from the raw numbers. Pure. */
#ifndef SYSINFO_STATUS_H
#define SYSINFO_STATUS_H

#include <sk/protocol/init.h>
#include <skerry/info.h>
#include <skerry/types.h>

#define STATUS_SCHEMA 1 /* docs/status.md tells when it changes */

/* One look at the system; the arrays are borrowed. */
struct status_input {
    const char *version;
    const struct sk_system_info *system;
    const struct sk_hart_info *harts;
    size_t hart_count;
    const struct sk_process_info *processes;
    size_t process_count;
    const struct sk_job_info *jobs;
    size_t job_count;
    const struct sk_init_service *services;
    size_t service_count;
};

/* Writes the text without a NUL; its length, or 0 if `size` is too small. */
size_t status_write(const struct status_input *input, char *out, size_t size);

#endif
