/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tells what every process of the system holds, after a page was served, for privilege.py:
 *
 *     process ID JOB NAME
 *     holds ID TYPE RIGHTS KIND OBJECT
 *     all of it, FAILURES
 *
 * It does not end by itself: the machine would be off before its console has said everything.
 */
#include "hostile.h"

#define PROCESSES_MAX 64u

static void tell_holdings(uint64_t id)
{
    static struct sk_handle_entry entries[64];
    uint64_t next = 0, written;
    do {
        must(sk_handle_list(sk_boot_handle("inspect"), id, next, entries, sizeof entries, &written,
                            &next));
        for (uint64_t i = 0; i < written / sizeof entries[0]; i++) {
            printf("holds %llu %u %u %u %llu\n", (unsigned long long)id, entries[i].type,
                   entries[i].rights, entries[i].kind, (unsigned long long)entries[i].object_id);
        }
    } while (next != 0);
}

int main(void)
{
    static struct sk_process_info infos[PROCESSES_MAX];
    struct client client;
    uint64_t written;
    client_run(&client, 2);
    must(sk_system_info(sk_boot_handle("inspect"), SK_SYSTEM_PROCESSES, infos, sizeof infos,
                        &written));
    uint64_t count = written / sizeof infos[0];
    for (uint64_t i = 0; i < count; i++) {
        printf("process %llu %llu %s\n", (unsigned long long)infos[i].id,
               (unsigned long long)infos[i].job_id, infos[i].name);
    }
    for (uint64_t i = 0; i < count; i++) {
        tell_holdings(infos[i].id);
    }
    printf("all of it, %u\n", client.failures + (count == PROCESSES_MAX));
    fflush(stdout);
    sk_thread_sleep(SK_DEADLINE_NEVER);
    return 0;
}
